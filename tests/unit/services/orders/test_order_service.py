"""The order service over a journal and a bus in memory: what is hard to bring about on real ones."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from decimal import Decimal

import msgspec
import pytest

from tests.contract.journal_writes import ACCOUNT_ID, accepted, buy, fill, funded, replace, uuid
from tests.core_scenarios import INSTRUMENTS
from tests.unit.services.orders.scripted_venue import ScriptedVenue
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.adapters.memory.order_bus import MemoryOrderBus
from tradewind.adapters.memory.order_events import MemoryOrderEvents
from tradewind.adapters.memory.shard_journal import MemoryJournalDatabase, MemoryShardJournal
from tradewind.adapters.system.clock import SystemClock
from tradewind.domain.commands import CancelOrder, ClientCommand, DepositCash, OpenAccount
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.market.ticks import Trade
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import OrderType
from tradewind.domain.reject_codes import RejectCode
from tradewind.domain.risk.limits import RiskLimits
from tradewind.domain.venue_reports import VenueReplaceRejected
from tradewind.operations.backoff import Backoff
from tradewind.ports.journal import PreparedWrite, ShardJournal
from tradewind.ports.messages import CommandEnvelope, Reply, shard_of
from tradewind.services.orders import tenure
from tradewind.services.orders.announcer import Announcer
from tradewind.services.orders.collaborators import Collaborators
from tradewind.services.orders.marks import MarkPriceBoard
from tradewind.services.orders.order_service import OrderService

SHARD = shard_of(ACCOUNT_ID)


class SlowJournal(MemoryShardJournal):
    """Commits only while `may_commit` is set."""

    may_commit: asyncio.Event

    async def commit(self, write: PreparedWrite) -> None:
        await self.may_commit.wait()
        await super().commit(write)


class House:
    """One database and one bus; services come and go."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.clock = SystemClock()
        self.database = MemoryJournalDatabase(self.clock)
        self.bus = MemoryOrderBus(self.clock)
        self.events = MemoryOrderEvents(self.bus)
        self.client = self.bus.client("house")
        self.may_commit = asyncio.Event()
        self.may_commit.set()
        self.marks = MarkPriceBoard(MemoryMarketData())
        self._stack = stack
        self._count = 0

    async def start(self, venue: ScriptedVenue | None = None) -> tuple[OrderService, Callable[[], None]]:
        """A running service, and how to end it."""
        service = OrderService(
            Collaborators(
                open_journal=self._open_journal,
                load_instruments=self._instruments,
                commands=self.bus,
                announcer=Announcer(self.events),
                venue=venue or ScriptedVenue(),
                marks=self.marks,
                limits=RiskLimits(),
                clock=self.clock,
                new_backoff=lambda: Backoff(0.01, 0.02, 2.0, random.Random(1)),
            )
        )
        stop = asyncio.Event()
        task = asyncio.create_task(service.run(stop))

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)
        return service, stop.set

    async def send(self, command: ClientCommand) -> Reply:
        self._count += 1
        now_ns = self.clock.now_ns()
        envelope = CommandEnvelope(
            command_id=f"command-{self._count}",
            correlation_id="c",
            reply_to="house",
            received_ns=now_ns,
            deadline_ns=now_ns + 5 * 10**9,
            command=command,
        )
        return await self.client.send(envelope)

    def stored(self, number: int) -> Order:
        return self.database.shards[SHARD].orders[uuid(number)]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not is_so():  # noqa: ASYNC110 - a fake database tells nobody
                await asyncio.sleep(0.005)

    async def _open_journal(self) -> ShardJournal:
        session = SlowJournal(self.database)
        session.may_commit = self.may_commit
        self.database.sessions.append(session)
        return session

    async def _instruments(self) -> dict[Symbol, Instrument]:
        return dict(INSTRUMENTS)


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(tenure, "TICK_S", 0.02)
    async with AsyncExitStack() as stack:
        yield House(stack)


async def ready(service: OrderService) -> None:
    async with asyncio.timeout(5):
        while await service.readiness() is not None:  # noqa: ASYNC110 - asked as a probe asks
            await asyncio.sleep(0.005)


async def test_a_replacement_is_refused_after_a_restart_although_the_old_order_is_done(house: House) -> None:
    venue = ScriptedVenue()
    _, stop = await house.start(venue)
    for command in (*funded(), buy(1)):
        await house.send(command)
    venue.say(accepted(1))
    await house.until(lambda: house.stored(1).status == "new")
    await house.send(replace(1, 2, "12"))
    venue.say(fill(1, "10"))  # it overtakes the replacement
    await house.until(lambda: house.stored(1).status == "filled")
    for _ in range(3):  # so that nothing of the orders is left to publish after the restart
        await house.send(DepositCash(account_id=ACCOUNT_ID, amount=Decimal(1)))
    stop()
    await house.until(lambda: not house.database.sessions)
    restarted = ScriptedVenue()
    await house.start(restarted)
    await restarted.was_asked("reconcile", uuid(2))
    restarted.say(
        VenueReplaceRejected(
            account_id=ACCOUNT_ID, order_id=uuid(1), new_order_id=uuid(2), reason="not working", ts_ns=1
        )
    )
    await house.until(lambda: house.stored(2).status == "rejected")
    assert house.stored(1).status == "filled"
    account = house.database.shards[SHARD].accounts[ACCOUNT_ID]
    assert account.cash_held == 0


async def test_a_reply_says_what_is_committed_not_what_came_after(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenure, "TICK_S", 0.5)  # a tick waits for the commit under way
    await house.start()
    for command in funded():
        await house.send(command)
    house.may_commit.clear()
    submitting = asyncio.create_task(house.send(buy(1)))
    await asyncio.sleep(0.05)  # applied, and being committed
    canceling = asyncio.create_task(house.send(CancelOrder(account_id=ACCOUNT_ID, order_id=uuid(1))))
    await asyncio.sleep(0.05)  # applied on top of it
    house.may_commit.set()
    assert (await submitting).orders[0].status == "pending_new"
    assert (await canceling).orders[0].status == "pending_cancel"


async def test_the_venue_hears_of_an_order_only_after_its_commit(house: House) -> None:
    venue = ScriptedVenue()
    await house.start(venue)
    for command in funded():
        await house.send(command)
    house.may_commit.clear()
    submitting = asyncio.create_task(house.send(buy(1)))
    await asyncio.sleep(0.05)
    assert venue.asked == []
    house.may_commit.set()
    await submitting
    await venue.was_asked("submit", uuid(1))


async def test_a_failed_commit_takes_back_what_was_applied_on_top_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenure, "TICK_S", 0.5)  # a tick waits for the commit under way
    venue = ScriptedVenue()
    service, _ = await house.start(venue)
    for command in funded():
        await house.send(command)
    house.may_commit.clear()
    first = asyncio.create_task(house.send(buy(1)))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(house.send(buy(2)))
    await asyncio.sleep(0.05)
    (session,) = house.database.sessions
    house.database.kill(session)
    house.may_commit.set()
    replies = await asyncio.gather(first, second)  # read again by the next session
    assert [reply.orders[0].order_id for reply in replies] == [uuid(1), uuid(2)]
    await ready(service)
    assert list(house.database.shards[SHARD].orders) == [uuid(1), uuid(2)]
    assert venue.asked.count(("submit", uuid(1))) == 1


async def test_three_services_are_all_ready(house: House) -> None:
    services = [(await house.start())[0] for _ in range(3)]
    for service in services:
        await ready(service)
    await house.until(lambda: len(house.database.owners) == 16)
    await house.until(
        lambda: (
            sorted([*house.database.owners.values()].count(s) for s in house.database.sessions) == [4, 6, 6]
        )
    )
    for service in services:
        assert await service.readiness() is None


async def test_shards_that_could_not_be_caught_up_are_caught_up_later_and_in_order(house: House) -> None:
    accounts = [f"0190a000-0000-7000-8000-{number:012x}" for number in range(12)]
    _, stop = await house.start()
    await house.until(lambda: len(house.database.owners) == 16)
    house.events.is_available = False
    for number, account_id in enumerate(accounts):
        await house.send(OpenAccount(account_id=account_id, account_number=f"PA{number}"))
        await house.send(DepositCash(account_id=account_id, amount=Decimal(1)))
    stop()
    await house.until(lambda: not house.database.sessions)
    await house.start()  # the bus is still away: its first catching up fails
    await house.until(lambda: len(house.database.owners) == 16)
    house.events.is_available = True
    assert (await house.send(DepositCash(account_id=accounts[-1], amount=Decimal(1)))).refusal is None
    seen: dict[int, list[int]] = {}
    async with asyncio.timeout(5):
        while sum(map(len, seen.values())) < 25:
            for event in await house.events.read(0.1):
                seen.setdefault(event.shard, []).append(event.seq)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen.values())


async def test_a_first_price_is_known_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenure, "TICK_S", 60.0)
    market = MemoryMarketData()
    house.marks = MarkPriceBoard(market)
    service, _ = await house.start()
    await ready(service)
    following = asyncio.create_task(house.marks.follow())
    await asyncio.sleep(0.01)
    for command in funded():
        await house.send(command)
    at_market = msgspec.structs.replace(buy(1), order_type=OrderType.MARKET, limit_price=None)
    early = await house.send(msgspec.structs.replace(at_market, client_order_id="early"))
    assert early.refusal is not None
    assert early.refusal.code is RejectCode.NO_REFERENCE_PRICE
    await market.publish([Trade("AAPL", Decimal(100), Decimal(1), house.clock.now_ns(), 1)])
    await asyncio.sleep(0.01)
    assert (await house.send(at_market)).refusal is None
    following.cancel()
