"""The analytics service over HTTP."""

from decimal import Decimal

import httpx
import numpy as np
import pytest

from tests.unit.services.analytics.conftest import (
    ACCOUNT_ID,
    DAY_NS,
    HOUR_NS,
    OPENED_NS,
    OTHER_ACCOUNT_ID,
    SetClock,
    at,
    cash_of,
    execution,
)
from tradewind.adapters.memory.bar_store import MemoryBarStore
from tradewind.adapters.memory.trading_queries import MemoryTradingQueries
from tradewind.operations.metrics import REGISTRY
from tradewind.ports.trading_queries import CashMovement
from tradewind.services.analytics import history, period, prices

ROOT = f"/v1/accounts/{ACCOUNT_ID}"


async def test_performance_of_one_round_trip(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{ROOT}/performance", params={"timeframe": "1Day"})
    assert response.status_code == 200
    answer = response.json()
    # Paid 10,000 and 10 of fees, got 12,000 less 10: 1,980 on 100,000.
    assert answer["equity"] == answer["cash"] == "101980"
    assert (answer["start_equity"], answer["net_deposits"], answer["profit"]) == ("100000", "0", "1980")
    assert answer["total_return"] == pytest.approx(0.0198)
    assert (answer["trades"], answer["win_rate"], answer["profit_factor"]) == (1, 1.0, None)
    assert answer["fees"] == "20"
    # At midnight UTC: 99,990 after the buy, 98,990 a day later at 90, 102,990 at 130, then sold at 120.
    equity = np.array([100_000, 99_990, 98_990, 101_980, 101_980])
    returns = equity[1:] / equity[:-1] - 1
    assert answer["returns_measured"] == 4
    assert answer["periods_per_year"] == 365.25
    assert answer["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1) * 365.25**0.5)
    assert answer["max_drawdown"] == pytest.approx(98_990 / 100_000 - 1)
    assert answer["max_drawdown_details"]["recovered_at"] == "2024-01-05T00:00:00Z"
    assert answer["start"] == "2024-01-01T13:00:00Z"
    assert answer["current_drawdown"] == 0


async def test_equity_curve_at_the_hours_of_the_trade(client: httpx.AsyncClient) -> None:
    parameters = {"timeframe": "1Hour", "start": at(days=1, hours=-1), "end": at(days=3, hours=1)}
    answer = (await client.get(f"{ROOT}/equity-curve", params=parameters)).json()
    points = {point["time"]: point for point in answer["points"]}
    assert answer["timeframe"] == "1Hour"
    assert len(points) == 51
    assert points[at(hours=23)]["equity"] == "100000"
    assert (points[at(days=1)]["equity"], points[at(days=1)]["cash"]) == ("99990", "89990")
    assert points[at(days=2)]["equity"] == "99990"  # the close of the bar that ends now
    assert points[at(days=2, hours=1)]["equity"] == "98990"
    assert points[at(days=3)]["equity"] == "101980"
    assert answer["points"][-1]["total_return"] == pytest.approx(0.0198)


async def test_a_second_deposit_is_money_but_no_return(
    client: httpx.AsyncClient, queries: MemoryTradingQueries
) -> None:
    movements = [
        CashMovement(ts_ns=OPENED_NS + 4 * DAY_NS, amount=Decimal(50_000), kind="CashDeposited"),
        CashMovement(ts_ns=OPENED_NS + 4 * DAY_NS + 1, amount=Decimal(-20_000), kind="CashWithdrawn"),
    ]
    queries.add_cash_movements(ACCOUNT_ID, movements)
    answer = (await client.get(f"{ROOT}/performance")).json()
    assert (answer["equity"], answer["net_deposits"], answer["profit"]) == ("131980", "30000", "1980")
    assert answer["total_return"] == pytest.approx(0.0198)


async def test_trades_newest_first(client: httpx.AsyncClient, queries: MemoryTradingQueries) -> None:
    later = [
        execution(3, OPENED_NS + 4 * DAY_NS, "sell", "1", "50"),
        execution(4, OPENED_NS + 4 * DAY_NS + HOUR_NS, "buy", "1", "60", "0.5"),
    ]
    queries.add_executions(later)
    queries.add_cash_movements(ACCOUNT_ID, [cash_of(one) for one in later])
    answer = (await client.get(f"{ROOT}/trades")).json()
    assert answer["count"] == 2
    short, long = answer["trades"]
    assert (short["side"], short["gross_pnl"], short["net_pnl"]) == ("short", "-10", "-10.5")
    assert long == {
        "symbol": "AAPL",
        "side": "long",
        "qty": "100",
        "entered_at": at(days=1),
        "exited_at": at(days=3),
        "duration_s": 172_800.0,
        "entry_price": "100",
        "exit_price": "120",
        "gross_pnl": "2000",
        "fees": "20",
        "net_pnl": "1980",
        "return_on_entry": 0.198,
    }
    only_one = (await client.get(f"{ROOT}/trades", params={"limit": 1})).json()
    assert (only_one["count"], len(only_one["trades"]), only_one["trades"][0]["side"]) == (2, 1, "short")
    before = (await client.get(f"{ROOT}/trades", params={"end": at(days=2)})).json()
    assert (before["count"], before["trades"]) == (0, [])


async def test_an_account_without_history_has_nulls_not_nan(
    client: httpx.AsyncClient, queries: MemoryTradingQueries, clock: SetClock
) -> None:
    fresh = MemoryTradingQueries()
    account = await queries.account(ACCOUNT_ID)
    assert account is not None
    queries.__dict__.update(fresh.__dict__)
    queries.add_account(account)
    clock.time_ns = OPENED_NS
    answer = (await client.get(f"{ROOT}/performance")).json()
    assert answer["equity"] == "0"
    for ratio in (
        "total_return",
        "max_drawdown",
        "sharpe",
        "sortino",
        "volatility",
        "win_rate",
        "profit_factor",
    ):
        assert answer[ratio] is None
    assert len((await client.get(f"{ROOT}/equity-curve")).json()["points"]) == 1


async def test_only_the_owner_sees_an_account(client: httpx.AsyncClient) -> None:
    for path in (f"/v1/accounts/{OTHER_ACCOUNT_ID}/performance", "/v1/accounts/nonsense/trades"):
        response = await client.get(path)
        assert response.status_code == 404
        assert response.json()["code"] == 40410000
        assert path.split("/")[3] in response.json()["message"]


@pytest.mark.parametrize("headers", [{}, {"APCA-API-KEY-ID": "PKTRADER", "APCA-API-SECRET-KEY": "wrong"}])
async def test_wrong_credentials_are_401(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    client.headers.pop("APCA-API-KEY-ID")
    client.headers.pop("APCA-API-SECRET-KEY")
    response = await client.get(f"{ROOT}/performance?timeframe=nonsense", headers=headers)
    assert response.status_code == 401
    assert response.json() == {"code": 40110000, "message": "request is not authorized"}


@pytest.mark.parametrize(
    ("path", "parameters", "named"),
    [
        ("performance", {"timeframe": "7Fortnight"}, ["timeframe", "7Fortnight", "1-59Min"]),
        ("performance", {"start": "yesterday"}, ["start", "yesterday", "RFC 3339"]),
        ("performance", {"end": "2024-01-05T00:00:00"}, ["end", "2024-01-05T00:00:00", "zone"]),
        ("performance", {"end": "2024-13-01"}, ["end", "2024-13-01", "2024-01-31"]),
        ("performance", {"end": "1990-01-01"}, ["end", "1990-01-01", "opening"]),
        (
            "equity-curve",
            {"start": "2024-01-04", "end": "2024-01-03"},
            ["start", "2024-01-04", "before the end"],
        ),
        ("equity-curve", {"timeframe": "1Sec"}, ["timeframe", "1Sec", "20000"]),
        ("trades", {"limit": "0"}, ["limit", "0", "1 to 1000"]),
        ("trades", {"limit": "many"}, ["limit", "many", "1 to 1000"]),
        ("trades", {"limit": "99999999999999"}, ["limit", "99999999999999"]),
    ],
)
async def test_a_bad_parameter_is_named_with_its_value_and_what_is_allowed(
    client: httpx.AsyncClient, path: str, parameters: dict[str, str], named: list[str]
) -> None:
    response = await client.get(f"{ROOT}/{path}", params=parameters)
    assert response.status_code == 422
    assert response.json()["code"] == 40010001
    for word in named:
        assert word in response.json()["message"]


async def test_times_with_an_offset_and_a_lost_plus_sign(client: httpx.AsyncClient) -> None:
    for end in ("2024-01-04T13:00:00%2B01:00", "2024-01-04T13:00:00+01:00", "2024-01-04T12:00:00Z"):
        response = await client.get(f"{ROOT}/performance?end={end}")
        assert (response.status_code, response.json()["end"]) == (200, "2024-01-04T12:00:00Z")


@pytest.mark.parametrize("which", ["queries", "bars"])
async def test_a_lost_store_is_503(
    client: httpx.AsyncClient, queries: MemoryTradingQueries, bars: MemoryBarStore, which: str
) -> None:
    {"queries": queries, "bars": bars}[which].is_available = False
    response = await client.get(f"{ROOT}/performance")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "try again" in response.json()["message"]


async def test_unknown_paths_and_methods(client: httpx.AsyncClient) -> None:
    missing = await client.get("/v1/nothing")
    assert (missing.status_code, missing.json()) == (
        404,
        {"code": 40410000, "message": "endpoint not found."},
    )
    assert (await client.post(f"{ROOT}/performance")).status_code == 405


async def test_operations_and_documentation_need_no_key(client: httpx.AsyncClient) -> None:
    client.headers.pop("APCA-API-KEY-ID")
    assert (await client.get("/health")).json()["status"] == "alive"
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "://" not in page.text.split("<script>")[0], "the page needs nothing from outside"
    assert "/v1/accounts/{account_id}/performance" in page.text
    described = (await client.get("/docs/openapi.json")).json()
    parameters = described["paths"]["/v1/accounts/{account_id}/performance"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} == {"account_id", "start", "end", "timeframe"}


async def test_requests_are_counted_by_route_and_carry_an_id(client: httpx.AsyncClient) -> None:
    labels = {"route": "/v1/accounts/{account_id}/trades", "status": "200"}
    before = REGISTRY.get_sample_value("tradewind_http_requests_total", labels) or 0
    response = await client.get(f"{ROOT}/trades", headers={"X-Request-ID": "my-id-1"})
    assert response.headers["x-request-id"] == "my-id-1"
    strange = await client.get(f"{ROOT}/trades", headers={"X-Request-ID": "no spaces allowed"})
    assert len(strange.headers["x-request-id"]) == 36
    assert REGISTRY.get_sample_value("tradewind_http_requests_total", labels) == before + 2


async def test_small_pages_give_the_same_answer(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (await client.get(f"{ROOT}/equity-curve?timeframe=1Hour")).json()
    monkeypatch.setattr(history, "PAGE_ROWS", 2)
    monkeypatch.setattr(prices, "BAR_PAGE_ROWS", 7)
    assert (await client.get(f"{ROOT}/equity-curve?timeframe=1Hour")).json() == whole


async def test_executions_of_the_same_instant_are_counted_once_across_pages(
    client: httpx.AsyncClient, queries: MemoryTradingQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant_ns = OPENED_NS + 4 * DAY_NS
    queries.add_executions(
        execution(seq, instant_ns, "buy" if seq % 2 else "sell", "1", "10") for seq in range(3, 9)
    )
    whole = (await client.get(f"{ROOT}/trades")).json()
    assert whole["count"] == 4
    monkeypatch.setattr(history, "PAGE_ROWS", 7)
    assert (await client.get(f"{ROOT}/trades")).json() == whole


@pytest.mark.parametrize(("module", "bound"), [(history, "PAGES_MAX"), (prices, "BARS_MAX")])
async def test_more_history_than_one_request_may_read_is_refused(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, module: object, bound: str
) -> None:
    monkeypatch.setattr(history, "PAGE_ROWS", 2)
    monkeypatch.setattr(module, bound, 1)
    response = await client.get(f"{ROOT}/performance?timeframe=1Hour")
    assert response.status_code == 422
    assert "more than" in response.json()["message"]


async def test_few_points_over_many_bars_are_looked_up_one_by_one(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranged = (await client.get(f"{ROOT}/equity-curve?timeframe=1Day")).json()
    monkeypatch.setattr(prices, "_LOOKUP_COST_BARS", 0)
    assert (await client.get(f"{ROOT}/equity-curve?timeframe=1Day")).json() == ranged


def test_default_steps_suit_the_length_of_the_period() -> None:
    steps = [
        str(period.resolve_period(period.RequestedPeriod(), 0, days * DAY_NS).timeframe)
        for days in (1, 30, 31)
    ]
    assert steps == ["1Min", "15Min", "1Day"]
