"""What waits to be applied: commands from the bus and reports from the venue, gathered by two tasks into one batch."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec
import structlog

from tradewind.domain.commands import VenueReport
from tradewind.operations.backoff import Backoff
from tradewind.ports.bus import CommandBatch, CommandSource
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.venue import Venue

MAX_ENTRIES_A_READ = 16
MAX_WAITING_COMMANDS = 4_096
"""Commands read ahead; beyond it the reader waits until some are taken."""
MAX_BATCH_COMMANDS = 1_024
"""A batch takes no further entry once it has this many commands, so that its commit stays short."""
MAX_BATCH_REPORTS = 4_096
MAX_WAITING_REPORTS = 16_384
"""Reports read ahead; beyond it they wait at the venue, which has a bound of its own."""
READ_TIMEOUT_S = 1.0

_log = structlog.get_logger(__name__)


class Batch(msgspec.Struct):
    """Commands and reports to apply together, in this order."""

    commands: Sequence[CommandBatch]
    reports: Sequence[VenueReport]


class Inbox:
    """Reads commands of the shards it follows, and the venue's reports, until closed."""

    def __init__(self, source: CommandSource, venue: Venue, backoff: Backoff) -> None:
        self._source = source
        self._venue = venue
        self._backoff = backoff
        self._commands: list[CommandBatch] = []
        self._reports: list[VenueReport] = []
        self._has_work = asyncio.Event()
        self._is_woken = False
        self._has_room = asyncio.Event()
        self._command_task: asyncio.Task[None] | None = None
        self._report_task = asyncio.create_task(self._read_reports(), name="venue-reports")
        self.is_bus_connected = True

    @property
    def waiting_commands(self) -> int:
        """Commands that were read and not taken."""
        return sum(len(entry.envelopes) for entry in self._commands)

    @property
    def waiting_reports(self) -> int:
        """Reports that were read and not taken."""
        return len(self._reports)

    async def follow(self, offsets: Mapping[int, str]) -> None:
        """Read these shards' commands from now on, each after its offset; what waited of others is dropped."""
        await self._stop_commands()
        self._commands.clear()
        if offsets:
            task = asyncio.create_task(self._read_commands(dict(offsets)), name="commands")
            self._command_task = task

    async def take(self, timeout_s: float) -> Batch:
        """What waits, up to a batch's bounds; waits up to `timeout_s` for the first, or for `wake`. May be empty."""
        self._raise_failures()
        if not self._commands and not self._reports and not self._is_woken:
            self._has_work.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._has_work.wait()
        self._is_woken = False
        taken, count = 0, 0
        while taken < len(self._commands) and count < MAX_BATCH_COMMANDS:
            count += len(self._commands[taken].envelopes)
            taken += 1
        batch = Batch(self._commands[:taken], self._reports[:MAX_BATCH_REPORTS])
        del self._commands[:taken], self._reports[:MAX_BATCH_REPORTS]
        self._has_room.set()
        return batch

    def wake(self) -> None:
        """Make `take` return now."""
        self._is_woken = True
        self._has_work.set()

    async def close(self) -> None:
        """Stop reading."""
        await self._stop_commands()
        self._report_task.cancel()
        await asyncio.gather(self._report_task, return_exceptions=True)

    async def _read_commands(self, offsets: dict[int, str]) -> None:
        while True:
            while self.waiting_commands >= MAX_WAITING_COMMANDS:
                self._has_room.clear()
                await self._has_room.wait()
            try:
                batches = await self._source.read(offsets, MAX_ENTRIES_A_READ, READ_TIMEOUT_S)
            except BusUnavailable as error:
                self.is_bus_connected = False
                delay_s = self._backoff.next_delay_s()
                _log.warning("cannot read commands", reason=str(error), retry_in_s=round(delay_s, 2))
                await asyncio.sleep(delay_s)
                continue
            if not self.is_bus_connected:
                _log.info("reading commands again")
                self.is_bus_connected = True
            self._backoff.reset()
            for batch in batches:
                offsets[batch.shard] = batch.offset
            if batches:
                self._commands.extend(batches)
                self._has_work.set()

    async def _read_reports(self) -> None:
        while True:
            while self.waiting_reports >= MAX_WAITING_REPORTS:
                self._has_room.clear()
                await self._has_room.wait()
            reports = await self._venue.reports(READ_TIMEOUT_S)
            if reports:
                self._reports.extend(reports)
                self._has_work.set()

    async def _stop_commands(self) -> None:
        task, self._command_task = self._command_task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _raise_failures(self) -> None:
        for task in (self._command_task, self._report_task):
            if task is not None and task.done() and not task.cancelled():
                task.result()
