"""Compares the journal with what is stored beside it: folds a shard's events from the first and looks for differences.

Whatever differs is a bug of the writer, or damage: accounts, positions, orders, executions and ledger lines all follow
from the events.
"""

import sys
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Context, Decimal
from typing import TypeVar

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.decimals import ZERO
from tradewind.domain.events import Event, OrderExecuted
from tradewind.domain.identifiers import AccountId, CorrelationId, ExecutionId, OrderId, Shard, Symbol
from tradewind.domain.ledger.posting import LedgerAccount, postings_for
from tradewind.domain.orders.order import Order
from tradewind.engine.core_state import CoreState
from tradewind.engine.evolve import evolve

MAX_DIFFERENCES = 1_000
"""Differences of a shard that are kept; the rest are counted only."""

ABSENT = "nothing"

K = TypeVar("K", bound=Hashable)
A = TypeVar("A")
B = TypeVar("B")

_EXACT = Context(prec=200)
_ACCOUNT_FIELDS = (
    "account_number",
    "currency",
    "multiplier",
    "created_at_ns",
    "cash_available",
    "cash_held",
    "halt_reason",
    "last_submitted_ns",
)
_POSITION_FIELDS = ("qty", "cost_basis", "realised_pnl", "held_qty")


class StoredEvent(msgspec.Struct, frozen=True):
    """A row of the journal; `event` is None when its text cannot be read."""

    seq: int
    ts_ns: int
    correlation_id: CorrelationId
    event_type: str
    account_id: AccountId
    event: Event | None


class StoredLine(msgspec.Struct, frozen=True):
    """A line of the ledger: the `line`-th posting (from 0) of event `seq`."""

    seq: int
    line: int
    account_id: AccountId
    ledger_account: str
    unit: str
    amount: Decimal


class StoredOrder(msgspec.Struct, frozen=True):
    """An order, and whether it is marked as open."""

    order: Order
    is_open: bool


class StoredExecution(msgspec.Struct, frozen=True, kw_only=True):
    """A booked execution."""

    account_id: AccountId
    execution_id: ExecutionId
    order_id: OrderId
    symbol: Symbol
    side: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    realised_pnl: Decimal
    position_qty: Decimal
    executed_at_ns: int
    seq: int


class JournalPage(msgspec.Struct, frozen=True):
    """Some events in order, and every ledger line whose number lies between the page before and the last of them.

    The last page of a shard carries the lines beyond its last event, if there are such.
    """

    events: Sequence[StoredEvent]
    lines: Sequence[StoredLine]


class StoredShard(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is stored of a shard beside its events. Accounts carry their positions, not their orders."""

    last_seq: int
    published_seq: int
    accounts: Sequence[Account]
    orders: Sequence[StoredOrder]
    executions: Sequence[StoredExecution]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """`what` of `key` is one thing by the journal and another as stored."""

    shard: Shard
    what: str
    key: str
    journal_value: str
    stored_value: str


class ShardVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared and what differs; `difference_count` counts those beyond `MAX_DIFFERENCES` too."""

    shard: Shard
    event_count: int
    account_count: int
    order_count: int
    execution_count: int
    line_count: int
    difference_count: int
    differences: Sequence[Difference]


class ShardVerifier:
    """Takes the pages of one shard in order, then what is stored of it."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._state = CoreState({}, max_closed_orders=sys.maxsize)
        self._can_fold = True
        self._last_seq = 0
        self._event_count = 0
        self._line_count = 0
        self._executions: dict[Hashable, StoredExecution] = {}
        self._sums: defaultdict[tuple[AccountId, str, str], Decimal] = defaultdict(Decimal)
        self._differences: list[Difference] = []
        self._difference_count = 0

    def take(self, page: JournalPage) -> None:
        """Fold the page's events, and compare its ledger lines with what the events move."""
        lines: defaultdict[int, list[StoredLine]] = defaultdict(list)
        for line in page.lines:
            lines[line.seq].append(line)
        for stored in page.events:
            self._event_count += 1
            if stored.seq != self._last_seq + 1:
                self._differ("sequence", "next event", self._last_seq + 1, stored.seq)
            self._last_seq = stored.seq
            self._compare_lines(stored, lines.pop(stored.seq, []))
            self._fold(stored)
        for seq, stray in lines.items():
            self._line_count += len(stray)
            for line in stray:
                self._differ("ledger line", f"{seq}/{line.line}", ABSENT, _shown_line(line))

    def finish(self, stored: StoredShard) -> ShardVerdict:
        """Compare the folded state with the stored one."""
        self._differ_if("last_seq", "shard", self._last_seq, stored.last_seq)
        if stored.published_seq > stored.last_seq:
            self._differ("published_seq", "shard", f"at most {stored.last_seq}", stored.published_seq)
        if self._can_fold:
            self._compare_accounts(stored.accounts)
            self._compare_orders(stored.orders)
            self._compare_executions(stored.executions)
        return ShardVerdict(
            shard=self._shard,
            event_count=self._event_count,
            account_count=len(stored.accounts),
            order_count=len(stored.orders),
            execution_count=len(stored.executions),
            line_count=self._line_count,
            difference_count=self._difference_count,
            differences=self._differences,
        )

    def _fold(self, stored: StoredEvent) -> None:
        event = stored.event
        if event is None:
            self._differ("event", str(stored.seq), "an event", "text that cannot be read")
            self._can_fold = False
            return
        self._differ_if("event_type", str(stored.seq), type(event).__name__, stored.event_type)
        self._differ_if("account_id of event", str(stored.seq), event.account_id, stored.account_id)
        if isinstance(event, OrderExecuted):
            execution = _execution_of(event, stored.seq)
            self._executions[event.account_id, event.execution_id] = execution
        if not self._can_fold:
            return
        try:
            evolve(self._state, event, stored.ts_ns)
        except (AssertionError, KeyError) as error:
            self._differ("event", str(stored.seq), "possible after those before it", f"impossible: {error}")
            self._can_fold = False

    def _compare_lines(self, stored: StoredEvent, lines: Sequence[StoredLine]) -> None:
        self._line_count += len(lines)
        if stored.event is None:
            return
        account_id = stored.event.account_id
        expected = {
            number: StoredLine(stored.seq, number, account_id, p.ledger_account, p.unit, p.amount)
            for number, p in enumerate(postings_for(stored.event))
        }
        found = {line.line: line for line in lines}
        for number in sorted(expected.keys() | found.keys()):
            theirs, ours = expected.get(number), found.get(number)
            if theirs != ours:
                self._differ("ledger line", f"{stored.seq}/{number}", _shown_line(theirs), _shown_line(ours))
        balance: defaultdict[str, Decimal] = defaultdict(Decimal)
        for line in lines:
            balance[line.unit] = _EXACT.add(balance[line.unit], line.amount)
            key = (line.account_id, line.ledger_account, line.unit)
            self._sums[key] = _EXACT.add(self._sums[key], line.amount)
        for unit, amount in balance.items():
            self._differ_if(f"balance of {unit}", f"event {stored.seq}", ZERO, amount)

    def _compare_accounts(self, stored: Sequence[Account]) -> None:
        for key, ours, theirs in _paired(self._state.accounts, {a.account_id: a for a in stored}):
            if ours is None or theirs is None:
                self._differ("account", key, _presence(ours), _presence(theirs))
                continue
            self._compare_fields("account", key, ours, theirs, _ACCOUNT_FIELDS)
            for symbol, mine, other in _paired(ours.positions, theirs.positions):
                place = f"{key} {symbol}"
                if mine is None or other is None:
                    self._differ("position", place, _presence(mine), _presence(other))
                else:
                    self._compare_fields("position", place, mine, other, _POSITION_FIELDS)
            self._compare_sums(theirs)

    def _compare_sums(self, account: Account) -> None:
        """What is stored of an account must be the sum of its ledger lines."""
        sums, key = self._sums, account.account_id
        currency = account.currency
        available = sums[key, LedgerAccount.CASH_AVAILABLE, currency]
        held = sums[key, LedgerAccount.CASH_HELD, currency]
        self._differ_if("account cash_available beside its ledger", key, available, account.cash_available)
        self._differ_if("account cash_held beside its ledger", key, held, account.cash_held)
        for symbol, position in account.positions.items():
            free = sums[key, LedgerAccount.POSITION_AVAILABLE, symbol]
            qty = _EXACT.add(free, sums[key, LedgerAccount.POSITION_HELD, symbol])
            self._differ_if("position qty beside its ledger", f"{key} {symbol}", qty, position.qty)

    def _compare_orders(self, stored: Sequence[StoredOrder]) -> None:
        for key, ours, theirs in _paired(self._state.orders, {s.order.order_id: s for s in stored}):
            if ours is None or theirs is None:
                self._differ("order", key, _presence(ours), _presence(theirs))
                continue
            self._compare_fields("order", key, ours, theirs.order, Order.__struct_fields__)
            self._differ_if("order is_open", key, ours.is_open, theirs.is_open)

    def _compare_executions(self, stored: Sequence[StoredExecution]) -> None:
        found: dict[Hashable, StoredExecution] = {(e.account_id, e.execution_id): e for e in stored}
        for _, ours, theirs in _paired(self._executions, found):
            key = (ours or theirs or stored[0]).execution_id
            if ours is None or theirs is None:
                self._differ("execution", key, _presence(ours), _presence(theirs))
            else:
                self._compare_fields("execution", key, ours, theirs, StoredExecution.__struct_fields__)

    def _compare_fields(
        self, what: str, key: str, ours: object, theirs: object, fields: Iterable[str]
    ) -> None:
        for field in fields:
            self._differ_if(f"{what} {field}", key, getattr(ours, field), getattr(theirs, field))

    def _differ_if(self, what: str, key: str, journal_value: object, stored_value: object) -> None:
        if journal_value != stored_value:
            self._differ(what, key, journal_value, stored_value)

    def _differ(self, what: str, key: str, journal_value: object, stored_value: object) -> None:
        self._difference_count += 1
        if len(self._differences) < MAX_DIFFERENCES:
            self._differences.append(
                Difference(
                    shard=self._shard,
                    what=what,
                    key=key,
                    journal_value=_shown(journal_value),
                    stored_value=_shown(stored_value),
                )
            )


def _execution_of(event: OrderExecuted, seq: int) -> StoredExecution:
    fields = {name: getattr(event, name) for name in StoredExecution.__struct_fields__ if name != "seq"}
    return StoredExecution(**fields, seq=seq)


def _paired(ours: Mapping[K, A], theirs: Mapping[K, B]) -> Iterable[tuple[K, A | None, B | None]]:
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        yield key, ours.get(key), theirs.get(key)


def _presence(value: object) -> str:
    return ABSENT if value is None else "there"


def _shown(value: object) -> str:
    return ABSENT if value is None else str(value)


def _shown_line(line: StoredLine | None) -> str:
    if line is None:
        return ABSENT
    return f"{line.amount} {line.unit} on {line.ledger_account} of {line.account_id}"
