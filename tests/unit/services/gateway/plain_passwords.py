"""A password hasher that costs nothing, for tests that are not about hashing."""


class PlainPasswordHasher:
    """Implements `tradewind.ports.credentials.PasswordHasher` by reversing the text."""

    async def hash(self, password: str) -> str:
        """The password backwards."""
        return password[::-1]

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether it is the password backwards."""
        return password_hash == password[::-1]
