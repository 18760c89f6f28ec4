"""What every lease promises, against PostgreSQL and memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from tradewind.adapters.memory.lease import MemoryLeases
from tradewind.adapters.postgres import lease as postgres_lease
from tradewind.adapters.postgres.lease import PostgresLease
from tradewind.ports.errors import OwnershipLost, StoreUnavailable
from tradewind.ports.lease import Lease


class Contest:
    """Makes contenders for leases, and takes the lease away behind its holder's back."""

    def __init__(self, contender: Callable[[str], Lease], take_away: Callable[[], Awaitable[None]]) -> None:
        self._contender = contender
        self.take_away = take_away
        self.contenders: list[Lease] = []

    def contender(self, name: str = "feed") -> Lease:
        lease = self._contender(name)
        self.contenders.append(lease)
        return lease


@pytest.fixture(params=["memory", "postgres"])
async def contest(request: pytest.FixtureRequest) -> AsyncIterator[Contest]:
    if request.param == "memory":
        leases = MemoryLeases()

        async def revoke() -> None:
            leases.revoke("feed")

        yield Contest(leases.lease, revoke)
        return
    url = request.getfixturevalue("database_url")

    async def end_sessions() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'tradewind lease feed' AND datname = current_database()"
        )
        await connection.close()

    contest = Contest(lambda name: PostgresLease(url, name), end_sessions)
    yield contest
    for lease in contest.contenders:
        await lease.release()


async def acquired_within(lease: Lease, seconds: float) -> bool:
    """Ask again and again: a server takes a moment to notice that a session ended."""
    async with asyncio.timeout(seconds):
        while not await lease.try_acquire():  # noqa: ASYNC110 - nothing tells when a session has ended
            await asyncio.sleep(0.02)
    return True


async def test_one_of_two_gets_it_and_asking_again_keeps_it(contest: Contest) -> None:
    first, second = contest.contender(), contest.contender()
    assert await first.try_acquire()
    assert not await second.try_acquire()
    assert await first.try_acquire()
    assert (first.is_held, second.is_held) == (True, False)


async def test_different_names_do_not_touch(contest: Contest) -> None:
    assert await contest.contender("feed").try_acquire()
    assert await contest.contender("strategy").try_acquire()


async def test_released_it_goes_to_the_next(contest: Contest) -> None:
    first, second = contest.contender(), contest.contender()
    assert await first.try_acquire()
    await first.heartbeat()
    await first.release()
    assert not first.is_held
    assert await acquired_within(second, 2)


async def test_taken_away_the_heartbeat_says_so_and_another_gets_it(contest: Contest) -> None:
    first, second = contest.contender(), contest.contender()
    assert await first.try_acquire()
    await contest.take_away()
    assert await acquired_within(second, 2)
    with pytest.raises(OwnershipLost):
        await first.heartbeat()
    assert not first.is_held
    assert not await first.try_acquire()


async def test_without_the_lease_a_heartbeat_fails_and_a_release_is_harmless(contest: Contest) -> None:
    lease = contest.contender()
    with pytest.raises(OwnershipLost):
        await lease.heartbeat()
    await lease.release()


async def test_a_holder_that_hangs_stops_before_the_server_lets_another_in(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_lease, "VALIDITY_S", 0.4)
    monkeypatch.setattr(postgres_lease, "SESSION_IDLE_TIMEOUT_S", 0.6)
    hanging, waiting = PostgresLease(database_url, "feed"), PostgresLease(database_url, "feed")
    assert await hanging.try_acquire()
    await asyncio.sleep(0.45)
    assert not hanging.is_held
    assert not await waiting.try_acquire()
    assert await acquired_within(waiting, 2)
    with pytest.raises(OwnershipLost):
        await hanging.heartbeat()
    await waiting.release()


async def test_an_unreachable_database_says_so() -> None:
    with pytest.raises(StoreUnavailable):
        await PostgresLease("postgresql://nobody:none@127.0.0.1:1/none", "feed").try_acquire()
