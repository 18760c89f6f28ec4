"""The trading core: a deterministic machine from commands to events.

`TradingCore.apply(command, now_ns)` decides what a command means and folds the result into its state. It never waits,
reads a clock, logs or draws a random number: the same commands at the same times give the same events, byte for byte.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

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
from tradewind.domain.events import Event
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.risk.limits import RiskLimits
from tradewind.domain.risk.rules import RiskContext
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
from tradewind.engine.decisions import accounts, client_orders, venue_reports
from tradewind.engine.decisions.context import Decider
from tradewind.engine.evolve import evolve


class TradingCore:
    """One shard's accounts, orders and positions, and the rules that move them.

    `instruments` is what can be traded; `limits` are the operator's. Broken invariants raise `AssertionError`.
    """

    def __init__(self, instruments: Mapping[Symbol, Instrument], limits: RiskLimits) -> None:
        self.state = CoreState(instruments)
        self._decider = Decider(self.state, RiskContext(instruments, self.state.marks, limits))

    def load(self, accounts: Iterable[Account], *, has_closed_orders: bool) -> None:
        """Start from committed accounts instead of from nothing."""
        self.state.load(accounts, has_closed_orders=has_closed_orders)

    def apply(self, command: Command, now_ns: int) -> list[Event]:
        """Decide a command at `now_ns` and fold its events into the state.

        An empty list means that nothing changes: a repeated submission, a repeated venue report, or new prices.
        """
        events = _DECISIONS[type(command)](self._decider, command, now_ns)
        for event in events:
            evolve(self.state, event, now_ns)
        return events

    def state_hash(self) -> str:
        """SHA-256 over the whole state."""
        return self.state.state_hash()


_DECISIONS: dict[type[Any], Callable[[Decider, Any, int], list[Event]]] = {
    OpenAccount: accounts.open_account,
    DepositCash: accounts.deposit_cash,
    WithdrawCash: accounts.withdraw_cash,
    HaltTrading: accounts.halt_trading,
    ResumeTrading: accounts.resume_trading,
    MarkPrices: accounts.mark_prices,
    SubmitOrder: client_orders.submit_order,
    ClosePosition: client_orders.close_position,
    CancelOrder: client_orders.cancel_order,
    CancelAllOrders: client_orders.cancel_all_orders,
    ReplaceOrder: client_orders.replace_order,
    VenueAccepted: venue_reports.accepted,
    VenueRejected: venue_reports.rejected,
    VenueExecution: venue_reports.executed,
    VenueCanceled: venue_reports.canceled,
    VenueExpired: venue_reports.expired,
    VenueReplaced: venue_reports.replaced,
    VenueCancelRejected: venue_reports.cancel_rejected,
    VenueReplaceRejected: venue_reports.replace_rejected,
}
