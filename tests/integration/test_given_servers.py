"""Servers that a developer gives the tests: what is in them stays as it is."""

import asyncpg
import pytest

from tests import servers


def name_in_environment(monkeypatch: pytest.MonkeyPatch, address: servers.RedisAddress) -> None:
    for name, value in address.settings.items():
        monkeypatch.setenv(name, value)


def test_a_redis_that_holds_something_is_refused_and_keeps_it(
    redis_flushed: servers.RedisAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_in_environment(monkeypatch, redis_flushed)
    with redis_flushed.client() as client:
        client.select(3)
        client.set("basket", "full")
        with (
            pytest.raises(servers.ServerInUse, match=rf":{redis_flushed.port} is not empty \(keys: 1\)"),
            servers.given_redis(),
        ):
            pytest.fail("it was taken")
        assert client.get("basket") == b"full"


def test_an_empty_redis_is_taken_and_left_empty(
    redis_flushed: servers.RedisAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_in_environment(monkeypatch, redis_flushed)
    with redis_flushed.client() as client:
        with servers.given_redis() as given:
            assert given == redis_flushed
            client.set("order", "filled")
        assert client.dbsize() == 0


async def test_a_platform_gets_a_database_of_its_own_that_is_gone_afterwards(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    with servers.platform_database() as settings:
        url = settings["DATABASE_URL"]
        assert url != postgres_url
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT current_database()") in url
        await connection.close()
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)


def test_without_variables_a_platform_starts_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_HOST"):
        monkeypatch.delenv(name, raising=False)
    with servers.platform_database() as settings, servers.given_redis() as redis:
        assert (settings, redis) == ({}, None)
