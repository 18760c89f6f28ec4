"""`tradewind up`: the whole platform on this machine."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from tradewind.entrypoints.supervisor.console import LogFormat
from tradewind.entrypoints.up.options import UpOptions
from tradewind.entrypoints.up.platform import run_platform
from tradewind.settings import FILE_SUFFIX, Settings, described_settings

SPEED = re.compile(r"(\d+(?:\.\d+)?)x?")


class Speed(click.ParamType[float]):
    """How many times faster than the clock: `600x` or `600`."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number before the `x`."""
        match = SPEED.fullmatch(str(value))
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is no speed; write for example 600x", param, ctx)
        return float(match[1])


@click.command(
    epilog="Example: tradewind up --feed replay --symbols AAPL,MSFT --timeframe 1Day --speed 600x",
)
@click.option("--feed", type=click.Choice(["simulated", "replay"]), help="Source of market data.")
@click.option(
    "--symbols", "replay_symbols", metavar="A,B", help="Symbols to replay; all that are stored if not given."
)
@click.option(
    "--speed", "replay_speed", type=Speed(), metavar="600x", help="How many times faster than the clock."
)
@click.option(
    "--timeframe", "replay_timeframe", metavar="1Day", help="Timeframe of the stored bars to replay."
)
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where data is kept; .tradewind if not given."
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How logs are shown.",
)
def command(log_format: LogFormat, **overrides: Any) -> None:
    """Start the whole platform on this machine and keep it running.

    Starts a private PostgreSQL and Redis-compatible server (or uses those that DATABASE_URL and REDIS_HOST name) and
    the five services, shows their logs, and starts again what dies. When all is ready it prints the addresses, a user,
    an API key and a line to try. Ctrl-C stops everything; the data stays, and the next start goes on from there.
    """
    settings = Settings.from_environment()
    given = {field: value for field, value in overrides.items() if value is not None}
    explicit = explicit_settings(os.environ)
    settings = with_strategy_on_replay(msgspec.structs.replace(settings, **given), explicit)
    run_platform(settings, UpOptions(log_format=log_format, explicit_settings=explicit))


def with_strategy_on_replay(settings: Settings, explicit: frozenset[str]) -> Settings:
    """On a replay the strategy trades what is replayed, on its bars, unless the environment says otherwise."""
    if settings.feed != "replay":
        return settings
    follows = {"strategy_timeframe": settings.replay_timeframe}
    if settings.replay_symbols:
        follows["strategy_symbols"] = settings.replay_symbols
    return msgspec.structs.replace(
        settings, **{field: value for field, value in follows.items() if field not in explicit}
    )


def explicit_settings(environment: Mapping[str, str]) -> frozenset[str]:
    """The names of the settings that the environment gives a value."""
    return frozenset(
        field
        for field, (_, variable) in described_settings().items()
        if environment.get(variable.name) or environment.get(variable.name + FILE_SUFFIX)
    )
