"""Users, API keys and refresh tokens in memory, for tests and trials."""

import msgspec

from tradewind.domain.identifiers import AccountId
from tradewind.ports.credentials import ApiKey, EmailTaken, RefreshToken, User


class MemoryCredentialStore:
    """Implements `tradewind.ports.credentials.CredentialStore`."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._accounts: dict[str, set[AccountId]] = {}
        self._keys: dict[str, ApiKey] = {}
        self._tokens: dict[bytes, RefreshToken] = {}
        self._used: set[bytes] = set()
        self._revoked: set[bytes] = set()

    async def add_user(self, user: User) -> None:
        """Store a new user. Raises `EmailTaken`."""
        if user.email in self._users:
            raise EmailTaken(f"there is a user with the e-mail address {user.email}")
        self._users[user.email] = user

    async def user_by_email(self, email: str) -> User | None:
        """The user with this (lower-case) e-mail address."""
        return self._users.get(email)

    async def add_account(self, user_id: str, account_id: AccountId) -> None:
        """Give a user an account; again is harmless."""
        self._accounts.setdefault(user_id, set()).add(account_id)

    async def accounts_of(self, user_id: str) -> tuple[AccountId, ...]:
        """The accounts of a user, oldest id first."""
        return tuple(sorted(self._accounts.get(user_id, ())))

    async def add_api_key(self, key: ApiKey) -> None:
        """Store a new key."""
        self._keys[key.key_id] = key

    async def api_key(self, key_id: str) -> ApiKey | None:
        """The key, revoked or not."""
        return self._keys.get(key_id)

    async def revoke_api_key(self, key_id: str, now_ns: int) -> bool:
        """Make a key useless; False when there is no such key or it was revoked before."""
        key = self._keys.get(key_id)
        if key is None or key.revoked_at_ns is not None:
            return False
        self._keys[key_id] = msgspec.structs.replace(key, revoked_at_ns=now_ns)
        return True

    async def add_refresh_token(self, token: RefreshToken, now_ns: int) -> None:
        """Store the first token of a family, and drop the user's expired ones."""
        expired = [
            known.token_sha256
            for known in self._tokens.values()
            if known.user_id == token.user_id and known.expires_at_ns <= now_ns
        ]
        for token_sha256 in expired:
            del self._tokens[token_sha256]
        self._tokens[token.token_sha256] = token

    async def rotate_refresh_token(
        self, token_sha256: bytes, successor_sha256: bytes, now_ns: int, expires_at_ns: int
    ) -> RefreshToken | None:
        """Use up a token and store its successor, atomically; reuse revokes the family."""
        token = self._tokens.get(token_sha256)
        if token is None or token_sha256 in self._revoked or token.expires_at_ns <= now_ns:
            return None
        if token_sha256 in self._used:
            await self.revoke_refresh_family(token_sha256, now_ns)
            return None
        self._used.add(token_sha256)
        successor = msgspec.structs.replace(token, token_sha256=successor_sha256, expires_at_ns=expires_at_ns)
        self._tokens[successor_sha256] = successor
        return successor

    async def revoke_refresh_family(self, token_sha256: bytes, now_ns: int) -> None:
        """Revoke the token and all its relatives; an unknown one is ignored."""
        token = self._tokens.get(token_sha256)
        if token is not None:
            self._revoked.update(
                known.token_sha256 for known in self._tokens.values() if known.family_id == token.family_id
            )
