"""How the strategy service is: ready whether or not its strategy is well, and what is wrong with that."""

import asyncio
import time

import msgspec

from tradewind.entrypoints.supervisor.http_check import CHECK_TIMEOUT_S
from tradewind.entrypoints.supervisor.spec import Check
from tradewind.services.strategies.status import FAILED, READINESS_CHECK

STRATEGY_START_TIMEOUT_S = 10.0
"""So long after its service is ready a strategy may take to start before it is reported as not running."""
POLL_INTERVAL_S = 0.05
ANSWER_BYTES_MAX = 65_536
_OK = "ok"


class _Readiness(msgspec.Struct, frozen=True):
    checks: dict[str, str]


def ready_but_for_strategy(host: str, port: int) -> Check:
    """A check that is true when the service has all it needs; its strategy may still start, or have failed.

    A strategy is its author's affair: one that fails must not keep everybody from the platform.
    """

    async def check() -> bool:
        checks = await _checks(host, port)
        return bool(checks) and all(state == _OK for name, state in checks.items() if name != READINESS_CHECK)

    return check


async def strategy_problem(host: str, port: int) -> str | None:
    """Why the strategy does not run, once it has started, failed or had `STRATEGY_START_TIMEOUT_S`; None when it does."""
    deadline_s = time.monotonic() + STRATEGY_START_TIMEOUT_S
    while True:
        state = (await _checks(host, port)).get(READINESS_CHECK, "its service does not answer")
        if state == _OK:
            return None
        if state.startswith(FAILED) or time.monotonic() > deadline_s:
            return state
        await asyncio.sleep(POLL_INTERVAL_S)


async def _checks(host: str, port: int) -> dict[str, str]:
    """Each readiness check with its state; nothing while the service does not answer."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            body = await _get(host, port, "/ready")
        return msgspec.json.decode(body, type=_Readiness).checks
    except (
        OSError,
        TimeoutError,
        ValueError,
        EOFError,
    ):  # ValueError: msgspec's, or an answer that is too long
        return {}


async def _get(host: str, port: int, path: str) -> bytes:
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection(host, port, limit=ANSWER_BYTES_MAX)
    try:
        writer.write(request.encode("ascii"))
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        return await reader.readexactly(min(length, ANSWER_BYTES_MAX))
    finally:
        writer.transport.abort()
