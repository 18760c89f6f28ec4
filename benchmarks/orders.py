"""`make bench-orders`: durable acknowledged orders a second through the REST API, beside a reference and floors.

One run on one machine: the platform (`tradewind up`), the reference service on the same PostgreSQL server, and the floors,
measured in turn (A B C D, A B C D, ...) so that a drift of the machine meets all of them.
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from rich.console import Console

from benchmarks.database import Database, create_reference_database, drop_reference_database, inspect_database
from benchmarks.floors.core_floor import CoreResult
from benchmarks.floors.group_commit_floor import GroupCommitResult
from benchmarks.load_plan import Accounts, KeyPair, LoadResult
from benchmarks.measurements import (
    GROUP_COMMIT_FLOOR,
    HTTP_FLOOR,
    PLATFORM,
    REFERENCE,
    SUBJECTS,
    Machine,
    Report,
    Run,
    faults_of,
    print_report,
)
from benchmarks.platform_under_test import Platform
from benchmarks.processes import BenchmarkError, Server, cpu_seconds, free_port
from benchmarks.reference_service.app import POOL_CONNECTIONS_DEFAULT

REPOSITORY = Path(__file__).resolve().parent.parent
READY_TIMEOUT_S = 30.0
WARMUP_S = 1.0
# Not a terminal, or a narrow one: tables wrap at this width rather than lose their figures.
TABLE_COLUMNS_MIN = 120
# Start-up of the generator's interpreter, warm-up and drain, beside the measured seconds.
RUN_SLACK_S = 60.0

CORE_FLOOR_TIMEOUT_S = 60.0
Decoded = TypeVar("Decoded")


class Target(NamedTuple):
    """A running server to load: its URL, its accounts file, and its processes' names by pid."""

    subject: str
    url: str
    accounts_path: Path
    names_by_pid: dict[int, str]


class Options(NamedTuple):
    """The command line."""

    seconds: float
    runs: int
    connections: list[int]
    accounts: int
    reference_pool: int
    subjects: list[str]
    output: Path | None


class Bench:
    """The started servers, and how one of them is measured."""

    def __init__(self, options: Options, database: Database, targets: list[Target]) -> None:
        self._options = options
        self._database = database
        self._targets = {target.subject: target for target in targets}
        self._postgres = {} if database.postmaster_pid is None else {database.postmaster_pid: "postgres"}
        # The run file of the platform may name PostgreSQL too; this name wins, for all subjects alike.
        self._watched = {
            pid: name for target in targets for pid, name in target.names_by_pid.items()
        } | self._postgres

    def measure(self, subject: str, connections: int, round_number: int) -> Run:
        """One run of one subject."""
        before, started_s = cpu_seconds(self._watched), time.monotonic()
        if subject == GROUP_COMMIT_FLOOR:
            run, orders, own = self._measure_group_commit(connections, round_number)
        else:
            run, orders, own = self._measure_target(self._targets[subject], connections, round_number)
        took_s = time.monotonic() - started_s
        after = cpu_seconds(self._watched)
        used = {name: after[name] - before[name] for name in after}
        shares = {name: round(used[name] / orders * 1e6, 1) for name in own} if orders else {}
        bystanders = sum(seconds for name, seconds in used.items() if name not in own)
        return msgspec.structs.replace(
            run, cpu_us_per_order=shares | run.cpu_us_per_order, bystander_cores=round(bystanders / took_s, 3)
        )

    def _measure_target(
        self, target: Target, connections: int, round_number: int
    ) -> tuple[Run, int, list[str]]:
        load = self._run_module(
            "benchmarks.load_generator",
            ["--url", target.url, "--accounts", str(target.accounts_path), "--connections", str(connections)],
            {},
            LoadResult,
        )
        run = Run(
            subject=target.subject,
            connections=connections,
            round=round_number,
            orders_per_s=load.acknowledged_per_s,
            p50_ms=load.p50_ms,
            p99_ms=load.p99_ms,
            p99_9_ms=load.p99_9_ms,
            cpu_us_per_order={"load generator": round(load.cpu_s / max(load.acknowledged, 1) * 1e6, 1)},
            bystander_cores=0.0,
            faults=faults_of(load),
        )
        own = {self._watched[pid] for pid in target.names_by_pid}
        if target.subject != HTTP_FLOOR:
            own |= set(self._postgres.values())
        return run, load.acknowledged_in_all, sorted(own)

    def _measure_group_commit(self, callers: int, round_number: int) -> tuple[Run, int, list[str]]:
        floor = self._run_module(
            "benchmarks.floors.group_commit_floor",
            ["--callers", str(callers)],
            {"DATABASE_URL": self._database.url},
            GroupCommitResult,
        )
        rows = int(floor.rows_per_s * floor.measured_s)
        run = Run(
            subject=GROUP_COMMIT_FLOOR,
            connections=callers,
            round=round_number,
            orders_per_s=floor.rows_per_s,
            p50_ms=floor.p50_ms,
            p99_ms=floor.p99_ms,
            p99_9_ms=floor.p99_9_ms,
            cpu_us_per_order={"committer and callers": round(floor.cpu_s / max(rows, 1) * 1e6, 1)},
            bystander_cores=0.0,
        )
        return run, floor.rows_in_all, sorted(self._postgres.values())

    def _run_module(
        self, module: str, arguments: list[str], environment: Mapping[str, str], kind: type[Decoded]
    ) -> Decoded:
        """Run a module of ours in its own process and decode what it prints."""
        seconds = self._options.seconds
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments, "--warmup", str(WARMUP_S), "--seconds", str(seconds)],
            cwd=REPOSITORY,
            env=os.environ | environment,
            capture_output=True,
            timeout=seconds + RUN_SLACK_S,
            check=False,
        )
        try:
            return msgspec.json.decode(done.stdout, type=kind)
        except msgspec.DecodeError as error:
            raise BenchmarkError(
                f"{module} failed:\n{done.stderr.decode(errors='replace').strip()}"
            ) from error


def start_platform(stack: ExitStack, folder: Path, account_count: int) -> tuple[Target, str]:
    """Start the platform with funded accounts; returns it and its `DATABASE_URL`."""
    running = Platform(folder)
    stack.callback(running.server.stop)
    run_file = running.wait_until_ready()
    accounts_path = folder / "platform-accounts.json"
    running.create_accounts(account_count).write(accounts_path)
    names_by_pid = {pid: name for name, pid in run_file.pids.items()} | {running.server.pid: "up"}
    return Target(PLATFORM, running.url, accounts_path, names_by_pid), run_file.database_url


def start_reference(stack: ExitStack, folder: Path, database_url: str, options: Options) -> Target:
    """Start the reference service on its own database."""
    reference_url = asyncio.run(create_reference_database(database_url))
    stack.callback(lambda: asyncio.run(drop_reference_database(database_url)))
    port, accounts_path = free_port(), folder / "reference-accounts.json"
    sizes = ["--accounts", str(options.accounts), "--pool", str(options.reference_pool)]
    arguments = ["--port", str(port), *sizes, "--accounts-output", str(accounts_path)]
    return _start_server(
        stack, folder, REFERENCE, "benchmarks.reference_service", arguments, accounts_path, reference_url
    )


def start_http_floor(stack: ExitStack, folder: Path) -> Target:
    """Start the HTTP floor; it does not look at keys."""
    accounts_path = folder / "floor-accounts.json"
    Accounts(keys=[KeyPair(id="FLOOR", secret="none")], symbols=["AAPL", "MSFT"]).write(accounts_path)
    arguments = ["--port", str(free_port())]
    return _start_server(
        stack, folder, HTTP_FLOOR, "benchmarks.floors.http_floor", arguments, accounts_path, ""
    )


def _start_server(
    stack: ExitStack,
    folder: Path,
    subject: str,
    module: str,
    arguments: list[str],
    accounts_path: Path,
    database_url: str,
) -> Target:
    port = arguments[arguments.index("--port") + 1]
    environment = os.environ | {"DATABASE_URL": database_url, "PYTHONPATH": str(REPOSITORY)}
    server = stack.enter_context(
        Server(subject, [sys.executable, "-m", module, *arguments], environment, folder / f"{subject}.log")
    )
    server.wait_until_ready(f"http://127.0.0.1:{port}/ready", READY_TIMEOUT_S)
    return Target(subject, f"http://127.0.0.1:{port}", accounts_path, {server.pid: subject})


def run_benchmark(options: Options, console: Console) -> Report:
    """Start everything, measure in turn, stop everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tradewind-bench-")))
        # A PostgreSQL that is not root's must be able to reach its own folder below this one.
        folder.chmod(0o755)
        targets: list[Target] = []
        database_url = os.environ.get("DATABASE_URL", "")
        if PLATFORM in options.subjects:
            console.print(f"starting the platform, {options.accounts} accounts ...")
            target, database_url = start_platform(stack, folder, options.accounts)
            targets.append(target)
        if not database_url:
            raise BenchmarkError(
                "set DATABASE_URL: without the platform there is no PostgreSQL to measure on"
            )
        database = asyncio.run(inspect_database(database_url))
        if REFERENCE in options.subjects:
            targets.append(start_reference(stack, folder, database_url, options))
        if HTTP_FLOOR in options.subjects:
            targets.append(start_http_floor(stack, folder))
        runs = _measure_in_turn(Bench(options, database, targets), options, console)
    machine = Machine(
        cpus=os.cpu_count() or 0,
        python=platform.python_version(),
        postgres=database.version,
        fsync=database.fsync,
        synchronous_commit=database.synchronous_commit,
        accounts=options.accounts,
        reference_pool=options.reference_pool,
        measured_s=options.seconds,
        rounds=options.runs,
    )
    return Report(machine=machine, runs=runs)


def _measure_in_turn(bench: Bench, options: Options, console: Console) -> list[Run]:
    runs = []
    for connections in options.connections:
        for round_number in range(options.runs):
            for subject in options.subjects:
                run = bench.measure(subject, connections, round_number)
                runs.append(run)
                console.print(
                    f"{connections:>3} connections, round {round_number + 1}, {subject}: "
                    f"{run.orders_per_s:,.0f}/s, p99 {run.p99_ms:.2f} ms",
                    highlight=False,
                )
    return runs


def parse_options(arguments: list[str]) -> Options:
    """The command line; exits with a usage message when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orders", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured seconds of each run")
    parser.add_argument("--runs", type=int, default=3, help="rounds of which the median is taken")
    parser.add_argument("--connections", default="1,16,64", help="connection counts, separated by commas")
    parser.add_argument(
        "--accounts", type=int, default=16, help="accounts that the connections are spread over"
    )
    parser.add_argument(
        "--reference-pool",
        type=int,
        default=POOL_CONNECTIONS_DEFAULT,
        help="database connections of the reference",
    )
    parser.add_argument("--subjects", default=",".join(SUBJECTS), help="what to measure, separated by commas")
    parser.add_argument("--output", type=Path, help="write every run to this JSON file")
    given = parser.parse_args(arguments)
    subjects = given.subjects.split(",")
    if unknown := [subject for subject in subjects if subject not in SUBJECTS]:
        parser.error(f"--subjects: {unknown[0]!r} is not one of {', '.join(SUBJECTS)}")
    if not all(part.isdigit() and int(part) > 0 for part in given.connections.split(",")):
        parser.error("--connections must be positive numbers separated by commas")
    if given.seconds <= 0 or given.runs < 1 or given.accounts < 1 or given.reference_pool < 1:
        parser.error("--seconds, --runs, --accounts and --reference-pool must be positive")
    connections = [int(part) for part in given.connections.split(",")]
    return Options(
        seconds=given.seconds,
        runs=given.runs,
        connections=connections,
        accounts=given.accounts,
        reference_pool=given.reference_pool,
        subjects=subjects,
        output=given.output,
    )


def print_core_floor(console: Console) -> None:
    """Measure the trading core alone, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.floors.core_floor"],
        cwd=REPOSITORY,
        capture_output=True,
        timeout=RUN_SLACK_S + CORE_FLOOR_TIMEOUT_S,
        check=True,
    )
    core = msgspec.json.decode(done.stdout, type=CoreResult)
    console.print(
        f"core alone, one thread, in memory: {core.commands_per_s:,.0f} commands/s; "
        f"with postings checked and journal text written: {core.commands_per_s_with_journal_text:,.0f}/s",
        highlight=False,
    )


def main() -> int:
    """Run the benchmark; 1 when it could not run or when an order was refused, lost or unanswered."""
    options = parse_options(sys.argv[1:])
    console = Console()
    console.width = max(console.width, TABLE_COLUMNS_MIN)
    try:
        report = run_benchmark(options, console)
    except BenchmarkError as error:
        console.print(f"bench-orders: {error}", style="bold red", markup=False)
        return 1
    print_report(report, console)
    print_core_floor(console)
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    return 1 if report.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
