"""Which stored bars are those of the market that the settings name."""

from tradewind.adapters.postgres.bar_store import IMPORTED, SIMULATED
from tradewind.domain.market.daily_bars import MINUTE_TIMEFRAME
from tradewind.domain.market.timeframe import Timeframe
from tradewind.settings import Settings

_BAR_SOURCES = {"simulated": SIMULATED, "replay": IMPORTED}


def bar_source(feed: str) -> str:
    """Whose bars belong to a feed: a replay reads what was imported."""
    return _BAR_SOURCES[feed]


def close_timeframe(settings: Settings) -> str:
    """The timeframe of the stored bars that every symbol of the feed has: closing prices come from them."""
    return str(Timeframe.parse(settings.replay_timeframe)) if settings.feed == "replay" else MINUTE_TIMEFRAME
