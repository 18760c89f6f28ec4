"""Processes that may outlive their parent: telling whose they are, stopping them, and tying a child to its parent."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

POLL_INTERVAL_S = 0.02
PR_SET_PDEATHSIG = 1
PROCESS_TABLE = Path("/proc")


def command_line(pid: int) -> str:
    """The command line of a living process, its arguments separated by spaces; empty when there is no such process.

    A zombie has none either, which is right: it holds no port and no lock.
    """
    if (PROCESS_TABLE / "self" / "cmdline").exists():
        try:
            raw = (PROCESS_TABLE / str(pid) / "cmdline").read_bytes()
        except OSError:
            return ""
        return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    answer = subprocess.run(  # noqa: S603 -- our own arguments
        ["/bin/ps", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def environment_of(pid: int) -> dict[str, str] | None:
    """The variables that a process was started with; None where nobody says so, or not to us."""
    try:
        raw = (PROCESS_TABLE / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    pairs = (os.fsdecode(pair).partition("=") for pair in raw.split(b"\0") if pair)
    return {name: value for name, _, value in pairs}


def folder_of(pid: int) -> Path | None:
    """The folder that a process runs in; None where nobody says so, or not to us."""
    try:
        return (PROCESS_TABLE / str(pid) / "cwd").readlink()
    except OSError:
        return None


def read_pid(path: Path) -> int | None:
    """The process id in the first line of a pid file; None when there is no file or no id in it."""
    try:
        first_line = path.read_text(errors="replace").partition("\n")[0].strip()
    except OSError:
        return None
    return int(first_line) if first_line.isdigit() and int(first_line) > 0 else None


def stop_process(pid: int, signals: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Send each signal in turn and wait up to its number of seconds; whether the process is gone."""
    for number, wait_s in signals:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        deadline_s = time.monotonic() + wait_s
        while time.monotonic() < deadline_s:
            if not command_line(pid):
                return True
            time.sleep(POLL_INTERVAL_S)
    return not command_line(pid)


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """For `subprocess`'s `preexec_fn`: the kernel sends the child `death_signal` when its parent dies, however it dies.

    Linux only; elsewhere it does nothing, and orphans are found by their pid files at the next start. The parent is
    the thread that starts the child, so start children in a thread that lives as long as they shall.
    """
    if sys.platform != "linux":
        return lambda: None
    # Looked up before the fork: a child between fork and exec must not load libraries or take locks.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent_pid = os.getpid()

    def tie_to_parent() -> None:
        # `subprocess` calls this after it has changed the user, which would clear the signal.
        prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before the line above
            os._exit(1)

    return tie_to_parent
