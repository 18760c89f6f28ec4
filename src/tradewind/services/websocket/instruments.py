"""The instruments, remembered: every order update names one."""

from collections.abc import Awaitable, Callable, Sequence

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import Instrument


class InstrumentCatalogue:
    """Instruments by symbol, loaded when first needed and again for a symbol that is new."""

    def __init__(self, load: Callable[[], Awaitable[Sequence[Instrument]]]) -> None:
        self._load = load
        self._by_symbol: dict[Symbol, Instrument] = {}

    async def find(self, symbol: Symbol) -> Instrument | None:
        """The instrument, None when nobody knows it. Raises `StoreUnavailable`."""
        if symbol not in self._by_symbol:
            # Rare: only instruments that exist have orders, so this is one that was added since.
            self._by_symbol = {instrument.symbol: instrument for instrument in await self._load()}
        return self._by_symbol.get(symbol)
