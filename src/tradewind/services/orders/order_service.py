"""The order service's outer loop: one tenure after another.

A tenure is the life of one writing session. Whatever ends it (the database gone, the session lost, a broken invariant)
ends all that was in memory with it; the next tenure starts from what is committed. So recovery and start-up are the
same code.
"""

import asyncio
from contextlib import suppress

import structlog

from tradewind.ports.errors import OutsideFailure
from tradewind.ports.journal import DeadlinePassed
from tradewind.services.orders.collaborators import Collaborators
from tradewind.services.orders.tenure import Tenure

_log = structlog.get_logger(__name__)


class OrderService:
    """Owns shards and writes them until told to stop."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._collaborators = collaborators
        self._problem: str | None = "no session with the database yet"
        self._tenure: Tenure | None = None

    @property
    def offsets(self) -> dict[int, str]:
        """Of each shard that is owned now, the last command entry that was applied."""
        return {} if self._tenure is None else self._tenure.offsets

    async def readiness(self) -> str | None:
        """None when a session is open and owns its share of the shards, else what is missing."""
        if self._tenure is None:
            return self._problem
        return self._tenure.problem

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; a batch under way is finished first."""
        backoff = self._collaborators.new_backoff()
        while not stop.is_set():
            try:
                journal = await self._collaborators.open_journal()
                self._tenure = Tenure(self._collaborators, journal)
                await self._tenure.serve(stop)
            except (OutsideFailure, DeadlinePassed, AssertionError) as error:
                if self._tenure is not None and self._tenure.has_committed:
                    backoff.reset()
                self._problem = f"{type(error).__name__}: {error}"
                delay_s = backoff.next_delay_s()
                # A broken invariant stops the writer before it writes; its traceback is needed to mend it.
                _log.warning(
                    "writing session ended",
                    reason=self._problem,
                    retry_in_s=round(delay_s, 2),
                    exc_info=isinstance(error, AssertionError),
                )
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay_s):
                        await stop.wait()
            finally:
                self._tenure = None
                self._collaborators.metrics.ended()
