"""A load balancer for tests: each new connection goes to the next backend that takes it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from tests.e2e.platform import HOST

CHUNK_BYTES = 65_536


@asynccontextmanager
async def balanced(ports: Sequence[int]) -> AsyncIterator[int]:
    """Port of a balancer in front of these; a connection without any backend is closed."""
    turns = itertools.cycle(range(len(ports)))
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            first = next(turns)
            for port in (*ports[first:], *ports[:first]):
                try:
                    backend = await asyncio.open_connection(HOST, port)
                except OSError:
                    continue
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_pass_on(reader, backend[1]))
                    tasks.create_task(_pass_on(backend[0], writer))
                break
        finally:
            under_way.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()
