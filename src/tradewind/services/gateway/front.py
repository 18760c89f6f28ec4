"""The outermost layer: request ids, duplicate slashes, metrics, and the choice between fast path and framework."""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import Counter, Histogram

from tradewind.operations.logging import correlated, get_logger
from tradewind.operations.metrics import HTTP_REQUEST_SECONDS, HTTP_REQUESTS
from tradewind.ports.clock import Clock
from tradewind.ports.ids import IdSource
from tradewind.services.gateway.context import SCOPE_KEY, RequestContext, usable_request_id
from tradewind.services.gateway.errors import ApiError, api_error_of
from tradewind.services.gateway.orders.fast_path import ClientGone, OrderFastPath

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

ORDERS_PATH = "/v2/orders"
FAST_ROUTE = "POST /v2/orders"
UNMATCHED_ROUTE = "unmatched"
CLIENT_GONE_STATUS = 499
"""Counted, never sent: the client closed the connection before its request was complete."""

_SLASHES = re.compile("/{2,}")
_REQUEST_ID_HEADER = b"x-request-id"
_JSON_HEADER = (b"content-type", b"application/json")

_log = get_logger(__name__)


class GatewayFront:
    """An ASGI application in front of the framework's."""

    def __init__(self, app: AsgiApp, fast_path: OrderFastPath, ids: IdSource, clock: Clock) -> None:
        self._app = app
        self._fast_path = fast_path
        self._ids = ids
        self._clock = clock
        self._counters: dict[tuple[str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's start and stop."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if "//" in path:
            path = scope["path"] = _SLASHES.sub("/", path)
        context = RequestContext(self._request_id(scope), self._clock.now_ns())
        started_s = time.perf_counter()
        if path == ORDERS_PATH and scope["method"] == "POST":
            route = FAST_ROUTE
            status = await self._submit(scope, receive, send, context)
        else:
            status = await self._through_framework(scope, receive, send, context)
            route = f"{scope['method']} {scope.get('path_template') or UNMATCHED_ROUTE}"
        self._count(route, status, time.perf_counter() - started_s)

    async def _submit(self, scope: Scope, receive: Receive, send: Send, context: RequestContext) -> int:
        status = 200
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            body = await self._fast_path.answer(scope["headers"], receive, context)
        except ClientGone:
            return CLIENT_GONE_STATUS
        except Exception as error:  # noqa: BLE001 - the outermost layer of a request
            answer = api_error_of(error)
            if answer.status == 500:
                _log.exception("request failed", correlation_id=context.correlation_id, route=FAST_ROUTE)
            status, body = answer.status, answer.body()
            extra = tuple((name.encode(), value.encode()) for name, value in answer.headers().items())
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    _JSON_HEADER,
                    (b"content-length", b"%d" % len(body)),
                    (_REQUEST_ID_HEADER, context.correlation_id.encode()),
                    *extra,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})
        return status

    async def _through_framework(
        self, scope: Scope, receive: Receive, send: Send, context: RequestContext
    ) -> int:
        scope[SCOPE_KEY] = context
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (_REQUEST_ID_HEADER, context.correlation_id.encode()),
                ]
            await send(message)

        with correlated(context.correlation_id):
            await self._app(scope, receive, send_with_id)
        return status

    def _request_id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == _REQUEST_ID_HEADER:
                return usable_request_id(value.decode("latin-1")) or self._ids.new_id()
        return self._ids.new_id()

    def _count(self, route: str, status: int, took_s: float) -> None:
        # A child is looked up once: `labels` takes longer than counting. Routes and statuses are few.
        counter = self._counters.get((route, status))
        if counter is None:
            counter = HTTP_REQUESTS.labels(route=route, status=str(status))
            self._counters[route, status] = counter
        histogram = self._histograms.get(route)
        if histogram is None:
            histogram = self._histograms[route] = HTTP_REQUEST_SECONDS.labels(route=route)
        counter.inc()
        histogram.observe(took_s)


def error_of_framework(error: Exception) -> ApiError:
    """The answer to what a route raised; what nobody expected is logged."""
    answer = api_error_of(error)
    if answer.status == 500:
        _log.error("request failed", exc_info=error)
    return answer
