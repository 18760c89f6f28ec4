"""The PostgreSQL server of the order benchmark: is it durable, who is its main process, and the reference's database."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from benchmarks.processes import BenchmarkError, parent_pid

REFERENCE_DATABASE = "tradewind_benchmark_reference"


class Database(NamedTuple):
    """The PostgreSQL server that platform, reference and group-commit floor share."""

    url: str
    postmaster_pid: int | None
    version: str
    fsync: str
    synchronous_commit: str


async def inspect_database(url: str) -> Database:
    """The server's version and durability; raises `BenchmarkError` when commits would not be durable."""
    connection: asyncpg.Connection = await asyncpg.connect(url)
    try:
        version, fsync, synchronous_commit = [
            await connection.fetchval(f"SHOW {name}")
            for name in ("server_version", "fsync", "synchronous_commit")
        ]
        postmaster_pid = _postmaster_pid(await connection.fetchval("SELECT pg_backend_pid()"))
    finally:
        await connection.close()
    if fsync != "on" or synchronous_commit != "on":
        raise BenchmarkError(
            f"PostgreSQL has fsync {fsync}, synchronous_commit {synchronous_commit}: turn both on, or the figures mean nothing"
        )
    return Database(url, postmaster_pid, version, fsync, synchronous_commit)


def _postmaster_pid(backend_pid: int) -> int | None:
    """The server's main process when it runs on this machine, and outside any container; else None."""
    try:
        name = Path(f"/proc/{backend_pid}/comm").read_text()
        return parent_pid(backend_pid) if name.startswith("postgres") else None
    except OSError:
        return None


async def drop_reference_database(url: str) -> None:
    """Remove the reference's database, when it is there."""
    connection: asyncpg.Connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {REFERENCE_DATABASE} WITH (FORCE)")
    finally:
        await connection.close()


async def create_reference_database(url: str) -> str:
    """Make an empty database for the reference on the same server; returns its URL."""
    await drop_reference_database(url)
    connection: asyncpg.Connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {REFERENCE_DATABASE}")
    finally:
        await connection.close()
    return urlunsplit(urlsplit(url)._replace(path=f"/{REFERENCE_DATABASE}"))
