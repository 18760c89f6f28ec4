"""What holds for the simulated venue whatever the orders, the market and the clock do."""

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venue_scenarios import ACCOUNT_ID, INSTRUMENTS, MIDNIGHT_NS, MS, NOON_NS, order, rules
from tradewind.domain.commands import VenueReport
from tradewind.domain.market.ticks import Quote, Trade
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import OrderType, Side
from tradewind.domain.venue_reports import (
    VenueCanceled,
    VenueExecution,
    VenueExpired,
    VenueRejected,
    VenueReplaced,
    VenueReplaceRejected,
)
from tradewind.engine.simulated_venue import SimulatedVenue
from tradewind.engine.venue_policies.fees import PercentageFee
from tradewind.engine.venue_policies.latency import FixedLatency
from tradewind.engine.venue_policies.slippage import BasisPointSlippage
from tradewind.engine.venue_rules import VenueRules

Steps: TypeAlias = list[tuple[int, tuple[Any, ...]]]

_PRICES = st.integers(990, 1_010).map(lambda cents: Decimal(cents) / 100)
_SIZES = st.integers(0, 300).map(Decimal)
_SYMBOLS = st.sampled_from(sorted(INSTRUMENTS))
_KINDS = st.sampled_from(("market", "limit {limit}", "stop {stop}", "stop {stop} limit {limit}"))

_ORDERS = st.builds(
    lambda side, amount, kind, limit, stop, tif, symbol: (
        "order",
        f"{side} {amount} " + ("market" if amount.startswith("$") else kind.format(limit=limit, stop=stop)),
        tif,
        symbol,
    ),
    st.sampled_from(("buy", "sell")),
    st.integers(1, 500).map(str) | st.integers(20, 5_000).map(lambda money: f"${money}"),
    _KINDS,
    _PRICES,
    _PRICES,
    st.sampled_from(("gtc", "day", "ioc", "fok")),
    _SYMBOLS,
)
_QUOTES = st.tuples(st.just("quote"), _SYMBOLS, _PRICES, _SIZES, st.integers(1, 5), _SIZES)
_TRADES = st.tuples(st.just("trade"), _SYMBOLS, _PRICES, _SIZES)
_CANCELS = st.tuples(st.just("cancel"), st.integers(0, 30))
_REPLACES = st.tuples(st.just("replace"), st.integers(0, 30), st.integers(1, 500), _PRICES)
_STEPS = st.lists(
    st.tuples(st.integers(0, 3 * MS), st.one_of(_ORDERS, _QUOTES, _TRADES, _CANCELS, _REPLACES)), max_size=60
)
_RULES = st.builds(
    lambda latency_ms, bps, fee_bps: rules(
        latency=FixedLatency(latency_ms * MS),
        slippage=BasisPointSlippage(Decimal(bps)),
        fees=PercentageFee(Decimal(fee_bps) / 10_000),
    ),
    st.integers(0, 4),
    st.integers(0, 20),
    st.integers(0, 30),
)


class _Run:
    """Plays steps to a venue and keeps what was sent, shown and reported."""

    def __init__(self, venue_rules: VenueRules) -> None:
        self.venue = SimulatedVenue(venue_rules, execution_prefix="p")
        self.now_ns = NOON_NS
        self.orders: list[Order] = []
        self.replaced: dict[str, str] = {}
        self.turns: list[tuple[object, list[VenueReport]]] = []

    def play(self, steps: Steps) -> list[VenueReport]:
        """All reports, the end of the session included."""
        for wait_ns, step in steps:
            self.now_ns += wait_ns
            self.turns.append((None, self.venue.advance(self.now_ns)))
            self._step(*step)
        for moment_ns in (self.now_ns + 10 * MS, MIDNIGHT_NS):
            self.turns.append((None, self.venue.advance(moment_ns)))
        return [report for _, reports in self.turns for report in reports]

    def _step(self, kind: str, *values: Any) -> None:
        if kind == "order":
            terms, tif, symbol = values
            sent = order(terms, order_id=f"o{len(self.orders)}", time_in_force=tif, symbol=symbol)
            self.orders.append(sent)
            self.turns.append((None, self.venue.submit(sent, self.now_ns)))
        elif kind == "quote":
            symbol, bid, bid_size, spread, ask_size = values
            quote = Quote(symbol, bid, bid_size, bid + Decimal(spread) / 100, ask_size, self.now_ns)
            self.turns.append((quote, self.venue.on_quote(quote, self.now_ns)))
        elif kind == "trade":
            symbol, price, size = values
            trade = Trade(symbol, price, size, self.now_ns, 1)
            self.turns.append((trade, self.venue.on_trade(trade, self.now_ns)))
        elif self.orders:
            target = self.orders[values[0] % len(self.orders)]
            if kind == "cancel":
                self.turns.append((None, self.venue.cancel(target, self.now_ns)))
            elif target.qty is not None and target.order_type is OrderType.LIMIT:
                self._replace(target, *values[1:])

    def _replace(self, target: Order, qty: int, limit: Decimal) -> None:
        new = order(
            f"{target.side} {qty} limit {limit}", order_id=f"o{len(self.orders)}", symbol=target.symbol
        )
        self.orders.append(new)
        self.replaced[new.order_id] = target.order_id
        self.turns.append((None, self.venue.replace(target.order_id, new, self.now_ns)))

    def order_of(self, order_id: str) -> Order:
        return next(sent for sent in self.orders if sent.order_id == order_id)


def _executions(reports: list[VenueReport]) -> list[VenueExecution]:
    return [report for report in reports if isinstance(report, VenueExecution)]


@settings(max_examples=80, deadline=None)
@given(_RULES, _STEPS)
def test_an_order_never_trades_more_than_it_asked_for(venue_rules: VenueRules, steps: Steps) -> None:
    run = _Run(venue_rules)
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    spent: defaultdict[str, Decimal] = defaultdict(Decimal)
    for report in run.play(steps):
        if isinstance(report, VenueReplaced):
            filled[report.new_order_id] += filled[report.order_id]
        if isinstance(report, VenueExecution):
            assert report.qty > 0
            assert report.fee >= 0
            filled[report.order_id] += report.qty
            spent[report.order_id] += report.qty * report.price
            sent = run.order_of(report.order_id)
            if sent.qty is not None:
                assert filled[report.order_id] <= sent.qty
                assert report.is_complete == (filled[report.order_id] == sent.qty)
            else:
                assert sent.notional is not None
                assert spent[report.order_id] <= sent.notional


@settings(max_examples=80, deadline=None)
@given(_RULES, _STEPS)
def test_a_limit_order_never_trades_beyond_its_limit(venue_rules: VenueRules, steps: Steps) -> None:
    run = _Run(venue_rules)
    for execution in _executions(run.play(steps)):
        sent = run.order_of(execution.order_id)
        if sent.limit_price is None:
            continue
        if sent.side is Side.BUY:
            assert execution.price <= sent.limit_price
        else:
            assert execution.price >= sent.limit_price


@settings(max_examples=80, deadline=None)
@given(_RULES, _STEPS)
def test_every_order_ends_once_and_nothing_follows_its_end(venue_rules: VenueRules, steps: Steps) -> None:
    run = _Run(venue_rules)
    ended: Counter[str] = Counter()
    for report in run.play(steps):
        if isinstance(report, VenueExecution):
            assert not ended[report.order_id]
        if isinstance(report, VenueReplaceRejected):
            ended[report.new_order_id] += 1
        elif isinstance(report, VenueCanceled | VenueExpired | VenueRejected | VenueReplaced) or (
            isinstance(report, VenueExecution) and report.is_complete
        ):
            ended[report.order_id] += 1
    for sent in run.orders:
        assert ended[sent.order_id] + run.venue.works(sent.order_id) == 1


@settings(max_examples=80, deadline=None)
@given(_RULES, _STEPS)
def test_no_more_is_filled_than_the_market_showed(venue_rules: VenueRules, steps: Steps) -> None:
    run = _Run(venue_rules)
    run.play(steps)
    shown: dict[tuple[str, Side], Decimal] = defaultdict(Decimal)
    for event, reports in run.turns:
        if isinstance(event, Quote):
            shown[event.symbol, Side.BUY] = event.ask_size
            shown[event.symbol, Side.SELL] = event.bid_size
        printed = dict.fromkeys(Side, event.size if isinstance(event, Trade) else Decimal(0))
        for execution in _executions(reports):
            sent = run.order_of(execution.order_id)
            from_trade = Decimal(0)
            if sent.limit_price == execution.price:
                from_trade = min(printed[sent.side], execution.qty)
            printed[sent.side] -= from_trade
            shown[sent.symbol, sent.side] -= execution.qty - from_trade
            assert shown[sent.symbol, sent.side] >= 0


@settings(max_examples=40, deadline=None)
@given(_RULES, _STEPS)
def test_the_same_inputs_give_the_same_reports_and_leave_the_orders_alone(
    venue_rules: VenueRules,
    steps: Steps,
) -> None:
    first, second = _Run(venue_rules), _Run(venue_rules)
    assert first.play(steps) == second.play(steps)
    assert all(sent.filled_qty == 0 and sent.account_id == ACCOUNT_ID for sent in first.orders)
    ids = [execution.execution_id for _, reports in first.turns for execution in _executions(reports)]
    assert len(ids) == len(set(ids))


@settings(max_examples=40, deadline=None)
@given(_RULES, _STEPS)
def test_reports_never_go_back_in_time(venue_rules: VenueRules, steps: Steps) -> None:
    times = [report.ts_ns for report in _Run(venue_rules).play(steps)]
    assert times == sorted(times)
