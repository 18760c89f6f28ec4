"""Finds instruments by any name that clients use: symbol, crypto pair without its slash, asset id."""

from tradewind.domain.market.instrument import Instrument
from tradewind.ports.clock import Clock
from tradewind.ports.trading_queries import TradingQueries
from tradewind.services.gateway.fields import parse_uuid

RELOAD_INTERVAL_NS = 5_000_000_000
"""An unknown name makes the directory look at the database again, but not more often than this."""


class InstrumentDirectory:
    """A copy of the instruments table, loaded when first needed."""

    def __init__(self, queries: TradingQueries, clock: Clock) -> None:
        self._queries = queries
        self._clock = clock
        self._by_name: dict[str, Instrument] = {}
        self._by_symbol: dict[str, Instrument] = {}
        self._loaded_ns: int | None = None

    async def find(self, name: str) -> Instrument | None:
        """The instrument with this symbol, joined pair or asset id. Raises `StoreUnavailable`."""
        found = self._by_name.get(name)
        if found is not None:
            return found
        await self._reload()
        return self._by_name.get(name) or self._by_name.get(parse_uuid(name) or "")

    async def by_symbol(self) -> dict[str, Instrument]:
        """All instruments, at most `RELOAD_INTERVAL_NS` old. Raises `StoreUnavailable`."""
        await self._reload()
        return self._by_symbol

    async def of_symbol(self, symbol: str) -> Instrument:
        """The instrument of an order or position that exists."""
        found = await self.find(symbol)
        assert found is not None, f"{symbol} is traded but not among the instruments"
        return found

    async def _reload(self) -> None:
        now_ns = self._clock.now_ns()
        if self._loaded_ns is not None and now_ns - self._loaded_ns < RELOAD_INTERVAL_NS:
            return
        instruments = await self._queries.instruments()
        self._loaded_ns = now_ns
        self._by_symbol = {instrument.symbol: instrument for instrument in instruments}
        self._by_name = {joined_symbol(instrument.symbol): instrument for instrument in instruments}
        self._by_name.update(self._by_symbol)
        self._by_name.update({instrument.asset_id: instrument for instrument in instruments})


def joined_symbol(symbol: str) -> str:
    """A crypto pair as Alpaca writes it in positions: `BTC/USD` gives `BTCUSD`."""
    return symbol.replace("/", "")
