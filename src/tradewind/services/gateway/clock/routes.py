"""`/v2/clock`."""

from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler

from tradewind.services.gateway.clock.schemas import AlpacaClock, alpaca_clock
from tradewind.services.gateway.dependencies import Sender, parts_of


@get("/clock", summary="Get the market clock")
async def get_clock(request: Request[Any, Any, Any], principal: Sender) -> AlpacaClock:
    """Whether the market is open, and when that changes."""
    given = parts_of(request).given
    return alpaca_clock(given.calendar, given.clock.now_ns())


CLOCK_ROUTES: tuple[HTTPRouteHandler, ...] = (get_clock,)
