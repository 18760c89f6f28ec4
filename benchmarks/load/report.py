"""The load test's report: tables for people, JSON for everything else."""

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.load.figures import Operation, Scenario, Thresholds
from benchmarks.load.resources import Usage


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario and what the platform's processes used meanwhile."""

    scenario: Scenario
    usage: dict[str, Usage]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole load test; `broken` is empty when everything held."""

    target: str
    thresholds: Thresholds
    stages: list[Stage]
    broken: list[str]


def print_report(report: Report, console: Console) -> None:
    """Print latencies, errors, resources and the verdict."""
    for stage in report.stages:
        console.print(_latencies(stage.scenario))
        notes = ", ".join(f"{name} {value:,g}" for name, value in stage.scenario.notes.items())
        console.print(notes, highlight=False)
    if any(stage.usage for stage in report.stages):
        console.print(_resources(report.stages))
    for line in report.broken:
        console.print(f"BROKEN {line}", style="bold red", markup=False)
    if not report.broken:
        limits = report.thresholds
        console.print(
            f"held: errors at most {limits.error_rate_max:.2%}, p99 at most {limits.p99_ms_max:g} ms",
            highlight=False,
        )


def _latencies(scenario: Scenario) -> Table:
    table = Table(title=f"{scenario.name}: milliseconds from when each was due", title_justify="left")
    table.add_column("operation", no_wrap=True)
    for heading in ("count", "per s", "errors", "p50", "p95", "p99", "p99.9", "max"):
        table.add_column(heading, justify="right")
    for operation in scenario.operations:
        table.add_row(*_row(operation))
    return table


def _row(operation: Operation) -> list[str]:
    figures = (operation.p50_ms, operation.p95_ms, operation.p99_ms, operation.p99_9_ms, operation.max_ms)
    shown = ["" if figure is None else f"{figure:,.1f}" for figure in figures]
    return [operation.name, f"{operation.count:,}", f"{operation.per_s:,.1f}", str(operation.errors), *shown]


def _resources(stages: list[Stage]) -> Table:
    table = Table(title="processes: mean cores, largest resident memory (MiB)", title_justify="left")
    table.add_column("process", no_wrap=True)
    for stage in stages:
        table.add_column(f"{stage.scenario.name} cores", justify="right")
        table.add_column("MiB", justify="right")
    for name in dict.fromkeys(name for stage in stages for name in stage.usage):
        cells = []
        for stage in stages:
            used = stage.usage.get(name)
            cells += ["", ""] if used is None else [f"{used.cores:.2f}", f"{used.memory_mib_max:,.0f}"]
        table.add_row(name, *cells)
    return table
