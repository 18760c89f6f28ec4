"""Words for scenarios at the trading core: an account that trades in one line a step, and the books it must keep."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from tests.instruments import coin, fractional_share, share
from tradewind.domain.accounts.account import Account
from tradewind.domain.commands import (
    CancelAllOrders,
    CancelOrder,
    ClosePosition,
    Command,
    DepositCash,
    MarkPrices,
    OpenAccount,
    ReplaceOrder,
    SubmitOrder,
)
from tradewind.domain.events import CommandRefused, Event
from tradewind.domain.ledger.posting import LedgerAccount, postings_for, require_balanced
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.domain.positions.position import Position
from tradewind.domain.refusal import Refusal
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
from tradewind.engine.core_state import CoreState
from tradewind.engine.evolve import evolve
from tradewind.engine.trading_core import TradingCore

E = TypeVar("E", bound=Event)

ACCOUNT_ID = "0190a000-0000-7000-8000-0000000000aa"
START_NS = 1_700_000_000_000_000_000

AAPL = fractional_share("AAPL", shortable=True, marginable=True)
BRK = share("BRK", name="Whole shares only", exchange="NYSE")
BTC = coin("BTC/USD", min_order_size=Decimal("0.0001"), max_fee_rate=Decimal("0.0025"))
HALTED = share("GONE", name="Not traded any more", exchange="NYSE", tradable=False)
INSTRUMENTS = {instrument.symbol: instrument for instrument in (AAPL, BRK, BTC, HALTED)}


def order_uuid(name: str) -> str:
    """The order id that a scenario's short name stands for."""
    return f"0190a000-0000-7000-8000-{name.encode().hex():0>12}"


def parse_order(terms: str) -> dict[str, Any]:
    """The terms in words: "buy 10 AAPL limit 100 gtc", "sell $500 AAPL market", "buy 1 BTC/USD stop 9 limit 10"."""
    side, amount, symbol, *words = terms.split()
    fields: dict[str, Any] = {"side": Side(side), "symbol": symbol, "time_in_force": TimeInForce.DAY}
    if amount.startswith("$"):
        fields["notional"] = Decimal(amount[1:])
    elif amount != "-":
        fields["qty"] = Decimal(amount)
    while words:
        word = words.pop(0)
        if word in ("limit", "stop") and words and words[0][0] in "-.0123456789":
            fields[f"{word}_price"] = Decimal(words.pop(0))
        elif word in list(TimeInForce):
            fields["time_in_force"] = TimeInForce(word)
        else:
            fields["order_type"] = OrderType(word)
    types = {
        (False, False): "market",
        (True, False): "limit",
        (False, True): "stop",
        (True, True): "stop_limit",
    }
    implied = types["limit_price" in fields, "stop_price" in fields]
    fields.setdefault("order_type", OrderType(implied))
    return fields


class Desk:
    """A core with one funded account; each step checks the books. Times rise by a millisecond a step."""

    def __init__(
        self,
        *,
        cash: str = "10000",
        multiplier: str = "1",
        marks: Mapping[str, str] | None = None,
        limits: RiskLimits | None = None,
    ) -> None:
        self.core = TradingCore(INSTRUMENTS, limits or RiskLimits())
        self.now_ns = START_NS
        self.history: list[tuple[int, Event]] = []
        self.books = Books()
        self._executions = 0
        self.do(OpenAccount(account_id=ACCOUNT_ID, account_number="PA1", multiplier=Decimal(multiplier)))
        if Decimal(cash):
            self.do(DepositCash(account_id=ACCOUNT_ID, amount=Decimal(cash)))
        self.marks(marks or {"AAPL": "100", "BRK": "50", "BTC/USD": "20000", "GONE": "1"})

    def do(self, command: Command) -> list[Event]:
        """One command; the books must be right after it."""
        self.now_ns += 1_000_000
        events = self.core.apply(command, self.now_ns)
        self.history.extend((self.now_ns, event) for event in events)
        self.books.take(events)
        self.books.check(self.core.state)
        return events

    def marks(self, prices: Mapping[str, str]) -> None:
        self.do(MarkPrices(prices={symbol: Decimal(price) for symbol, price in prices.items()}))

    # What the trader does

    def submit(self, terms: str, name: str = "A", client_order_id: str | None = None) -> list[Event]:
        return self.do(
            SubmitOrder(
                account_id=ACCOUNT_ID,
                order_id=order_uuid(name),
                client_order_id=client_order_id or name,
                **parse_order(terms),
            )
        )

    def working(self, terms: str, name: str = "A") -> Order:
        """Submit an order that the venue takes."""
        events = self.submit(terms, name)
        assert not isinstance(events[0], CommandRefused), events[0].refusal
        self.do(VenueAccepted(account_id=ACCOUNT_ID, order_id=order_uuid(name), ts_ns=self.now_ns))
        return self.order(name)

    def refused(self, terms: str, name: str = "A", client_order_id: str | None = None) -> Refusal:
        """Submit an order that must be refused."""
        return refusal_of(self.submit(terms, name, client_order_id))

    def replace(
        self, name: str, new_name: str, client_order_id: str | None = None, **terms: Any
    ) -> list[Event]:
        values: dict[str, Any] = {
            field: TimeInForce(value) if field == "time_in_force" else Decimal(value)
            for field, value in terms.items()
        }
        return self.do(
            ReplaceOrder(
                account_id=ACCOUNT_ID,
                order_id=order_uuid(name),
                new_order_id=order_uuid(new_name),
                client_order_id=client_order_id or new_name,
                **values,
            )
        )

    def cancel(self, name: str = "A") -> list[Event]:
        return self.do(CancelOrder(account_id=ACCOUNT_ID, order_id=order_uuid(name)))

    def cancel_all(self) -> list[Event]:
        return self.do(CancelAllOrders(account_id=ACCOUNT_ID))

    def close(self, symbol: str, name: str = "C", **terms: str) -> list[Event]:
        return self.do(
            ClosePosition(
                account_id=ACCOUNT_ID,
                order_id=order_uuid(name),
                client_order_id=name,
                symbol=symbol,
                **{field: Decimal(value) for field, value in terms.items()},
            )
        )

    # What the venue says

    def accepted(self, name: str) -> list[Event]:
        return self.do(VenueAccepted(account_id=ACCOUNT_ID, order_id=order_uuid(name), ts_ns=self.now_ns))

    def rejected(self, name: str, reason: str = "closed") -> list[Event]:
        return self.do(
            VenueRejected(account_id=ACCOUNT_ID, order_id=order_uuid(name), reason=reason, ts_ns=self.now_ns)
        )

    def fill(
        self,
        name: str,
        qty: str,
        price: str,
        *,
        fee: str = "0",
        execution_id: str | None = None,
        is_complete: bool = False,
    ) -> list[Event]:
        self._executions += 1
        return self.do(
            VenueExecution(
                account_id=ACCOUNT_ID,
                order_id=order_uuid(name),
                execution_id=execution_id or f"E{self._executions}",
                qty=Decimal(qty),
                price=Decimal(price),
                fee=Decimal(fee),
                is_complete=is_complete,
                ts_ns=self.now_ns,
            )
        )

    def canceled(self, name: str) -> list[Event]:
        return self.do(VenueCanceled(account_id=ACCOUNT_ID, order_id=order_uuid(name), ts_ns=self.now_ns))

    def expired(self, name: str) -> list[Event]:
        return self.do(VenueExpired(account_id=ACCOUNT_ID, order_id=order_uuid(name), ts_ns=self.now_ns))

    def cancel_rejected(self, name: str) -> list[Event]:
        return self.do(
            VenueCancelRejected(
                account_id=ACCOUNT_ID, order_id=order_uuid(name), reason="too late", ts_ns=self.now_ns
            )
        )

    def replaced(self, name: str, new_name: str) -> list[Event]:
        return self.do(
            VenueReplaced(
                account_id=ACCOUNT_ID,
                order_id=order_uuid(name),
                new_order_id=order_uuid(new_name),
                ts_ns=self.now_ns,
            )
        )

    def replace_rejected(self, name: str, new_name: str) -> list[Event]:
        return self.do(
            VenueReplaceRejected(
                account_id=ACCOUNT_ID,
                order_id=order_uuid(name),
                new_order_id=order_uuid(new_name),
                reason="too late",
                ts_ns=self.now_ns,
            )
        )

    # What there is

    @property
    def account(self) -> Account:
        return self.core.state.accounts[ACCOUNT_ID]

    def order(self, name: str = "A") -> Order:
        return self.core.state.orders[order_uuid(name)]

    def position(self, symbol: str = "AAPL") -> Position:
        return self.account.positions[symbol]

    @property
    def money(self) -> tuple[Decimal, Decimal]:
        """Cash available and cash held."""
        return self.account.cash_available, self.account.cash_held


def refusal_of(events: list[Event]) -> Refusal:
    """The refusal that a command met, and nothing else."""
    (event,) = events
    assert isinstance(event, CommandRefused), f"not refused: {event}"
    return event.refusal


def the(events: list[Event], kind: type[E]) -> E:
    """The one event of a kind."""
    (event,) = [event for event in events if isinstance(event, kind)]
    return event


class Books:
    """The ledger that the events make, and what must hold between it and the state after every step."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[str, LedgerAccount, str], Decimal] = defaultdict(Decimal)

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            postings = postings_for(event)
            require_balanced(postings)
            for posting in postings:
                self._sums[event.account_id, posting.ledger_account, posting.unit] += posting.amount

    def check(self, state: CoreState) -> None:
        for account in state.accounts.values():
            self._check_account(account)
        for order in state.orders.values():
            assert order.held_cash >= 0
            assert order.held_qty >= 0
            assert order.qty is None or order.filled_qty <= order.qty
            if not order.is_open:
                assert order.held_cash == 0, f"{order.order_id} is closed and holds money"
                assert order.held_qty == 0, f"{order.order_id} is closed and holds units"

    def _check_account(self, account: Account) -> None:
        open_orders = account.open_orders.values()
        assert all(order.is_open for order in open_orders)
        assert account.cash_available == self._booked(account, LedgerAccount.CASH_AVAILABLE, account.currency)
        assert account.cash_held == self._booked(account, LedgerAccount.CASH_HELD, account.currency)
        assert account.cash_held == sum((order.held_cash for order in open_orders), Decimal(0))
        for symbol, position in account.positions.items():
            held = sum((order.held_qty for order in open_orders if order.symbol == symbol), Decimal(0))
            assert position.held_qty == held
            available = self._booked(account, LedgerAccount.POSITION_AVAILABLE, symbol)
            assert position.qty == available + self._booked(account, LedgerAccount.POSITION_HELD, symbol)
            assert bool(position.qty) or position.cost_basis == 0
            assert position.qty * position.cost_basis >= 0, "a long costs money, a short brought some"

    def _booked(self, account: Account, ledger_account: LedgerAccount, unit: str) -> Decimal:
        return self._sums[account.account_id, ledger_account, unit]


def folded(history: list[tuple[int, Event]]) -> CoreState:
    """The state that the events give, from nothing."""
    state = CoreState(INSTRUMENTS)
    for ts_ns, event in history:
        evolve(state, event, ts_ns)
    return state
