"""What an account was worth at the previous day's close: Alpaca's `last_equity` and its like.

Cash and quantities at the close are worked out backwards from the books (see `domain.accounts.activity`), so no service
has to be up at midnight to write a snapshot, and an account that nobody asked about has its number all the same. What
was held counts at the stored close of that moment; where none is known (a symbol without bars, a replay, whose prices are
of another time) at the price of the account's own last execution before it.
"""

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.accounts.activity import AccountActivity
from tradewind.domain.accounts.valuation import maintenance_rate
from tradewind.domain.decimals import ZERO
from tradewind.domain.identifiers import AccountId, Symbol
from tradewind.domain.market.calendar import SessionCalendar
from tradewind.ports.clock import Clock
from tradewind.ports.trading_queries import TradingQueries
from tradewind.services.gateway.instrument_directory import InstrumentDirectory
from tradewind.services.gateway.previous_closes import SETTLED_AFTER_NS, PreviousCloses
from tradewind.services.gateway.timestamps import EASTERN, rfc3339

REMEMBERED_ACCOUNTS_MAX = 10_000
"""Accounts whose last day is kept; beyond it the one asked about longest ago is read again when it is."""

_DATE_LENGTH = len("2024-01-02")


class LastDay(msgspec.Struct, frozen=True, kw_only=True):
    """An account at the previous close; `asof` is that day, `2024-01-02`."""

    equity: Decimal
    maintenance_margin: Decimal
    asof: str


class LastDayReader:
    """Works out each account's last day, once a day where nothing about it can still change."""

    def __init__(
        self,
        queries: TradingQueries,
        closes: PreviousCloses,
        directory: InstrumentDirectory,
        calendar: SessionCalendar,
        clock: Clock,
    ) -> None:
        self._queries = queries
        self._closes = closes
        self._directory = directory
        self._calendar = calendar
        self._clock = clock
        self._known: OrderedDict[AccountId, tuple[int, LastDay]] = OrderedDict()

    async def of(self, account: Account) -> LastDay:
        """The account at the previous close; one opened since is worth what was paid in since then, on its first day.

        Raises `StoreUnavailable`, `BusUnavailable`.
        """
        now_ns = self._clock.now_ns()
        close_ns = self._calendar.previous_close_ns(now_ns)
        known_ns, known = self._known.get(account.account_id, (None, None))
        if known is not None and known_ns == close_ns:
            self._known.move_to_end(account.account_id)
            return known
        if account.created_at_ns >= close_ns:
            deposits = await self._queries.net_deposits(account.account_id, account.created_at_ns)
            return LastDay(equity=deposits, maintenance_margin=ZERO, asof=_date(account.created_at_ns))
        activity = await self._queries.activity(account.account_id, close_ns)
        assert activity is not None, "accounts are never deleted"
        held = activity.quantities_before
        closes = await self._closes.at(list(held), close_ns)
        prices = await self._prices(activity, held, closes, close_ns)
        last_day = await self._valued(activity, held, prices, close_ns)
        if len(closes) == len(held) and now_ns - close_ns >= SETTLED_AFTER_NS:
            self._remember(account.account_id, close_ns, last_day)
        return last_day

    async def _prices(
        self,
        activity: AccountActivity,
        held: Mapping[Symbol, Decimal],
        closes: Mapping[Symbol, Decimal],
        close_ns: int,
    ) -> dict[Symbol, Decimal]:
        unknown = [symbol for symbol in held if symbol not in closes]
        if not unknown:
            return dict(closes)
        account_id = activity.account.account_id
        return {**closes, **await self._queries.last_execution_prices(account_id, unknown, close_ns)}

    async def _valued(
        self,
        activity: AccountActivity,
        held: Mapping[Symbol, Decimal],
        prices: Mapping[Symbol, Decimal],
        close_ns: int,
    ) -> LastDay:
        instruments = await self._directory.by_symbol()
        equity, maintenance = activity.cash_before, ZERO
        for symbol, qty in held.items():
            # There is a price: what is held was bought or sold before.
            value = qty * prices[symbol]
            equity += value
            maintenance += abs(value) * maintenance_rate(instruments[symbol], activity.account.multiplier)
        return LastDay(equity=equity, maintenance_margin=maintenance, asof=_date(close_ns - 1))

    def _remember(self, account_id: AccountId, close_ns: int, last_day: LastDay) -> None:
        self._known[account_id] = (close_ns, last_day)
        self._known.move_to_end(account_id)
        if len(self._known) > REMEMBERED_ACCOUNTS_MAX:
            self._known.popitem(last=False)


def _date(ts_ns: int) -> str:
    return rfc3339(ts_ns, EASTERN)[:_DATE_LENGTH]
