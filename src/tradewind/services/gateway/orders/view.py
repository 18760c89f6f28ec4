"""How an order is shown: the format is handed in, so that all services show orders alike."""

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order

OrderView: TypeAlias = Any
"""A structure whose JSON text is Alpaca's Order object."""

OrderFormat = Callable[[Order, Instrument], OrderView]
"""The view of an order of an instrument."""

encode_order = msgspec.json.Encoder().encode
"""The JSON text of a view."""
