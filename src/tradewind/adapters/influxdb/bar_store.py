"""Bars in InfluxDB, each kind of source apart: imported history never mixes with what a simulated market made up.

A bar is a point of the measurement `bars`: tags source, symbol and timeframe, its start as the time. InfluxDB replaces a point that
is written again, and makes nothing up for intervals without one.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from tradewind.adapters.influxdb import influxql
from tradewind.adapters.influxdb.administration import Administration, administration_of
from tradewind.adapters.influxdb.bar_rows import BARS, SUMMARIES, SummaryRow, bars_of, tables
from tradewind.adapters.influxdb.client import InfluxClient, Reply
from tradewind.adapters.influxdb.errors import DatabaseMissing, InfluxRefusal
from tradewind.adapters.influxdb.line_protocol import encoded
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Bar
from tradewind.operations.logging import get_logger
from tradewind.operations.metrics import BARS_BEYOND_RETENTION
from tradewind.ports.market_data import BarCoverage

WRITE_BARS_MAX = 10_000
"""Bars in one request, about 1.5 MB: far below the 10 MB that every version takes."""
QUERY_SYMBOLS_MAX = 100
"""Symbols in one query: its address stays below the 8 KB that proxies take."""

_NOT_ALLOWED = (401, 403)
_BEYOND_RETENTION = re.compile(r"beyond retention policy dropped=(\d+)")

_log = get_logger(__name__)


class InfluxBarStore:
    """Implements `tradewind.ports.market_data.BarStore` for the bars of one source.

    The database is made, and its retention set, before the first write, and again when it has gone. Reading from
    one that is missing finds nothing.
    """

    def __init__(self, client: InfluxClient, source: str, retention_days: int) -> None:
        self._client = client
        self._source = source
        self._retention_days = retention_days
        self._administration: Administration | None = None
        self._is_prepared = False

    async def write_bars(self, bars: Sequence[Bar]) -> None:
        """Store the bars, `WRITE_BARS_MAX` at a time; the last of several with one key counts.

        When it raises `StoreUnavailable`, some may be stored: write them again. Bars that are older than the
        database's retention are let go and counted.
        """
        by_key = {(bar.symbol, bar.timeframe, bar.start_ns): bar for bar in bars}
        # In the order of series and time the server does not have to sort.
        distinct = [by_key[key] for key in sorted(by_key)]
        for start in range(0, len(distinct), WRITE_BARS_MAX):
            lines = encoded(distinct[start : start + WRITE_BARS_MAX], self._source)
            await self._write(lines)

    async def read_bars(
        self, symbol: Symbol, timeframe: str, start_ns: int, end_ns: int, limit: int
    ) -> list[Bar]:
        """At most `limit` bars that start in `[start_ns, end_ns)`, oldest first. Raises `StoreUnavailable`."""
        if limit <= 0:  # which InfluxQL takes for no limit
            return []
        series = influxql.series(self._source, timeframe)
        statement = influxql.bars_between(series, symbol, start_ns, end_ns, limit)
        found = await self._read(statement, BARS)
        return [bar for table in tables(found) for bar in bars_of(symbol, timeframe, table.values)]

    async def latest_bars(self, timeframe: str) -> Mapping[Symbol, Bar]:
        """The newest bar of every symbol that has one of this timeframe. Raises `StoreUnavailable`."""
        return await self._newest([], timeframe, influxql.TIME_NS_MAX)

    async def last_bars(
        self, symbols: Sequence[Symbol], timeframe: str, before_ns: int
    ) -> Mapping[Symbol, Bar]:
        """Of each symbol the newest bar that starts before `before_ns`. Raises `StoreUnavailable`."""
        found: dict[Symbol, Bar] = {}
        for start in range(0, len(symbols), QUERY_SYMBOLS_MAX):
            found |= await self._newest(symbols[start : start + QUERY_SYMBOLS_MAX], timeframe, before_ns)
        return found

    async def coverage(self) -> Sequence[BarCoverage]:
        """What is stored, by symbol and timeframe. Raises `StoreUnavailable`."""
        counts, firsts, lasts = await asyncio.gather(
            *(self._summary(function) for function in ("count", "first", "last"))
        )
        return [
            BarCoverage(
                symbol=key[0],
                timeframe=key[1],
                count=int(counts[key][1]),
                first_start_ns=firsts[key][0],
                last_start_ns=lasts[key][0],
            )
            # A series that appears or goes between the three queries is left out.
            for key in sorted(counts.keys() & firsts.keys() & lasts.keys())
        ]

    async def delete_bars_before(self, timeframe: str, before_ns: int) -> None:
        """Delete the bars of a timeframe that start before `before_ns`. Raises `StoreUnavailable`, `Refused`."""
        administration = await self._administered()
        with suppress(DatabaseMissing):
            await administration.delete_before(self._source, timeframe, before_ns)

    async def probe(self) -> None:
        """Ask whether InfluxDB answers, and takes our name and token. Raises `StoreUnavailable`."""
        await self._read(influxql.PROBE, SUMMARIES)

    async def _write(self, lines: bytes) -> None:
        if not self._is_prepared:
            await self._prepare()
        try:
            await self._client.write(lines)
        except DatabaseMissing:
            await self._prepare()
            await self._client.write(lines)
        except InfluxRefusal as error:
            beyond = _BEYOND_RETENTION.search(str(error))
            if beyond is None:
                raise
            # The rest of the request is stored; the server would delete these at once.
            dropped = int(beyond[1])
            BARS_BEYOND_RETENTION.inc(dropped)
            _log.warning("bars older than InfluxDB keeps them were not stored", dropped=dropped)

    async def _read(self, statement: str, decoder: msgspec.json.Decoder[Reply]) -> list[Reply]:
        try:
            return await self._client.query(statement, decoder)
        except DatabaseMissing:
            return []

    async def _prepare(self) -> None:
        self._is_prepared = False
        self._administration = None  # another server, of another line, may be there now
        administration = await self._administered()
        try:
            await administration.prepare(self._retention_days)
        except InfluxRefusal as error:
            if error.status not in _NOT_ALLOWED:
                raise
            # Enough where the operator has made it. A write tells when it is not, or when nothing is allowed.
            _log.warning("InfluxDB lets us not make the database, nor set its retention", error=str(error))
        self._is_prepared = True

    async def _administered(self) -> Administration:
        if self._administration is None:
            self._administration = await administration_of(self._client)
        return self._administration

    async def _newest(self, symbols: Sequence[Symbol], timeframe: str, before_ns: int) -> dict[Symbol, Bar]:
        statement = influxql.newest_bars(influxql.series(self._source, timeframe), symbols, before_ns)
        found = await self._read(statement, BARS)
        return {
            bar.symbol: bar
            for table in tables(found)
            for bar in bars_of(table.tags["symbol"], timeframe, table.values)
        }

    async def _summary(self, function: str) -> dict[tuple[Symbol, str], SummaryRow]:
        statement = influxql.summary(function, self._source)
        found = await self._read(statement, SUMMARIES)
        return {
            (table.tags["symbol"], table.tags["timeframe"]): row
            for table in tables(found)
            for row in table.values
        }
