"""The HTTP routes: read the parameters, check whose account it is, answer."""

from typing import Annotated

from litestar import Controller, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter, SkipValidation

from tradewind.ports.authentication import Principal
from tradewind.services.analytics.analysis import Analytics
from tradewind.services.analytics.answers import (
    EquityCurveAnswer,
    ErrorAnswer,
    PerformanceAnswer,
    TradesAnswer,
)
from tradewind.services.analytics.errors import AccountNotFound
from tradewind.services.analytics.period import ALLOWED_TIMES, TRADES_LIMIT_MAX, parse_limit, parse_period

DEFAULT_TRADES_LIMIT = 100

_AccountId = Annotated[str, PathParameter(description="One of your accounts: the id that /v2/account shows.")]
_Start = Annotated[
    str | None, QueryParameter(description=f"First moment: {ALLOWED_TIMES}. Default: the account's opening.")
]
_End = Annotated[str | None, QueryParameter(description=f"Last moment: {ALLOWED_TIMES}. Default: now.")]
_TimeframeText = Annotated[
    str | None,
    QueryParameter(
        description="Step, such as 1Min or 1Day. Default: 1Min up to a day, 15Min up to 30 days, else 1Day."
    ),
]
_Limit = Annotated[
    str | None,
    QueryParameter(
        description=f"Most trades to list, 1 to {TRADES_LIMIT_MAX}. Default: {DEFAULT_TRADES_LIMIT}."
    ),
]
_Principal = NamedDependency[SkipValidation[Principal]]
_Analytics = NamedDependency[SkipValidation[Analytics]]

_ERRORS = {
    401: ResponseSpec(ErrorAnswer, description="No or wrong credentials."),
    404: ResponseSpec(ErrorAnswer, description="No such account of yours."),
    422: ResponseSpec(ErrorAnswer, description="A parameter is not allowed; the message names it."),
    503: ResponseSpec(ErrorAnswer, description="The store cannot be reached now; try again."),
}


class AccountAnalytics(Controller):
    """How well an account did."""

    path = "/v1/accounts/{account_id:str}"
    tags = ("Analytics",)
    responses = _ERRORS
    response_headers = (ResponseHeader(name="Cache-Control", value="no-store"),)

    @get("/performance", summary="Return, drawdown, ratios and trade figures")
    async def performance(
        self,
        account_id: _AccountId,
        principal: _Principal,
        analytics: _Analytics,
        start: _Start = None,
        end: _End = None,
        timeframe: _TimeframeText = None,
    ) -> PerformanceAnswer:
        """The figures of one account over a period."""
        _require_own(account_id, principal)
        return await analytics.performance(account_id, parse_period(start, end, timeframe))

    @get("/equity-curve", summary="Equity over time")
    async def equity_curve(
        self,
        account_id: _AccountId,
        principal: _Principal,
        analytics: _Analytics,
        start: _Start = None,
        end: _End = None,
        timeframe: _TimeframeText = None,
    ) -> EquityCurveAnswer:
        """Equity, cash and return at every step of a period."""
        _require_own(account_id, principal)
        return await analytics.equity_curve(account_id, parse_period(start, end, timeframe))

    @get("/trades", summary="Round trips")
    async def trades(
        self,
        account_id: _AccountId,
        principal: _Principal,
        analytics: _Analytics,
        start: _Start = None,
        end: _End = None,
        limit: _Limit = None,
    ) -> TradesAnswer:
        """Positions that went from flat to flat and ended in the period."""
        _require_own(account_id, principal)
        rows = parse_limit(limit, DEFAULT_TRADES_LIMIT)
        return await analytics.trades(account_id, parse_period(start, end, timeframe=None), rows)


def _require_own(account_id: str, principal: Principal) -> None:
    if account_id not in principal.account_ids:
        raise AccountNotFound(account_id)
