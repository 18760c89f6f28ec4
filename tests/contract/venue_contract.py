"""What every venue must do, whatever stands behind it. A venue's test derives from `VenueContract`."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tests.venue_scenarios import ACCOUNT_ID, order, say
from tradewind.domain.commands import VenueReport
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.venue_reports import VenueExecution
from tradewind.ports.venue import Venue

REPORTS_WITHIN_S = 3.0
SILENCE_S = 0.05


class VenueBench(Protocol):
    """A venue under test and its market."""

    @property
    def venue(self) -> Venue:
        """The venue, connected; `restart` puts another in its place."""
        ...

    async def market_shows(self, bid: str, ask: str) -> None:
        """Move AAPL's quote ("price x size" each) at the venue; returns when the venue trades on it."""
        ...

    async def restart(self) -> None:
        """Start the venue's adapter again, as after a crash of this process."""
        ...


async def reports_of(venue: Venue, is_enough: Callable[[list[str]], bool]) -> list[str]:
    """What the venue says until it is enough; fails after `REPORTS_WITHIN_S` without a word."""
    said: list[str] = []
    while not is_enough(said):
        reports = await venue.reports(REPORTS_WITHIN_S)
        assert reports, f"the venue said only {said}"
        said += [say(report) for report in reports]
    return said


async def next_reports(venue: Venue, count: int) -> list[str]:
    """The next `count` reports."""
    return await reports_of(venue, lambda said: len(said) >= count)


async def silence(venue: Venue) -> Sequence[VenueReport]:
    """What the venue says when it should say nothing."""
    return await venue.reports(SILENCE_S)


class VenueContract:
    """The port's promises. Deriving classes give a fixture `bench`; AAPL is quoted at 9.99 x 300, 10.01 x 200."""

    async def test_it_has_a_name(self, bench: VenueBench) -> None:
        assert bench.venue.name

    async def test_an_order_is_accepted_and_filled(self, bench: VenueBench) -> None:
        await bench.venue.submit([order("buy 100 market"), order("sell 50 market", order_id="B")])
        said = await next_reports(bench.venue, 4)
        assert [text for text in said if text.startswith("A")] == ["A accepted", "A 100 @ 10.01 done"]
        assert [text for text in said if text.startswith("B")] == ["B accepted", "B 50 @ 9.99 done"]

    async def test_reports_name_account_order_and_execution(self, bench: VenueBench) -> None:
        await bench.venue.submit([order("buy 250 market")])
        reports: list[VenueReport] = []
        while len(reports) < 2:
            reports += await bench.venue.reports(REPORTS_WITHIN_S)
        await bench.market_shows("9.99x300", "10.02x200")
        reports += await bench.venue.reports(REPORTS_WITHIN_S)
        assert {report.account_id for report in reports} == {ACCOUNT_ID}
        assert all(report.ts_ns > 0 for report in reports)
        executions = [report for report in reports if isinstance(report, VenueExecution)]
        assert [execution.is_complete for execution in executions] == [False, True]
        assert len({execution.execution_id for execution in executions}) == 2

    async def test_the_same_order_sent_again_trades_once(self, bench: VenueBench) -> None:
        resting = order("buy 100 limit 9.00")
        await bench.venue.submit([resting])
        await bench.venue.submit([resting])
        assert (await next_reports(bench.venue, 1))[0] == "A accepted"
        await bench.market_shows("8.80x300", "8.90x500")
        said = await reports_of(bench.venue, lambda said: "A 100 @ 9 done" in said)
        said += [say(report) for report in await silence(bench.venue)]
        assert said.count("A 100 @ 9 done") == 1

    async def test_a_canceled_order_trades_no_more(self, bench: VenueBench) -> None:
        resting = order("buy 100 limit 9.00")
        await bench.venue.submit([resting])
        await bench.venue.cancel([resting])
        assert await next_reports(bench.venue, 2) == ["A accepted", "A canceled"]
        await bench.market_shows("8.80x300", "8.90x500")
        assert not await silence(bench.venue)

    async def test_a_cancel_that_comes_too_late_is_rejected(self, bench: VenueBench) -> None:
        await bench.venue.submit([order("buy 100 market")])
        await next_reports(bench.venue, 2)
        await bench.venue.cancel([order("buy 100 market")])
        assert await next_reports(bench.venue, 1) == ["A cancel rejected"]

    async def test_a_replacement_takes_the_old_orders_place(self, bench: VenueBench) -> None:
        await bench.venue.submit([order("buy 100 limit 9.00")])
        await bench.venue.replace("A", order("buy 80 limit 9.50", order_id="B"))
        assert await next_reports(bench.venue, 2) == ["A accepted", "A replaced by B"]
        await bench.market_shows("8.80x300", "8.90x500")
        assert await next_reports(bench.venue, 1) == ["B 80 @ 9.5 done"]
        assert not await silence(bench.venue)

    async def test_a_replacement_that_comes_too_late_is_rejected(self, bench: VenueBench) -> None:
        await bench.venue.submit([order("buy 100 market")])
        await next_reports(bench.venue, 2)
        await bench.venue.replace("A", order("buy 150 limit 9.00", order_id="B"))
        said = await next_reports(bench.venue, 1)
        assert said[0].startswith("A replace by B rejected")

    async def test_an_ioc_order_fills_what_it_can_and_is_canceled(self, bench: VenueBench) -> None:
        await bench.venue.submit([order("buy 500 limit 10.01", time_in_force="ioc")])
        assert await next_reports(bench.venue, 3) == ["A accepted", "A 200 @ 10.01", "A canceled"]

    async def test_silence_lasts_no_longer_than_asked(self, bench: VenueBench) -> None:
        assert not await bench.venue.reports(0.01)

    async def test_after_a_restart_open_orders_work_on_with_what_they_have_left(
        self, bench: VenueBench
    ) -> None:
        resting = order("buy 100 limit 9.00")
        await bench.venue.submit([resting])
        await next_reports(bench.venue, 1)
        await bench.restart()
        lost = order("buy 10 limit 8.95", order_id="never arrived")
        half = order("buy 100 limit 9.00", filled_qty="60", status=OrderStatus.PARTIALLY_FILLED)
        await bench.venue.reconcile([half, lost])
        await next_reports(bench.venue, 2)
        await bench.market_shows("8.80x300", "8.90x500")
        said = await reports_of(bench.venue, lambda said: "never arrived 10 @ 8.95 done" in said)
        assert "A 40 @ 9 done" in said

    async def test_after_a_restart_orders_in_pending_cancel_are_canceled(self, bench: VenueBench) -> None:
        await bench.restart()
        await bench.venue.reconcile([order("buy 100 limit 9.00", status=OrderStatus.PENDING_CANCEL)])
        said = await reports_of(bench.venue, lambda said: "A canceled" in said)
        await bench.market_shows("8.80x300", "8.90x500")
        said += [say(report) for report in await silence(bench.venue)]
        assert not [text for text in said if "@" in text]

    async def test_after_a_restart_a_pending_replacement_happens(self, bench: VenueBench) -> None:
        await bench.restart()
        old = order("buy 100 limit 9.00", filled_qty="30", status=OrderStatus.PENDING_REPLACE)
        new = order("buy 90 limit 9.10", order_id="B", replaces="A")
        await bench.venue.reconcile([new, old])
        said = await reports_of(bench.venue, lambda said: "A replaced by B" in said)
        await bench.market_shows("8.80x300", "8.90x500")
        said += await next_reports(bench.venue, 1)
        assert said[-1] == "B 60 @ 9.1 done"

    async def test_after_a_restart_a_replacement_of_a_finished_order_is_rejected(
        self, bench: VenueBench
    ) -> None:
        await bench.restart()
        await bench.venue.reconcile([order("buy 90 limit 9.10", order_id="B", replaces="A")])
        said = await next_reports(bench.venue, 1)
        assert said[0].startswith("A replace by B rejected")

    async def test_a_replacement_made_long_ago_works_like_any_order(self, bench: VenueBench) -> None:
        await bench.restart()
        worked = order("buy 90 limit 9.10", order_id="B", replaces="A", status=OrderStatus.NEW)
        await bench.venue.reconcile([worked])
        await next_reports(bench.venue, 1)
        await bench.market_shows("8.80x300", "8.90x500")
        await reports_of(bench.venue, lambda said: "B 90 @ 9.1 done" in said)

    async def test_nothing_is_said_of_forgotten_orders(self, bench: VenueBench) -> None:
        await bench.venue.submit([order("buy 100 limit 9.00"), order("buy 100 market", order_id="B")])
        await bench.venue.forget(["A", "B"])
        await bench.market_shows("8.80x300", "8.90x500")
        assert not await silence(bench.venue)
