"""Backup and restore scripts on a real PostgreSQL: what is whole, what is damaged, and up to when."""

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.backups import Vault, archived_postgres, restore, restored_postgres, url_of
from tests.servers import RunningServer, server_folder

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("flock") is None, reason="the scripts run in a Linux container"
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with server_folder() as path:
        yield path


@pytest.fixture(scope="module")
def vault(folder: Path) -> Vault:
    return Vault(folder)


@pytest.fixture(scope="module")
def postgres(folder: Path, vault: Vault) -> Iterator[RunningServer]:
    """A server with a note of every step: before the backup, after it, after the mark, after the moment."""
    with archived_postgres(folder / "original", vault) as running:
        yield running


@pytest.fixture(scope="module")
def moment(postgres: RunningServer, vault: Vault) -> str:
    """A time after the note "mark" and before the note "moment"."""
    write(postgres, "first")
    vault.backup(postgres, "full")
    write(postgres, "full")
    vault.backup(postgres, "mark", "before-import")
    write(postgres, "mark")
    found = asyncio.run(value(postgres, "SELECT clock_timestamp()::text"))
    write(postgres, "moment")
    vault.backup(postgres, "mark", "end")
    write(postgres, "lost with the machine")
    return str(found)


def write(server: RunningServer, note: str) -> None:
    asyncio.run(
        value(server, f"CREATE TABLE IF NOT EXISTS notes (note text); INSERT INTO notes VALUES ('{note}')")
    )


async def value(server: RunningServer, statement: str) -> object:
    connection = await asyncpg.connect(url_of(server))
    try:
        if statement.startswith("SELECT"):
            return await connection.fetchval(statement)
        return await connection.execute(statement)
    finally:
        await connection.close()


def notes(server: RunningServer) -> str:
    return str(asyncio.run(value(server, "SELECT string_agg(note, ', ') FROM notes")))


@pytest.mark.parametrize(
    ("arguments", "there"),
    [
        (["--to", "backup"], "first"),
        (["--to-mark", "before-import"], "first, full"),
        (["--to", "{moment}"], "first, full, mark"),
        ([], "first, full, mark, moment"),
    ],
    ids=["backup", "mark", "time", "latest"],
)
def test_a_restore_ends_where_it_is_told_to(
    arguments: list[str],
    there: str,
    moment: str,
    vault: Vault,
    postgres: RunningServer,
) -> None:
    archived = sorted((vault.folder / "wal").iterdir())
    where = [part.format(moment=moment) for part in arguments]
    with (
        server_folder() as place,
        restored_postgres(place, vault, postgres, *where, "--rehearsal") as running,
    ):
        assert notes(running) == there
        marker = asyncio.run(value(running, "SELECT current_setting('tradewind.restored')"))
        assert str(marker).startswith(vault.newest().name)
    assert sorted((vault.folder / "wal").iterdir()) == archived


def test_the_newest_backup_before_the_moment_is_taken(
    moment: str, vault: Vault, postgres: RunningServer
) -> None:
    first = vault.newest().name
    done = restore(vault, vault.folder / "nowhere", "--to", "2020-01-01 00:00:00+00")
    assert done.returncode == 1
    assert "no full backup was made before 2020-01-01" in done.stderr
    assert first not in done.stderr
    done = restore(vault, vault.folder / "nowhere", "--to", "yesterday noon")
    assert "does not say its time zone" in done.stderr


def test_nothing_is_restored_over_data(vault: Vault, moment: str) -> None:
    done = restore(vault, vault.folder)
    assert done.returncode == 1
    assert "is not empty" in done.stderr


def test_a_moment_that_is_not_archived_yet_is_refused(vault: Vault, moment: str) -> None:
    with server_folder() as folder:
        folder.chmod(0o777)
        done = restore(vault, folder / "data", "--to", "2099-01-01 00:00:00+00", "--rehearsal")
        assert done.returncode == 1
        assert "the archive ends before 2099-01-01 00:00:00+00" in done.stderr
        assert (folder / "data" / "recovery.signal").exists(), (
            "a server would start on it as if it were whole"
        )


def test_a_damaged_backup_is_found_and_not_restored(
    vault: Vault, moment: str, postgres: RunningServer
) -> None:
    damaged = vault.newest() / "base.tar.gz"
    content = damaged.read_bytes()
    try:
        damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert vault.try_backup(postgres, "verify").returncode == 1
        with server_folder() as folder:
            folder.chmod(0o777)
            done = restore(vault, folder / "data")
            assert done.returncode == 1
            assert "is damaged" in done.stderr
            assert not any((folder / "data").iterdir())
    finally:
        damaged.write_bytes(content)


def test_a_missing_segment_is_found(vault: Vault, moment: str, postgres: RunningServer) -> None:
    segments = sorted(
        path for path in (vault.folder / "wal").iterdir() if len(path.name) == len("0" * 24 + ".gz")
    )
    missing = segments[-2]
    aside = vault.folder / missing.name
    missing.rename(aside)
    try:
        done = vault.try_backup(postgres, "verify")
        assert done.returncode == 1
        assert f"WAL is missing before {segments[-1].name[:24]}" in done.stderr
    finally:
        aside.rename(missing)


def test_a_half_written_backup_is_none_and_is_cleared_away(
    vault: Vault, moment: str, postgres: RunningServer
) -> None:
    listed = vault.backup(postgres, "list")
    half = vault.folder / "full" / ".partial-20991231T000000Z"
    half.mkdir()
    vault.give(half)
    (half / "base.tar.gz").write_bytes(b"half")
    assert vault.backup(postgres, "list") == listed
    # A server that does not let it in: nothing is made, and nothing is left that looks as if.
    assert vault.try_backup(postgres, "full", PGPASSWORD="wrong").returncode != 0
    assert not half.exists()
    assert vault.backup(postgres, "list") == listed
    assert "full backups:" in vault.backup(postgres, "status")
    late = vault.try_backup(postgres, "status", BACKUP_INTERVAL_HOURS="0", BACKUP_LATE_HOURS="0")
    assert late.returncode == 1
    assert "is older than 0 hours" in late.stderr


def test_another_database_cannot_write_over_the_archive(vault: Vault, moment: str) -> None:
    archived = min((vault.folder / "wal").iterdir())
    name = archived.name.removesuffix(".gz")
    with server_folder() as folder:
        (folder / "segment").write_bytes(b"of another database")
        done = vault.run("archive-wal", str(folder / "segment"), name)
        assert done.returncode == 1
        assert "does another database archive to the same place?" in done.stderr
        again = vault.run("fetch-wal", name, str(vault.folder / "fetched"))
        assert again.returncode == 0
        # The same once more is no difference: the server may ask again after a crash.
        assert vault.run("archive-wal", str(vault.folder / "fetched"), name).returncode == 0


def test_old_backups_go_with_the_wal_that_only_they_need(
    vault: Vault, moment: str, postgres: RunningServer
) -> None:
    first = vault.newest()
    vault.backup(postgres, "full")
    second = vault.newest()
    assert second != first
    vault.backup(postgres, "prune", BACKUP_KEEP="1")
    assert not first.exists()
    needed = (second / "first_wal").read_text().strip()
    segments = [path.name[:24] for path in (vault.folder / "wal").iterdir() if len(path.name) == 27]
    assert min(segments, default=needed) >= needed
    vault.backup(postgres, "verify")
