"""Makes users and their API keys."""

import re

from tradewind.domain.identifiers import AccountId
from tradewind.ports.clock import Clock
from tradewind.ports.credentials import (
    ApiKey,
    CredentialStore,
    KeyPair,
    PasswordHasher,
    SecretSource,
    User,
    fingerprint,
)
from tradewind.ports.ids import IdSource

MIN_PASSWORD_LENGTH = 10
MAX_PASSWORD_LENGTH = 256
MAX_EMAIL_LENGTH = 254
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class NotAcceptable(Exception):
    """The e-mail address or the password cannot be taken; the message says why."""


async def register_user(
    store: CredentialStore, hasher: PasswordHasher, ids: IdSource, clock: Clock, email: str, password: str
) -> str:
    """Create a user and return the user id. Raises `NotAcceptable`, `EmailTaken`, `StoreUnavailable`."""
    require_acceptable(email, password)
    user = User(
        user_id=ids.new_id(),
        email=normal_email(email),
        password_hash=await hasher.hash(password),
        created_at_ns=clock.now_ns(),
    )
    await store.add_user(user)
    return user.user_id


def require_acceptable(email: str, password: str) -> None:
    """Raise `NotAcceptable` unless a user may have this e-mail address and password."""
    address = normal_email(email)
    if len(address) > MAX_EMAIL_LENGTH or not _EMAIL.fullmatch(address) or not address.isprintable():
        raise NotAcceptable(f"{email!r} is not an e-mail address")
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise NotAcceptable(f"a password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters")


async def create_api_key(
    store: CredentialStore, secrets: SecretSource, clock: Clock, user_id: str, account_id: AccountId
) -> KeyPair:
    """Create a key for one account. The secret is returned now and never again. Raises `StoreUnavailable`."""
    pair = secrets.new_key_pair()
    await store.add_api_key(
        ApiKey(
            key_id=pair.key_id,
            secret_sha256=fingerprint(pair.secret),
            user_id=user_id,
            account_id=account_id,
            created_at_ns=clock.now_ns(),
        )
    )
    return pair


def normal_email(email: str) -> str:
    """The form in which addresses are stored and compared."""
    return email.strip().lower()
