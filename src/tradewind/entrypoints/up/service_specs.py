"""How the five services are run as supervised processes."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tradewind.entrypoints.supervisor.http_check import http_check
from tradewind.entrypoints.supervisor.spec import ProcessSpec
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE, reachable_host
from tradewind.entrypoints.up.strategy_readiness import ready_but_for_strategy
from tradewind.settings import FILE_SUFFIX, Settings, described_settings, to_environment

SERVICE_STOP_TIMEOUT_S = 10.0
STRATEGY_SERVICE = "strategy-service"


def service_spec(name: str, settings: Settings) -> ProcessSpec:
    """One service as a process of its own, with exactly these settings."""
    host = reachable_host(settings.bind_host)
    port: int = getattr(settings, PORT_SETTING_OF_SERVICE[name])
    return ProcessSpec(
        name=name,
        argv=tuple(service_arguments(name)),
        environment=service_environment(settings, os.environ),
        folder=Path.cwd(),
        is_ready=ready_but_for_strategy(host, port)
        if name == STRATEGY_SERVICE
        else http_check(host, port, "/ready"),
        is_alive=http_check(host, port, "/health"),
        stop_timeout_s=SERVICE_STOP_TIMEOUT_S,
    )


def service_arguments(name: str) -> list[str]:
    """The command line of a service."""
    return [sys.executable, "-m", "tradewind.cli.main", "service", name]


def service_environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """The inherited environment with all settings replaced by ours, those given by file included."""
    ours = to_environment(settings)
    replaced = {*ours, *(variable.name + FILE_SUFFIX for _, variable in described_settings().values())}
    return {name: value for name, value in inherited.items() if name not in replaced} | ours
