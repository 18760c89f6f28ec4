"""The data directory: secrets that stay secret, and one `tradewind up` at a time."""

import os
from pathlib import Path

import pytest

from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.embedded.errors import DataDirectoryBusyError, ServerNotPreparedError


def test_secrets_are_made_once_and_are_for_the_owner_only(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    data.create()
    made = data.secrets()
    assert data.secrets() == made
    assert (data.path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len({made.postgres_password, made.redis_password, made.jwt_secret_key, made.instance_id}) == 4
    assert len(made.jwt_secret_key) >= 32


def test_another_platform_has_other_secrets(tmp_path: Path) -> None:
    one, other = DataDirectory(tmp_path / "one"), DataDirectory(tmp_path / "other")
    one.create()
    other.create()
    assert one.secrets() != other.secrets()
    assert one.digest() != other.digest()


def test_a_second_start_on_the_same_folder_is_told_who_has_it(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    expected = rf"another `tradewind up` \(process {os.getpid()}\) is using .*--data-dir"
    with data.locked():
        with (
            pytest.raises(DataDirectoryBusyError, match=expected) as caught,
            DataDirectory(data.path).locked(),
        ):
            pass
        assert "\n" not in str(caught.value)
    with DataDirectory(data.path).locked():
        pass


def test_damaged_secrets_are_named(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    data.create()
    (data.path / "secrets.json").write_text('{"instance_id": ')
    with pytest.raises(ServerNotPreparedError, match=r"secrets\.json is damaged"):
        data.secrets()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerNotPreparedError, match="choose another with --data-dir"):
        DataDirectory(tmp_path / "file/data").create()
