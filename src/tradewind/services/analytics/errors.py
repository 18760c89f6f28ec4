"""What can be wrong with a request to the analytics service."""


class InvalidParameter(Exception):
    """A query parameter has a value that is not allowed."""

    def __init__(self, name: str, value: str, allowed: str) -> None:
        super().__init__(f"invalid {name}: {value} (allowed: {allowed})")


class AccountNotFound(Exception):
    """There is no such account, or it is somebody else's; the two look the same from outside."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"account not found: {account_id}")


class TooMuchHistory(Exception):
    """Answering would need more rows than one request may read."""
