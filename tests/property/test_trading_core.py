"""The trading core under random commands and a venue that reports in odd orders: what must hold after every step."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core_scenarios import ACCOUNT_ID, INSTRUMENTS, START_NS, Books, folded, order_uuid
from tradewind.domain.accounts.account import Account
from tradewind.domain.commands import (
    CancelAllOrders,
    CancelOrder,
    ClosePosition,
    Command,
    DepositCash,
    HaltTrading,
    MarkPrices,
    OpenAccount,
    ReplaceOrder,
    ResumeTrading,
    SubmitOrder,
    WithdrawCash,
)
from tradewind.domain.decimals import ZERO, floor_to_step
from tradewind.domain.events import Event, OrderExecuted, encode_event
from tradewind.domain.ledger.posting import postings_for
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import LEGAL_TRANSITIONS, OrderStatus
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.domain.risk.limits import RiskLimits
from tradewind.domain.venue_reports import (
    VenueAccepted,
    VenueCanceled,
    VenueCancelRejected,
    VenueExecution,
    VenueExpired,
    VenueRejected,
    VenueReplaced,
    VenueReplaceRejected,
)
from tradewind.engine.trading_core import TradingCore
from tradewind.engine.verification import (
    JournalPage,
    ShardVerifier,
    StoredEvent,
    StoredExecution,
    StoredLine,
    StoredOrder,
    StoredShard,
)

OTHER_ID = "0190a000-0000-7000-8000-0000000000bb"
STEPS = 150
FRACTION_STEP = Decimal("0.000000001")
LIMITS = RiskLimits(max_order_notional=Decimal(5_000))
PRICES = ("98.5", "99", "100", "100.01", "101.5")
FRACTIONS = ("1", "2", "3.5", "7", "10", "0.333333333")


class Market:
    """Two accounts and a venue. A report may come twice, late, early, or on an order that is done."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.core = TradingCore(INSTRUMENTS, LIMITS)
        self.commands: list[tuple[Command, int]] = []
        self.history: list[tuple[int, Event]] = []
        self.books = Books()
        self.traded: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.statuses: dict[str, OrderStatus] = {}
        self.reported: list[VenueExecution] = []
        self.now_ns = START_NS
        self.count = 0
        for number, account_id in enumerate((ACCOUNT_ID, OTHER_ID)):
            multiplier = Decimal(self.random.choice((1, 2)))
            self.do(OpenAccount(account_id=account_id, account_number=f"PA{number}", multiplier=multiplier))
            self.do(DepositCash(account_id=account_id, amount=Decimal(3_000)))
        self.do(MarkPrices(prices={symbol: Decimal(100) for symbol in INSTRUMENTS}))

    def do(self, command: Command) -> list[Event]:
        self.now_ns += self.random.choice((0, 1_000))
        self.commands.append((command, self.now_ns))
        events = self.core.apply(command, self.now_ns)
        self.history.extend((self.now_ns, event) for event in events)
        self.books.take(events)
        self.check(events)
        return events

    def step(self) -> None:
        steps: dict[Callable[[], None], int] = {
            self.submit: 25,
            self.submit_again: 3,
            self.replace: 12,
            self.cancel: 10,
            self.close: 4,
            self.other: 3,
            self.accept: 15,
            self.execute: 25,
            self.repeat_execution: 4,
            self.end: 6,
            self.refuse: 8,
            self.tell_replacement: 12,
        }
        (step,) = self.random.choices(list(steps), list(steps.values()))
        step()

    # What clients do

    def submit(self) -> None:
        order_type = self.random.choice(list(OrderType))
        is_notional = order_type is OrderType.MARKET and self.random.random() < 0.4
        is_whole = self.random.random() < 0.6
        price, stop = Decimal(self.random.choice(PRICES)), Decimal(self.random.choice(PRICES))
        order_id = self.new_id()
        self.do(
            SubmitOrder(
                account_id=self.random.choice((ACCOUNT_ID, OTHER_ID)),
                order_id=order_id,
                client_order_id=order_id,
                symbol=self.random.choice(("AAPL", "AAPL", "BTC/USD", "BRK", "GONE")),
                side=self.random.choice(list(Side)),
                order_type=order_type,
                time_in_force=TimeInForce.DAY if not is_whole else self.random.choice(list(TimeInForce)),
                qty=None if is_notional else Decimal(self.random.choice(FRACTIONS[: 2 if is_whole else 6])),
                notional=price if is_notional else None,
                limit_price=price if order_type.has_limit_price else None,
                stop_price=stop if order_type.has_stop_price else None,
            )
        )

    def submit_again(self) -> None:
        known = self.pick(lambda order: order.replaces is None)
        if known is None:
            return
        before = self.core.state_hash()
        terms = {field: getattr(known, field) for field in SubmitOrder.__struct_fields__}
        assert self.do(SubmitOrder(**{**terms, "order_id": self.new_id()})) == []
        assert self.core.state_hash() == before

    def replace(self) -> None:
        order = self.pick(lambda order: order.status in ("new", "partially_filled"))
        if order is not None:
            new_id = self.new_id()
            price = self.random.choice((None, *PRICES))
            qty = self.random.choice((None, *FRACTIONS))
            self.do(
                ReplaceOrder(
                    account_id=order.account_id,
                    order_id=order.order_id,
                    new_order_id=new_id,
                    client_order_id=new_id,
                    qty=None if qty is None else Decimal(qty),
                    limit_price=None if price is None or order.limit_price is None else Decimal(price),
                )
            )

    def cancel(self) -> None:
        order = self.pick()
        if order is not None:
            self.do(CancelOrder(account_id=order.account_id, order_id=order.order_id))

    def close(self) -> None:
        order_id = self.new_id()
        percentage = self.random.choice((None, "10", "50", "100"))
        self.do(
            ClosePosition(
                account_id=self.random.choice((ACCOUNT_ID, OTHER_ID)),
                order_id=order_id,
                client_order_id=order_id,
                symbol=self.random.choice(("AAPL", "BTC/USD", "BRK")),
                percentage=None if percentage is None else Decimal(percentage),
            )
        )

    def other(self) -> None:
        commands: tuple[Command, ...] = (
            CancelAllOrders(account_id=ACCOUNT_ID),
            HaltTrading(account_id=OTHER_ID, reason="test"),
            ResumeTrading(account_id=OTHER_ID),
            ResumeTrading(account_id=OTHER_ID),
            WithdrawCash(account_id=ACCOUNT_ID, amount=Decimal("12.34")),
            MarkPrices(prices={"AAPL": Decimal("104.5"), "BRK": Decimal(97)}),
            MarkPrices(prices={"AAPL": Decimal(96), "BTC/USD": Decimal(110)}),
        )
        self.do(self.random.choice(commands))

    # What the venue says, in any order

    def accept(self) -> None:
        order = self.pick(lambda order: order.status is OrderStatus.PENDING_NEW) or self.pick()
        if order is not None and self.can_work(order):
            self.do(VenueAccepted(account_id=order.account_id, order_id=order.order_id, ts_ns=self.now_ns))

    def execute(self) -> None:
        order = self.pick(lambda order: order.is_open)
        part = Decimal(self.random.choice(("0.25", "0.5", "1")))
        if order is None:
            return
        # Venues trade whole steps: what is finer would in the end not fit the 28 digits of a `Decimal`.
        qty = floor_to_step(max(self.left_at_the_venue(order), ZERO) * part, FRACTION_STEP)
        if not qty:
            return
        self.count += 1
        report = VenueExecution(
            account_id=order.account_id,
            order_id=order.order_id,
            execution_id=f"E{self.count}",
            qty=qty,
            price=Decimal(self.random.choice(PRICES)),
            fee=Decimal(self.random.choice(("0", "0.25", "-0.01"))),
            is_complete=part == 1,
            ts_ns=self.now_ns,
        )
        self.reported.append(report)
        assert self.do(report), "an execution of an open order is always booked"

    def left_at_the_venue(self, order: Order) -> Decimal:
        """What a venue that keeps its word may trade: not beyond the total, nor beyond reserved units."""
        if order.qty is None:
            return order.held_qty or Decimal("0.75")
        old = self.core.state.orders.get(order.replaces or "")
        if old is not None and not old.is_open and old.status is not OrderStatus.REPLACED:
            return Decimal(0)  # it was done before it could be replaced
        return order.qty - (old.filled_qty if old is not None and old.is_open else order.filled_qty)

    def repeat_execution(self) -> None:
        if self.reported:
            assert self.do(self.random.choice(self.reported)) == []

    def end(self) -> None:
        order = self.pick()
        if order is not None and self.can_work(order):
            kind = self.random.choice((VenueCanceled, VenueExpired))
            self.do(kind(account_id=order.account_id, order_id=order.order_id, ts_ns=self.now_ns))

    def refuse(self) -> None:
        order = self.pick(lambda order: order.status in ("pending_new", "pending_cancel")) or self.pick()
        if order is not None and self.can_work(order):
            ids = {"account_id": order.account_id, "order_id": order.order_id}
            kind = self.random.choice((VenueRejected, VenueCancelRejected, VenueCancelRejected))
            self.do(kind(**ids, reason="no", ts_ns=self.now_ns))

    def tell_replacement(self) -> None:
        waiting = self.pick(lambda order: order.replaces is not None and order.is_open)
        new = waiting or self.pick(lambda order: order.replaces is not None)
        if new is None or new.replaces is None:
            return
        ids = {"account_id": new.account_id, "order_id": new.replaces, "new_order_id": new.order_id}
        if self.can_work(new) and self.random.random() < 0.6:
            self.do(VenueReplaced(**ids, ts_ns=self.now_ns))
        else:
            self.do(VenueReplaceRejected(**ids, reason="no", ts_ns=self.now_ns))

    # What must hold

    def check(self, events: list[Event]) -> None:
        state = self.core.state
        self.books.check(state)
        for event in events:
            if isinstance(event, OrderExecuted):
                signed = event.qty if event.side is Side.BUY else -event.qty
                self.traded[event.account_id, event.symbol] += signed
        for account in state.accounts.values():
            for symbol, position in account.positions.items():
                assert position.qty == self.traded[account.account_id, symbol]
                assert account.may_short or position.qty >= 0, "a cash account never goes short"
        for order in state.orders.values():
            before = self.statuses.get(order.order_id, order.status)
            assert order.status is before or _is_reachable(before, order.status)
            self.statuses[order.order_id] = order.status
            if order.status is OrderStatus.PENDING_NEW and order.replaces is not None:
                assert state.orders[order.replaces].status is not OrderStatus.REPLACED

    def close_everything(self) -> None:
        for order in list(self.core.state.orders.values()):
            self.do(VenueCanceled(account_id=order.account_id, order_id=order.order_id, ts_ns=self.now_ns))
        for account in self.core.state.accounts.values():
            assert not account.open_orders
            assert account.cash_held == 0
            assert all(position.held_qty == 0 for position in account.positions.values())

    def new_id(self) -> str:
        self.count += 1
        return order_uuid(str(self.count))

    def can_work(self, order: Order) -> bool:
        """A venue does not replace an order that is done, nor by one for less than is filled already."""
        return order.qty is None or not order.is_open or self.left_at_the_venue(order) > 0

    def pick(self, is_wanted: Callable[[Order], bool] = lambda _: True) -> Order | None:
        orders = [order for order in self.core.state.orders.values() if is_wanted(order)]
        return self.random.choice(orders) if orders else None


def _is_reachable(before: OrderStatus, after: OrderStatus) -> bool:
    """Directly, or by the two steps that one report may take."""
    direct = LEGAL_TRANSITIONS[before]
    return after in direct or any(after in LEGAL_TRANSITIONS[between] for between in direct)


def traded_market(seed: int) -> Market:
    market = Market(seed)
    for _ in range(STEPS):
        market.step()
    return market


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_the_books_hold_and_the_events_say_all(seed: int) -> None:
    market = traded_market(seed)
    assert folded(market.history).state_hash() == market.core.state_hash()
    market.close_everything()
    assert folded(market.history).state_hash() == market.core.state_hash()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_the_same_commands_give_the_same_events_byte_for_byte(seed: int) -> None:
    market = traded_market(seed)
    again = TradingCore(INSTRUMENTS, LIMITS)
    texts = [
        encode_event(event) for command, now_ns in market.commands for event in again.apply(command, now_ns)
    ]
    assert texts == [encode_event(event) for _, event in market.history]
    assert again.state_hash() == market.core.state_hash()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 10_000))
def test_a_core_loaded_from_committed_accounts_decides_the_same(seed: int, moment: int) -> None:
    market = traded_market(seed)
    first, rest = market.commands[: moment % STEPS], market.commands[moment % STEPS :]
    before = TradingCore(INSTRUMENTS, LIMITS)
    for command, now_ns in first:
        before.apply(command, now_ns)
    loaded = TradingCore(INSTRUMENTS, LIMITS)
    closed = [order for order in before.state.orders.values() if not order.is_open]
    accounts = msgspec.msgpack.decode(msgspec.msgpack.encode(before.state.accounts), type=dict[str, Account])
    loaded.load(accounts.values(), has_closed_orders=bool(closed))
    for order in closed:
        loaded.state.remember(msgspec.structs.replace(order))
    loaded.apply(MarkPrices(prices=before.state.marks), 0)
    for command, now_ns in rest:
        assert loaded.apply(command, now_ns) == before.apply(command, now_ns)
    assert loaded.state_hash() == before.state_hash()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_verification_finds_nothing_where_all_was_written_right(seed: int) -> None:
    market = traded_market(seed)
    rows = [
        StoredEvent(seq, ts_ns, "c", type(event).__name__, event.account_id, event)
        for seq, (ts_ns, event) in enumerate(market.history, start=1)
    ]
    lines = [
        StoredLine(row.seq, line, row.account_id, p.ledger_account, p.unit, p.amount)
        for row in rows
        if row.event is not None
        for line, p in enumerate(postings_for(row.event))
    ]
    executions = [
        StoredExecution(
            **{name: getattr(row.event, name) for name in StoredExecution.__struct_fields__ if name != "seq"},
            seq=row.seq,
        )
        for row in rows
        if isinstance(row.event, OrderExecuted)
    ]
    state = market.core.state
    verifier = ShardVerifier(0)
    verifier.take(JournalPage(rows, lines))
    verdict = verifier.finish(
        StoredShard(
            last_seq=len(rows),
            published_seq=0,
            accounts=list(state.accounts.values()),
            orders=[StoredOrder(order, order.is_open) for order in state.orders.values()],
            executions=executions,
        )
    )
    assert (verdict.differences, verdict.event_count) == ([], len(rows))


def test_the_random_market_goes_everywhere() -> None:
    kinds = Counter(type(event).__name__ for seed in range(40) for _, event in traded_market(seed).history)
    rare = {kind.__name__ for kind in get_args(Event)} - {kind for kind, count in kinds.items() if count >= 5}
    assert not rare, f"hardly ever seen: {rare}"
