"""What the supervisor has to know of a process, and how patient it is."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tradewind.adapters.embedded.unprivileged import ServerUser

Check = Callable[[], Awaitable[bool]]


def nothing_to_prepare() -> None:
    """For a process that needs no preparation before a start."""


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """One process to run.

    `prepare` blocks and is called before every start; `is_ready` is asked until it says yes after the first start;
    `is_alive`, where given, is asked for ever, and a process that says no too often is started anew. A line that
    contains one of `unshown_texts` is not shown.
    """

    name: str
    argv: tuple[str, ...]
    is_ready: Check
    is_alive: Check | None = None
    prepare: Callable[[], None] = nothing_to_prepare
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    user: ServerUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    unshown_texts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long the supervisor waits for what; all bounds of the supervisor are here."""

    ready_timeout_s: float = 60.0
    ready_interval_s: float = 0.05
    failed_starts_max: int = 5
    restart_initial_s: float = 0.1
    restart_factor: float = 2.0
    restart_maximum_s: float = 5.0
    stable_after_s: float = 10.0
    health_interval_s: float = 2.0
    health_failures_max: int = 5
    drain_output_s: float = 1.0
