"""Subscriptions add up, are told back whole, and decide what a client gets."""

import pytest

from tests.unit.services.websocket.makers import bar, daily_bar, quote, trade
from tradewind.services.websocket.subscriptions import Feed, Subscriptions, TooManySymbols, UnknownChannel


def test_the_state_names_every_channel_of_the_stream() -> None:
    assert Subscriptions(Feed.STOCKS, 10).state() == {
        "trades": [], "quotes": [], "bars": [], "updatedBars": [], "dailyBars": [], "statuses": [], "lulds": [],
        "corrections": [], "cancelErrors": [],
    }  # fmt: skip
    assert list(Subscriptions(Feed.CRYPTO, 10).state()) == [
        "trades", "quotes", "bars", "updatedBars", "dailyBars", "orderbooks",
    ]  # fmt: skip


def test_subscriptions_add_up_and_trades_imply_their_corrections() -> None:
    subscriptions = Subscriptions(Feed.STOCKS, 10)
    subscriptions.add({"trades": ["AAPL"], "statuses": ["*"]})
    subscriptions.add({"trades": ["MSFT", "AAPL"]})
    state = subscriptions.state()
    assert state["trades"] == state["corrections"] == state["cancelErrors"] == ["AAPL", "MSFT"]
    assert state["statuses"] == ["*"]
    subscriptions.remove({"trades": ["AAPL", "never asked for"]})
    assert subscriptions.state()["corrections"] == ["MSFT"]


def test_a_subscription_beyond_the_bound_changes_nothing() -> None:
    subscriptions = Subscriptions(Feed.CRYPTO, 2)
    subscriptions.add({"quotes": ["BTC/USD"]})
    with pytest.raises(TooManySymbols):
        subscriptions.add({"quotes": ["ETH/USD", "SOL/USD"]})
    assert subscriptions.state()["quotes"] == ["BTC/USD"]


def test_a_channel_of_another_stream_is_refused_whole() -> None:
    subscriptions = Subscriptions(Feed.STOCKS, 10)
    with pytest.raises(UnknownChannel):
        subscriptions.add({"trades": ["AAPL"], "orderbooks": ["BTC/USD"]})
    assert subscriptions.state()["trades"] == []


def test_a_client_gets_what_it_named_and_no_more() -> None:
    subscriptions = Subscriptions(Feed.STOCKS, 10)
    subscriptions.add({"trades": ["AAPL"], "bars": ["*"]})
    interest = subscriptions.interest()
    assert interest.covers(trade("AAPL"))
    assert not interest.covers(trade("MSFT"))
    assert not interest.covers(quote("AAPL"))
    assert interest.covers(bar("MSFT"))
    assert not interest.covers(bar("MSFT", timeframe="5Sec"))
    assert not interest.covers(daily_bar("MSFT"))
    subscriptions.add({"dailyBars": ["MSFT"]})
    assert subscriptions.interest().covers(daily_bar("MSFT"))
    assert not subscriptions.interest().covers(daily_bar("AAPL"))


def test_who_wants_nothing_but_days_is_not_forgotten() -> None:
    subscriptions = Subscriptions(Feed.CRYPTO, 10)
    subscriptions.add({"dailyBars": ["BTC/USD"]})
    assert not subscriptions.interest().is_empty
    assert subscriptions.interest().covers(daily_bar("BTC/USD"))


def test_a_wildcard_stays_within_its_stream() -> None:
    stocks, crypto = Subscriptions(Feed.STOCKS, 10), Subscriptions(Feed.CRYPTO, 10)
    stocks.add({"quotes": ["*", "BTC/USD"]})
    crypto.add({"quotes": ["*", "AAPL"]})
    assert stocks.interest().covers(quote("AAPL"))
    assert not stocks.interest().covers(quote("BTC/USD"))
    assert crypto.interest().covers(quote("BTC/USD"))
    assert not crypto.interest().covers(quote("AAPL"))
