"""The platform that end-to-end tests share when any healthy one will do."""

from collections.abc import Iterator

import pytest

from tests.e2e.platform import LivePlatform, live_platform
from tests.servers import RedisAddress, platform_database


@pytest.fixture(scope="package")
def shared_platform(given_redis: RedisAddress | None) -> Iterator[LivePlatform]:
    """A running platform with the simulated market. Leave it running, and take a new account.

    On the servers that the environment names, if any: other tests use these when it has stopped.
    """
    with platform_database() as database_settings:
        if given_redis is None:
            with live_platform(database_settings) as platform:
                yield platform
            return
        given_redis.flush()
        with live_platform(database_settings | given_redis.settings) as platform:
            yield platform
        given_redis.flush()


@pytest.fixture
def platform_to_wound(shared_platform: LivePlatform) -> Iterator[LivePlatform]:
    """The same platform, for a test that kills its parts; brought back to life before and after."""
    shared_platform.revive()
    yield shared_platform
    shared_platform.revive()
