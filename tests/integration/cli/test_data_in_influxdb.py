"""`tradewind data` when InfluxDB holds the bars."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tradewind.adapters.influxdb.client import InfluxAddress
from tradewind.cli.data import command

DAYS = "date,open,high,low,close,volume\n2024-01-01,10,12,9,11,100\n2024-01-05,11,12,10,10.5,200\n2024-01-08,11,12,10,11,1\n"


@pytest.fixture
def _bars_in_influxdb(influx_address: InfluxAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUXDB_URL", influx_address.url)
    monkeypatch.setenv("INFLUXDB_USERNAME", influx_address.username)
    monkeypatch.setenv("INFLUXDB_TOKEN", influx_address.token)
    monkeypatch.setenv("INFLUXDB_BUCKET", influx_address.database)


@pytest.fixture
def days(tmp_path: Path) -> Path:
    path = tmp_path / "ibm.csv"
    path.write_text(DAYS)
    return path


def run(database_url: str, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--database-url", database_url], terminal_width=200)


def imported(database_url: str, file: Path) -> Result:
    return run(database_url, "import", str(file), "--symbol", "IBM", "--timeframe", "1Day")


@pytest.mark.usefixtures("_bars_in_influxdb")
def test_imported_bars_go_there_are_listed_made_longer_and_pruned(
    database_url: str, days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = imported(database_url, days)
    assert first.exit_code == 0, first.output
    assert "imported 3 bars of IBM" in first.output
    assert "IBM was not known and is an instrument now" in first.output
    weeks = run(database_url, "downsample", "ibm", "--timeframe", "1Day", "--into", "1Week")
    assert "made 1 bar of IBM, 1Week" in weeks.output
    listed = run(database_url, "list").output
    assert all(part in listed for part in ("imported", "1Day", "1Week", "2024-01-08"))
    assert run(database_url, "prune", "--timeframe", "1Day", "--older-than-days", "1").exit_code == 0
    left = run(database_url, "list").output
    assert "1Week" in left
    assert "1Day" not in left
    # PostgreSQL holds none of them.
    monkeypatch.delenv("INFLUXDB_URL")
    assert "no bars are stored yet" in run(database_url, "list").output


@pytest.mark.usefixtures("_bars_in_influxdb")
def test_bars_that_would_be_deleted_at_once_are_not_imported(
    database_url: str, days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    age = datetime.now(UTC) - datetime(2024, 1, 1, tzinfo=UTC)
    monkeypatch.setenv("INFLUXDB_RETENTION_DAYS", str((age - timedelta(days=1)).days))
    refused = imported(database_url, days)
    assert refused.exit_code != 0
    assert "the file begins at 2024-01-01 00:00, and InfluxDB deletes what is older" in refused.output
    assert "no bars are stored yet" in run(database_url, "list").output


def test_a_server_that_is_away_is_named_with_the_settings_to_look_at(
    database_url: str, days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUXDB_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("INFLUXDB_TOKEN", "secret-token")
    began_s = time.monotonic()
    for failed in (run(database_url, "list"), imported(database_url, days)):
        assert failed.exit_code != 0
        assert "InfluxDB at 127.0.0.1:1 cannot be reached" in failed.output
        assert "check INFLUXDB_URL" in failed.output
        assert "secret-token" not in failed.output
    assert time.monotonic() - began_s < 10


def test_bars_that_do_not_make_up_longer_ones_are_refused(database_url: str) -> None:
    for timeframe, into in (("1Hour", "1Min"), ("7Min", "1Hour"), ("1Sec", "1Week")):
        refused = run(database_url, "downsample", "IBM", "--timeframe", timeframe, "--into", into)
        assert refused.exit_code != 0
        assert into in refused.output
