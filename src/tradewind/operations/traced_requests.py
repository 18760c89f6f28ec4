"""An ASGI application in front of another that records each request as the root of its trace."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tradewind.operations.tracing import Span, SpanRecorder

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

REQUEST_ID_HEADER = b"x-request-id"
"""The response's header that carries the request's correlation id."""


class TracedRequests:
    """Requests whose answer has no correlation id leave no span."""

    def __init__(self, app: AsgiApp, spans: SpanRecorder) -> None:
        self._app = app
        self._spans = spans

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Serve one request, or the server's start and stop."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_ns = time.time_ns()
        status = 0
        correlation_id: str | None = None

        async def observed_send(message: Message) -> None:
            nonlocal status, correlation_id
            if message["type"] == "http.response.start":
                status = message["status"]
                correlation_id = _correlation_id(message)
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        finally:
            if correlation_id is not None:
                self._spans.record_root(_span_of(scope, status, correlation_id, started_ns))


def _span_of(scope: MutableMapping[str, Any], status: int, correlation_id: str, started_ns: int) -> Span:
    # Never the path itself: it holds ids, and spans of one name are to be compared.
    route = scope.get("path_template") or (scope["path"] if scope["path"] == "/v2/orders" else "")
    return Span(
        f"{scope['method']} {route}".strip(),
        correlation_id,
        started_ns,
        time.time_ns(),
        "server",
        {"http.request.method": scope["method"], "http.route": route, "http.response.status_code": status},
        str(status) if status >= 500 else None,
    )


def _correlation_id(message: Message) -> str | None:
    for name, value in message.get("headers", ()):
        if name == REQUEST_ID_HEADER:
            return str(value, "latin-1")
    return None
