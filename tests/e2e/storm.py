"""Load and havoc together, and what came of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.havoc import Havoc
from tests.e2e.order_clients import Promises, trade_until
from tests.e2e.platform import LivePlatform
from tests.e2e.traders import Trader
from tests.e2e.verdict import find_violations


@dataclass(frozen=True)
class Outcome:
    """The promises that were made and the violations that were found."""

    seed: int
    promises: Promises
    havoc: Havoc
    violations: list[str]

    def summary(self) -> str:
        """A few lines for people."""
        promises = self.promises
        counts = (
            f"{len(promises.orders)} orders acknowledged, {len(promises.refused)} refused, "
            f"{len(promises.cancelled)} cancelled, longest wait {promises.longest_wait_s:.1f} s"
        )
        lines = [
            f"seed {self.seed}: {counts}",
            f"  blows: {dict(self.havoc.blows)}",
            f"  requests: {dict(promises.attempts)}",
            f"  refusals: {dict(promises.refusals)}",
        ]
        return "\n".join(lines + [f"  VIOLATION {line}" for line in self.violations])


async def weather(
    platform: LivePlatform, traders: list[Trader], seed: int, duration_s: float, deck: Sequence[str]
) -> Outcome:
    """Trade through random blows for this long; then let everything come back and judge."""
    havoc = Havoc(platform, seed, deck)
    stop = asyncio.Event()
    trading = asyncio.create_task(trade_until(stop, platform.url(), traders, seed))
    try:
        await havoc.rage(duration_s)
        await asyncio.to_thread(platform.wait_until_ready)
    finally:
        stop.set()
        promises = await trading
    violations = await find_violations(platform, traders, promises)
    return Outcome(seed, promises, havoc, violations)
