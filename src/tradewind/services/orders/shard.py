"""One shard at work: its core, and what the commands of the current batch changed."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.commands import (
    CancelAllOrders,
    CancelOrder,
    ClientCommand,
    ClosePosition,
    Command,
    MarkPrices,
    ReplaceOrder,
    SubmitOrder,
    VenueReport,
)
from tradewind.domain.events import (
    AccountOpened,
    CommandRefused,
    Event,
    JournalEntry,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderSubmitted,
)
from tradewind.domain.identifiers import AccountId, CorrelationId, OrderId, Symbol
from tradewind.domain.ledger.posting import LedgerAccount, Posting, postings_for, require_balanced
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order
from tradewind.domain.refusal import Refusal
from tradewind.domain.reject_codes import RejectCode
from tradewind.domain.risk.limits import RiskLimits
from tradewind.engine.trading_core import TradingCore
from tradewind.ports.journal import ShardState, ShardWrite
from tradewind.ports.messages import CommandEnvelope, PublishedEvent, Reply

VENUE_CORRELATION = "venue"
"""Correlation id of events that a venue's report caused for an order whose own id is not known any more."""
MAX_CORRELATIONS = 50_000
"""Orders whose correlation id is remembered, so that an order can be followed from request to fill."""
_UNITS = (LedgerAccount.POSITION_AVAILABLE, LedgerAccount.POSITION_HELD)


class ShardOutcome(msgspec.Struct):
    """What a batch made of a shard's commands, to be told to others after the commit."""

    replies: dict[str, list[Reply]]
    events: list[Event]
    published: list[PublishedEvent]
    counts: list[tuple[str, str]]
    """Command type and outcome (accepted, refused, repeated, expired) of each command, for the metrics."""


class Shard:
    """A core with its place in the journal.

    The core runs ahead of the journal by the batches that are not committed yet. `committed_seq` is moved by who
    commits, `published_seq` by who publishes.
    """

    def __init__(
        self, state: ShardState, instruments: Mapping[Symbol, Instrument], limits: RiskLimits
    ) -> None:
        self.number = state.shard
        self.core = TradingCore(instruments, limits)
        self.core.load(state.accounts, has_closed_orders=state.has_closed_orders)
        self.committed_seq = state.last_seq
        self.published_seq = state.published_seq
        self.offset = state.offset
        self._correlations: dict[OrderId, CorrelationId] = {}
        self._next_seq = state.last_seq + 1
        self._outcome = ShardOutcome({}, [], [], [])
        self._begin_batch()

    @property
    def open_orders(self) -> list[Order]:
        """All open orders, by account."""
        return [order for a in self.core.state.accounts.values() for order in a.open_orders.values()]

    @property
    def open_order_count(self) -> int:
        """How many orders are open."""
        return sum(len(account.open_orders) for account in self.core.state.accounts.values())

    def mark_prices(self, prices: Mapping[Symbol, Decimal], now_ns: int) -> None:
        """Tell the core the latest prices."""
        self.core.apply(MarkPrices(prices=dict(prices)), now_ns)

    def apply_commands(self, envelopes: Iterable[CommandEnvelope], offset: str, now_ns: int) -> None:
        """Apply the commands of one bus entry; those past their deadline are refused untried."""
        for envelope in envelopes:
            reply = self._apply_command(envelope, now_ns)
            self._outcome.replies.setdefault(envelope.reply_to, []).append(reply)
        self.offset = offset
        self._has_changes = True

    def apply_report(self, report: VenueReport, now_ns: int) -> None:
        """Apply what a venue says of one of our orders."""
        self._apply(report, self._correlations.get(report.order_id, VENUE_CORRELATION), now_ns)

    def remember(self, orders: Iterable[Order]) -> None:
        """Bring closed orders that were looked up back to memory; open ones are there already."""
        for order in orders:
            if not order.is_open:
                self.core.state.remember(order)

    def close_batch(self) -> tuple[ShardWrite, ShardOutcome] | None:
        """What the batch changes, and what is to be told once that is committed; None when it changed nothing.

        The rows of the write change with the next command: whoever commits it copies them at once.
        """
        if not self._has_changes:
            return None
        for postings in self._postings:
            require_balanced(postings)
        write = ShardWrite(
            shard=self.number,
            last_seq=self._next_seq - 1,
            published_seq=self.published_seq,
            offset=self.offset,
            deadline_ns=self._deadline_ns,
            entries=self._entries,
            postings=self._postings,
            new_accounts=list(self._new_accounts.values()),
            changed_accounts=[a for i, a in self._accounts.items() if i not in self._new_accounts],
            new_orders=list(self._new_orders.values()),
            changed_orders=[order for i, order in self._orders.items() if i not in self._new_orders],
            positions=[
                (account_id, self.core.state.accounts[account_id].positions[symbol])
                for account_id, symbol in self._positions
            ],
        )
        outcome = self._outcome
        self._begin_batch()
        return write, outcome

    def _begin_batch(self) -> None:
        self._has_changes = False
        self._deadline_ns: int | None = None
        self._entries: list[JournalEntry] = []
        self._postings: list[list[Posting]] = []
        self._new_accounts: dict[AccountId, Account] = {}
        self._accounts: dict[AccountId, Account] = {}
        self._new_orders: dict[OrderId, Order] = {}
        self._orders: dict[OrderId, Order] = {}
        self._positions: dict[tuple[AccountId, Symbol], None] = {}
        self._outcome = ShardOutcome({}, [], [], [])

    def _apply_command(self, envelope: CommandEnvelope, now_ns: int) -> Reply:
        kind = type(envelope.command).__name__
        if now_ns > envelope.deadline_ns:
            self._outcome.counts.append((kind, "expired"))
            return Reply(command_id=envelope.command_id, refusal=_deadline_passed())
        if self._deadline_ns is None or envelope.deadline_ns < self._deadline_ns:
            self._deadline_ns = envelope.deadline_ns
        events = self._apply(envelope.command, envelope.correlation_id, now_ns)
        for event in events:
            if isinstance(event, CommandRefused):
                self._outcome.counts.append((kind, "refused"))
                return Reply(command_id=envelope.command_id, refusal=event.refusal)
        self._outcome.counts.append((kind, "accepted" if events else "repeated"))
        # Copies: the next batch changes the orders while this one is being committed.
        orders = [msgspec.structs.replace(order) for order in self._orders_of(envelope.command, events)]
        return Reply(command_id=envelope.command_id, orders=orders)

    def _apply(self, command: Command, correlation_id: CorrelationId, now_ns: int) -> list[Event]:
        events = self.core.apply(command, now_ns)
        for event in events:
            self._record(event, correlation_id, now_ns)
        return events

    def _record(self, event: Event, correlation_id: CorrelationId, now_ns: int) -> None:
        entry = JournalEntry(self.number, self._next_seq, now_ns, correlation_id, event)
        self._next_seq += 1
        self._has_changes = True
        self._entries.append(entry)
        postings = postings_for(event)
        self._postings.append(postings)
        self._touch(event, correlation_id, moves_units=any(p.ledger_account in _UNITS for p in postings))
        self._outcome.events.append(event)
        self._outcome.published.append(self.to_published(entry))

    def to_published(self, entry: JournalEntry) -> PublishedEvent:
        """The event with a copy of its orders as they stand now."""
        orders = self.core.state.orders
        order = orders.get(getattr(entry.event, "order_id", None) or "")
        new_order = orders.get(_new_order_id(entry.event) or "")
        return PublishedEvent(
            shard=entry.shard,
            seq=entry.seq,
            ts_ns=entry.ts_ns,
            correlation_id=entry.correlation_id,
            event=entry.event,
            order=None if order is None else msgspec.structs.replace(order),
            new_order=None if new_order is None else msgspec.structs.replace(new_order),
        )

    def _touch(self, event: Event, correlation_id: CorrelationId, *, moves_units: bool) -> None:
        if isinstance(event, CommandRefused):
            return
        state = self.core.state
        account = state.accounts[event.account_id]
        self._accounts[event.account_id] = account
        if isinstance(event, AccountOpened):
            self._new_accounts[event.account_id] = account
        if isinstance(event, OrderSubmitted | OrderReplaceRequested):
            self._new_orders[event.order.order_id] = state.orders[event.order.order_id]
            self._remember_correlation(event.order.order_id, correlation_id)
        for order_id in order_ids_of(event):
            order = state.orders[order_id]
            self._orders[order_id] = order
            if moves_units:
                self._positions[event.account_id, order.symbol] = None

    def _remember_correlation(self, order_id: OrderId, correlation_id: CorrelationId) -> None:
        self._correlations[order_id] = correlation_id
        if len(self._correlations) > MAX_CORRELATIONS:
            del self._correlations[next(iter(self._correlations))]

    def _orders_of(self, command: ClientCommand, events: list[Event]) -> list[Order]:
        state = self.core.state
        if isinstance(command, SubmitOrder | ClosePosition | ReplaceOrder):
            order = state.order_by_client_id(command.account_id, command.client_order_id)
            return [] if order is None else [order]
        if isinstance(command, CancelOrder):
            return [state.orders[command.order_id]]
        if isinstance(command, CancelAllOrders):
            return [state.orders[order_id] for e in events if (order_id := getattr(e, "order_id", None))]
        return []


def order_ids_of(event: Event) -> list[OrderId]:
    """The orders that an event changes: two for a replacement, none for a refusal."""
    if isinstance(event, CommandRefused):
        return []
    ids = (getattr(event, "order_id", None), _new_order_id(event))
    return [order_id for order_id in ids if order_id is not None]


def _new_order_id(event: Event) -> OrderId | None:
    if isinstance(event, OrderReplaceRequested):
        return event.order.order_id
    if isinstance(event, OrderReplaced | OrderReplaceRejected):
        return event.new_order_id
    return None


def _deadline_passed() -> Refusal:
    return Refusal(
        code=RejectCode.DEADLINE_PASSED,
        message="the command was read after its deadline and was not tried",
        allowed="send it again with the same client_order_id",
    )
