"""What every credential store promises: the one in memory and the one in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tradewind.adapters.memory.credentials import MemoryCredentialStore
from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.ports.credentials import (
    ApiKey,
    CredentialStore,
    EmailTaken,
    RefreshToken,
    User,
    fingerprint,
)
from tradewind.ports.errors import StoreUnavailable

IDS = Uuid7Source()
NOW_NS = 1_700_000_000_000_000_000
LATER_NS = NOW_NS + 10**12


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[CredentialStore]:
    """Each store, empty."""
    if request.param == "memory":
        yield MemoryCredentialStore()
        return
    engine = create_engine(request.getfixturevalue("database_url"))
    yield PostgresCredentialStore(engine)
    await engine.dispose()


async def registered(store: CredentialStore, email: str = "ada@example.com") -> User:
    user = User(user_id=IDS.new_id(), email=email, password_hash="argon2id…", created_at_ns=NOW_NS)
    await store.add_user(user)
    return user


async def test_users_are_found_by_email(store: CredentialStore) -> None:
    user = await registered(store)
    assert await store.user_by_email("ada@example.com") == user
    assert await store.user_by_email("eve@example.com") is None


async def test_an_email_address_is_taken_once(store: CredentialStore) -> None:
    user = await registered(store)
    with pytest.raises(EmailTaken):
        await registered(store)
    assert await store.user_by_email("ada@example.com") == user


async def test_accounts_of_a_user(store: CredentialStore) -> None:
    user = await registered(store)
    first, second = IDS.new_id(), IDS.new_id()
    for account_id in (second, first, second):
        await store.add_account(user.user_id, account_id)
    assert await store.accounts_of(user.user_id) == (first, second)
    assert await store.accounts_of(IDS.new_id()) == ()


async def test_keys_are_stored_and_revoked_once(store: CredentialStore) -> None:
    user = await registered(store)
    key = ApiKey(
        key_id="TWKEY",
        secret_sha256=fingerprint("secret"),
        user_id=user.user_id,
        account_id=IDS.new_id(),
        created_at_ns=NOW_NS,
    )
    await store.add_api_key(key)
    assert await store.api_key("TWKEY") == key
    assert await store.api_key("TWOTHER") is None
    assert await store.revoke_api_key("TWKEY", LATER_NS)
    assert not await store.revoke_api_key("TWKEY", LATER_NS + 1)
    assert not await store.revoke_api_key("TWOTHER", LATER_NS)
    assert await store.api_key("TWKEY") == msgspec.structs.replace(key, revoked_at_ns=LATER_NS)


async def logged_in(store: CredentialStore, user: User, secret: str) -> RefreshToken:
    token = RefreshToken(
        token_sha256=fingerprint(secret),
        family_id=IDS.new_id(),
        user_id=user.user_id,
        account_id=IDS.new_id(),
        expires_at_ns=LATER_NS,
    )
    await store.add_refresh_token(token, NOW_NS)
    return token


async def rotate(
    store: CredentialStore, secret: str, successor: str, now_ns: int = NOW_NS
) -> RefreshToken | None:
    return await store.rotate_refresh_token(fingerprint(secret), fingerprint(successor), now_ns, LATER_NS)


async def test_a_refresh_token_is_exchanged_for_its_successor(store: CredentialStore) -> None:
    user = await registered(store)
    token = await logged_in(store, user, "one")
    successor = await rotate(store, "one", "two")
    assert successor == msgspec.structs.replace(token, token_sha256=fingerprint("two"))
    assert await rotate(store, "two", "three") is not None
    assert await rotate(store, "unknown", "four") is None


async def test_reuse_revokes_the_family_and_no_other(store: CredentialStore) -> None:
    user = await registered(store)
    await logged_in(store, user, "one")
    await logged_in(store, user, "other")
    assert await rotate(store, "one", "two") is not None
    assert await rotate(store, "one", "stolen") is None
    assert await rotate(store, "two", "three") is None
    assert await rotate(store, "other", "other-2") is not None


async def test_of_many_simultaneous_uses_at_most_one_succeeds_and_nobody_keeps_a_session(
    store: CredentialStore,
) -> None:
    user = await registered(store)
    await logged_in(store, user, "one")
    results = await asyncio.gather(*(rotate(store, "one", f"two-{n}") for n in range(6)))
    assert sum(result is not None for result in results) == 1
    for n in range(6):
        assert await rotate(store, f"two-{n}", f"three-{n}") is None


async def test_logging_out_revokes_the_family(store: CredentialStore) -> None:
    user = await registered(store)
    await logged_in(store, user, "one")
    assert await rotate(store, "one", "two") is not None
    await store.revoke_refresh_family(fingerprint("one"), NOW_NS)
    await store.revoke_refresh_family(fingerprint("unknown"), NOW_NS)
    assert await rotate(store, "two", "three") is None


async def test_expired_tokens_are_useless_and_dropped_at_the_next_log_in(store: CredentialStore) -> None:
    user = await registered(store)
    await logged_in(store, user, "one")
    assert await rotate(store, "one", "two", now_ns=LATER_NS) is None
    fresh = RefreshToken(
        token_sha256=fingerprint("new"),
        family_id=IDS.new_id(),
        user_id=user.user_id,
        account_id=IDS.new_id(),
        expires_at_ns=LATER_NS + 10**12,
    )
    await store.add_refresh_token(fresh, LATER_NS)
    assert await rotate(store, "one", "two", now_ns=NOW_NS) is None
    assert await rotate(store, "new", "newer", now_ns=LATER_NS) is not None


async def test_a_database_that_is_away_is_said_to_be_unavailable() -> None:
    engine = create_engine("postgresql://nobody:nothing@127.0.0.1:9/none")
    with pytest.raises(StoreUnavailable):
        await PostgresCredentialStore(engine).api_key("TWKEY")
    await engine.dispose()
