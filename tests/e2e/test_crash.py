"""Nothing that was acknowledged is lost, whatever is killed, and whenever."""

import asyncio
import random

import pytest

from tests.e2e.havoc import KILLS
from tests.e2e.order_clients import trade_until
from tests.e2e.platform import LivePlatform
from tests.e2e.storm import weather
from tests.e2e.traders import open_accounts
from tests.e2e.verdict import find_violations

pytestmark = pytest.mark.e2e

CLIENTS = 10
STORM_S = 25.0
LOAD_S = 2.0
ORDERS_MIN = 200
"""Fewer would prove little."""


@pytest.fixture
def seed() -> int:
    """Another storm each time; a failure shows it."""
    return random.SystemRandom().randrange(1, 1_000_000)


async def test_every_process_is_killed_at_random_moments_and_nothing_acknowledged_is_lost(
    platform_to_wound: LivePlatform, seed: int
) -> None:
    print(f"seed {seed}: repeat with `python -m tests.e2e.chaos --seed {seed}`")
    traders = await open_accounts(platform_to_wound.settings, CLIENTS)
    outcome = await weather(platform_to_wound, traders, seed, STORM_S, KILLS)
    print(outcome.summary())
    assert not outcome.violations, platform_to_wound.log_tail()
    assert len(outcome.promises.orders) >= ORDERS_MIN


async def test_a_killed_supervisor_is_started_again_on_the_same_data_and_nothing_is_lost(
    platform_to_wound: LivePlatform, seed: int
) -> None:
    print(f"seed {seed}")
    platform = platform_to_wound
    traders = await open_accounts(platform.settings, CLIENTS)
    stop = asyncio.Event()
    trading = asyncio.create_task(trade_until(stop, platform.url(), traders, seed))
    try:
        await asyncio.sleep(LOAD_S)
        platform.kill_supervisor()
        # At once, as a user would: what was left behind may still be stopping.
        platform.launch()
        await asyncio.to_thread(platform.wait_until_started)
        await asyncio.sleep(LOAD_S)
    finally:
        stop.set()
        promises = await trading
    assert await find_violations(platform, traders, promises) == [], platform.log_tail()
    assert len(promises.orders) >= ORDERS_MIN
