"""Structured logs: one JSON object a line on standard output, from our own code and from libraries alike.

    from tradewind.operations.logging import bind_correlation_id, configure_logging, get_logger

    _log = get_logger(__name__)              # at module level, before or after configure_logging
    configure_logging("order-service", "info")   # once, in the entrypoint
    bind_correlation_id(envelope.correlation_id) # for the rest of this task
    _log.info("shard claimed", shard=3)

Keys: timestamp (RFC 3339, UTC), level, service, event, correlation_id where bound, and the caller's own.
"""

import contextlib
import json
import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, cast

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, get_contextvars, merge_contextvars
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

MASK = "***"
MASK_DEPTH_MAX = 4
"""How many levels of nested values are searched for secrets; what lies deeper is not logged at all."""

_SECRET_KEY = re.compile(r"passw|secret|token|authorization|cookie|credential", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(\w://[^/\s:@]*:)[^/\s@]+@")
_FIRST_KEYS = ("timestamp", "level", "service", "event", "correlation_id")
# Libraries that narrate every request or start-up at "info".
_CHATTY_LIBRARIES = ("uvicorn", "httpx", "httpcore", "alembic")


def configure_logging(service: str, level: str, *further: Processor) -> None:
    """Send all logs of this process as JSON lines to standard output.

    `level` is the least severe level written: debug, info, warning or error. `further` processors add to each line.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    common: list[Processor] = [
        merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service_adder(service),
        *further,
    ]
    finish: list[Processor] = [
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        mask_secrets,
        _first_keys_first,
        structlog.processors.JSONRenderer(serializer=_to_json),
    ]
    structlog.configure(
        processors=[*common, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_NamedLogger,
        cache_logger_on_first_use=False,
    )
    _route_standard_library(common, finish, threshold)


def configure_command_logging() -> None:
    """For commands that a person runs: warnings and worse, readable, on standard error. Answers have the output alone."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            mask_secrets,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines carry `logger: name`. Safe at import: it finds its configuration at each line."""
    return cast("FilteringBoundLogger", structlog.get_logger(name))


def bind_correlation_id(correlation_id: str) -> None:
    """Put the id on every line that this task, and tasks it starts from now on, will log."""
    bind_contextvars(correlation_id=correlation_id)


def bound_correlation_id() -> str | None:
    """The id that `bind_correlation_id` bound in this task."""
    value: str | None = get_contextvars().get("correlation_id")
    return value


@contextlib.contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Bind the id within the block only: for a loop that handles many requests in one task."""
    with bound_contextvars(correlation_id=correlation_id):
        yield


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Processor: replace values of keys that look secret, and passwords inside URLs."""
    for key, value in event.items():
        event[key] = _masked(key, value, MASK_DEPTH_MAX)
    return event


def mask_url_passwords(text: str) -> str:
    """The text with every `scheme://user:password@` made harmless."""
    return _URL_PASSWORD.sub(rf"\1{MASK}@", text) if "://" in text else text


class _NamedLogger(structlog.WriteLogger):
    """Writes to standard output; carries the name that `get_logger` was given."""

    def __init__(self, name: str = "tradewind") -> None:
        super().__init__(sys.stdout)
        self.name = name

    def msg(self, message: str) -> None:
        """Write a line. It is lost when nobody reads any more or the disk is full: no request may fail for that."""
        with contextlib.suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _masked(key: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, str):
        return mask_url_passwords(value)
    if isinstance(value, MutableMapping | list | tuple) and depth == 0:
        return MASK
    if isinstance(value, MutableMapping):
        return {str(inner): _masked(str(inner), item, depth - 1) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(key, item, depth - 1) for item in value]
    return value


def _service_adder(service: str) -> Processor:
    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add_service


def _first_keys_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    ordered: EventDict = {key: event[key] for key in _FIRST_KEYS if key in event}
    ordered.update(event)
    return ordered


def _to_json(event: EventDict, **_options: Any) -> str:
    return json.dumps(event, default=_text_of, separators=(",", ":"))


def _text_of(value: object) -> str:
    return mask_url_passwords(str(value))


def _route_standard_library(common: list[Processor], finish: list[Processor], threshold: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    for name in _CHATTY_LIBRARIES:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)
