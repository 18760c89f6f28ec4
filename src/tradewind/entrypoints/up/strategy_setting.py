"""Looks at the settings of the strategy before anything starts: what is wrong is told then, and not in the log of a service."""

import subprocess
import sys
from collections.abc import Mapping

from tradewind.domain.market.timeframe import Timeframe
from tradewind.entrypoints.strategy_check import ANSWER, GOOD
from tradewind.entrypoints.up.errors import PlatformError
from tradewind.services.strategies.loader import ALLOWED, NO_STRATEGY
from tradewind.settings import Settings, described_settings

CHECK_TIMEOUT_S = 60.0
"""A strategy that takes longer to load would keep its service from getting ready, too."""


def require_strategy(settings: Settings, environment: Mapping[str, str]) -> None:
    """Raises `PlatformError` when the strategy cannot be loaded or a timeframe is none; blocks while it loads.

    `environment` is that of the service which will run it.
    """
    for field in ("strategy_timeframe", "replay_timeframe"):
        try:
            Timeframe.parse(getattr(settings, field))
        except ValueError as error:
            raise PlatformError(f"{described_settings()[field][1].name}: {error}") from error
    if settings.strategy == NO_STRATEGY:
        return
    problem = _problem_of(settings.strategy, environment)
    if problem is not None:
        allowed = "" if ALLOWED in problem else f" (allowed: {ALLOWED})"
        raise PlatformError(
            f"TRADEWIND_STRATEGY={settings.strategy}: {problem}{allowed}; "
            f"correct it, or set TRADEWIND_STRATEGY={NO_STRATEGY} to run none"
        )


def _problem_of(reference: str, environment: Mapping[str, str]) -> str | None:
    # As the service is run, so that a module is found, or not, where the service will look.
    command = [sys.executable, "-m", "tradewind.entrypoints.strategy_check", reference]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CHECK_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it does not load within {CHECK_TIMEOUT_S:g} s"
    lines = done.stdout.decode(errors="replace").splitlines()
    answers = [line.removeprefix(ANSWER) for line in lines if line.startswith(ANSWER)]
    if not answers:
        return f"its process ended with status {done.returncode} while it was loaded"
    return None if answers[-1] == GOOD else answers[-1]
