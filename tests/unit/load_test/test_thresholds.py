"""The load test's verdict: what breaks a threshold, and what does not."""

from benchmarks.load.figures import Recorder, Scenario, Thresholds, of_load_result
from benchmarks.load_plan import LoadResult

MS = 1_000_000
LIMITS = Thresholds(error_rate_max=0.01, p99_ms_max=100.0)


def scenario(recorder: Recorder) -> Scenario:
    return Scenario(name="day", seconds=10.0, operations=recorder.operations(10.0), notes={})


def test_a_fast_scenario_without_errors_holds() -> None:
    recorder = Recorder()
    for latency_ms in range(1, 101):
        recorder.succeeded("submit", latency_ms * MS)
    (operation,) = scenario(recorder).operations
    assert (operation.p50_ms, operation.p99_ms, operation.max_ms, operation.per_s) == (50, 99, 100, 10)
    assert not list(LIMITS.broken_by(scenario(recorder)))


def test_a_slow_tail_is_named() -> None:
    recorder = Recorder()
    for latency_ms in (*[5] * 97, 101, 102, 103):
        recorder.succeeded("submit", latency_ms * MS)
    assert list(LIMITS.broken_by(scenario(recorder))) == ["day, submit: p99 102.0 ms, allowed 100.0 ms"]


def test_errors_beyond_the_rate_are_named_with_the_first() -> None:
    recorder = Recorder()
    for _ in range(98):
        recorder.succeeded("submit", MS)
    recorder.failed("submit", "503 overloaded")
    recorder.failed("submit", "no answer")
    (line,) = LIMITS.broken_by(scenario(recorder))
    assert line == "day, submit: 2.00% errors, allowed 1.00%; first: 503 overloaded"


def test_an_operation_that_never_succeeded_is_broken() -> None:
    recorder = Recorder()
    recorder.expect("order to update")
    assert list(LIMITS.broken_by(scenario(recorder))) == ["day, order to update: none succeeded"]


def test_orders_without_an_answer_are_errors() -> None:
    load = LoadResult(
        loop="open",
        connections=1,
        offered_per_s=10,
        measured_s=10,
        acknowledged=90,
        acknowledged_per_s=9,
        acknowledged_in_all=90,
        p50_ms=1,
        p99_ms=2,
        p99_9_ms=3,
        max_ms=4,
        statuses={"200": 90, "503": 6},
        cancel_statuses={},
        unanswered=3,
        connections_lost=1,
        first_refusal="503 overloaded",
        cpu_s=1,
    )
    operation = of_load_result("submit", load)
    assert (operation.errors, operation.error_rate) == (10, 0.1)
