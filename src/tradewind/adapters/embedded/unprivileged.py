"""Which user runs PostgreSQL, which refuses root: nobody special for a normal user, a user without rights for root."""

import os
import pwd
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tradewind.adapters.embedded.errors import ServerNotPreparedError
from tradewind.adapters.embedded.processes import die_with_parent

# In order of preference: both come with the system, so that none has to be added.
UNPRIVILEGED_NAMES = ("postgres", "nobody")
PROBE_TIMEOUT_S = 20.0
CANNOT_RUN = 126


@dataclass(frozen=True)
class ServerUser:
    """The user that a server runs as instead of root."""

    name: str
    uid: int
    gid: int


def server_user() -> ServerUser | None:
    """None for a normal user, who runs the servers himself; for root, a user without rights that exists already."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise ServerNotPreparedError(
        "PostgreSQL refuses to run as root and there is no user `postgres` or `nobody`: "
        "run `tradewind up` as a normal user, or set DATABASE_URL"
    )


def owner_of(folder: Path) -> ServerUser | None:
    """The owner of a folder as the user of a server; None when root, or when we are not root."""
    status = folder.stat()
    if os.geteuid() != 0 or status.st_uid == 0:
        return None
    return ServerUser(str(status.st_uid), status.st_uid, status.st_gid)


def run_as(
    user: ServerUser | None, argv: list[str], *, standard_input: str = "", timeout_s: float = PROBE_TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself as that user; a status of 126 stands for one that could not be run."""
    try:
        return subprocess.run(  # noqa: S603 -- our own arguments
            argv,
            cwd="/",  # the user may not be allowed to enter the folder that we are in
            input=standard_input,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            preexec_fn=die_with_parent(signal.SIGKILL),
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )
    except (OSError, subprocess.SubprocessError) as error:
        return subprocess.CompletedProcess(argv, CANNOT_RUN, "", str(error))


def can_enter(user: ServerUser | None, folder: Path) -> bool:
    """Whether that user may enter the folder: asked of the system, which knows of access lists and mounts."""
    return run_as(user, ["/bin/sh", "-c", 'cd "$0"', str(folder)]).returncode == 0
