"""`/v2/account`."""

from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler

from tradewind.services.gateway.account.schemas import AlpacaAccount, alpaca_account
from tradewind.services.gateway.dependencies import Sender, parts_of
from tradewind.services.gateway.errors import not_found


@get("/account", summary="Get the account")
async def get_account(request: Request[Any, Any, Any], principal: Sender) -> AlpacaAccount:
    """Balances and buying power at the latest prices, and the equity at the previous close."""
    parts = parts_of(request)
    account = await parts.given.queries.account(principal.account_id)
    if account is None:
        raise not_found("account not found")
    return alpaca_account(
        account,
        await parts.marks.current(),
        await parts.directory.by_symbol(),
        await parts.last_days.of(account),
    )


ACCOUNT_ROUTES: tuple[HTTPRouteHandler, ...] = (get_account,)
