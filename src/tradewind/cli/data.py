"""`tradewind data`: import historical bars from files, list what is stored, make longer bars of it, and delete old ones."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.files.bar_files import BarFileError, read_bars
from tradewind.adapters.influxdb.errors import InfluxUnavailable
from tradewind.adapters.postgres.bar_store import IMPORTED, SIMULATED
from tradewind.adapters.postgres.engine import NO_STATEMENT_TIMEOUT_S, create_engine
from tradewind.adapters.postgres.instruments import load_instruments, seed_instruments
from tradewind.cli.database import DATABASE_OPTION, chosen_database, explained
from tradewind.cli.words import counted
from tradewind.domain.market.instrument import AssetClass, Instrument
from tradewind.domain.market.ticks import Bar
from tradewind.domain.market.timeframe import NS_PER_S, Timeframe
from tradewind.domain.market.universe import asset_id_of
from tradewind.entrypoints.bar_stores import opened_bar_store
from tradewind.entrypoints.up.run_file import with_running_platform
from tradewind.ports.errors import Refused
from tradewind.ports.market_data import BarCoverage, BarStore
from tradewind.services.bars.downsampling import Downsampling, downsample
from tradewind.settings import Settings

WRITE_BARS_MAX = 50_000
"""Bars in one transaction of an import; a write again replaces, so an interrupted import is simply repeated."""

SOURCE_OPTION = click.option(
    "--source",
    type=click.Choice([IMPORTED, SIMULATED]),
    default=IMPORTED,
    show_default=True,
    help="Whose bars: of files, or of the simulated market.",
)

_DAY_NS = 86_400 * NS_PER_S
_SMALLEST_QTY = Decimal("0.000000001")

Result = TypeVar("Result")


def _timeframe(_context: click.Context, _parameter: click.Parameter, value: str) -> Timeframe:
    try:
        return Timeframe.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.group()
def command() -> None:
    """Import and list historical market data."""


@command.command("import", epilog="Example: tradewind data import aapl.csv --symbol AAPL --timeframe 1Day")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--symbol", required=True, help="What the bars are of: AAPL, BTC/USD.")
@click.option("--timeframe", callback=_timeframe, required=True, help="Length of a bar: 1Min, 1Hour, 1Day.")
@DATABASE_OPTION
def import_file(file: Path, symbol: str, timeframe: Timeframe, database_url: str | None) -> None:
    """Store the bars of a CSV or Parquet FILE.

    Columns are found by name: timestamp (or date, time), open, high, low, close and, if there is one, volume. The
    whole file is checked first; when anything in it is wrong, nothing is imported. Bars that are stored already are
    replaced. A symbol that is not known yet becomes a tradable instrument.
    """
    symbol = symbol.strip().upper()
    try:
        bars = read_bars(file, symbol, timeframe)
    except BarFileError as error:
        raise click.ClickException(str(error)) from error
    settings = with_running_platform(Settings.from_environment())
    _require_kept(bars[0], settings)
    is_new = _with_engine(database_url, lambda engine: _store(settings, engine, bars))
    click.echo(
        f"imported {counted(len(bars), 'bar')} of {symbol}, {timeframe}, "
        f"{_shown(bars[0].start_ns)} to {_shown(bars[-1].start_ns)}"
    )
    if is_new:
        click.echo(f"{symbol} was not known and is an instrument now; restart the platform to trade it")


@command.command("list", epilog="Example: tradewind data list")
@DATABASE_OPTION
def list_stored(database_url: str | None) -> None:
    """Show which bars are stored, by symbol and timeframe."""
    settings = with_running_platform(Settings.from_environment())
    rows = _with_engine(database_url, lambda engine: _coverage(settings, engine))
    if not any(rows.values()):
        click.echo("no bars are stored yet; see `tradewind data import --help`")
        return
    Console().print(_table(rows))


@command.command("downsample", epilog="Example: tradewind data downsample AAPL --timeframe 1Min --into 1Hour")
@click.argument("symbol")
@click.option("--timeframe", callback=_timeframe, required=True, help="Length of the stored bars: 1Min.")
@click.option("--into", callback=_timeframe, required=True, help="Length of the bars to make: 1Hour, 1Day.")
@SOURCE_OPTION
@DATABASE_OPTION
def downsample_stored(
    symbol: str, timeframe: Timeframe, into: Timeframe, source: str, database_url: str | None
) -> None:
    """Make longer bars of the stored bars of SYMBOL, and store them too.

    Only bars whose time is over are made. Doing it again replaces them.
    """
    try:
        wanted = Downsampling(symbol=symbol.strip().upper(), timeframe=timeframe, into=into)
    except ValueError as error:
        raise click.ClickException(str(error)) from error

    async def work(store: BarStore) -> int:
        rows = [
            row
            for row in await store.coverage()
            if (row.symbol, row.timeframe) == (wanted.symbol, str(timeframe))
        ]
        if not rows:
            return 0
        start_ns = into.start_of(rows[0].first_start_ns)
        return await downsample(store, wanted, start_ns, rows[0].last_start_ns + timeframe.duration_ns)

    count = _with_store(database_url, source, work)
    click.echo(f"made {counted(count, 'bar')} of {wanted.symbol}, {into}, of its bars of {timeframe}")


@command.command("prune", epilog="Example: tradewind data prune --timeframe 1Min --older-than-days 90")
@click.option("--timeframe", callback=_timeframe, required=True, help="Length of the bars to delete: 1Min.")
@click.option(
    "--older-than-days", type=click.IntRange(min=1), required=True, help="Keep those that started since."
)
@SOURCE_OPTION
@DATABASE_OPTION
def prune_stored(timeframe: Timeframe, older_than_days: int, source: str, database_url: str | None) -> None:
    """Delete old bars of one length, of all symbols."""
    before_ns = time.time_ns() - older_than_days * _DAY_NS
    _with_store(database_url, source, lambda store: store.delete_bars_before(str(timeframe), before_ns))
    click.echo(f"{source} bars of {timeframe} from before {_shown(before_ns)} are deleted")


def _require_kept(oldest: Bar, settings: Settings) -> None:
    """InfluxDB would say nothing and keep nothing."""
    days = settings.influxdb_retention_days
    if settings.influxdb_url and days and oldest.start_ns < time.time_ns() - days * _DAY_NS:
        raise click.ClickException(
            f"the file begins at {_shown(oldest.start_ns)}, and InfluxDB deletes what is older than {days} days: "
            "nothing was imported; raise INFLUXDB_RETENTION_DAYS, or leave older bars out of the file"
        )


async def _coverage(settings: Settings, engine: AsyncEngine) -> dict[str, Sequence[BarCoverage]]:
    """What is stored, by source."""
    return {source: await _in_store(settings, engine, source, _covered) for source in (IMPORTED, SIMULATED)}


async def _covered(store: BarStore) -> Sequence[BarCoverage]:
    return await store.coverage()


async def _store(settings: Settings, engine: AsyncEngine, bars: Sequence[Bar]) -> bool:
    """Write the bars, and the instrument if it is missing; whether it was."""

    async def write(store: BarStore) -> None:
        for start in range(0, len(bars), WRITE_BARS_MAX):
            await store.write_bars(bars[start : start + WRITE_BARS_MAX])

    await _in_store(settings, engine, IMPORTED, write)
    symbol = bars[0].symbol
    if any(instrument.symbol == symbol for instrument in await load_instruments(engine)):
        return False
    await seed_instruments(engine, [new_instrument(symbol)])
    return True


def new_instrument(symbol: str) -> Instrument:
    """An instrument for a symbol that nobody described: a pair with a slash is crypto, the rest whole US shares.

    Accounts are in US dollars: a pair against anything else can be looked at, not traded.
    """
    if "/" not in symbol:
        return Instrument(
            symbol=symbol,
            asset_id=asset_id_of(symbol),
            asset_class=AssetClass.EQUITY,
            name=symbol,
            exchange="",
            shortable=True,
            marginable=True,
        )
    currency = symbol.partition("/")[2]
    return Instrument(
        symbol=symbol,
        asset_id=asset_id_of(symbol),
        asset_class=AssetClass.CRYPTO,
        name=symbol,
        exchange="CRYPTO",
        currency=currency,
        tradable=currency == "USD",
        lot_size=_SMALLEST_QTY,
        min_order_size=_SMALLEST_QTY,
        fractionable=True,
    )


def _with_store(
    database_url: str | None, source: str, work: Callable[[BarStore], Awaitable[Result]]
) -> Result:
    settings = with_running_platform(Settings.from_environment())
    return _with_engine(database_url, lambda engine: _in_store(settings, engine, source, work))


async def _in_store(
    settings: Settings, engine: AsyncEngine, source: str, work: Callable[[BarStore], Awaitable[Result]]
) -> Result:
    """Work on the bars of a source, wherever the settings keep them."""
    async with opened_bar_store(settings, engine, source) as store:
        try:
            return await work(store)
        except InfluxUnavailable as error:
            raise click.ClickException(
                f"{error}: is it running? check INFLUXDB_URL, INFLUXDB_USERNAME, INFLUXDB_TOKEN and INFLUXDB_BUCKET"
            ) from error
        except (Refused, ValueError) as error:
            raise click.ClickException(str(error)) from error


def _with_engine(database_url: str | None, work: Callable[[AsyncEngine], Awaitable[Result]]) -> Result:
    database = chosen_database(database_url)
    with explained(database):
        return asyncio.run(_run_with_engine(database.url, work))


async def _run_with_engine(url: str, work: Callable[[AsyncEngine], Awaitable[Result]]) -> Result:
    engine = create_engine(url, statement_timeout_s=NO_STATEMENT_TIMEOUT_S)
    try:
        return await work(engine)
    finally:
        await engine.dispose()


def _table(rows_by_source: Mapping[str, Sequence[BarCoverage]]) -> Table:
    table = Table(
        "source", "symbol", "timeframe", "from (UTC)", "to (UTC)", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("bars", justify="right")
    for source, rows in rows_by_source.items():
        for row in rows:
            first, last = _shown(row.first_start_ns), _shown(row.last_start_ns)
            table.add_row(source, row.symbol, row.timeframe, first, last, f"{row.count:,}")
    return table


def _shown(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns / NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M")
