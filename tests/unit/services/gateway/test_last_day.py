"""The day before, through the REST API: what the account was worth then, and what today added."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.unit.services.gateway import alpaca_models
from tests.unit.services.gateway.desk import START_NS, Desk
from tradewind.domain.commands import DepositCash
from tradewind.domain.market.ticks import Bar, Trade
from tradewind.services.gateway.app import create_app

HOUR_S = 3_600
MINUTE_NS = 60_000_000_000
MIDNIGHT_NS = 1_700_024_400 * 1_000_000_000
"""2023-11-15, midnight in New York: the desk opened at 17:13 the day before."""
MORNING_NS = MIDNIGHT_NS + 10 * HOUR_S * 1_000_000_000


def bar(symbol: str, start_ns: int, close: str) -> Bar:
    price = Decimal(close)
    return Bar(symbol, "1Min", start_ns, price, price, price, price, Decimal(1), 1, price)


async def store_closes(desk: Desk, **closes: str) -> None:
    """The day's last minute; the minutes after midnight say something else."""
    for symbol, close in closes.items():
        last, first = MIDNIGHT_NS - MINUTE_NS, MIDNIGHT_NS - MINUTE_NS + 1
        await desk.bars.write_bars([bar(symbol, last, close), bar(symbol, first, "5000")])


async def begin_the_next_day(desk: Desk, **prices: str) -> None:
    desk.clock.ns = MORNING_NS
    await desk.set_prices({symbol: Decimal(price) for symbol, price in prices.items()})


async def shown(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/v2/account")
    assert answer.status_code == 200, answer.text
    account: dict[str, Any] = answer.json()
    assert alpaca_models.TradeAccount(**account).last_equity == account["last_equity"]
    return account


async def test_on_its_first_day_an_account_is_measured_against_its_deposits(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    await desk.hold("AAPL", "10", "190")
    await desk.set_prices({"AAPL": Decimal(200)})
    account = await shown(client)
    assert (account["last_equity"], account["equity"]) == ("100000", "100100")
    assert (account["last_maintenance_margin"], account["balance_asof"]) == ("0", "2023-11-14")


async def test_the_last_equity_is_that_of_the_previous_close(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.hold("AAPL", "10", "190")
    await desk.hold("BTC/USD", "0.5", "60000")
    await store_closes(desk, **{"AAPL": "195", "BTC/USD": "61000"})
    await begin_the_next_day(desk, **{"AAPL": "209", "BTC/USD": "70000"})
    expected = ("100550", "31085", "2023-11-14")  # 10 x 5 + 0.5 x 1000; 30 % of 1950, all of 30500
    account = await shown(client)
    names = ("last_equity", "last_maintenance_margin", "balance_asof")
    assert tuple(account[name] for name in names) == expected
    assert account["equity"] == "105190"

    # Nothing that happens today changes yesterday, whether or not this process knew it already.
    await desk.hold("AAPL", "5", "210")
    await desk.hold("MSFT", "1", "400")
    desk.apply(DepositCash(account_id=desk.account_id, amount=Decimal(500)))
    again = await shown(client)
    async with desk.client(create_app(desk.dependencies())) as other_replica:
        fresh = await shown(other_replica)
    for later in (again, fresh):
        assert tuple(later[name] for name in names) == expected


async def test_what_was_held_yesterday_and_sold_today_counts_as_held(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    await desk.hold("AAPL", "10", "190")
    await store_closes(desk, AAPL="195")
    await begin_the_next_day(desk, AAPL="209")
    order = (await client.delete("/v2/positions/AAPL")).json()
    desk.fill(order["id"], "10", "209")
    account = await shown(client)
    assert (account["last_equity"], account["equity"]) == ("100050", "100190")


async def test_without_a_close_the_accounts_own_last_price_stands(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    await desk.hold("AAPL", "10", "190")
    await desk.hold("AAPL", "10", "192")
    await begin_the_next_day(desk, AAPL="209")
    assert (await shown(client))["last_equity"] == "100020"  # 20 at 192 cost 3820
    (position,) = (await client.get("/v2/positions")).json()
    assert position["lastday_price"] == "192"


async def test_bars_of_another_time_are_no_close_of_yesterday(desk: Desk, client: httpx.AsyncClient) -> None:
    """On a replay the market is years behind the clock."""
    await desk.hold("AAPL", "10", "190")
    year_2000_ns = 951_868_800 * 1_000_000_000  # 2000-03-01, 19:00 of the day before in New York
    day_ns = 24 * 60 * MINUTE_NS
    for day, close in ((-1, "150"), (0, "160"), (1, "170")):
        await desk.bars.write_bars([bar("AAPL", year_2000_ns + day * day_ns, close)])
    desk.clock.ns = MORNING_NS
    noon_ns = year_2000_ns + day_ns // 2
    await desk.market_data.publish([Trade("AAPL", Decimal(176), Decimal(1), noon_ns, 9)])
    assert (await shown(client))["last_equity"] == "100000"
    (position,) = (await client.get("/v2/positions")).json()
    assert (position["lastday_price"], position["change_today"]) == ("160", "0.1")


async def test_a_position_is_compared_with_the_previous_close(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.hold("AAPL", "10", "190")
    await store_closes(desk, AAPL="200", MSFT="400")
    await begin_the_next_day(desk, AAPL="210", MSFT="420")
    await desk.hold("AAPL", "5", "205")
    await desk.hold("MSFT", "2", "410")
    apple, microsoft = (await client.get("/v2/positions")).json()
    assert alpaca_models.Position(**apple).lastday_price == "200"
    assert (apple["lastday_price"], apple["change_today"]) == ("200", "0.05")
    assert apple["unrealized_pl"] == "225"  # 10 x 20 + 5 x 5
    assert apple["unrealized_intraday_pl"] == "125"  # 10 x 10 + 5 x 5
    assert Decimal(apple["unrealized_intraday_plpc"]) == pytest.approx(
        Decimal(125) / 3025, abs=Decimal("1e-9")
    )
    assert (microsoft["lastday_price"], microsoft["change_today"]) == ("400", "0.05")
    assert (microsoft["unrealized_intraday_pl"], microsoft["unrealized_pl"]) == ("20", "20")
    assert (await client.get("/v2/positions/AAPL")).json() == apple


async def test_the_first_price_of_a_symbol_without_a_past_is_its_entry(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    await desk.hold("AAPL", "10", "190")
    await desk.set_prices({"AAPL": Decimal(209)})
    position = (await client.get("/v2/positions/AAPL")).json()
    assert (position["lastday_price"], position["change_today"]) == ("190", "0.1")
    assert position["unrealized_intraday_pl"] == position["unrealized_pl"] == "190"
    assert position["unrealized_intraday_plpc"] == "0.1"


async def test_without_any_price_what_needs_one_is_null(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.hold("AAPL", "10", "190")
    desk.market_data._trades.clear()
    desk.clock.advance_s(1)
    position = (await client.get("/v2/positions/AAPL")).json()
    assert position["lastday_price"] == "190"
    assert (position["change_today"], position["unrealized_intraday_pl"]) == (None, None)


async def test_just_after_midnight_a_late_bar_still_counts(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.hold("AAPL", "10", "190")
    await desk.bars.write_bars([bar("AAPL", MIDNIGHT_NS - 2 * MINUTE_NS, "194")])
    desk.clock.ns = MIDNIGHT_NS + 1
    await desk.set_prices({"AAPL": Decimal(195)})
    assert (await shown(client))["last_equity"] == "100040"
    await desk.bars.write_bars([bar("AAPL", MIDNIGHT_NS - MINUTE_NS, "195")])
    assert (await shown(client))["last_equity"] == "100050"
    assert START_NS < MIDNIGHT_NS


async def test_while_the_bars_are_away_the_last_executions_stand_in_for_closes(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    await desk.hold("AAPL", "10", "190")
    await store_closes(desk, AAPL="195")
    await begin_the_next_day(desk, AAPL="209")
    desk.bars.is_available = False
    assert (await shown(client))["last_equity"] == "100000"  # at 190, its price when it was bought
    assert (await client.get("/v2/positions")).json()[0]["lastday_price"] == "190"
    # What stood in is not kept.
    desk.bars.is_available = True
    assert (await shown(client))["last_equity"] == "100050"
    assert (await client.get("/v2/positions")).json()[0]["lastday_price"] == "195"
