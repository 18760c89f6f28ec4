"""Asks a process over HTTP whether it is well: one small GET, since a client library costs a second of start-up."""

import asyncio

from tradewind.entrypoints.supervisor.spec import Check

CHECK_TIMEOUT_S = 3.0
STATUS_LINE_BYTES_MAX = 1024


def http_check(host: str, port: int, path: str) -> Check:
    """A check that is true when `GET path` is answered with 200 within `CHECK_TIMEOUT_S`."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode("ascii")

    async def check() -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(host, port, limit=STATUS_LINE_BYTES_MAX)
                try:
                    writer.write(request)
                    status_line = await reader.readline()
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError, ValueError):  # ValueError: a first line that has no end
            return False
        return status_line.split(b" ")[1:2] == [b"200"]

    return check
