"""What `tradewind up` is told besides the settings."""

from dataclasses import dataclass

from tradewind.entrypoints.supervisor.console import LogFormat


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """`explicit_settings` are the names of settings that the user gave himself: they are not to be changed for him."""

    log_format: LogFormat = "text"
    explicit_settings: frozenset[str] = frozenset()
