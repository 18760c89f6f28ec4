"""Settings that are read from files, as secrets in containers are."""

from pathlib import Path

import pytest

from tradewind.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("JWT_SECRET_KEY", "jwt_secret_key"),
        ("REDIS_PASSWORD", "redis_password"),
        ("INFLUXDB_TOKEN", "influxdb_token"),
        ("INFLUXDB_ADMIN_PASSWORD", "influxdb_admin_password"),
        ("DATABASE_URL", "database_url"),
    ],
)
def test_a_secret_is_read_from_its_file(tmp_path: Path, variable: str, field: str) -> None:
    file = tmp_path / "secret"
    file.write_text("postgresql://of-a-file\n")
    settings = Settings.from_environment({f"{variable}_FILE": str(file)})
    assert getattr(settings, field) == "postgresql://of-a-file"


def test_the_databases_password_of_a_file_goes_into_its_address(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a/b@c\n")
    settings = Settings.from_environment(
        {"DATABASE_URL": "postgresql://tradewind@postgres/db", "POSTGRES_PASSWORD_FILE": str(file)}
    )
    assert settings.database_url == "postgresql://tradewind:a%2Fb%40c@postgres/db"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing"
    with pytest.raises(SettingsError, match=f"JWT_SECRET_KEY_FILE: cannot read {path}: No such file"):
        Settings.from_environment({"JWT_SECRET_KEY_FILE": str(path)})


@pytest.mark.parametrize(("content", "problem"), [(b" \n", "is empty"), (b"\xff\xfe", "is not text")])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=problem):
        Settings.from_environment({"JWT_SECRET_KEY_FILE": str(file)})


def test_a_value_and_a_file_for_it_contradict_each_other(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one")
    with pytest.raises(SettingsError, match="JWT_SECRET_KEY and JWT_SECRET_KEY_FILE are both set"):
        Settings.from_environment({"JWT_SECRET_KEY": "another", "JWT_SECRET_KEY_FILE": str(file)})
