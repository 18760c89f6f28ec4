"""Orders, events and instruments for tests of the streams."""

from decimal import Decimal

from tradewind.domain.events import (
    Event,
    JournalEntry,
    OrderAcknowledged,
    OrderCanceled,
    OrderExecuted,
    OrderSubmitted,
)
from tradewind.domain.market.instrument import AssetClass, Instrument
from tradewind.domain.market.ticks import Bar, DailyBar, Quote, Trade
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.ports.messages import EventNotice, PublishedEvent, shard_of

ALICE = "0191d6a0-0000-7000-8000-00000000a11c"
BOB = "0191d6a0-0000-7000-8000-000000000b0b"
ORDER_ID = "0191d6a0-0000-7000-8000-000000000001"
NEW_ORDER_ID = "0191d6a0-0000-7000-8000-000000000002"
NOON_NS = 1_700_000_000_123_456_789

AAPL = Instrument(
    symbol="AAPL",
    asset_id="0191d6a0-0000-7000-8000-0000000000aa",
    asset_class=AssetClass.EQUITY,
    name="Apple",
    exchange="NASDAQ",
)


def make_order(**terms: object) -> Order:
    """Alice's order of ten shares at 190.50, unless told otherwise."""
    values: dict[str, object] = {
        "order_id": ORDER_ID,
        "account_id": ALICE,
        "client_order_id": "first",
        "symbol": "AAPL",
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "qty": Decimal("10.0"),
        "limit_price": Decimal("190.50"),
        "submitted_at_ns": NOON_NS,
        "updated_at_ns": NOON_NS,
    } | terms
    return Order(**values)  # type: ignore[arg-type]


def submitted(order: Order) -> OrderSubmitted:
    return OrderSubmitted(account_id=order.account_id, order_id=order.order_id, currency="USD", order=order)


def acknowledged(account_id: str = ALICE, order_id: str = ORDER_ID) -> OrderAcknowledged:
    return OrderAcknowledged(account_id=account_id, order_id=order_id)


def canceled(account_id: str = ALICE) -> OrderCanceled:
    return OrderCanceled(
        account_id=account_id,
        order_id=ORDER_ID,
        symbol="AAPL",
        side=Side.BUY,
        currency="USD",
        released_cash=Decimal(0),
        released_qty=Decimal(0),
    )


def executed(status: OrderStatus = OrderStatus.FILLED, execution_id: str = "venue-7") -> OrderExecuted:
    return OrderExecuted(
        account_id=ALICE,
        order_id=ORDER_ID,
        symbol="AAPL",
        side=Side.BUY,
        currency="USD",
        execution_id=execution_id,
        qty=Decimal("4.00"),
        price=Decimal("190.250"),
        fee=Decimal(0),
        executed_at_ns=NOON_NS,
        status=status,
        position_qty=Decimal("-6.0"),
        cost_change=Decimal(761),
        realised_pnl=Decimal(0),
        released_cash=Decimal(0),
        released_qty=Decimal(0),
    )


def entry(seq: int, event: Event) -> JournalEntry:
    return JournalEntry(shard_of(event.account_id), seq, NOON_NS + seq, "correlation", event)


def published(
    seq: int, event: Event, order: Order | None = None, new_order: Order | None = None
) -> PublishedEvent:
    return PublishedEvent(
        shard=shard_of(event.account_id),
        seq=seq,
        ts_ns=NOON_NS + seq,
        correlation_id="correlation",
        event=event,
        order=order,
        new_order=new_order,
    )


def notice(seq: int, event: Event) -> EventNotice:
    return EventNotice.of(published(seq, event))


def quote(symbol: str = "AAPL", ts_ns: int = NOON_NS) -> Quote:
    return Quote(symbol, Decimal("190.10"), Decimal(200), Decimal("190.12"), Decimal("1.5"), ts_ns)


def trade(symbol: str = "AAPL", trade_id: int = 1) -> Trade:
    return Trade(symbol, Decimal("190.11"), Decimal(100), NOON_NS, trade_id)


def bar(symbol: str = "AAPL", timeframe: str = "1Min") -> Bar:
    prices = (Decimal(190), Decimal("190.5"), Decimal("189.5"), Decimal("190.25"))
    return Bar(symbol, timeframe, NOON_NS, *prices, Decimal(1_000), 12, Decimal("190.123"))


def daily_bar(symbol: str = "AAPL") -> DailyBar:
    prices = (Decimal(190), Decimal("190.5"), Decimal("189.5"), Decimal("190.25"))
    return DailyBar(symbol, NOON_NS, *prices, Decimal(1_000), 12, Decimal("190.123"))
