"""What a scenario measured: latencies and errors by operation, and the checks of them against thresholds."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from benchmarks.load_plan import LoadResult, percentile

ERROR_CHARS_MAX = 200
NS_PER_MS = 1_000_000


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one operation. `errors` are attempts that failed; latencies are of those that did not."""

    name: str
    count: int
    per_s: float
    errors: int
    p50_ms: float
    p95_ms: float | None
    p99_ms: float
    p99_9_ms: float
    max_ms: float
    first_error: str = ""

    @property
    def error_rate(self) -> float:
        """Failed attempts as a fraction of all."""
        attempts = self.count + self.errors
        return self.errors / attempts if attempts else 0.0


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What one scenario measured; `notes` say what stands beside the operations."""

    name: str
    seconds: float
    operations: list[Operation]
    notes: dict[str, float]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation must keep."""

    error_rate_max: float
    p99_ms_max: float

    def broken_by(self, scenario: Scenario) -> Iterator[str]:
        """One line for every operation that does not keep them; an operation that never succeeded does not."""
        for operation in scenario.operations:
            named = f"{scenario.name}, {operation.name}"
            if operation.error_rate > self.error_rate_max:
                yield (
                    f"{named}: {operation.error_rate:.2%} errors, allowed {self.error_rate_max:.2%}"
                    f"; first: {operation.first_error}"
                )
            if operation.p99_ms > self.p99_ms_max:
                yield f"{named}: p99 {operation.p99_ms:.1f} ms, allowed {self.p99_ms_max:.1f} ms"
            if not operation.count:
                yield f"{named}: none succeeded"


class Recorder:
    """Latencies and errors of one scenario by operation, in the order in which operations first appear."""

    def __init__(self) -> None:
        self._latencies_ns: dict[str, list[int]] = {}
        self._errors: Counter[str] = Counter()
        self._first_errors: dict[str, str] = {}

    def expect(self, *operations: str) -> None:
        """Have these in the result even when they never happen."""
        for operation in operations:
            self._latencies_ns.setdefault(operation, [])

    def succeeded(self, operation: str, latency_ns: int) -> None:
        """An attempt was answered as it should."""
        self._latencies_ns.setdefault(operation, []).append(latency_ns)

    def failed(self, operation: str, why: str) -> None:
        """An attempt failed."""
        self._latencies_ns.setdefault(operation, [])
        self._errors[operation] += 1
        self._first_errors.setdefault(operation, why[:ERROR_CHARS_MAX])

    def operations(self, seconds: float) -> list[Operation]:
        """The figures."""
        return [self._figures(name, sorted(values), seconds) for name, values in self._latencies_ns.items()]

    def _figures(self, name: str, ascending_ns: list[int], seconds: float) -> Operation:
        return Operation(
            name=name,
            count=len(ascending_ns),
            per_s=round(len(ascending_ns) / seconds, 1),
            errors=self._errors[name],
            p50_ms=_ms(ascending_ns, 0.5),
            p95_ms=_ms(ascending_ns, 0.95),
            p99_ms=_ms(ascending_ns, 0.99),
            p99_9_ms=_ms(ascending_ns, 0.999),
            max_ms=_ms(ascending_ns, 1.0),
            first_error=self._first_errors.get(name, ""),
        )


def _ms(ascending_ns: list[int], fraction: float) -> float:
    return round(percentile(ascending_ns, fraction) / NS_PER_MS, 3)


def of_load_result(name: str, load: LoadResult) -> Operation:
    """The load generator's own figures as an operation."""
    refused = sum(count for status, count in load.statuses.items() if not status.startswith("2"))
    return Operation(
        name=name,
        count=load.acknowledged,
        per_s=load.acknowledged_per_s,
        errors=refused + load.unanswered + load.connections_lost,
        p50_ms=load.p50_ms,
        p95_ms=None,
        p99_ms=load.p99_ms,
        p99_9_ms=load.p99_9_ms,
        max_ms=load.max_ms,
        first_error=(load.first_refusal or ("no answer" if load.unanswered else ""))[:ERROR_CHARS_MAX],
    )
