"""Orders as rows of the table `orders`, and back."""

from typing import Any, Protocol

from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce

ORDER_COLUMNS: dict[str, str] = {
    "order_id": "uuid",
    "account_id": "uuid",
    "client_order_id": "text",
    "symbol": "text",
    "side": "text",
    "order_type": "text",
    "time_in_force": "text",
    "qty": "numeric",
    "notional": "numeric",
    "limit_price": "numeric",
    "stop_price": "numeric",
    "extended_hours": "boolean",
    "status": "text",
    "is_open": "boolean",
    "filled_qty": "numeric",
    "filled_value": "numeric",
    "held_cash": "numeric",
    "held_qty": "numeric",
    "hold_rate": "numeric",
    "submitted_at_ns": "bigint",
    "updated_at_ns": "bigint",
    "expires_at_ns": "bigint",
    "filled_at_ns": "bigint",
    "canceled_at_ns": "bigint",
    "expired_at_ns": "bigint",
    "failed_at_ns": "bigint",
    "replaced_at_ns": "bigint",
    "replaces": "uuid",
    "replaced_by": "uuid",
    "reject_reason": "text",
    "execution_ids": "text[]",
}
"""Column and type, in the order of `order_to_row`."""

MUTABLE_COLUMNS = (
    "status",
    "is_open",
    "filled_qty",
    "filled_value",
    "held_cash",
    "held_qty",
    "updated_at_ns",
    "filled_at_ns",
    "canceled_at_ns",
    "expired_at_ns",
    "failed_at_ns",
    "replaced_at_ns",
    "replaced_by",
    "reject_reason",
)
"""What an order's life changes, besides `execution_ids`."""


def order_to_row(order: Order) -> tuple[Any, ...]:
    """All columns of the order, in the order of `ORDER_COLUMNS`."""
    return tuple(getattr(order, column) for column in ORDER_COLUMNS)


class Row(Protocol):
    """A row of any driver: values by column name."""

    def __getitem__(self, column: str, /) -> Any:
        """The column's value."""
        ...


def order_from_row(row: Row) -> Order:
    """The order that a row of `ORDER_COLUMNS` stands for."""
    fields = {column: row[column] for column in ORDER_COLUMNS if column != "is_open"}
    for column in ("order_id", "account_id", "replaces", "replaced_by"):
        fields[column] = _id(fields[column])
    fields["side"] = Side(fields["side"])
    fields["order_type"] = OrderType(fields["order_type"])
    fields["time_in_force"] = TimeInForce(fields["time_in_force"])
    fields["status"] = OrderStatus(fields["status"])
    fields["execution_ids"] = list(fields["execution_ids"])
    return Order(**fields)


def _id(value: Any) -> str | None:
    return None if value is None else str(value)
