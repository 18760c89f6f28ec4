"""`/v2/assets`."""

from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from tradewind.domain.market.instrument import AssetClass
from tradewind.services.gateway.assets.schemas import AlpacaAsset, alpaca_asset
from tradewind.services.gateway.dependencies import Sender, parts_of
from tradewind.services.gateway.errors import bad_value, not_found

_STATUSES = ("active", "inactive")


@get("/assets", summary="List assets")
async def list_assets(
    request: Request[Any, Any, Any],
    principal: Sender,
    status: FromQuery[str | None] = None,
    asset_class: FromQuery[str | None] = None,
    exchange: FromQuery[str | None] = None,
    attributes: FromQuery[list[str] | None] = None,
) -> list[AlpacaAsset]:
    """Equities unless `asset_class` says otherwise."""
    if status and status not in _STATUSES:
        raise bad_value("status", status, ", ".join(_STATUSES))
    wanted_class = asset_class or AssetClass.EQUITY.value
    known = (await parts_of(request).directory.by_symbol()).values()
    assets = (alpaca_asset(instrument) for instrument in known)
    return [
        asset
        for asset in assets
        if asset.asset_class == wanted_class
        and status in (None, "", asset.status)
        and exchange in (None, "", asset.exchange)
        and not any(attributes or ())  # no asset here has any of Alpaca's attributes
    ]


@get("/assets/{symbol:path}", summary="Get an asset")
async def get_asset(request: Request[Any, Any, Any], principal: Sender, symbol: FromPath[str]) -> AlpacaAsset:
    """By symbol (`BTC/USD` or `BTCUSD`) or asset id."""
    name = symbol.strip("/")
    instrument = await parts_of(request).directory.find(name)
    if instrument is None:
        raise not_found(f"asset not found for {name[:100]}")
    return alpaca_asset(instrument)


ASSET_ROUTES: tuple[HTTPRouteHandler, ...] = (list_assets, get_asset)
