"""Who asks: what a service needs to know of the sender of a request."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from tradewind.domain.identifiers import AccountId


class NotAuthenticated(Exception):
    """The credentials are missing, wrong, expired or forged; the message never says which."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who proved who they are.

    `user_id` is None for a key that belongs to no user; `account_ids` are all accounts that the principal
    may see and trade, `account_id` (one of them) the one that routes without an account in their path mean.
    """

    user_id: str | None
    account_ids: tuple[AccountId, ...]
    account_id: AccountId


class Authenticator(Protocol):
    """Turns a request's headers into a principal."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """The principal that the headers (lower-case names) prove.

        Accepts `apca-api-key-id` with `apca-api-secret-key`, or `authorization`. Raises `NotAuthenticated`,
        and `StoreUnavailable` when the credentials cannot be checked now.
        """
        ...
