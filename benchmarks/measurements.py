"""What the order benchmark measured: its runs, their medians, the ratios between subjects, and the printed tables."""

import statistics
from collections.abc import Iterator

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.load_plan import LoadResult

PLATFORM = "platform"
REFERENCE = "reference"
HTTP_FLOOR = "http-floor"
GROUP_COMMIT_FLOOR = "group-commit-floor"
SUBJECTS = (PLATFORM, REFERENCE, HTTP_FLOOR, GROUP_COMMIT_FLOOR)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run of one subject.

    `cpu_us_per_order` is by process and covers the whole run; `bystander_cores` is the CPU that the other subjects' idle
    processes used meanwhile, in cores. `faults` is empty unless orders were refused, lost or unanswered.
    """

    subject: str
    connections: int
    round: int
    orders_per_s: float
    p50_ms: float
    p99_ms: float
    p99_9_ms: float
    cpu_us_per_order: dict[str, float]
    bystander_cores: float
    faults: str = ""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures depend on."""

    cpus: int
    python: str
    postgres: str
    fsync: str
    synchronous_commit: str
    accounts: int
    reference_pool: int
    measured_s: float
    rounds: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole benchmark: every run, in the order they were made."""

    machine: Machine
    runs: list[Run]

    def of(self, subject: str, connections: int) -> list[Run]:
        """The runs of a subject, by round."""
        return [run for run in self.runs if run.subject == subject and run.connections == connections]

    def median(self, subject: str, connections: int, figure: str) -> float:
        """Median over the rounds of one figure of `Run`."""
        return float(statistics.median(getattr(run, figure) for run in self.of(subject, connections)))

    def platform_ratio(self, peer: str, connections: int) -> float | None:
        """Median over the rounds of platform / peer in orders a second; None when either was not run."""
        pairs = zip(self.of(PLATFORM, connections), self.of(peer, connections), strict=False)
        ratios = [ours.orders_per_s / theirs.orders_per_s for ours, theirs in pairs if theirs.orders_per_s]
        return statistics.median(ratios) if ratios else None

    def faults(self) -> list[str]:
        """One line a run that had refused, lost or unanswered orders."""
        return [
            f"{run.subject}, {run.connections} connections, round {run.round + 1}: {run.faults}"
            for run in self.runs
            if run.faults
        ]

    def connection_counts(self) -> list[int]:
        """The connection counts measured, in order."""
        return list(dict.fromkeys(run.connections for run in self.runs))


def faults_of(load: LoadResult) -> str:
    """What went wrong in a load run, in words; empty when every order was acknowledged."""
    refused = {status: count for status, count in load.statuses.items() if not status.startswith("2")}
    parts = [f"{count} answered {status}" for status, count in refused.items()]
    if load.unanswered:
        parts.append(f"{load.unanswered} unanswered")
    if load.connections_lost:
        parts.append(f"{load.connections_lost} connections lost")
    if load.first_refusal:
        parts.append(f"first refusal: {load.first_refusal}")
    return ", ".join(parts)


def print_report(report: Report, console: Console) -> None:
    """Print the throughput table, where the CPU goes, and every fault."""
    machine = report.machine
    console.print(
        f"{machine.cpus} CPUs, Python {machine.python}, PostgreSQL {machine.postgres}, fsync {machine.fsync}, "
        f"synchronous_commit {machine.synchronous_commit}; {machine.accounts} accounts; "
        f"reference: pool of {machine.reference_pool}; "
        f"median of {machine.rounds} x {machine.measured_s:g} s; everything, the load generator too, on this machine"
    )
    console.print(_throughput_table(report))
    console.print(_cpu_table(report))
    for line in report.faults():
        console.print(f"FAULT {line}", style="bold red", markup=False)


def _throughput_table(report: Report) -> Table:
    table = Table(title="Acknowledged orders through POST /v2/orders (group-commit-floor: rows committed)")
    table.add_column("conn.", justify="right")
    table.add_column("subject", no_wrap=True)
    for heading in (
        "orders/s",
        "range",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "platform / it",
        "bystander cores",
    ):
        table.add_column(heading, justify="right", no_wrap=heading == "range")
    for connections in report.connection_counts():
        for subject in SUBJECTS:
            if report.of(subject, connections):
                table.add_row(*_throughput_row(report, subject, connections))
        table.add_section()
    return table


def _throughput_row(report: Report, subject: str, connections: int) -> Iterator[str]:
    rates = [run.orders_per_s for run in report.of(subject, connections)]
    ratio = None if subject == PLATFORM else report.platform_ratio(subject, connections)
    yield str(connections)
    yield subject
    yield f"{statistics.median(rates):,.0f}"
    yield f"{min(rates):,.0f}-{max(rates):,.0f}"
    for figure in ("p50_ms", "p99_ms", "p99_9_ms"):
        yield f"{report.median(subject, connections, figure):,.2f}"
    yield "" if ratio is None else f"{ratio:.2f}"
    yield f"{report.median(subject, connections, 'bystander_cores'):.2f}"


def _cpu_table(report: Report) -> Table:
    table = Table(title="Where the time goes: CPU microseconds an acknowledged order, by process")
    table.add_column("subject")
    table.add_column("process")
    for connections in report.connection_counts():
        table.add_column(f"{connections} conn.", justify="right")
    for subject in SUBJECTS:
        runs = [run for run in report.runs if run.subject == subject]
        for process in dict.fromkeys(name for run in runs for name in run.cpu_us_per_order):
            cells = [_cpu_cell(report, subject, process, count) for count in report.connection_counts()]
            table.add_row(subject, process, *cells)
        table.add_section()
    return table


def _cpu_cell(report: Report, subject: str, process: str, connections: int) -> str:
    values = [run.cpu_us_per_order.get(process, 0.0) for run in report.of(subject, connections)]
    return f"{statistics.median(values):,.1f}" if values else ""
