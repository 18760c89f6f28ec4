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
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.redis.command_bus import RedisCommandBus
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.ports.errors import OutsideFailure
from tradewind.services.gateway.account.opening import AccountOpening
from tradewind.services.gateway.auth.registration import create_api_key, register_user
from tradewind.services.gateway.commands import CommandSender
from tradewind.services.gateway.errors import ApiError
from tradewind.settings import Settings

USER_EMAIL = "trader@tradewind.local"
PAPER_MONEY = Decimal(100_000)
USER_MULTIPLIER = Decimal(2)
STRATEGY_MULTIPLIER = Decimal(1)
PASSWORD_BYTES = 12
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

    The order service must run. Raises `OutsideFailure` or `ApiError` when it, the database or Redis cannot be reached for long.
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
    account_id, strategy_account_id = await _open_accounts(settings, engine)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
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


async def _open_accounts(settings: Settings, engine: AsyncEngine) -> tuple[str, str]:
    clock, ids = SystemClock(), Uuid7Source()
    redis = connect(RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password))
    queries = PostgresTradingQueries(engine)
    try:
        async with RedisCommandBus(redis, clock, f"seed-{ids.new_id()}") as bus:
            sender = CommandSender(bus, bus.reply_to, queries, ids, clock, settings.command_deadline_ms)
            opening = AccountOpening(sender, queries)
            account_id = await _open_patiently(opening, USER_MULTIPLIER)
            return account_id, await _open_patiently(opening, STRATEGY_MULTIPLIER)
    finally:
        await redis.aclose()


async def _open_patiently(opening: AccountOpening, multiplier: Decimal) -> str:
    """The order service may still be claiming its shards; an account that a lost attempt opened stays unused."""
    for _ in range(ATTEMPTS_MAX - 1):
        try:
            return await opening.open(PAPER_MONEY, multiplier)
        except (ApiError, OutsideFailure):
            await asyncio.sleep(ATTEMPT_DELAY_S)
    return await opening.open(PAPER_MONEY, multiplier)
