"""Development only: runs `tradewind ARGUMENTS` and starts it anew whenever a file under /app/src changes.

Process 1 of a development container, so it passes signals on. Polls, because changes on a mounted folder announce
themselves on no other way everywhere.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

SOURCE = Path("/app/src")
POLL_INTERVAL_S = 1.0
STOP_TIMEOUT_S = 12.0
RESTART_DELAY_S = 1.0
"""After a process that ended by itself: a mistake in the source must not make a busy loop."""

Snapshot = dict[str, int]


class Stopped(BaseException):
    """This process was told to stop."""


def main(arguments: list[str]) -> int:
    """Run until a signal; the last process's status."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    child = _start(arguments)
    before = _snapshot()
    try:
        while True:
            time.sleep(POLL_INTERVAL_S)
            now = _snapshot()
            if now != before:
                _say(f"restarting, changed: {_first_change(before, now)}")
                _end(child)
                child, before = _start(arguments), now
            elif child.poll() is not None:
                _say(f"restarting, ended with status {child.returncode}")
                time.sleep(RESTART_DELAY_S)
                child = _start(arguments)
    except Stopped:
        return _end(child)


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["tradewind", *arguments])  # noqa: S603, S607 -- this image's own command


def _end(child: subprocess.Popen[bytes]) -> int:
    child.terminate()
    try:
        return child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _snapshot() -> Snapshot:
    found: Snapshot = {}
    for folder, _, names in os.walk(SOURCE):
        for name in names:
            if name.endswith(".py"):
                path = f"{folder}/{name}"
                try:
                    found[path] = Path(path).stat().st_mtime_ns
                except FileNotFoundError:
                    continue  # an editor replaces a file by another
    return found


def _first_change(before: Snapshot, now: Snapshot) -> str:
    path = min(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    return str(Path(path).relative_to(SOURCE))


def _say(text: str) -> None:
    sys.stdout.write(f"reload: {text}\n")
    sys.stdout.flush()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
