"""The folder in which `tradewind up` keeps everything of one platform.

lock            held by the running `tradewind up`
secrets.json    generated passwords and keys, readable by the owner only
postgres/       the private PostgreSQL (a link when root may not keep it here, see `postgres.py`)
valkey/         the private Valkey
run.json        process ids and addresses, while the platform runs
platform.json   what the first start seeded, without its secrets
"""

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tradewind.adapters.embedded.errors import DataDirectoryBusyError, ServerNotPreparedError

SECRET_BYTES = 32
OWNER_ONLY_FILE = 0o600
OWNER_ONLY_FOLDER = 0o700
# Others may pass through, not list: root's PostgreSQL runs as another user, below this folder.
PASSABLE_FOLDER = 0o711


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Made at the first start and kept; `instance_id` tells this data directory from another at the same path."""

    instance_id: str
    postgres_password: str
    redis_password: str
    jwt_secret_key: str


class DataDirectory:
    """One data directory; the only place that knows the names of its files."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def postgres(self) -> Path:
        """The private PostgreSQL's folder."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """The private Valkey's folder."""
        return self.path / "valkey"

    @property
    def run_file(self) -> Path:
        """Process ids and addresses of the running platform."""
        return self.path / "run.json"

    @property
    def platform_file(self) -> Path:
        """What the first start seeded, without its secrets."""
        return self.path / "platform.json"

    def create(self) -> None:
        """Make the folder if it is not there; raises `ServerNotPreparedError`."""
        if self.path.is_dir():
            return
        try:
            self.path.mkdir(parents=True)
            # Set afterwards: what `mkdir` gives depends on the umask.
            self.path.chmod(PASSABLE_FOLDER if os.geteuid() == 0 else OWNER_ONLY_FOLDER)
        except OSError as error:
            raise ServerNotPreparedError(
                f"cannot make the data directory {self.path}: {error.strerror}; choose another with --data-dir"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the system lets go of it when the process ends, however it ends."""
        self.create()
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, OWNER_ONLY_FILE)
        except OSError as error:
            raise ServerNotPreparedError(
                f"cannot write to the data directory {self.path}: {error.strerror}; "
                "run as its owner or choose another with --data-dir"
            ) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
                raise DataDirectoryBusyError(
                    f"another `tradewind up` (process {holder}) is using {self.path}; "
                    "stop it, or give this one its own folder with --data-dir"
                ) from error
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def secrets(self) -> Secrets:
        """The generated secrets, made now if there are none yet."""
        path = self.path / "secrets.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Secrets)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ServerNotPreparedError(f"cannot read {path}: {error.strerror}; run as its owner") from error
        except msgspec.DecodeError as error:
            raise ServerNotPreparedError(f"{path} is damaged ({error}): restore it from a copy") from error
        if self.postgres.exists():
            raise ServerNotPreparedError(
                f"{path} is missing although {self.postgres} holds data that needs its password: "
                "restore the file, or move the whole folder away to begin anew"
            )
        made = Secrets(*(secrets.token_urlsafe(SECRET_BYTES) for _ in Secrets.__struct_fields__))
        write_private_file(path, msgspec.json.encode(made))
        return made

    def digest(self) -> str:
        """A short name for this data directory, different for another that is later made at the same path."""
        return hashlib.sha256(f"{self.path}\0{self.secrets().instance_id}".encode()).hexdigest()[:16]


def write_private_file(path: Path, content: bytes) -> None:
    """Replace a file at once and durably; only its owner may read it."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
