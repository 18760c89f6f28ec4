"""The fast venue and the naive one say the same about a long random session."""

import random
from collections import Counter
from decimal import Decimal

import pytest

from tests.property.naive_venue import NS_PER_SESSION, NaiveVenue
from tests.venue_scenarios import INSTRUMENTS, order, say
from tradewind.domain.market.ticks import Quote, Trade
from tradewind.domain.orders.order import Order
from tradewind.engine.simulated_venue import SimulatedVenue
from tradewind.engine.venue_rules import VenueRules

OPERATIONS = 10_000
_KINDS = ("market", "limit {limit}", "limit {limit}", "stop {stop}", "stop {stop} limit {limit}")
_TIFS = ("gtc", "gtc", "day", "ioc", "fok")


class _ShortSessions:
    def is_open(self, ts_ns: int) -> bool:
        return True

    def session_close_ns(self, ts_ns: int) -> int:
        return ts_ns - ts_ns % NS_PER_SESSION + NS_PER_SESSION

    def next_open_ns(self, ts_ns: int) -> int:
        return self.session_close_ns(ts_ns)

    def next_close_ns(self, ts_ns: int) -> int:
        return self.session_close_ns(ts_ns)


class _Session:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        rules = VenueRules(instruments=INSTRUMENTS, calendar=_ShortSessions())
        self.fast = SimulatedVenue(rules, execution_prefix="x")
        self.naive = NaiveVenue()
        self.now_ns = NS_PER_SESSION
        self.sent = 0
        self.ids: list[str] = []
        self.middle = 1_000

    def _price(self, spread: int) -> str:
        return str(Decimal(self.middle + self.random.randint(-spread, spread)) / 100)

    def _new_order(self) -> Order:
        self.sent += 1
        side = self.random.choice(("buy", "sell"))
        pricing = self.random.choice(_KINDS).format(limit=self._price(25), stop=self._price(25))
        tif = self.random.choice(_TIFS)
        new = order(
            f"{side} {self.random.randint(1, 300)} {pricing}", order_id=f"{self.sent}", time_in_force=tif
        )
        new.client_order_id = f"{self.sent:09}"  # the order of arrival, for the naive venue
        return new

    def _any_id(self) -> str:
        return self.random.choice(self.ids[-120:]) if self.ids else "none"

    def step(self) -> tuple[list[str], list[str]]:
        """One random operation on both; what each said."""
        self.now_ns += self.random.randint(0, 5_000)
        before = [say(report) for report in self.fast.advance(self.now_ns)]
        naive_before = self.naive.advance(self.now_ns)
        fast, naive = self._operate()
        return before + fast, naive_before + naive

    def _operate(self) -> tuple[list[str], list[str]]:
        dice = self.random.random()
        now_ns = self.now_ns
        if dice < 0.40:
            new = self._new_order()
            self.ids.append(new.order_id)
            return [say(r) for r in self.fast.submit(new, now_ns)], self.naive.submit(new, now_ns)
        if dice < 0.55:
            gone = order("buy 1 market", order_id=self._any_id())
            return [say(r) for r in self.fast.cancel(gone, now_ns)], self.naive.cancel(gone.order_id)
        if dice < 0.62:
            old_id, new = self._any_id(), self._new_order()
            self.ids.append(new.order_id)
            fast = self.fast.replace(old_id, new, now_ns)
            return [say(r) for r in fast], self.naive.replace(old_id, new, now_ns)
        if dice < 0.63:
            forgotten = self._any_id()
            self.fast.forget([forgotten])
            self.naive.forget(forgotten)
            return [], []
        return self._market_moves(dice)

    def _market_moves(self, dice: float) -> tuple[list[str], list[str]]:
        self.middle = max(500, self.middle + self.random.randint(-8, 8))
        sizes = [Decimal(self.random.choice((0, 50, 100, 400))) for _ in range(2)]
        if dice < 0.80:
            trade = Trade("AAPL", Decimal(self._price(12)), sizes[0], self.now_ns, 1)
            return [say(r) for r in self.fast.on_trade(trade, self.now_ns)], self.naive.on_trade(trade)
        bid = Decimal(self.middle - self.random.randint(0, 5)) / 100
        ask = Decimal(self.middle + self.random.randint(1, 5)) / 100
        quote = Quote("AAPL", bid, sizes[0] + 1, ask, sizes[1] + 1, self.now_ns)
        return [say(r) for r in self.fast.on_quote(quote, self.now_ns)], self.naive.on_quote(quote)


@pytest.mark.parametrize("seed", [1, 2])
def test_fast_and_naive_venue_agree(seed: int) -> None:
    session = _Session(seed)
    said: Counter[str] = Counter()
    for number in range(OPERATIONS):
        fast, naive = session.step()
        assert fast == naive, f"seed {seed}, operation {number}"
        said.update(text.split()[-1] for text in fast)
    # The session is worth its while only if everything happened in it.
    assert min(said["done"], said["canceled"], said["expired"], said["accepted"]) > 90
