"""The simulated market: plausible, ordered, and the same for the same seed."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.instruments import coin, share
from tradewind.domain.market.instrument import AssetClass
from tradewind.domain.market.ticks import Quote, Trade
from tradewind.domain.market.timeframe import NS_PER_S
from tradewind.engine.market_simulation import MarketSimulation

START_NS = 1_700_000_000 * NS_PER_S
INSTRUMENTS = [
    share("AAPL"),
    share("PENNY", name="A stock around a dollar", exchange="OTC"),
    coin("BTC/USD", tick_size=Decimal("0.5")),
]
START_PRICES = {"PENNY": Decimal("1.00")}
Events = list[Quote | Trade]


def simulation(seed: int = 7, start_prices: Mapping[str, Decimal] = START_PRICES) -> MarketSimulation:
    return MarketSimulation(
        INSTRUMENTS, seed=seed, quotes_per_s=4.0, start_ns=START_NS, start_prices=start_prices
    )


@pytest.fixture(scope="module")
def hour() -> Events:
    """What happens within half an hour."""
    return simulation().step(START_NS + 1_800 * NS_PER_S)


def test_quotes_never_cross_and_all_prices_and_sizes_are_on_their_grids(hour: Events) -> None:
    by_symbol = {instrument.symbol: instrument for instrument in INSTRUMENTS}
    for event in hour:
        instrument = by_symbol[event.symbol]
        step = Decimal("0.0001") if instrument.asset_class is AssetClass.CRYPTO else Decimal(1)
        if isinstance(event, Quote):
            prices, sizes = [event.bid_price, event.ask_price], [event.bid_size, event.ask_size]
            assert event.bid_price < event.ask_price
        else:
            prices, sizes = [event.price], [event.size]
        assert all(price > 0 and price % instrument.tick_for(price) == 0 for price in prices)
        assert all(size > 0 and size % step == 0 for size in sizes)


def test_time_never_goes_back_and_every_symbol_quotes_at_its_rate(hour: Events) -> None:
    times = [event.ts_ns for event in hour]
    assert times == sorted(times)
    for instrument in INSTRUMENTS:
        quotes = [e for e in hour if isinstance(e, Quote) and e.symbol == instrument.symbol]
        assert abs(len(quotes) - 4 * 1_800) <= 1


def test_trades_happen_at_the_touch_for_no_more_than_is_shown_with_rising_ids(hour: Events) -> None:
    quotes: dict[str, Quote] = {}
    last_ids: dict[str, int] = {}
    for event in hour:
        if isinstance(event, Quote):
            quotes[event.symbol] = event
            continue
        quote = quotes[event.symbol]
        shown = {quote.bid_price: quote.bid_size, quote.ask_price: quote.ask_size}
        assert event.size <= shown[event.price]
        assert event.ts_ns > quote.ts_ns
        assert event.trade_id > last_ids.get(event.symbol, 0)
        last_ids[event.symbol] = event.trade_id
    assert set(last_ids) == {"AAPL", "PENNY", "BTC/USD"}


def test_prices_move_by_as_much_as_their_volatility_says(hour: Events) -> None:
    mids = [float(e.mid_price) for e in hour if isinstance(e, Quote) and e.symbol == "AAPL"]
    assert 0.001 < max(mids) / min(mids) - 1 < 0.1


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(hour: Events) -> None:
    until_ns = START_NS + 30 * NS_PER_S
    assert msgspec.msgpack.encode(simulation().step(until_ns)) == msgspec.msgpack.encode(
        [event for event in hour if event.ts_ns <= until_ns]
    )
    assert simulation(seed=8).step(until_ns) != simulation().step(until_ns)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3 * NS_PER_S), max_size=15))
def test_how_time_is_cut_into_steps_changes_nothing(steps_ns: list[int]) -> None:
    whole, cut = simulation(), simulation()
    now_ns = START_NS
    events: Events = []
    for step_ns in steps_ns:
        now_ns += step_ns
        events += cut.step(now_ns)
    assert events == whole.step(now_ns)


def test_it_goes_on_from_the_given_prices() -> None:
    first = simulation(start_prices={"AAPL": Decimal("99.37")}).step(START_NS + NS_PER_S)
    quote = next(e for e in first if isinstance(e, Quote) and e.symbol == "AAPL")
    assert abs(quote.mid_price - Decimal("99.37")) < Decimal("0.25")


def test_a_pause_is_skipped_without_events_and_the_prices_stay() -> None:
    market = simulation()
    before = market.step(START_NS + 10 * NS_PER_S)
    market.skip_to(START_NS + 3_600 * NS_PER_S)
    after = market.step(START_NS + 3_601 * NS_PER_S)
    assert min(event.ts_ns for event in after) >= START_NS + 3_600 * NS_PER_S
    last = [e for e in before if isinstance(e, Quote) and e.symbol == "AAPL"][-1]
    first = next(e for e in after if isinstance(e, Quote) and e.symbol == "AAPL")
    assert abs(first.mid_price / last.mid_price - 1) < Decimal("0.001")


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="quotes_per_s"):
        MarketSimulation(INSTRUMENTS, seed=1, quotes_per_s=0.0, start_ns=0, start_prices={})
