"""Bars that wait on disk: they outlive the process.

A folder of segments, files of one bar a line (JSON, numbers as text) that are named by the time they were begun. A
segment is written until somebody reads it or it is full, read from its beginning, and deleted when all of it is stored. So
what is stored already may be written to the store again after a crash, which changes nothing there.

Whoever uses a segment holds its lock. A process that starts takes over the segments that nobody holds: what its predecessor left.
Lines reach the operating system at once, not the platter: they survive the end of the process, not always that of the machine.
"""

import errno
import fcntl
import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path

import msgspec

from tradewind.adapters.memory.bar_backlog import MemoryBarBacklog
from tradewind.domain.market.ticks import Bar
from tradewind.operations.logging import get_logger

SEGMENT_BYTES_MAX = 1_000_000
"""About 5,000 bars: what is read into memory, or given up, at once."""
SEGMENTS_MIN = 8
"""So many segments fit into the bound: giving one up does not give up everything."""
SUFFIX = ".bars"

_DECODER = msgspec.json.Decoder(Bar)

_log = get_logger(__name__)


class FileBarBacklog:
    """Implements `tradewind.ports.bar_backlog.BarBacklog` in `folder`, within `bytes_max`.

    Bars that the disk does not take (full, read-only) wait in memory, and are the first to be given out.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._segment_bytes_max = max(1, min(SEGMENT_BYTES_MAX, bytes_max // SEGMENTS_MIN))
        self._segments: deque[_Segment] = deque()
        self._in_memory = MemoryBarBacklog()
        self._is_open = False
        self._is_disk_well = True
        self._lent: tuple[_Segment, int] | None = None

    def __len__(self) -> int:
        self._open()
        return len(self._in_memory) + sum(segment.waiting for segment in self._segments)

    @property
    def size_bytes(self) -> int:
        """Size of the segments."""
        return sum(segment.size_bytes for segment in self._segments)

    def append(self, bars: Iterable[Bar]) -> int:
        """Take bars in; returns how many old ones were given up for them."""
        self._open()
        bars = list(bars)
        if not bars:
            return 0
        try:
            self._segment_to_write().append(bars)
        except OSError as error:
            self._complain(error)
            return self._in_memory.append(bars)
        self._is_disk_well = True
        given_up = 0
        while self.size_bytes > self._bytes_max and len(self._segments) > 1:
            given_up += self._segments[0].waiting
            self._segments.popleft().delete()
        return given_up

    def oldest(self, count: int) -> Sequence[Bar]:
        """At most `count` bars from the old end, of one segment."""
        self._open()
        self._lent = None
        if in_memory := self._in_memory.oldest(count):
            return in_memory
        while self._segments:
            segment = self._segments[0]
            try:
                bars = segment.oldest(count)
            except OSError as error:
                _log.error("waiting bars cannot be read", bars=segment.waiting, error=str(error))
                self._segments.popleft().close()
                continue
            if bars:
                self._lent = segment, len(bars)
                return bars
            self._segments.popleft().delete()
        return ()

    def forget_oldest(self) -> None:
        """Drop what `oldest` gave last and is still there."""
        if self._lent is None:
            self._in_memory.forget_oldest()
            return
        segment, count = self._lent
        self._lent = None
        if segment not in self._segments:
            return
        segment.forget(count)
        if not segment.waiting:
            self._segments.remove(segment)
            segment.delete()

    def close(self) -> int:
        """What is on disk waits for the next user; what only memory holds is lost."""
        for segment in self._segments:
            segment.close()
        self._segments.clear()
        self._is_open = False
        return self._in_memory.close()

    def _open(self) -> None:
        if self._is_open:
            return
        self._is_open = True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(self._folder.glob(f"*{SUFFIX}")):
                segment = _Segment.taken_over(path)
                if segment is not None:
                    self._segments.append(segment)
        except OSError as error:
            self._complain(error)
        if self._segments:
            _log.info("bars of an earlier run wait on disk", bars=len(self), segments=len(self._segments))

    def _segment_to_write(self) -> "_Segment":
        newest = self._segments[-1] if self._segments else None
        if newest is None or newest.is_sealed or newest.size_bytes >= self._segment_bytes_max:
            self._folder.mkdir(parents=True, exist_ok=True)
            newest = _Segment.new(self._folder / f"{time.time_ns():020d}-{os.getpid()}{SUFFIX}")
            self._segments.append(newest)
        return newest

    def _complain(self, error: OSError) -> None:
        if self._is_disk_well:
            self._is_disk_well = False
            _log.error(
                "bars cannot wait on disk, they wait in memory", folder=str(self._folder), error=str(error)
            )


class _Segment:
    """One file, locked by us. `waiting` counts its bars that are not stored."""

    def __init__(self, path: Path, file: FileIO) -> None:
        self._path = path
        self._file = file
        self._bars: list[Bar] | None = None
        self._place = 0
        self.size_bytes = 0
        self.waiting = 0
        self.is_sealed = False
        """Nothing is added any more: somebody reads it, or it is our predecessor's."""

    @classmethod
    def new(cls, path: Path) -> "_Segment":
        file = FileIO(path, "x+")
        fcntl.flock(file, fcntl.LOCK_EX)
        return cls(path, file)

    @classmethod
    def taken_over(cls, path: Path) -> "_Segment | None":
        """The file, unless another process has it."""
        try:
            file = FileIO(path, "r")
        except FileNotFoundError:  # its owner has just stored it
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        segment = cls(path, file)
        content = segment._content()
        segment.size_bytes = len(content)
        segment.waiting = content.count(b"\n")
        segment.is_sealed = True
        return segment

    def append(self, bars: Sequence[Bar]) -> None:
        lines = b"".join(msgspec.json.encode(bar) + b"\n" for bar in bars)
        try:
            if self._file.write(lines) != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.is_sealed = True  # it may end in half a line
            raise
        self.size_bytes += len(lines)
        self.waiting += len(bars)

    def oldest(self, count: int) -> Sequence[Bar]:
        if self._bars is None:
            self.is_sealed = True
            self._bars = _decoded(self._content(), self._path)
            self.waiting = len(self._bars)
        return self._bars[self._place : self._place + count]

    def forget(self, count: int) -> None:
        self._place += count
        self.waiting -= count

    def close(self) -> None:
        self._file.close()

    def delete(self) -> None:
        with suppress(OSError):  # at worst its bars are stored once more, which changes nothing
            self._path.unlink()
        self._file.close()

    def _content(self) -> bytes:
        # Through our own descriptor: whatever happens to the name, the bars are there.
        self._file.seek(0)
        return self._file.readall()


def _decoded(content: bytes, path: Path) -> list[Bar]:
    bars: list[Bar] = []
    for line in content.splitlines():
        try:
            bars.append(_DECODER.decode(line))
        except msgspec.DecodeError:
            _log.warning("half a bar on disk: the machine stopped while it was written", file=path.name)
    return bars
