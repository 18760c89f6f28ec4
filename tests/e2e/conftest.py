"""The platform that end-to-end tests share when any healthy one will do."""

from collections.abc import Iterator

import pytest

from tests.e2e.platform import LivePlatform, live_platform


@pytest.fixture(scope="session")
def shared_platform() -> Iterator[LivePlatform]:
    """A running platform with the simulated market. Leave it running, and take a new account."""
    with live_platform() as platform:
        yield platform


@pytest.fixture
def platform_to_wound(shared_platform: LivePlatform) -> Iterator[LivePlatform]:
    """The same platform, for a test that kills its parts; brought back to life before and after."""
    shared_platform.revive()
    yield shared_platform
    shared_platform.revive()
