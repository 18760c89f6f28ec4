"""Reads what a child prints, line by line, with a bound on the length of a line."""

import asyncio
import os
from collections.abc import Callable

LINE_BYTES_MAX = 65_536
"""A longer line is shown in pieces."""
CHUNK_BYTES = 65_536


class Output:
    """A pipe for a child's standard output and error.

    It is our own pipe, so that the end of the child and the end of its output are two things: a grandchild may hold
    the pipe open long after the child is gone.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show

    async def open(self) -> tuple[int, "asyncio.Task[None]"]:
        """The descriptor to give to the child, to be closed by the caller, and the task that reads the other end."""
        read_end, write_end = os.pipe()
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0)
        )
        return write_end, asyncio.create_task(self._pump(reader, transport))

    async def _pump(self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        pending = b""
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    self._take(line)
                while len(pending) > LINE_BYTES_MAX:
                    self._take(pending[:LINE_BYTES_MAX])
                    pending = pending[LINE_BYTES_MAX:]
        finally:
            if pending:
                self._take(pending)
            transport.close()

    def _take(self, line: bytes) -> None:
        self._show(line.decode(errors="replace").rstrip("\r"))
