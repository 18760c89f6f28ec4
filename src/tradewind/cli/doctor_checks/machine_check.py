"""The machine that the command runs on: disk, clock, open files."""

import resource
import shutil
from pathlib import Path

from tradewind.cli.doctor_checks.finding import Finding, fail, ok, warn

DISK_WARN_SHARE = 0.15
DISK_FAIL_SHARE = 0.05
CLOCK_WARN_S = 0.25
CLOCK_FAIL_S = 1.0
"""The margin that a gateway waits after a command's deadline: clocks that differ more make it guess wrong."""
OPEN_FILES_MIN = 4_096

_GB = 1e9


def check_disk(path: Path) -> Finding:
    """Space on the disk of `path`, or of the nearest folder above that exists."""
    place = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    usage = shutil.disk_usage(place)
    share = usage.free / usage.total
    text = f"{share:.0%} of the disk at {place} is free ({usage.free / _GB:.0f} GB)"
    mend = "free some, or enlarge it: PostgreSQL stops when there is none"
    if share < DISK_FAIL_SHARE:
        return fail("disk", text, mend)
    return warn("disk", text, mend) if share < DISK_WARN_SHARE else ok("disk", text)


def check_clock(server: str, ahead_s: float) -> Finding:
    """How far a server's clock is ahead of ours."""
    text = f"differs from ours by {abs(ahead_s) * 1_000:.0f} ms"
    check, mend = f"clock of {server}", "run NTP (chrony or systemd-timesyncd) on both machines"
    if abs(ahead_s) > CLOCK_FAIL_S:
        return fail(check, text, mend)
    return warn(check, text, mend) if abs(ahead_s) > CLOCK_WARN_S else ok(check, text)


def check_open_files() -> Finding:
    """How many files and connections a process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft:,} a process"
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES_MIN:
        mend = f"raise it: `ulimit -n {OPEN_FILES_MIN}`, LimitNOFILE= of systemd, or `ulimits: nofile` of Compose"
        return warn("open files", f"{text}, and a service takes up to {OPEN_FILES_MIN:,} connections", mend)
    return ok("open files", text)
