"""Words for scenarios at a venue: orders, quotes and trades in one line each, and reports as short texts."""

from decimal import Decimal

from tests.instruments import coin, share
from tradewind.domain.commands import VenueReport
from tradewind.domain.decimals import ZERO, format_decimal
from tradewind.domain.market.calendar import AroundTheClock
from tradewind.domain.market.ticks import Quote, Trade
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
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
from tradewind.engine.simulated_venue import SimulatedVenue
from tradewind.engine.venue_policies.fees import FeePolicy, NoFee
from tradewind.engine.venue_policies.latency import LatencyPolicy, NoLatency
from tradewind.engine.venue_policies.slippage import NoSlippage, SlippagePolicy
from tradewind.engine.venue_rules import VenueRules

ACCOUNT_ID = "0190a000-0000-7000-8000-000000000001"
NOON_NS = 1_709_312_400_000_000_000
"""2024-03-01 12:00 in New York."""
MIDNIGHT_NS = NOON_NS + 12 * 3_600_000_000_000
MS = 1_000_000

AAPL = share("AAPL")
BTC = coin("BTC/USD")
INSTRUMENTS = {instrument.symbol: instrument for instrument in (AAPL, BTC)}


def rules(
    *,
    latency: LatencyPolicy = NoLatency(),  # noqa: B008 - policies are frozen
    fees: FeePolicy = NoFee(),  # noqa: B008
    slippage: SlippagePolicy = NoSlippage(),  # noqa: B008
) -> VenueRules:
    """A venue for AAPL and BTC/USD that is always open."""
    return VenueRules(
        instruments=INSTRUMENTS, calendar=AroundTheClock(), latency=latency, fees=fees, slippage=slippage
    )


def order(
    terms: str,
    *,
    order_id: str = "A",
    symbol: str = "AAPL",
    time_in_force: str = "gtc",
    filled_qty: str = "0",
    filled_value: str = "0",
    status: OrderStatus = OrderStatus.PENDING_NEW,
    replaces: str | None = None,
    submitted_at_ns: int = 0,
) -> Order:
    """An order from words: "buy 100 market", "sell 5 limit 10.25", "buy 5 stop 11 limit 11.1", "buy $500 market"."""
    side, amount, *pricing = terms.split()
    prices = dict(zip(pricing[::2], pricing[1::2], strict=False))
    has_notional = amount.startswith("$")
    return Order(
        order_id=order_id,
        account_id=ACCOUNT_ID,
        client_order_id=f"client-{order_id}",
        symbol=symbol,
        side=Side(side),
        order_type=OrderType("_".join(pricing[::2])),
        time_in_force=TimeInForce(time_in_force),
        qty=None if has_notional else Decimal(amount),
        notional=Decimal(amount[1:]) if has_notional else None,
        limit_price=Decimal(prices["limit"]) if "limit" in prices else None,
        stop_price=Decimal(prices["stop"]) if "stop" in prices else None,
        filled_qty=Decimal(filled_qty),
        filled_value=Decimal(filled_value),
        status=status,
        replaces=replaces,
        submitted_at_ns=submitted_at_ns,
    )


def quote(bid: str, ask: str, *, symbol: str = "AAPL", ts_ns: int = NOON_NS) -> Quote:
    """A quote from "price x size" for each side: `quote("9.99x300", "10.01x200")`; "-" is an empty side."""
    bid_price, bid_size = _price_and_size(bid)
    ask_price, ask_size = _price_and_size(ask)
    return Quote(symbol, bid_price, bid_size, ask_price, ask_size, ts_ns)


def trade(text: str, *, symbol: str = "AAPL", ts_ns: int = NOON_NS) -> Trade:
    """A trade on the market from "price x size"."""
    price, size = _price_and_size(text)
    return Trade(symbol, price, size, ts_ns, 1)


def say(report: VenueReport) -> str:
    """A report in a few words: "A accepted", "A 100 @ 10.01", "A 50 @ 10.02 done", "A canceled"."""
    match report:
        case VenueAccepted():
            return f"{report.order_id} accepted"
        case VenueRejected():
            return f"{report.order_id} rejected: {report.reason}"
        case VenueExecution():
            fill = f"{report.order_id} {format_decimal(report.qty)} @ {format_decimal(report.price)}"
            return f"{fill} done" if report.is_complete else fill
        case VenueCanceled():
            return f"{report.order_id} canceled"
        case VenueExpired():
            return f"{report.order_id} expired"
        case VenueReplaced():
            return f"{report.order_id} replaced by {report.new_order_id}"
        case VenueCancelRejected():
            return f"{report.order_id} cancel rejected"
        case VenueReplaceRejected():
            return f"{report.order_id} replace by {report.new_order_id} rejected: {report.reason}"


class Desk:
    """A trader in front of a simulated venue: every call says what the venue reported."""

    def __init__(self, venue_rules: VenueRules | None = None) -> None:
        self.venue = SimulatedVenue(venue_rules or rules(), execution_prefix="test")
        self.now_ns = NOON_NS
        self.reports: list[VenueReport] = []

    def _said(self, reports: list[VenueReport]) -> list[str]:
        self.reports.extend(reports)
        return [say(report) for report in reports]

    def send(self, order_to_send: Order) -> list[str]:
        """Submit."""
        return self._said(self.venue.submit(order_to_send, self.now_ns))

    def cancel(self, order_id: str = "A") -> list[str]:
        """Cancel by id."""
        return self._said(self.venue.cancel(order("buy 1 market", order_id=order_id), self.now_ns))

    def replace(self, old_order_id: str, new_order: Order) -> list[str]:
        """Replace."""
        return self._said(self.venue.replace(old_order_id, new_order, self.now_ns))

    def market_shows(self, bid: str, ask: str, *, symbol: str = "AAPL") -> list[str]:
        """A quote arrives."""
        return self._said(self.venue.on_quote(quote(bid, ask, symbol=symbol), self.now_ns))

    def market_trades(self, text: str, *, symbol: str = "AAPL") -> list[str]:
        """A trade prints."""
        return self._said(self.venue.on_trade(trade(text, symbol=symbol), self.now_ns))

    def wait_until(self, now_ns: int) -> list[str]:
        """Time passes."""
        self.now_ns = now_ns
        return self._said(self.venue.advance(now_ns))

    def executions(self) -> list[VenueExecution]:
        """All executions so far."""
        return [report for report in self.reports if isinstance(report, VenueExecution)]


def _price_and_size(text: str) -> tuple[Decimal, Decimal]:
    if text == "-":
        return ZERO, ZERO
    price, size = text.split("x")
    return Decimal(price), Decimal(size)
