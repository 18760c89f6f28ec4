"""What a first start puts into an empty platform: a user, an account with an API key, an account for the strategy."""

import asyncio
import secrets
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.auth.api_keys import RandomSecretSource
from tradewind.adapters.auth.passwords import Argon2PasswordHasher
from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.redis.command_bus import RedisCommandBus
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.ports.errors import OutsideFailure
from tradewind.services.gateway.account.opening import AccountOpener
from tradewind.services.gateway.auth.registration import create_api_key, register_user
from tradewind.settings import Settings

USER_EMAIL = "trader@tradewind.local"
PAPER_MONEY = Decimal(100_000)
USER_MULTIPLIER = Decimal(2)
STRATEGY_MULTIPLIER = Decimal(1)
ATTEMPTS_MAX = 20
ATTEMPT_DELAY_S = 0.5


@dataclass(frozen=True)
class SeededCredentials:
    """What the first start made; the password and the key's secret are known here and to the user only."""

    user_email: str
    user_password: str
    api_key_id: str
    api_key_secret: str
    account_id: str
    strategy_account_id: str


def seed_platform(settings: Settings) -> SeededCredentials | None:
    """Make the first user, accounts and key; None when they were made before. Blocks.

    The order service must run. Raises `OutsideFailure` when it, the database or Redis cannot be reached for long.
    """
    return asyncio.run(_seed(settings))


async def _seed(settings: Settings) -> SeededCredentials | None:
    engine = create_engine(settings.database_url)
    try:
        if await PostgresCredentialStore(engine).user_by_email(USER_EMAIL) is not None:
            return None
        return await _make(settings, engine)
    finally:
        await engine.dispose()


async def _make(settings: Settings, engine: AsyncEngine) -> SeededCredentials:
    clock, ids = SystemClock(), Uuid7Source()
    store = PostgresCredentialStore(engine)
    account_id, strategy_account_id = await _open_accounts(settings)
    password = secrets.token_urlsafe(12)
    user_id = await register_user(store, Argon2PasswordHasher(), ids, clock, USER_EMAIL, password)
    for account in (account_id, strategy_account_id):
        await store.add_account(user_id, account)
    key = await create_api_key(store, RandomSecretSource(), clock, user_id, account_id)
    return SeededCredentials(
        user_email=USER_EMAIL,
        user_password=password,
        api_key_id=key.key_id,
        api_key_secret=key.secret,
        account_id=account_id,
        strategy_account_id=strategy_account_id,
    )


async def _open_accounts(settings: Settings) -> tuple[str, str]:
    clock, ids = SystemClock(), Uuid7Source()
    redis = connect(RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password))
    try:
        async with RedisCommandBus(redis, clock, f"seed-{ids.new_id()}") as bus:
            opener = AccountOpener(bus, bus.reply_to, ids, clock, settings.command_deadline_ms)
            account_id = await _patiently(opener, USER_MULTIPLIER)
            return account_id, await _patiently(opener, STRATEGY_MULTIPLIER)
    finally:
        await redis.aclose()


async def _patiently(opener: AccountOpener, multiplier: Decimal) -> str:
    """The order service may still be claiming its shards; an account opened by a lost attempt stays unused."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return await opener.open(deposit=PAPER_MONEY, multiplier=multiplier)
        except OutsideFailure:
            if attempt == ATTEMPTS_MAX:
                raise
            await asyncio.sleep(ATTEMPT_DELAY_S)
    raise AssertionError("unreachable")
