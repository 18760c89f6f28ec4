"""`tradewind doctor`: looks at a deployment from here, says what is wrong, and the mend."""

import asyncio
import json
from collections.abc import Sequence
from typing import Literal

import click
import msgspec

from tradewind.adapters.redis.connection import RedisAddress
from tradewind.cli.doctor_checks.finding import Finding
from tradewind.cli.doctor_checks.machine_check import check_clock, check_disk, check_open_files
from tradewind.cli.doctor_checks.postgres_check import DatabaseState, check_postgres
from tradewind.cli.doctor_checks.redis_check import RedisState, check_redis
from tradewind.cli.doctor_checks.services_check import check_influxdb, check_service, overall
from tradewind.cli.doctor_checks.settings_check import check_settings
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE, reachable_host
from tradewind.entrypoints.up.run_file import with_running_platform
from tradewind.settings import Settings

FAILED_STATUS = 1

Hosts = Literal["local", "names"]

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(epilog="Example: docker compose exec api-gateway tradewind doctor --hosts names")
@click.option(
    "--hosts",
    type=click.Choice(("local", "names")),
    default="local",
    help="Where the services are: on this machine, or each under its own name as in Compose and Kubernetes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, hosts: Hosts, as_json: bool) -> None:  # noqa: FBT001 -- click's
    """Check settings, PostgreSQL, Redis, InfluxDB, the services, shards, lag, disk, clocks and limits.

    It changes nothing. Each line says ok, warn or fail, and below it the mend. The exit status is 1 when anything failed.
    """
    settings = with_running_platform(Settings.from_environment())
    findings = asyncio.run(examine(settings, hosts))
    state = overall(findings)
    if as_json:
        click.echo(json.dumps({"status": state, "findings": msgspec.to_builtins(findings)}, indent=2))
    else:
        _print(findings)
    context.exit(FAILED_STATUS if state == "fail" else 0)


async def examine(settings: Settings, hosts: Hosts) -> list[Finding]:
    """Everything that was found, in the order in which a person would look."""
    database = await check_postgres(settings.database_url) if settings.database_url else DatabaseState([])
    address = RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password)
    redis = await check_redis(address, database.offsets) if settings.redis_host else RedisState([])
    findings = [*check_settings(settings), *database.findings, *redis.findings]
    if settings.influxdb_url:
        findings.append(await check_influxdb(settings.influxdb_url))
    for name, field in PORT_SETTING_OF_SERVICE.items():
        host = name if hosts == "names" else reachable_host(settings.bind_host)
        findings += await check_service(name, host, getattr(settings, field))
    findings += [check_disk(settings.data_dir), check_open_files()]
    for server, state in (("PostgreSQL", database), ("Redis", redis)):
        if state.ahead_s is not None:
            findings.append(check_clock(server, state.ahead_s))
    return findings


def _print(findings: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        state = click.style(f"{finding.state:<4}", fg=_COLOURS[finding.state])
        click.echo(f"{state}  {finding.check:<{width}}  {finding.text}")
        if finding.mend:
            click.echo(f"      {'':<{width}}  mend: {finding.mend}")
    counts = {state: sum(finding.state == state for finding in findings) for state in _COLOURS}
    click.echo(f"\n{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed")
