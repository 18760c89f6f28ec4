"""What a process measures of itself in the background."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tradewind.operations import watch
from tradewind.operations.metrics import REGISTRY
from tradewind.operations.probes import Probes
from tradewind.operations.stage_histogram import StageHistogram
from tradewind.operations.watch import Watch


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_checks_disk_and_measurements_are_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOP_TIMER_S", 0.01)
    probes = Probes("watched", "1")

    async def away() -> str | None:
        return "it is away"

    async def measured() -> None:
        pass

    async def broken() -> None:
        raise OSError("connection refused")

    probes.add_check("server a", away)
    watched = Watch(probes, tmp_path / "not" / "yet").measure("b", measured).measure("c", broken, 0.01)
    async with watched, asyncio.timeout(5):
        while value("tradewind_check_up", check="c") is None or not value("tradewind_disk_free_bytes"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    assert [value("tradewind_check_up", check=name) for name in ("server a", "b", "c")] == [0, 1, 0]
    total = value("tradewind_disk_total_bytes")
    assert total is not None
    assert total >= (value("tradewind_disk_free_bytes") or 0) > 0
    assert value("tradewind_event_loop_lag_seconds") is not None


def test_the_stages_are_a_histogram_like_any_other() -> None:
    registry = CollectorRegistry()
    histogram = StageHistogram("stages", "Of something.", ("one", "two"), (0.1, 1.0), registry)
    one = histogram.stage("one")
    for seconds in (0.05, 0.1, 0.5, 7.0, -3.0):
        one.observe(seconds)
    histogram.stage("two").observe(0.2, 3)
    text = generate_latest(registry).decode()
    assert 'stages_bucket{le="0.1",stage="one"} 3.0' in text
    assert 'stages_bucket{le="1.0",stage="one"} 4.0' in text
    assert 'stages_bucket{le="+Inf",stage="one"} 5.0' in text
    assert 'stages_count{stage="two"} 3.0' in text
    assert registry.get_sample_value("stages_sum", {"stage": "two"}) == pytest.approx(0.6)
    with pytest.raises(KeyError):
        histogram.stage("three")
