"""The command line of the load test: scenarios against a target, a report, and an exit code that says whether it held."""

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop
from rich.console import Console

from benchmarks.load.figures import Scenario, Thresholds
from benchmarks.load.report import Report, Stage, print_report
from benchmarks.load.scenarios import Load, day, rest, websocket
from benchmarks.load.targets import Addresses, Target, given_target, own_platform, running_target
from benchmarks.processes import BenchmarkError

SCENARIOS = ("rest", "websocket", "day")
STATUS_BROKEN, STATUS_CANNOT_RUN = 1, 2


class Options(NamedTuple):
    """The command line."""

    scenarios: list[str]
    load: Load
    thresholds: Thresholds
    given: argparse.Namespace


def parse_options(arguments: list[str]) -> Options:
    """Read the command line; exits with status 2 on a mistake."""
    parser = argparse.ArgumentParser(prog="load-test", description=__doc__)
    where = parser.add_argument_group("where (default: a platform of its own, started and stopped)")
    where.add_argument(
        "--data-dir", type=Path, help="the platform that `make run` runs on this folder (.tradewind)"
    )
    where.add_argument("--url", help="REST address of any platform, like http://127.0.0.1:8080")
    where.add_argument("--stream-url", help="of its streams; default: the host of --url, port 8081")
    where.add_argument("--analytics-url", help="of its analytics; default: the host of --url, port 8082")
    where.add_argument(
        "--accounts", type=Path, help="JSON file of key pairs to trade with, see benchmarks/README.md"
    )
    where.add_argument(
        "--tradewind", metavar="COMMAND", help="instead: a command that runs `tradewind` there"
    )
    where.add_argument("--compose-project", help="show what this Compose project's containers use")
    load = parser.add_argument_group("how much")
    load.add_argument("--scenarios", default=",".join(SCENARIOS), help="separated by commas (%(default)s)")
    load.add_argument(
        "--seconds", type=float, default=15.0, help="measured seconds of a scenario (%(default)s)"
    )
    load.add_argument("--orders-per-s", type=float, default=100.0, help="of the scenario rest (%(default)s)")
    load.add_argument(
        "--stream-clients", type=int, default=100, help="of the scenario websocket (%(default)s)"
    )
    load.add_argument("--actions-per-s", type=float, default=60.0, help="of the scenario day (%(default)s)")
    load.add_argument("--account-count", type=int, default=4, help="accounts to make (%(default)s)")
    judge = parser.add_argument_group("what must hold; status 1 when it does not")
    judge.add_argument("--error-rate-max", type=float, default=0.0, help="errors an attempt (%(default)s)")
    judge.add_argument(
        "--p99-ms-max", type=float, default=2_000.0, help="p99 of every operation (%(default)s)"
    )
    judge.add_argument("--output", type=Path, help="write everything to this JSON file")
    given = parser.parse_args(arguments)
    scenarios = given.scenarios.split(",")
    if unknown := set(scenarios) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    if given.url is not None and given.data_dir is not None:
        parser.error("--url and --data-dir name two platforms: give one")
    amounts = (
        given.seconds,
        given.orders_per_s,
        given.stream_clients,
        given.actions_per_s,
        given.account_count,
    )
    if min(amounts) <= 0:
        parser.error("seconds, rates and counts must be positive")
    return Options(
        scenarios=scenarios,
        load=Load(given.seconds, given.orders_per_s, given.stream_clients, given.actions_per_s),
        thresholds=Thresholds(error_rate_max=given.error_rate_max, p99_ms_max=given.p99_ms_max),
        given=given,
    )


def open_target(given: argparse.Namespace) -> AbstractContextManager[Target]:
    """The platform that the command line names; raises `BenchmarkError`."""
    if given.url is None and given.data_dir is None:
        return own_platform(given.account_count)
    if given.data_dir is not None:
        return nullcontext(running_target(given.data_dir, given.account_count))
    url = given.url.rstrip("/")
    scheme, _, rest_of_it = url.partition("://")
    host = rest_of_it.rpartition(":")[0] or rest_of_it
    addresses = Addresses(
        rest=url,
        stream=(given.stream_url or f"ws://{host}:8081").rstrip("/"),
        analytics=(given.analytics_url or f"{scheme}://{host}:8082").rstrip("/"),
    )
    return nullcontext(
        given_target(addresses, given.accounts, given.tradewind, given.account_count, given.compose_project)
    )


def carry_out(name: str, target: Target, load: Load) -> Stage:
    """Run one scenario and meter the platform meanwhile."""
    target.meter.start()
    try:
        scenario: Scenario
        if name == "rest":
            scenario = rest(target, load)
        else:
            scenario = uvloop.run({"websocket": websocket, "day": day}[name](target, load))
    finally:
        usage = target.meter.stop()
    return Stage(scenario=scenario, usage=usage)


def main() -> int:
    """0: everything held; 1: a threshold was broken; 2: it could not run."""
    options = parse_options(sys.argv[1:])
    console = Console()
    console.width = max(console.width, 120)
    stages = []
    try:
        with open_target(options.given) as target:
            for name in options.scenarios:
                console.print(
                    f"{name}: {options.load.seconds:g} s against {target.addresses.rest} ...", highlight=False
                )
                stages.append(carry_out(name, target, options.load))
    except (BenchmarkError, ValueError) as error:
        console.print(f"load-test: {error}", style="bold red", markup=False)
        return STATUS_CANNOT_RUN
    broken = [line for stage in stages for line in options.thresholds.broken_by(stage.scenario)]
    report = Report(target=target.name, thresholds=options.thresholds, stages=stages, broken=broken)
    print_report(report, console)
    if options.given.output is not None:
        options.given.output.parent.mkdir(parents=True, exist_ok=True)
        options.given.output.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        console.print(f"written to {options.given.output}", highlight=False)
    return STATUS_BROKEN if broken else 0


if __name__ == "__main__":
    sys.exit(main())
