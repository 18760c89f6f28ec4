"""The operators' HTTP paths, `/health`, `/ready`, `/metrics` and `/version`, and the server that all
services use.

    app = OperationsMiddleware(litestar_app, probes)   # in front of a service's own application
    app = operations_app(probes)                       # alone, for a background service
    server = await serve(app, host, port)              # accepts connections when it returns; raises OSError
    await stop.wait()
    await server.stop()                                # answers what is in progress, then closes

A server that is not ASGI calls `respond` itself.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import msgspec
import uvicorn

from tradewind.operations.joined_writes import JoinedWritesProtocol
from tradewind.operations.metrics import METRICS_CONTENT_TYPE, render_metrics
from tradewind.operations.probes import Probes

JSON_CONTENT_TYPE = "application/json"
LISTEN_BACKLOG = 2_048
CONNECTIONS_MAX = 4_096
"""More connections than this at once are answered 503 and closed."""
KEEP_ALIVE_TIMEOUT_S = 75
GRACEFUL_STOP_TIMEOUT_S = 7
"""How long `RunningServer.stop` waits for requests in progress before it cancels them.

Longer than a command waits for its reply, so that an order in progress gets a definite answer; shorter than a process
may drain.
"""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class OperationsResponse(msgspec.Struct, frozen=True):
    """A complete answer to one of the operators' paths."""

    status: int
    content_type: str
    body: bytes


async def respond(path: str, probes: Probes) -> OperationsResponse | None:
    """The answer to `/health`, `/ready`, `/metrics` or `/version`; None for any other path."""
    match path:
        case "/health":
            return _json(200, {"status": "alive", "service": probes.service})
        case "/ready":
            return await _ready(probes)
        case "/metrics":
            return OperationsResponse(200, METRICS_CONTENT_TYPE, render_metrics())
        case "/version":
            return _json(200, {"service": probes.service, "version": probes.version})
        case _:
            return None


async def _ready(probes: Probes) -> OperationsResponse:
    problems = await probes.readiness()
    is_ready = not any(problems.values())
    body = {
        "status": "ready" if is_ready else "not ready",
        "service": probes.service,
        "checks": {name: problem or "ok" for name, problem in problems.items()},
    }
    return _json(200 if is_ready else 503, body)


def _json(status: int, body: object) -> OperationsResponse:
    return OperationsResponse(status, JSON_CONTENT_TYPE, msgspec.json.encode(body))


_NOT_FOUND = _json(404, {"code": 40410000, "message": "endpoint not found."})
_CUT_SHORT = _json(
    503,
    {
        "code": 50310001,
        "message": "the service stopped before this request was done: what became of it is not known; ask again",
    },
)
_METHOD_NOT_ALLOWED = _json(405, {"code": 40510000, "message": "method not allowed: use GET or HEAD"})


class OperationsMiddleware:
    """Answers the operators' paths in front of another ASGI application, before its authentication."""

    def __init__(self, app: AsgiApp, probes: Probes) -> None:
        self._app = app
        self._probes = probes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (response := await respond(scope["path"], self._probes)):
            if scope["method"] not in ("GET", "HEAD"):
                response = _METHOD_NOT_ALLOWED
            await _send_response(response, send)
        else:
            await self._app(scope, receive, send)


class CutShortMiddleware:
    """Answers 503 to a request that is cancelled because the server stops; uvicorn would answer 500, as to a bug."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            with contextlib.suppress(RuntimeError):  # its answer has begun: uvicorn closes the connection
                await _send_response(_CUT_SHORT, send)


def operations_app(probes: Probes) -> AsgiApp:
    """An ASGI application that has the operators' paths and nothing else."""
    return OperationsMiddleware(_nothing_else, probes)


async def _nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _accept_lifespan(receive, send)
    elif scope["type"] == "http":
        await _send_response(_NOT_FOUND, send)
    else:
        await send({"type": "websocket.close", "code": 1000})


async def _accept_lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _send_response(response: OperationsResponse, send: Send) -> None:
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


class _SignalFreeServer(uvicorn.Server):
    """Uvicorn without its signal handlers: the process decides when to stop, see `lifecycle`."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class RunningServer:
    """A server inside this process's event loop."""

    def __init__(self, server: uvicorn.Server, task: asyncio.Task[None], port: int) -> None:
        self._server = server
        self._task = task
        self.port = port
        """The port that it listens on, also when it was asked for port 0."""

    @property
    def started(self) -> bool:
        """Whether it accepts connections."""
        return self._server.started and not self._task.done()

    async def stop(self) -> None:
        """Accept nothing new, answer what is in progress (at most `GRACEFUL_STOP_TIMEOUT_S`), then close."""
        self._server.should_exit = True
        await self._task

    async def wait(self) -> None:
        """Return when it has stopped; raises what made it fail."""
        await asyncio.shield(self._task)


async def serve(app: AsgiApp, host: str, port: int) -> RunningServer:
    """Serve `app`; returns once it accepts connections. Raises `OSError` when it cannot use the address."""
    listener = _listen(host, port)
    config = uvicorn.Config(
        CutShortMiddleware(app),
        http=JoinedWritesProtocol,
        ws="none",
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_TIMEOUT_S,
        timeout_graceful_shutdown=GRACEFUL_STOP_TIMEOUT_S,
        backlog=LISTEN_BACKLOG,
        limit_concurrency=CONNECTIONS_MAX,
    )
    server = _SignalFreeServer(config)
    bound_port: int = listener.getsockname()[1]
    task = asyncio.create_task(server.serve(sockets=[listener]), name=f"http server on port {bound_port}")
    accepting = asyncio.create_task(server.accepting.wait())
    await asyncio.wait((task, accepting), return_when=asyncio.FIRST_COMPLETED)
    accepting.cancel()
    if task.done():
        await task
    return RunningServer(server, task, bound_port)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=LISTEN_BACKLOG)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
