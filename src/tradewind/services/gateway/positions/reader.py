"""Positions as they are shown: valued at the latest prices, and compared with the previous day's."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tradewind.domain.accounts.activity import NO_TURNOVER, AccountActivity, day_cost
from tradewind.domain.identifiers import AccountId, Symbol
from tradewind.domain.market.calendar import SessionCalendar
from tradewind.domain.positions.position import Position
from tradewind.ports.clock import Clock
from tradewind.ports.trading_queries import TradingQueries
from tradewind.services.gateway.instrument_directory import InstrumentDirectory
from tradewind.services.gateway.mark_prices import MarkPriceReader
from tradewind.services.gateway.positions.schemas import AlpacaPosition, DayBasis, alpaca_position
from tradewind.services.gateway.previous_closes import PreviousCloses


class PositionReader:
    """Shows the positions of an account.

    The last day's price of a position is the market's previous close. Where none is stored it is the account's own last
    execution before today, and for a position opened today the average entry price: the first price known of it.
    """

    def __init__(
        self,
        queries: TradingQueries,
        directory: InstrumentDirectory,
        marks: MarkPriceReader,
        closes: PreviousCloses,
        calendar: SessionCalendar,
        clock: Clock,
    ) -> None:
        self._queries = queries
        self._directory = directory
        self._marks = marks
        self._closes = closes
        self._calendar = calendar
        self._clock = clock

    async def positions(self, account_id: AccountId) -> list[AlpacaPosition]:
        """Positions that are not flat, by symbol. Raises `StoreUnavailable`, `BusUnavailable`."""
        day_start_ns = self._calendar.previous_close_ns(self._clock.now_ns())
        activity = await self._queries.activity(account_id, day_start_ns)
        held = [] if activity is None else [p for _, p in sorted(activity.account.positions.items()) if p.qty]
        return [] if activity is None else await self._shown(activity, held, day_start_ns)

    async def position(self, account_id: AccountId, symbol: Symbol) -> AlpacaPosition | None:
        """The position in one symbol, None when it is flat. Raises as `positions`."""
        day_start_ns = self._calendar.previous_close_ns(self._clock.now_ns())
        activity = await self._queries.activity(account_id, day_start_ns)
        held = None if activity is None else activity.account.positions.get(symbol)
        if activity is None or held is None or not held.qty:
            return None
        [shown] = await self._shown(activity, [held], day_start_ns)
        return shown

    async def _shown(
        self, activity: AccountActivity, held: Sequence[Position], day_start_ns: int
    ) -> list[AlpacaPosition]:
        if not held:
            return []
        marks = await self._marks.current()
        last_prices = await self._last_prices(activity, held, day_start_ns)
        shown = []
        for position in held:
            symbol = position.symbol
            last_price = last_prices.get(symbol, position.average_entry_price)
            cost = day_cost(position.qty, activity.turnover.get(symbol, NO_TURNOVER), last_price)
            instrument = await self._directory.of_symbol(symbol)
            basis = DayBasis(last_price=last_price, cost=cost)
            shown.append(alpaca_position(position, instrument, marks.get(symbol), basis))
        return shown

    async def _last_prices(
        self, activity: AccountActivity, held: Sequence[Position], day_start_ns: int
    ) -> Mapping[Symbol, Decimal]:
        closes = await self._closes.of_market([position.symbol for position in held])
        carried = [
            position.symbol
            for position in held
            if position.symbol not in closes and activity.qty_before(position.symbol)
        ]
        if not carried:
            return closes
        account_id = activity.account.account_id
        return {**closes, **await self._queries.last_execution_prices(account_id, carried, day_start_ns)}
