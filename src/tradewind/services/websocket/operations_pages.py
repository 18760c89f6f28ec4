"""The operators' pages on the streams' port.

The WebSocket library wants an answer to an upgrade request at once, while a readiness check has to wait for what it
checks: so the pages are made in advance, once a second.
"""

import asyncio
from http import HTTPStatus

from picows import WSUpgradeResponse, WSUpgradeResponseWithListener

from tradewind.operations.http import OperationsResponse, respond
from tradewind.operations.probes import Probes

PATHS = ("/health", "/ready", "/metrics", "/version")
REFRESH_INTERVAL_S = 1.0
"""Pages are at most this old, and the time that readiness checks take."""


class OperationsPages:
    """The latest answer to each of the paths."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes
        self._pages: dict[str, OperationsResponse] = {}

    async def refresh(self) -> None:
        """Make all pages anew."""
        for path in PATHS:
            page = await respond(path, self._probes)
            if page is not None:
                self._pages[path] = page

    async def keep_fresh(self) -> None:
        """Refresh until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_INTERVAL_S)
            await self.refresh()

    def answer(self, path: str) -> WSUpgradeResponseWithListener | None:
        """The answer to a plain request, None for other paths."""
        page = self._pages.get(path)
        return None if page is None else plain_answer(page.status, page.content_type, page.body)


def plain_answer(status: int, content_type: str, body: bytes) -> WSUpgradeResponseWithListener:
    """An answer that is not an upgrade; the connection ends with it."""
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
    if status == HTTPStatus.OK:
        response = WSUpgradeResponse.create_ok_response(body, headers)
    else:
        response = WSUpgradeResponse.create_error_response(status, body, headers)
    return WSUpgradeResponseWithListener(response, None)
