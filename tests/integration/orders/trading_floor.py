"""Order services in this process on real PostgreSQL and Redis, a market that a test moves, and clients that trade."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.servers import RedisAddress as ServerAddress
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.instruments import load_instruments, seed_instruments
from tradewind.adapters.postgres.journal_audit import PostgresJournalAudit
from tradewind.adapters.postgres.shard_journal import open_shard_journal
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.redis.command_bus import RedisCommandBus
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.order_bus import RedisCommandSource, RedisOrderEventSource, RedisOrderPublisher
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.adapters.venues.paper import PaperVenue
from tradewind.domain.commands import ClientCommand, DepositCash, OpenAccount, SubmitOrder
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.calendar import AroundTheClock
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.market.ticks import Quote, Trade
from tradewind.domain.market.universe import default_universe
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.domain.risk.limits import RiskLimits
from tradewind.engine.venue_rules import VenueRules
from tradewind.engine.verification import Difference
from tradewind.operations.backoff import Backoff
from tradewind.ports.bus import OutcomePublisher
from tradewind.ports.errors import BusUnavailable, ReplyOverdue
from tradewind.ports.journal import ShardJournal
from tradewind.ports.messages import CommandEnvelope, PublishedEvent, Reply
from tradewind.services.orders.announcer import Announcer
from tradewind.services.orders.collaborators import Collaborators
from tradewind.services.orders.marks import MarkPriceBoard
from tradewind.services.orders.order_service import OrderService
from tradewind.services.orders.verification import verify_journal

OpenJournal = Callable[[], Awaitable[ShardJournal]]


class BreakablePublisher:
    """Passes replies on, and events while `is_available`."""

    def __init__(self, publisher: OutcomePublisher) -> None:
        self.is_available = True
        self._publisher = publisher

    async def publish(
        self, events: Sequence[PublishedEvent], replies: Mapping[str, Sequence[Reply]] | None = None
    ) -> None:
        if not self.is_available:
            await self._publisher.publish([], replies)
            raise BusUnavailable("cut off by the test")
        await self._publisher.publish(events, replies)


class Replica:
    """One order service with a venue of its own."""

    def __init__(
        self, name: str, service: OrderService, publisher: BreakablePublisher, database_url: str
    ) -> None:
        self.name = name
        self.service = service
        self.publisher = publisher
        self._database_url = database_url
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(service.run(self._stop), name=name)

    async def ready(self) -> None:
        """Wait until it owns its share."""
        async with asyncio.timeout(10):
            while await self.service.readiness() is not None:
                assert not self._task.done(), self._task.exception()
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """It and its session end at once, in the middle of whatever they do."""
        self._task.cancel()
        connection = await asyncpg.connect(self._database_url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = $1 AND datname = current_database()",
            self.name,
        )
        await connection.close()
        await asyncio.gather(self._task, return_exceptions=True)

    async def stop(self) -> None:
        """As on SIGTERM."""
        self._stop.set()
        await asyncio.gather(self._task, return_exceptions=True)


class Floor:
    """What the tests see. `send` is a client's way, `books` are what is committed."""

    def __init__(
        self, database_url: str, address: RedisAddress, engine: AsyncEngine, stack: AsyncExitStack
    ) -> None:
        self.database_url = database_url
        self.engine = engine
        self.books = PostgresTradingQueries(engine)
        self.market = MemoryMarketData()
        self.clock = SystemClock()
        self.ids = Uuid7Source()
        self.redis = connect(address)
        self.client = RedisCommandBus(self.redis, self.clock, "floor")
        self.followed = RedisOrderEventSource(self.redis)
        self._stack = stack
        self._replica_count = 0

    async def open(self) -> None:
        """Instruments are there, the client is connected, and events are followed from now on."""
        await seed_instruments(self.engine, default_universe())
        self._stack.push_async_callback(self.redis.aclose)
        self._stack.push_async_callback(self.followed.close)
        await self._stack.enter_async_context(self.client)
        await self.followed.read(0.01)
        await self.quote("99.99", "100.01")
        async with asyncio.timeout(5):
            while not self.client.is_connected:  # noqa: ASYNC110 - nothing tells when it is
                await asyncio.sleep(0.005)

    async def start(self, open_journal: OpenJournal | None = None) -> Replica:
        """One more order service; `open_journal` instead of the usual session."""
        self._replica_count += 1
        name = f"replica {self._replica_count}"
        source, publisher = RedisCommandSource(self.redis), RedisOrderPublisher(self.redis)
        breakable = BreakablePublisher(publisher)
        known = {instrument.symbol: instrument for instrument in default_universe()}
        rules = VenueRules(instruments=known, calendar=AroundTheClock())
        venue = PaperVenue(rules=rules, market_data=self.market, clock=self.clock, ids=self.ids)
        marks = MarkPriceBoard(self.market)
        await self._stack.enter_async_context(venue)
        marks_task = asyncio.create_task(marks.follow())
        await asyncio.sleep(0)

        async def usual() -> ShardJournal:
            return await open_shard_journal(self.database_url, name)

        service = OrderService(
            Collaborators(
                open_journal=open_journal or usual,
                load_instruments=self._instruments,
                commands=source,
                announcer=Announcer(breakable),
                venue=venue,
                marks=marks,
                limits=RiskLimits(),
                clock=self.clock,
                new_backoff=lambda: Backoff(0.01, 0.05, 2.0, random.Random(1)),
            )
        )
        replica = Replica(name, service, breakable, self.database_url)
        for closing in (source.close, publisher.close, replica.stop):
            self._stack.push_async_callback(closing)

        async def stop_marks() -> None:
            marks_task.cancel()
            await asyncio.gather(marks_task, return_exceptions=True)

        self._stack.push_async_callback(stop_marks)
        return replica

    async def quote(self, bid: str, ask: str, size: str = "1000") -> None:
        """AAPL shows a new touch, and has traded in its middle."""
        now_ns = self.clock.now_ns()
        middle = (Decimal(bid) + Decimal(ask)) / 2
        await self.market.publish(
            [
                Quote("AAPL", Decimal(bid), Decimal(size), Decimal(ask), Decimal(size), now_ns),
                Trade("AAPL", middle, Decimal(1), now_ns, now_ns),
            ]
        )

    def envelope(self, command: ClientCommand, within_s: float = 5.0) -> CommandEnvelope:
        """The command, to be done within some seconds from now."""
        now_ns = self.clock.now_ns()
        return CommandEnvelope(
            command_id=self.ids.new_id(),
            correlation_id=f"correlation {type(command).__name__}",
            reply_to=self.client.reply_to,
            received_ns=now_ns,
            deadline_ns=now_ns + int(within_s * 1e9),
            command=command,
        )

    async def send(self, command: ClientCommand, within_s: float = 5.0) -> Reply:
        return await self.client.send(self.envelope(command, within_s))

    async def open_account(self, cash: str = "100000") -> str:
        """An account with money."""
        account_id = self.ids.new_id()
        await self.send(
            OpenAccount(account_id=account_id, account_number=account_id[-12:], multiplier=Decimal(2))
        )
        await self.send(DepositCash(account_id=account_id, amount=Decimal(cash)))
        return account_id

    def buy(self, account_id: str, qty: str, limit: str | None, client_order_id: str = "") -> SubmitOrder:
        """An order for AAPL, at the market when there is no limit."""
        order_id = self.ids.new_id()
        return SubmitOrder(
            account_id=account_id,
            order_id=order_id,
            client_order_id=client_order_id or order_id,
            symbol="AAPL",
            side=Side.BUY,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            qty=Decimal(qty),
            limit_price=None if limit is None else Decimal(limit),
        )

    async def submit_surely(self, command: SubmitOrder) -> Order:
        """As a careful client: without a reply look the order up, and send it again when it is not there."""
        async with asyncio.timeout(20):
            while True:
                try:
                    reply = await self.send(command, within_s=0.5)
                    assert reply.refusal is None or reply.refusal.code.name == "DEADLINE_PASSED", (
                        reply.refusal
                    )
                    if reply.refusal is None:
                        return reply.orders[0]
                except ReplyOverdue:
                    order = await self.books.resolve_fate(command.account_id, command.client_order_id)
                    if order is not None:
                        return order
                except BusUnavailable:
                    await asyncio.sleep(0.05)

    async def order_in_status(self, order: Order | SubmitOrder, status: str) -> Order:
        """The stored order, once it has the status."""
        async with asyncio.timeout(10):
            while True:
                stored = await self.books.order(order.account_id, order.order_id)
                if stored is not None and stored.status == status:
                    return stored
                await asyncio.sleep(0.01)

    async def events_until(self, is_enough: Callable[[list[PublishedEvent]], bool]) -> list[PublishedEvent]:
        """What was published since the last call, each event once, in order."""
        events: dict[tuple[int, int], PublishedEvent] = {}
        async with asyncio.timeout(10):
            while not is_enough(list(events.values())):
                for notice in await self.followed.read(0.2):
                    events.setdefault((notice.shard, notice.seq), notice.open())
        return [events[key] for key in sorted(events)]

    async def differences(self) -> list[Difference]:
        """What `journal verify` finds."""
        verdicts = [verdict async for verdict in verify_journal(PostgresJournalAudit(self.engine))]
        return [difference for verdict in verdicts for difference in verdict.differences]

    async def _instruments(self) -> dict[Symbol, Instrument]:
        return {instrument.symbol: instrument for instrument in await load_instruments(self.engine)}


@asynccontextmanager
async def trading_floor(database_url: str, address: ServerAddress) -> AsyncIterator[Floor]:
    """A floor without any replica yet."""
    engine = create_engine(database_url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        floor = Floor(database_url, RedisAddress(*address), engine, stack)
        await floor.open()
        yield floor
