"""Who may log in: users, their API keys and refresh tokens, and what checks and makes secrets.

Stores never see a secret: passwords arrive as argon2id text, API secrets and refresh tokens as their fingerprint.
"""

import hashlib
from typing import Protocol

import msgspec

from tradewind.domain.identifiers import AccountId


class EmailTaken(Exception):
    """There is a user with this e-mail address."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who may log in. `email` is lower case."""

    user_id: str
    email: str
    password_hash: str
    created_at_ns: int


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key pair as it is stored; it gives access to one account."""

    key_id: str
    secret_sha256: bytes
    user_id: str
    account_id: AccountId
    created_at_ns: int
    revoked_at_ns: int | None = None


class RefreshToken(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh token as it is stored. All that descend from one log-in form a family."""

    token_sha256: bytes
    family_id: str
    user_id: str
    account_id: AccountId
    expires_at_ns: int


class KeyPair(msgspec.Struct, frozen=True):
    """A new API key: the only moment at which its secret is known."""

    key_id: str
    secret: str


def fingerprint(secret: str) -> bytes:
    """SHA-256 of a secret that has 256 random bits: searching for its source is hopeless, so no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class CredentialStore(Protocol):
    """Keeps users, keys and refresh tokens. Every method raises `StoreUnavailable`."""

    async def add_user(self, user: User) -> None:
        """Store a new user. Raises `EmailTaken`."""
        ...

    async def user_by_email(self, email: str) -> User | None:
        """The user with this (lower-case) e-mail address."""
        ...

    async def add_account(self, user_id: str, account_id: AccountId) -> None:
        """Give a user an account; again is harmless."""
        ...

    async def accounts_of(self, user_id: str) -> tuple[AccountId, ...]:
        """The accounts of a user, oldest id first; empty when there is no such user."""
        ...

    async def add_api_key(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    async def api_key(self, key_id: str) -> ApiKey | None:
        """The key, revoked or not."""
        ...

    async def revoke_api_key(self, key_id: str, now_ns: int) -> bool:
        """Make a key useless; False when there is no such key or it was revoked before."""
        ...

    async def add_refresh_token(self, token: RefreshToken, now_ns: int) -> None:
        """Store the first token of a family, and drop the user's expired ones."""
        ...

    async def rotate_refresh_token(
        self, token_sha256: bytes, successor_sha256: bytes, now_ns: int, expires_at_ns: int
    ) -> RefreshToken | None:
        """Use up a token and store its successor, atomically; returns the successor.

        None when the token is unknown, expired or revoked. One that was used before is refused too, and its whole
        family is revoked: somebody else has a copy.
        """
        ...

    async def revoke_refresh_family(self, token_sha256: bytes, now_ns: int) -> None:
        """Revoke the token and all its relatives; an unknown one is ignored."""
        ...


class PasswordHasher(Protocol):
    """Hashes and checks passwords, away from the event loop. Raises `Overloaded` when too many are waiting."""

    async def hash(self, password: str) -> str:
        """A new salted hash."""
        ...

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether the password is right. With None it takes the same time and is False."""
        ...


class AccessTokenIssuer(Protocol):
    """Makes the short-lived tokens that requests carry."""

    def issue(self, user_id: str, account_id: AccountId, now_ns: int) -> str:
        """A signed token that is good for `ttl_s` from now."""
        ...

    @property
    def ttl_s(self) -> int:
        """Life of a token, seconds."""
        ...


class SecretSource(Protocol):
    """Makes secrets that nobody can guess."""

    def new_key_pair(self) -> KeyPair:
        """A new API key."""
        ...

    def new_refresh_token(self) -> str:
        """A new refresh token."""
        ...
