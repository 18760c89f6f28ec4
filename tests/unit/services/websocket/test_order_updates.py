"""The follower tells every committed event once and in order, whatever the bus loses or repeats."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from tests.unit.services.websocket.makers import (
    AAPL,
    ALICE,
    BOB,
    acknowledged,
    canceled,
    entry,
    executed,
    make_order,
    published,
    submitted,
)
from tradewind.adapters.alpaca.trade_update_format import encode_trade_update
from tradewind.adapters.memory.journal_reader import MemoryJournalReader
from tradewind.adapters.memory.order_events import MemoryOrderEvents
from tradewind.adapters.memory.trading_queries import MemoryTradingQueries
from tradewind.domain.events import Event
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.operations.backoff import Backoff
from tradewind.services.websocket.instruments import InstrumentCatalogue
from tradewind.services.websocket.journal_history import JournalHistory
from tradewind.services.websocket.order_updates import OrderUpdateFollower, UpdateSender
from tradewind.services.websocket.trading_stream import TradingHub

POLL_INTERVAL_S = 0.02


class Ear:
    """Listens to one account, and remembers the updates' names."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.statuses: list[str] = []

    def send_frame(self, frame: bytes) -> None:
        message = msgspec.json.decode(frame[frame.index(b"{") :])
        self.heard.append(message["data"]["event"])
        self.statuses.append(message["data"]["order"]["status"])


class Scene:
    """A bus, a journal and a listening Alice."""

    def __init__(self) -> None:
        self.bus = MemoryOrderEvents()
        self.journal = MemoryJournalReader()
        self.queries = MemoryTradingQueries([AAPL])
        self.alice = Ear()
        hub = TradingHub()
        hub.add(ALICE, self.alice)  # type: ignore[arg-type]
        self.follower = OrderUpdateFollower(
            source=self.bus,
            history=JournalHistory(self.journal, self.queries, hub.has_listeners),
            sender=UpdateSender(hub, InstrumentCatalogue(self.queries.instruments), encode_trade_update),
            backoff=Backoff(0.001, 0.01, 2.0, random.Random(1)),
            monotonic_s=time.monotonic,
            poll_interval_s=POLL_INTERVAL_S,
        )

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.follower.run())
        await until(lambda: self.follower.is_following)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def commit(self, *events: Event) -> None:
        for event in events:
            self.journal.append(entry(self._next_seq(), event))

    def _next_seq(self) -> int:
        shard = entry(0, acknowledged()).shard
        return len(self.journal._entries[shard]) + 1


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110 - what is waited for is plain state
            await asyncio.sleep(0.002)


async def test_what_happened_before_the_start_is_not_told() -> None:
    scene = Scene()
    scene.commit(submitted(make_order()))
    async with scene.following():
        await scene.bus.publish([published(1, submitted(make_order()), make_order())])
        scene.commit(acknowledged())
        await scene.bus.publish([published(2, acknowledged(), make_order(status=OrderStatus.NEW))])
        await until(lambda: bool(scene.alice.heard))
    assert scene.alice.heard == ["new"]


async def test_repeats_are_dropped_and_disorder_is_mended() -> None:
    scene = Scene()
    async with scene.following():
        new = make_order(status=OrderStatus.NEW)
        scene.commit(submitted(make_order()), acknowledged(), canceled())
        first = published(1, submitted(make_order()), make_order())
        second = published(2, acknowledged(), new)
        third = published(3, canceled(), make_order(status=OrderStatus.CANCELED))
        await scene.bus.publish([second, first, first, second, third, third])
        await until(lambda: len(scene.alice.heard) == 3)
        await asyncio.sleep(3 * POLL_INTERVAL_S)
    assert scene.alice.heard == ["pending_new", "new", "canceled"]
    assert scene.alice.statuses == ["pending_new", "new", "canceled"]


async def test_a_gap_is_filled_from_the_journal_at_once() -> None:
    scene = Scene()
    async with scene.following():
        scene.queries.add_order(make_order(status=OrderStatus.FILLED))
        scene.commit(submitted(make_order()), acknowledged(), executed())
        await scene.bus.publish([published(3, executed(), make_order(status=OrderStatus.FILLED))])
        await until(lambda: len(scene.alice.heard) == 3)
    assert scene.alice.heard == ["pending_new", "new", "fill"]
    # The journal holds the first state of a submitted order; for other events the order is shown as it is now.
    assert scene.alice.statuses == ["pending_new", "filled", "filled"]


async def test_events_that_the_bus_lost_for_good_are_found_by_polling() -> None:
    scene = Scene()
    async with scene.following():
        scene.queries.add_order(make_order(status=OrderStatus.CANCELED))
        scene.commit(submitted(make_order()), canceled())
        await until(lambda: len(scene.alice.heard) == 2)
    assert scene.alice.heard == ["pending_new", "canceled"]


async def test_a_lost_bus_delays_and_loses_nothing() -> None:
    scene = Scene()
    async with scene.following():
        scene.bus.is_available = False
        scene.commit(submitted(make_order()))
        await until(lambda: scene.alice.heard == ["pending_new"])
        scene.bus.is_available = True
        scene.commit(acknowledged())
        await scene.bus.publish([published(2, acknowledged(), make_order(status=OrderStatus.NEW))])
        await until(lambda: len(scene.alice.heard) == 2)
    assert scene.alice.heard == ["pending_new", "new"]


async def test_a_lost_store_delays_and_loses_nothing() -> None:
    scene = Scene()
    async with scene.following():
        scene.journal.is_available = False
        scene.commit(submitted(make_order()), acknowledged())
        await scene.bus.publish([published(2, acknowledged(), make_order(status=OrderStatus.NEW))])
        await asyncio.sleep(3 * POLL_INTERVAL_S)
        assert scene.alice.heard == []
        scene.queries.add_order(make_order(status=OrderStatus.NEW))
        scene.journal.is_available = True
        await until(lambda: len(scene.alice.heard) == 2)
    assert scene.alice.heard == ["pending_new", "new"]


async def test_events_still_arrive_over_the_bus_while_the_journal_cannot_be_read() -> None:
    scene = Scene()
    async with scene.following():
        scene.journal.is_available = False
        await scene.bus.publish([published(1, submitted(make_order()), make_order())])
        await until(lambda: scene.alice.heard == ["pending_new"])


async def test_another_accounts_events_are_not_told() -> None:
    scene = Scene()
    async with scene.following():
        bobs = make_order(account_id=BOB)
        await scene.bus.publish([published(1, submitted(bobs), bobs)])
        await scene.bus.publish([published(1, submitted(make_order()), make_order())])
        await until(lambda: bool(scene.alice.heard))
    assert scene.alice.heard == ["pending_new"]
