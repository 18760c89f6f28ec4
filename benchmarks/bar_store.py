"""`make bench-bars`: bars written and read a second, InfluxDB beside PostgreSQL, through the platform's own adapters.

Both servers run on this machine, as they are installed or embedded: figures are ratios between the two, not capacities.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from tests import influx_server, servers

from benchmarks.processes import BenchmarkError
from tradewind.adapters.influxdb.bar_store import InfluxBarStore
from tradewind.adapters.influxdb.client import InfluxClient
from tradewind.adapters.influxdb.line_protocol import encoded
from tradewind.adapters.postgres.bar_store import IMPORTED, PostgresBarStore
from tradewind.adapters.postgres.engine import NO_STATEMENT_TIMEOUT_S, create_engine
from tradewind.domain.market.ticks import Bar
from tradewind.ports.market_data import BarStore

MINUTE_NS = 60_000_000_000
START_NS = 1_600_000_000 // 60 * MINUTE_NS
TIMEFRAME = "1Min"
WRITES = (1_000, 10_000)
READS = (500, 1_000, 10_000, 100_000)
LOOKUPS = 20

Measures = dict[str, float]


def bars_of(symbols: int, count: int) -> dict[str, list[Bar]]:
    """Minute bars with prices in cents, as an exchange gives them."""
    cent = Decimal("0.01")
    return {
        f"SYM{number}": [
            Bar(
                f"SYM{number}",
                TIMEFRAME,
                START_NS + minute * MINUTE_NS,
                (price := (10_000 + minute * 7 % 997) * cent),
                price + 3 * cent,
                price - 2 * cent,
                price + cent,
                Decimal(1_000 + minute % 313),
                minute % 90 + 1,
                price + Decimal("0.004123456"),
            )
            for minute in range(count)
        ]
        for number in range(symbols)
    }


async def measured(store: BarStore, bars: Mapping[str, list[Bar]]) -> Measures:
    """Bars a second by batch size, then milliseconds of look-ups."""
    measures: Measures = {}
    share = len(bars) // len(WRITES)
    names = list(bars)
    for place, batch in enumerate(WRITES):
        mine = [bar for name in names[place * share : (place + 1) * share] for bar in bars[name]]
        measures[f"write, {batch:,} a call"] = len(mine) / await _seconds(
            lambda m=mine, b=batch: _write(store, m, b)
        )
    symbol = names[0]
    for count in READS:
        if count <= len(bars[symbol]):
            rounds = max(3, 100_000 // count // 5)
            spent_s = [await _seconds(lambda c=count: _read(store, symbol, c)) for _ in range(rounds)]
            measures[f"read, {count:,} of one symbol"] = count / statistics.median(spent_s)
    written = names[: share * len(WRITES)]
    end_ns = START_NS + len(bars[symbol]) * MINUTE_NS
    lookups: dict[str, Callable[[], Awaitable[object]]] = {
        "latest bar of every symbol, ms": lambda: store.latest_bars(TIMEFRAME),
        "last bars before a moment, ms": lambda: store.last_bars(written, TIMEFRAME, end_ns // 2),
        "what is stored, ms": store.coverage,
    }
    for title, lookup in lookups.items():
        measures[title] = statistics.median([await _seconds(lookup) for _ in range(LOOKUPS)]) * 1_000
    return measures


async def _write(store: BarStore, bars: list[Bar], batch: int) -> None:
    for start in range(0, len(bars), batch):
        await store.write_bars(bars[start : start + batch])


async def _read(store: BarStore, symbol: str, count: int) -> None:
    found = await store.read_bars(symbol, TIMEFRAME, START_NS, START_NS + (1 << 60), count)
    if len(found) != count:
        raise BenchmarkError(f"{len(found)} bars came back of {count}")


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began_s = time.perf_counter()
    await work()
    return time.perf_counter() - began_s


@asynccontextmanager
async def _stores() -> AsyncIterator[dict[str, BarStore]]:
    if not influx_server.installed():
        raise BenchmarkError(influx_server.WHY_SKIPPED)
    async with AsyncExitStack() as stack:
        influx = stack.enter_context(influx_server.running_influx())
        client = await stack.enter_async_context(InfluxClient(influx_server.address_of(influx)))
        server_url = stack.enter_context(servers.shared_postgres())
        template = stack.enter_context(servers.migrated_template(server_url))
        url = stack.enter_context(servers.fresh_database(server_url, template))
        engine = create_engine(url, statement_timeout_s=NO_STATEMENT_TIMEOUT_S)
        stack.push_async_callback(engine.dispose)
        yield {
            "InfluxDB": InfluxBarStore(client, IMPORTED, 0),
            "PostgreSQL": PostgresBarStore(engine, IMPORTED),
        }


async def _run(symbols: int, count: int) -> None:
    bars = bars_of(symbols, count)
    one = next(iter(bars.values()))
    began_s = time.perf_counter()
    lines = encoded(one, IMPORTED)
    encoding = len(one) / (time.perf_counter() - began_s)
    async with _stores() as stores:
        results = {name: await measured(store, bars) for name, store in stores.items()}
    table = Table(f"{symbols} symbols, {count:,} bars each", *results, "InfluxDB / PostgreSQL")
    for title in next(iter(results.values())):
        figures = [result[title] for result in results.values()]
        shown = [f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" for figure in figures]
        table.add_row(title, *shown, f"{figures[0] / figures[1]:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"lines made: {encoding:,.0f} bars a second of one core, {len(lines) / len(one):.0f} bytes a bar"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=4, help="symbols; half are written in each batch size")
    parser.add_argument("--bars", type=int, default=100_000, help="bars of each symbol")
    options = parser.parse_args()
    try:
        asyncio.run(_run(options.symbols, options.bars))
    except BenchmarkError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
