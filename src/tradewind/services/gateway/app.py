"""The gateway as one ASGI application."""

from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.di import Provide

from tradewind.services.gateway.account.routes import ACCOUNT_ROUTES
from tradewind.services.gateway.assets.routes import ASSET_ROUTES
from tradewind.services.gateway.auth.routes import auth_router
from tradewind.services.gateway.clock.routes import CLOCK_ROUTES
from tradewind.services.gateway.dependencies import GatewayDependencies, GatewayParts, principal_of
from tradewind.services.gateway.errors import MAX_BODY_BYTES
from tradewind.services.gateway.front import GatewayFront, error_of_framework
from tradewind.services.gateway.openapi import SECURITY, openapi_config
from tradewind.services.gateway.orders.fast_path import OrderFastPath
from tradewind.services.gateway.orders.routes import ORDER_ROUTES
from tradewind.services.gateway.positions.routes import POSITION_ROUTES


def create_app(given: GatewayDependencies) -> GatewayFront:
    """The application with all its routes; the operators' paths are put in front by the entrypoint."""
    parts = GatewayParts(given)
    return GatewayFront(
        create_framework_app(parts),
        OrderFastPath(given.authenticator, parts.submission),
        given.ids,
        given.clock,
    )


def create_framework_app(parts: GatewayParts) -> Litestar:
    """The framework's application, POST /v2/orders included: the fast path answers that before it gets here."""
    trading = Router(
        "/v2",
        route_handlers=[*ACCOUNT_ROUTES, *ORDER_ROUTES, *POSITION_ROUTES, *ASSET_ROUTES, *CLOCK_ROUTES],
        dependencies={"principal": Provide(principal_of)},
        security=SECURITY,
        tags=["trading"],
    )
    return Litestar(
        route_handlers=[auth_router(), trading],
        state=State({"parts": parts}),
        exception_handlers={Exception: _answer_error},
        openapi_config=openapi_config(parts.given.version),
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
    )


def _answer_error(_request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    answer = error_of_framework(error)
    return Response(
        answer.content(), status_code=answer.status, headers=answer.headers(), media_type="application/json"
    )
