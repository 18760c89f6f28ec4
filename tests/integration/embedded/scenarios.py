"""What a test does with a running server, and how it does so as another user."""

import os
import traceback
import warnings
from collections.abc import Callable

import asyncpg
import redis

from tests.servers import RunningServer, run_apart
from tradewind.adapters.embedded.postgres import EmbeddedPostgres
from tradewind.adapters.embedded.unprivileged import ServerUser
from tradewind.adapters.embedded.valkey import EmbeddedValkey


async def _fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def ask_postgres(running: RunningServer, query: str) -> object:
    """The one value that the query gives."""
    assert isinstance(running.server, EmbeddedPostgres)
    return run_apart(_fetch(running.server.database_url, query))


def ask_valkey(running: RunningServer, *command: str) -> object:
    """The answer to the command."""
    server = running.server
    assert isinstance(server, EmbeddedValkey)
    with redis.Redis(
        host=server.host, port=server.port, password=server.password, decode_responses=True
    ) as client:
        return client.execute_command(*command)


def as_user(user: ServerUser, scenario: Callable[[], None]) -> None:
    """Run the scenario in a child of this process that has become `user`; fails with the child's traceback.

    A fork, because that user may not be able to run this interpreter, which may lie where only root may go.
    """
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
        pid = os.fork()
    if pid == 0:
        failure = b""
        try:
            os.close(read_end)
            os.setgroups([])
            os.setgid(user.gid)
            os.setuid(user.uid)
            os.environ["HOME"] = "/"
            scenario()
        except BaseException:  # noqa: BLE001 -- whatever it was, it is the parent that fails with it
            failure = traceback.format_exc().encode()
        finally:
            os.write(write_end, failure[:60_000])
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        failure = pipe.read()
    os.waitpid(pid, 0)
    assert not failure, failure.decode()
