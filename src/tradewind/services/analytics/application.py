"""Puts the analytics service's HTTP application together."""

import re
import time
from typing import Any

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.middleware import ASGIMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from tradewind.operations.docs_page import DOCS_PATH, OfflineDocsPage
from tradewind.operations.http import AsgiApp, OperationsMiddleware
from tradewind.operations.logging import bind_correlation_id
from tradewind.operations.metrics import HTTP_REQUEST_SECONDS, HTTP_REQUESTS
from tradewind.operations.probes import Probes
from tradewind.ports.authentication import Authenticator, Principal
from tradewind.ports.ids import IdSource
from tradewind.services.analytics.analysis import Analytics
from tradewind.services.analytics.failures import EXCEPTION_HANDLERS
from tradewind.services.analytics.routes import AccountAnalytics

REQUEST_ID_HEADER = b"x-request-id"
_ACCEPTED_REQUEST_ID = re.compile(rb"[\w.:-]{1,64}")


def create_application(
    analytics: Analytics, authenticator: Authenticator, ids: IdSource, probes: Probes
) -> AsgiApp:
    """The ASGI application: the routes, `/docs`, and the operators' paths in front of them."""
    return OperationsMiddleware(create_litestar(analytics, authenticator, ids, probes.version), probes)


def create_litestar(
    analytics: Analytics, authenticator: Authenticator, ids: IdSource, version: str
) -> Litestar:
    """The routes and `/docs` alone."""

    async def provide_principal(request: Request[Any, Any, Any]) -> Principal:
        return await authenticator.authenticate(dict(request.headers))

    def provide_analytics() -> Analytics:
        return analytics

    return Litestar(
        [AccountAnalytics],
        dependencies={
            "principal": Provide(provide_principal),
            "analytics": Provide(provide_analytics, sync_to_thread=False),
        },
        exception_handlers=EXCEPTION_HANDLERS,
        middleware=[_RequestObserver(ids)],
        openapi_config=_openapi(version),
        logging_config=None,
    )


class _RequestObserver(ASGIMiddleware):
    """Gives each request its correlation id, and counts it by route."""

    def __init__(self, ids: IdSource) -> None:
        self._ids = ids

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        correlation_id = _request_id(scope) or self._ids.new_id()
        bind_correlation_id(correlation_id)
        route = str(scope.get("path_template") or "unknown")
        began_s = time.perf_counter()

        async def observed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (REQUEST_ID_HEADER, correlation_id.encode())]
                HTTP_REQUESTS.labels(route=route, status=str(message["status"])).inc()
                HTTP_REQUEST_SECONDS.labels(route=route).observe(time.perf_counter() - began_s)
            await send(message)

        await next_app(scope, receive, observed_send)


def _request_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _ACCEPTED_REQUEST_ID.fullmatch(value):
            return value.decode()
    return None


def _openapi(version: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Tradewind analytics",
        version=version,
        description="How well an account did: return, drawdown, ratios, equity over time and round trips.",
        path=DOCS_PATH,
        render_plugins=[OfflineDocsPage()],
        use_handler_docstrings=True,
        security=[{"key id": [], "key secret": []}, {"access token": []}],
        components=Components(
            security_schemes={
                "key id": SecurityScheme(type="apiKey", name="APCA-API-KEY-ID", security_scheme_in="header"),
                "key secret": SecurityScheme(
                    type="apiKey", name="APCA-API-SECRET-KEY", security_scheme_in="header"
                ),
                "access token": SecurityScheme(type="http", scheme="bearer"),
            }
        ),
    )
