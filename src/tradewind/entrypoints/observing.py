"""What every entrypoint sets up so that operators see what it does: logs, and traces where they are wanted."""

import importlib
from typing import cast

from tradewind.operations.logging import configure_logging
from tradewind.operations.tracing import NO_SPANS, SpanRecorder, add_trace_id
from tradewind.settings import Settings, SettingsError
from tradewind.version import __version__


def configure_logs(service: str, settings: Settings) -> None:
    """JSON lines; with the trace's id where traces are kept."""
    configure_logging(service, settings.log_level, *([add_trace_id] if settings.trace_ratio > 0 else []))


def open_spans(service: str, settings: Settings) -> SpanRecorder:
    """The recorder that the settings ask for. Raises `SettingsError` when its packages are not installed."""
    if settings.trace_ratio <= 0:
        return NO_SPANS
    try:
        # By name: whoever does not trace needs none of its packages.
        module = importlib.import_module("tradewind.adapters.opentelemetry.spans")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"TRADEWIND_TRACE_RATIO: traces need the package {error.name}: pip install 'tradewind[tracing]'"
        ) from error
    return cast("SpanRecorder", module.open_recorder(service, __version__, settings.trace_ratio))
