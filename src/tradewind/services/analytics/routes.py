"""The HTTP routes: read the parameters, check whose account it is, answer."""

from types import MappingProxyType
from typing import Annotated

from litestar import Controller, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter, SkipValidation

from tradewind.domain.identifiers import AccountId
from tradewind.ports.authentication import Principal
from tradewind.services.analytics.analysis import Analytics
from tradewind.services.analytics.answers import (
    EquityCurveAnswer,
    ErrorAnswer,
    PerformanceAnswer,
    TradesAnswer,
)
from tradewind.services.analytics.errors import AccountNotFound
from tradewind.services.analytics.period import (
    ALLOWED_TIMES,
    TRADES_LIMIT_MAX,
    RequestedPeriod,
    parse_limit,
    parse_period,
)

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
_OwnAccountId = NamedDependency[SkipValidation[AccountId]]
_Period = NamedDependency[SkipValidation[RequestedPeriod]]

_ERRORS = {
    401: ResponseSpec(ErrorAnswer, description="No or wrong credentials."),
    404: ResponseSpec(ErrorAnswer, description="No such account of yours."),
    422: ResponseSpec(ErrorAnswer, description="A parameter is not allowed; the message names it."),
    503: ResponseSpec(ErrorAnswer, description="The store cannot be reached now; try again."),
}


async def provide_own_account_id(account_id: _AccountId, principal: _Principal) -> AccountId:
    """The account of the path, if it is the caller's. Raises `AccountNotFound`."""
    if account_id not in principal.account_ids:
        raise AccountNotFound(account_id)
    return account_id


async def provide_period(
    own_account_id: _OwnAccountId,  # whose account it is comes before what is asked of it
    start: _Start = None,
    end: _End = None,
    timeframe: _TimeframeText = None,
) -> RequestedPeriod:
    """The period that the query asks for. Raises `InvalidParameter`."""
    return parse_period(start, end, timeframe)


class AccountAnalytics(Controller):
    """How well an account did."""

    path = "/v1/accounts/{account_id:str}"
    tags = ("Analytics",)
    responses = _ERRORS
    response_headers = (ResponseHeader(name="Cache-Control", value="no-store"),)
    dependencies = MappingProxyType(
        {"own_account_id": Provide(provide_own_account_id), "period": Provide(provide_period)}
    )

    @get("/performance", summary="Return, drawdown, ratios and trade figures")
    async def performance(
        self, own_account_id: _OwnAccountId, period: _Period, analytics: _Analytics
    ) -> PerformanceAnswer:
        """The figures of one account over a period."""
        return await analytics.performance(own_account_id, period)

    @get("/equity-curve", summary="Equity over time")
    async def equity_curve(
        self, own_account_id: _OwnAccountId, period: _Period, analytics: _Analytics
    ) -> EquityCurveAnswer:
        """Equity, cash and return at every step of a period."""
        return await analytics.equity_curve(own_account_id, period)

    @get("/trades", summary="Round trips")
    async def trades(
        self,
        own_account_id: _OwnAccountId,
        analytics: _Analytics,
        start: _Start = None,
        end: _End = None,
        limit: _Limit = None,
    ) -> TradesAnswer:
        """Positions that went from flat to flat and ended in the period."""
        rows = parse_limit(limit, DEFAULT_TRADES_LIMIT)
        return await analytics.trades(own_account_id, parse_period(start, end, timeframe=None), rows)
