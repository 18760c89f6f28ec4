"""The crash test for longer: `python -m tests.e2e.chaos --minutes 10 --seed N`, or `make chaos`.

Storm after storm on one platform, each with a seed of its own that follows from the first: kills and flushes, then
processes that stand still as well, then these alone. Ends with status 1 at the
first violation. The platform's log is kept beside its data when something is wrong.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.havoc import FREEZES, KILLS
from tests.e2e.platform import LivePlatform, live_platform
from tests.e2e.storm import weather
from tests.e2e.test_crash import CLIENTS
from tests.e2e.traders import open_accounts

STORM_S = 35.0
MINUTES = 10.0
DECKS = (KILLS, KILLS + FREEZES, FREEZES)
"""The blows of one storm after another."""
KILL_SUPERVISOR_EVERY = 3
"""After every so many storms `tradewind up` itself is killed and started again."""


async def run(platform: LivePlatform, seed: int, minutes: float) -> int:
    """How many violations were found."""
    end_s = time.monotonic() + minutes * 60
    acknowledged = storms = 0
    while storms == 0 or time.monotonic() < end_s:
        # Accounts of its own, so that a storm's orders are listed in a few pages and its retries meet no older ids.
        traders = await open_accounts(platform.settings, CLIENTS)
        outcome = await weather(platform, traders, seed + storms, STORM_S, DECKS[storms % len(DECKS)])
        print(outcome.summary(), flush=True)
        if outcome.violations:
            return len(outcome.violations)
        storms += 1
        acknowledged += len(outcome.promises.orders)
        if storms % KILL_SUPERVISOR_EVERY == 0:
            print("killing `tradewind up` itself and starting it again", flush=True)
            platform.kill_supervisor()
            platform.launch()
            await asyncio.to_thread(platform.wait_until_started)
    print(f"{storms} storms, {acknowledged} orders acknowledged, none lost, no violation")
    return 0


def main() -> int:
    """Parse the arguments, start a platform, run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long (default %(default)g)")
    parser.add_argument("--seed", type=int, help="repeat the kills of an earlier run (default: random)")
    arguments = parser.parse_args()
    seed: int = arguments.seed or random.SystemRandom().randrange(1, 1_000_000)
    print(f"seed {seed}, {arguments.minutes:g} minutes", flush=True)
    with live_platform() as platform:
        violations = asyncio.run(run(platform, seed, arguments.minutes))
        if violations:
            kept = Path(tempfile.mkdtemp(prefix="tradewind-chaos-")) / "up.log"
            shutil.copy(platform.log, kept)
            print(f"{violations} violations; the platform's log is in {kept}", file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
