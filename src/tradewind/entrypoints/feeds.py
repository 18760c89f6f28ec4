"""Opens the feed that the settings name."""

from tradewind.adapters.feeds.replay import ReplayFeed, ReplayPlan
from tradewind.adapters.feeds.simulated import SimulatedFeed
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.daily_bars import DAY, MINUTE_TIMEFRAME
from tradewind.domain.market.ticks import Bar
from tradewind.domain.market.timeframe import Timeframe
from tradewind.domain.market.universe import default_universe
from tradewind.engine.market_simulation import MarketSimulation
from tradewind.operations.logging import get_logger
from tradewind.ports.clock import Clock
from tradewind.ports.feed import Feed
from tradewind.ports.market_data import BarStore
from tradewind.ports.trading_queries import TradingQueries
from tradewind.settings import Settings

START_PRICE_TIMEFRAME = MINUTE_TIMEFRAME
"""A simulated market goes on from the closes of these bars."""
MINUTES_A_DAY = 1_440

_log = get_logger(__name__)


async def open_simulated_feed(settings: Settings, store: BarStore, clock: Clock) -> Feed:
    """The simulated market, from the last stored closes on. Raises `StoreUnavailable`."""
    latest = await store.latest_bars(START_PRICE_TIMEFRAME)
    simulation = MarketSimulation(
        default_universe(),
        seed=settings.simulated_seed,
        quotes_per_s=settings.simulated_quotes_per_s,
        start_ns=clock.now_ns(),
        start_prices={symbol: bar.close for symbol, bar in latest.items()},
    )
    return SimulatedFeed(simulation, clock)


async def minutes_of_today(store: BarStore, clock: Clock) -> list[Bar]:
    """The stored minute bars of the day that runs, by symbol and time. Raises `StoreUnavailable`."""
    start_ns = DAY.start_of(clock.now_ns())
    end_ns = start_ns + DAY.duration_ns
    bars: list[Bar] = []
    for instrument in default_universe():
        bars += await store.read_bars(instrument.symbol, MINUTE_TIMEFRAME, start_ns, end_ns, MINUTES_A_DAY)
    return bars


async def no_minutes() -> list[Bar]:
    """A replay begins its first day anew."""
    return []


async def open_replay_feed(settings: Settings, store: BarStore, queries: TradingQueries) -> Feed:
    """The stored history that the settings name, from its beginning. Raises `StoreUnavailable`."""
    timeframe = Timeframe.parse(settings.replay_timeframe)
    stored = {row.symbol for row in await store.coverage() if row.timeframe == str(timeframe)}
    wanted = symbols_in(settings.replay_symbols) or tuple(sorted(stored))
    instruments = {instrument.symbol: instrument for instrument in await queries.instruments()}
    for symbol in wanted:
        if symbol not in stored:
            _log.warning("nothing to replay: import bars first", symbol=symbol, timeframe=str(timeframe))
        elif symbol not in instruments:
            _log.warning("not replayed: the symbol is no instrument", symbol=symbol)
    replayed = {s: instruments[s] for s in wanted if s in stored and s in instruments}
    return ReplayFeed(
        store, ReplayPlan(instruments=replayed, timeframe=timeframe, speed=settings.replay_speed)
    )


def symbols_in(text: str) -> tuple[Symbol, ...]:
    """The symbols in a comma-separated list, upper-case, each once, in their order."""
    return tuple(dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip()))
