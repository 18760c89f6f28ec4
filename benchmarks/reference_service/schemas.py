"""The reference's wire formats: the order that a client sends and the order that it gets back, as Alpaca's."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, PlainSerializer

from benchmarks.reference_service.models import Order


def _plain(value: Decimal) -> str:
    """No exponent and no trailing zeros, as Alpaca writes numbers."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


NumberString = Annotated[Decimal, PlainSerializer(_plain, return_type=str)]


class SubmitOrder(BaseModel):
    """The body of `POST /v2/orders`: limit orders, as the benchmark sends."""

    symbol: str = Field(min_length=1, max_length=32)
    qty: Decimal = Field(gt=0, max_digits=28, decimal_places=9)
    side: Literal["buy", "sell"]
    type: Literal["limit"]
    time_in_force: Literal["day", "gtc", "ioc", "fok"]
    limit_price: Decimal = Field(gt=0, max_digits=28, decimal_places=9)
    client_order_id: str | None = Field(default=None, min_length=1, max_length=128)
    extended_hours: bool = False


class OrderAnswer(BaseModel):
    """An order as Alpaca answers it."""

    id: UUID
    client_order_id: str
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime
    filled_at: datetime | None = None
    expired_at: datetime | None = None
    canceled_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    replaced_by: UUID | None = None
    replaces: UUID | None = None
    asset_id: UUID
    symbol: str
    asset_class: str = "us_equity"
    notional: NumberString | None = None
    qty: NumberString
    filled_qty: NumberString
    filled_avg_price: NumberString | None = None
    order_class: str = ""
    order_type: str
    type: str
    side: str
    time_in_force: str
    limit_price: NumberString
    stop_price: NumberString | None = None
    status: str
    extended_hours: bool = False
    legs: list[UUID] | None = None
    trail_percent: NumberString | None = None
    trail_price: NumberString | None = None
    hwm: NumberString | None = None
    position_intent: str

    @classmethod
    def of(cls, order: Order, asset_id: UUID) -> "OrderAnswer":
        """The answer for a stored order."""
        return cls(
            id=order.id,
            client_order_id=order.client_order_id,
            created_at=order.created_at,
            updated_at=order.updated_at,
            submitted_at=order.created_at,
            asset_id=asset_id,
            symbol=order.symbol,
            qty=order.qty,
            filled_qty=order.filled_qty,
            order_type=order.type,
            type=order.type,
            side=order.side,
            time_in_force=order.time_in_force,
            limit_price=order.limit_price,
            status=order.status,
            position_intent="buy_to_open" if order.side == "buy" else "sell_to_open",
        )
