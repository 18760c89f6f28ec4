"""The order service in miniature: the real core and the real simulated venue behind an in-process bus."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from tradewind.adapters.memory.command_bus import MemoryCommandBus
from tradewind.adapters.memory.order_events import MemoryOrderEvents
from tradewind.adapters.memory.trading_queries import MemoryTradingQueries
from tradewind.domain.accounts.account import Account
from tradewind.domain.commands import Command, DepositCash, MarkPrices, OpenAccount, VenueReport
from tradewind.domain.events import (
    CommandRefused,
    Event,
    OrderCancelRequested,
    OrderExecuted,
    OrderSubmitted,
)
from tradewind.domain.market.calendar import AroundTheClock
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.market.ticks import MarketEvent, Quote, Trade
from tradewind.domain.risk.limits import RiskLimits
from tradewind.engine.simulated_venue import SimulatedVenue
from tradewind.engine.trading_core import TradingCore
from tradewind.engine.venue_rules import VenueRules
from tradewind.ports.messages import CommandEnvelope, PublishedEvent, Reply, shard_of
from tradewind.ports.trading_queries import Execution

ACCOUNT = "0192f0c1-0000-7000-8000-000000000001"
CASH = Decimal(100_000)


class TestClock:
    """Rises by a microsecond with every look."""

    __test__ = False

    def __init__(self) -> None:
        self.ts_ns = 1_700_000_000_000_000_000

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        self.ts_ns += 1_000
        return self.ts_ns


class PaperDesk:
    """Commands in through `bus`; events and committed state out through `order_events` and `queries`.

    `breakdowns` are raised by the bus, one a command, instead of or (`after_commit`) in addition to its effect.
    """

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self.clock = TestClock()
        self.bus = MemoryCommandBus(self._handle)
        self.order_events = MemoryOrderEvents()
        self.queries = MemoryTradingQueries(instruments.values())
        self.commands: list[CommandEnvelope] = []
        self.events: list[Event] = []
        self.breakdowns: list[tuple[Exception, bool]] = []
        self._unpublished: list[PublishedEvent] = []
        self._seq = 0
        self.core = TradingCore(instruments, RiskLimits())
        rules = VenueRules(instruments=instruments, calendar=AroundTheClock())
        self.venue = SimulatedVenue(rules, execution_prefix="x")

    @property
    def account(self) -> Account:
        """The account as the core has it."""
        return self.core.state.accounts[ACCOUNT]

    def open_account(self) -> None:
        """Open the account and pay its cash in."""
        self._apply(OpenAccount(account_id=ACCOUNT, account_number="1"))
        self._apply(DepositCash(account_id=ACCOUNT, amount=CASH))

    async def on_market(self, events: Sequence[MarketEvent]) -> None:
        """Let the market move: orders fill."""
        for event in events:
            self.move(event)
        await self.publish()

    def move(self, event: MarketEvent) -> None:
        """Let the market move without telling anyone yet."""
        if isinstance(event, Quote):
            self._apply(MarkPrices(prices={event.symbol: event.mid_price}))
            self._apply_all(self.venue.on_quote(event, self.clock.now_ns()))
        elif isinstance(event, Trade):
            self._apply_all(self.venue.on_trade(event, self.clock.now_ns()))

    async def publish(self) -> None:
        """Publish what is committed and not published yet."""
        events, self._unpublished = self._unpublished, []
        await self.order_events.publish(events)

    def lose_unpublished(self) -> None:
        """The bus loses what is committed and not published yet."""
        self._unpublished.clear()

    def _handle(self, envelope: CommandEnvelope) -> Reply:
        self.commands.append(envelope)
        breakdown = self.breakdowns.pop(0) if self.breakdowns else None
        if breakdown is not None and not breakdown[1]:
            raise breakdown[0]
        events = self._apply(envelope.command)
        if breakdown is not None:
            raise breakdown[0]
        for event in events:
            if isinstance(event, CommandRefused):
                return Reply(command_id=envelope.command_id, refusal=event.refusal)
        order_id = getattr(envelope.command, "order_id", "")
        order = self.core.state.orders[order_id]
        return Reply(command_id=envelope.command_id, orders=[msgspec.structs.replace(order)])

    def _apply_all(self, reports: Sequence[VenueReport]) -> None:
        for report in reports:
            self._apply(report)

    def _apply(self, command: Command) -> list[Event]:
        events = self.core.apply(command, self.clock.now_ns())
        for event in events:
            self._commit(event)
        for event in events:
            self._to_venue(event)
        return events

    def _commit(self, event: Event) -> None:
        self._seq += 1
        self.events.append(event)
        stored = self.core.state.orders.get(getattr(event, "order_id", None) or "")
        order = None if stored is None else msgspec.structs.replace(stored)
        self._unpublished.append(
            PublishedEvent(
                shard=shard_of(ACCOUNT),
                seq=self._seq,
                ts_ns=self.clock.now_ns(),
                correlation_id="c",
                event=event,
                order=order,
            )
        )
        if order is not None:
            self.queries.add_order(msgspec.structs.replace(order))
        if isinstance(event, OrderExecuted):
            self.queries.add_executions([_execution(event, self._seq)])
        positions = {symbol: msgspec.structs.replace(held) for symbol, held in self.account.positions.items()}
        self.queries.add_account(msgspec.structs.replace(self.account, positions=positions, open_orders={}))

    def _to_venue(self, event: Event) -> None:
        now_ns = self.clock.now_ns()
        if isinstance(event, OrderSubmitted):
            reports = self.venue.submit(event.order, now_ns)
        elif isinstance(event, OrderCancelRequested):
            reports = self.venue.cancel(self.core.state.orders[event.order_id], now_ns)
        else:
            return
        self._apply_all(reports)
        self._apply_all(self.venue.advance(self.clock.now_ns()))


def _execution(event: OrderExecuted, seq: int) -> Execution:
    fields = {name: getattr(event, name) for name in Execution.__struct_fields__ if name != "seq"}
    return Execution(**fields, seq=seq)
