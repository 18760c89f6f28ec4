"""Accounts for the tests' clients: opened over the command bus, with API keys of their own."""

import asyncio
import secrets
from dataclasses import dataclass
from decimal import Decimal

from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.redis.command_bus import RedisCommandBus
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.domain.commands import ClientCommand, DepositCash, OpenAccount
from tradewind.ports.credentials import ApiKey, User, fingerprint
from tradewind.ports.messages import CommandEnvelope
from tradewind.settings import Settings

DEADLINE_NS = 5_000_000_000
DEPOSIT = Decimal(50_000_000)


@dataclass(frozen=True)
class Trader:
    """An account and the key that trades it."""

    account_id: str
    key_id: str
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        """Alpaca's way of signing a request."""
        return {"APCA-API-KEY-ID": self.key_id, "APCA-API-SECRET-KEY": self.secret}


async def open_accounts(settings: Settings, count: int) -> list[Trader]:
    """New margin accounts, rich enough for any test."""
    clock, ids = SystemClock(), Uuid7Source()
    redis = connect(RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password))
    engine = create_engine(settings.database_url)
    store = PostgresCredentialStore(engine)
    user_id = ids.new_id()
    await store.add_user(
        User(user_id=user_id, email=f"{user_id}@example.org", password_hash="-", created_at_ns=clock.now_ns())
    )
    traders: list[Trader] = []
    try:
        async with RedisCommandBus(redis, clock, f"tests-{ids.new_id()}") as bus:
            await _until_connected(bus)
            for _ in range(count):
                account_id = ids.new_id()
                number = "PT" + account_id.replace("-", "")[-16:].upper()
                opening = OpenAccount(account_id=account_id, account_number=number, multiplier=Decimal(2))
                await _carry_out(bus, ids, clock, opening)
                await _carry_out(bus, ids, clock, DepositCash(account_id=account_id, amount=DEPOSIT))
                trader = Trader(account_id, f"TK{secrets.token_hex(8).upper()}", secrets.token_urlsafe(24))
                await store.add_account(user_id, account_id)
                await store.add_api_key(
                    ApiKey(
                        key_id=trader.key_id,
                        secret_sha256=fingerprint(trader.secret),
                        user_id=user_id,
                        account_id=account_id,
                        created_at_ns=clock.now_ns(),
                    )
                )
                traders.append(trader)
    finally:
        await engine.dispose()
        await redis.aclose()
    return traders


async def _until_connected(bus: RedisCommandBus) -> None:
    async with asyncio.timeout(10):
        while not bus.is_connected:  # noqa: ASYNC110 -- the bus tells nobody
            await asyncio.sleep(0.02)


async def _carry_out(
    bus: RedisCommandBus, ids: Uuid7Source, clock: SystemClock, command: ClientCommand
) -> None:
    now_ns = clock.now_ns()
    reply = await bus.send(
        CommandEnvelope(
            command_id=ids.new_id(),
            correlation_id=ids.new_id(),
            reply_to=bus.reply_to,
            received_ns=now_ns,
            deadline_ns=now_ns + DEADLINE_NS,
            command=command,
        )
    )
    assert reply.refusal is None, reply.refusal
