"""Real prices, as the tutorial has them: imported from a file, replayed through the platform, and traded."""

import asyncio
import csv
import gzip
import json
import subprocess
import sys
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.platform import LivePlatform, clean_environment, live_platform
from tests.servers import platform_database

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it uses an old face of its WebSocket library
    from alpaca.data.live import StockDataStream

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

REPLAY = ("--feed", "replay", "--symbols", "AAPL", "--timeframe", "1Day", "--speed", "2000000x")
PATIENCE_S = 30.0
POLL_S = 0.2
BARS = 3_270


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen years of AAPL by the day, cut out of the file that the package `bokeh_sampledata` ships."""
    packed = resources.files("bokeh_sampledata") / "_data" / "stocks.csv.gz"
    lines = gzip.decompress(packed.read_bytes()).decode().splitlines(keepends=True)
    path: Path = tmp_path_factory.mktemp("prices") / "aapl.csv"
    path.write_text("".join([lines[0], *(line for line in lines if line.startswith("AAPL,"))]))
    return path


@pytest.fixture(scope="module")
def platform() -> Iterator[LivePlatform]:
    """A platform of its own, and so a Redis of its own: it is started again with another feed."""
    with platform_database() as settings, live_platform(settings) as started:
        yield started


def test_a_damaged_file_names_line_and_column_and_imports_nothing(
    platform: LivePlatform, prices: Path, tmp_path: Path
) -> None:
    lines = prices.read_text().splitlines(keepends=True)
    lines[2_000] = lines[2_000].replace(",", ",x", 5)
    damaged = tmp_path / "damaged.csv"
    damaged.write_text("".join(lines))
    done = tradewind(platform, "data", "import", str(damaged), "--symbol", "AAPL", "--timeframe", "1Day")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {damaged}: line 2001, column ")
    assert done.stderr.count("\n") == 1
    assert "imported" not in tradewind(platform, "data", "list").stdout


async def test_imported_prices_are_replayed_and_the_strategy_trades_them(
    platform: LivePlatform, prices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    done = tradewind(platform, "data", "import", str(prices), "--symbol", "AAPL", "--timeframe", "1Day")
    assert done.stdout == f"imported {BARS:,} bars of AAPL, 1Day, 2000-03-01 00:00 to 2013-03-01 00:00\n"
    assert f"{BARS:,}" in tradewind(platform, "data", "list").stdout

    assert platform.stop() == 0
    platform.start(*REPLAY)
    async with minute_bars(platform) as bars:
        trades = await asyncio.to_thread(first_round_trips, platform)
        await until(lambda: len(bars) >= 10)
    days = days_of(prices)
    for bar in bars:
        assert bar.close in days[bar.timestamp.date().isoformat()]
    assert [bar.timestamp for bar in bars] == sorted(bar.timestamp for bar in bars)
    lowest, highest = min(map(min, days.values())), max(map(max, days.values()))
    for trade in trades:
        assert (trade["symbol"], trade["side"]) == ("AAPL", "long")
        assert lowest < float(trade["entry_price"]) < highest
        assert float(trade["gross_pnl"]) == pytest.approx(
            float(trade["qty"]) * (float(trade["exit_price"]) - float(trade["entry_price"])), abs=0.01
        )
    verified = tradewind(platform, "journal", "verify")
    assert verified.returncode == 0, verified.stdout
    assert verified.stdout.endswith("the journal and the stored state agree\n")


def tradewind(platform: LivePlatform, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, in the platform's folder, as a user calls it."""
    return subprocess.run(
        [sys.executable, "-m", "tradewind.cli.main", *arguments],
        env=clean_environment() | {"TRADEWIND_DATA_DIR": str(platform.data_dir)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def first_round_trips(platform: LivePlatform) -> list[dict[str, Any]]:
    """What the strategy bought and sold again, as the analytics service tells it to the account's owner."""
    email, _, password = platform.first_banner()["User"].partition(", password ")
    account_id = json.loads((platform.data_dir / "platform.json").read_text())["strategy_account_id"]
    deadline_s = time.monotonic() + PATIENCE_S
    with httpx.Client(trust_env=False) as http:
        login = http.post(f"{platform.url()}/v1/auth/login", json={"email": email, "password": password})
        http.headers["Authorization"] = f"Bearer {login.raise_for_status().json()['access_token']}"
        while True:
            url = f"{platform.url('analytics-service')}/v1/accounts/{account_id}/trades"
            answer = http.get(url).raise_for_status().json()
            # A position in another symbol may be left from the simulated market.
            trades: list[dict[str, Any]] = [each for each in answer["trades"] if each["symbol"] == "AAPL"]
            if len(trades) >= 2:
                return trades
            assert time.monotonic() < deadline_s, platform.log_tail()
            time.sleep(POLL_S)


def days_of(prices: Path) -> dict[str, set[float]]:
    """The four prices of each day."""
    with prices.open() as file:
        return {
            row["Date"]: {float(row[column]) for column in ("Open", "High", "Low", "Close")}
            for row in csv.DictReader(file)
        }


@asynccontextmanager
async def minute_bars(platform: LivePlatform) -> AsyncIterator[list[Any]]:
    """Bars of AAPL as alpaca-py gets them, while the stream is open."""
    bars: list[Any] = []

    async def take(bar: Any) -> None:
        bars.append(bar)

    shown = platform.first_banner()
    url = platform.url("websocket-service").replace("http", "ws") + "/v2/iex"
    stream = StockDataStream(shown["API key"], shown["API secret"], url_override=url)
    stream.subscribe_bars(take, "AAPL")
    task = asyncio.create_task(stream._run_forever())
    try:
        yield bars
    finally:
        await stream.stop_ws()
        await stream.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; `AssertionError` when that takes too long."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it does not happen"
        await asyncio.sleep(POLL_S)
