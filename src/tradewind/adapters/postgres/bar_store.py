"""Bars in PostgreSQL, each kind of source apart: imported history never mixes with what a simulated market made up."""

from collections.abc import Mapping, Sequence

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tradewind.adapters.postgres.sessions import reading, writing
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Bar
from tradewind.ports.market_data import BarCoverage

SIMULATED = "simulated"
"""Bars that the simulated market made."""
IMPORTED = "imported"
"""Bars of real history, from files."""

STATEMENT_BARS_MAX = 5_000
"""Bars in one INSERT; a longer write takes several within one transaction."""

_COLUMNS = "symbol, timeframe, start_ns, open, high, low, close, volume, trade_count, vwap"

_UPSERT = text(
    f"""
    INSERT INTO bars (source, {_COLUMNS})
    SELECT CAST(:source AS text), * FROM unnest(
        CAST(:symbol AS text[]), CAST(:timeframe AS text[]), CAST(:start_ns AS bigint[]),
        CAST(:open AS numeric[]), CAST(:high AS numeric[]), CAST(:low AS numeric[]), CAST(:close AS numeric[]),
        CAST(:volume AS numeric[]), CAST(:trade_count AS bigint[]), CAST(:vwap AS numeric[])
    )
    ON CONFLICT (source, symbol, timeframe, start_ns) DO UPDATE SET
        open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        volume = excluded.volume, trade_count = excluded.trade_count, vwap = excluded.vwap
    """
)

_READ = text(
    f"""
    SELECT {_COLUMNS} FROM bars
    WHERE source = :source AND symbol = :symbol AND timeframe = :timeframe AND start_ns >= :start_ns AND start_ns < :end_ns
    ORDER BY start_ns LIMIT :limit
    """
)

# Hops from symbol to symbol through the primary key, instead of reading every bar.
_LATEST = text(
    f"""
    WITH RECURSIVE symbols (symbol) AS (
        SELECT min(symbol) FROM bars WHERE source = :source
        UNION ALL
        SELECT (SELECT min(bars.symbol) FROM bars WHERE source = :source AND bars.symbol > symbols.symbol)
        FROM symbols WHERE symbols.symbol IS NOT NULL
    )
    SELECT latest.* FROM symbols CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM bars
        WHERE source = :source AND bars.symbol = symbols.symbol AND timeframe = :timeframe ORDER BY start_ns DESC LIMIT 1
    ) AS latest
    """
)

_LAST = text(
    f"""
    SELECT last.* FROM unnest(CAST(:symbols AS text[])) AS wanted (symbol) CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM bars
        WHERE source = :source AND bars.symbol = wanted.symbol AND timeframe = :timeframe AND start_ns < :before_ns
        ORDER BY start_ns DESC LIMIT 1
    ) AS last
    """
)

_DELETE = text("DELETE FROM bars WHERE source = :source AND timeframe = :timeframe AND start_ns < :before_ns")

_COVERAGE = text(
    """
    SELECT symbol, timeframe, count(*) AS count, min(start_ns) AS first_start_ns, max(start_ns) AS last_start_ns
    FROM bars WHERE source = :source GROUP BY symbol, timeframe ORDER BY symbol, timeframe
    """
)


class PostgresBarStore:
    """Implements `tradewind.ports.market_data.BarStore` for the bars of one source: `SIMULATED` or `IMPORTED`."""

    def __init__(self, engine: AsyncEngine, source: str) -> None:
        self._engine = engine
        self._source = source

    async def write_bars(self, bars: Sequence[Bar]) -> None:
        """Store the bars, all or none; the last of several with one key counts. Raises `StoreUnavailable`."""
        if not bars:
            return
        # One statement may not touch a row twice. Sorted, so that concurrent writers lock rows in one order.
        by_key = {(bar.symbol, bar.timeframe, bar.start_ns): bar for bar in bars}
        distinct = [by_key[key] for key in sorted(by_key)]
        async with writing(self._engine) as connection:
            for start in range(0, len(distinct), STATEMENT_BARS_MAX):
                columns = _as_columns(distinct[start : start + STATEMENT_BARS_MAX])
                await connection.execute(_UPSERT, {"source": self._source, **columns})

    async def read_bars(
        self, symbol: Symbol, timeframe: str, start_ns: int, end_ns: int, limit: int
    ) -> list[Bar]:
        """At most `limit` bars that start in `[start_ns, end_ns)`, oldest first. Raises `StoreUnavailable`."""
        parameters = {
            "source": self._source,
            "symbol": symbol,
            "timeframe": timeframe,
            "start_ns": start_ns,
            "end_ns": end_ns,
            "limit": limit,
        }
        async with reading(self._engine) as connection:
            return await _bars(connection, _READ, parameters)

    async def latest_bars(self, timeframe: str) -> Mapping[Symbol, Bar]:
        """The newest bar of every symbol that has one of this timeframe. Raises `StoreUnavailable`."""
        async with reading(self._engine) as connection:
            parameters = {"source": self._source, "timeframe": timeframe}
            return {bar.symbol: bar for bar in await _bars(connection, _LATEST, parameters)}

    async def last_bars(
        self, symbols: Sequence[Symbol], timeframe: str, before_ns: int
    ) -> Mapping[Symbol, Bar]:
        """Of each symbol the newest bar that starts before `before_ns`. Raises `StoreUnavailable`."""
        parameters = {
            "source": self._source,
            "symbols": list(symbols),
            "timeframe": timeframe,
            "before_ns": before_ns,
        }
        async with reading(self._engine) as connection:
            return {bar.symbol: bar for bar in await _bars(connection, _LAST, parameters)}

    async def delete_bars_before(self, timeframe: str, before_ns: int) -> None:
        """Delete the bars of a timeframe that start before `before_ns`. Raises `StoreUnavailable`."""
        parameters = {"source": self._source, "timeframe": timeframe, "before_ns": before_ns}
        async with writing(self._engine) as connection:
            await connection.execute(_DELETE, parameters)

    async def coverage(self) -> Sequence[BarCoverage]:
        """What is stored, by symbol and timeframe. Raises `StoreUnavailable`."""
        async with reading(self._engine) as connection:
            rows = (await connection.execute(_COVERAGE, {"source": self._source})).mappings()
            return [BarCoverage(**row) for row in rows]


async def _bars(
    connection: AsyncConnection, query: TextClause, parameters: Mapping[str, object]
) -> list[Bar]:
    return [Bar(*row) for row in await connection.execute(query, parameters)]


def _as_columns(bars: Sequence[Bar]) -> dict[str, list[object]]:
    return {field: [getattr(bar, field) for bar in bars] for field in Bar.__struct_fields__}
