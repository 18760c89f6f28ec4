"""One terminal for many processes: each line labelled with, and coloured by, the process that wrote it."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, TextIO

import msgspec

LogFormat = Literal["text", "json"]
Renderer = Callable[[str, str], str]
"""From a process's name and a line that it wrote to what is shown."""

RESET = "\x1b[0m"
DIM = "\x1b[2m"
LEVEL_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
PROCESS_COLOURS = (
    "\x1b[36m",
    "\x1b[35m",
    "\x1b[32m",
    "\x1b[34m",
    "\x1b[33m",
    "\x1b[96m",
    "\x1b[95m",
    "\x1b[92m",
)
LABEL_WIDTH = len("websocket-service")
# Shown in their own place, the same on every line, or said by the label.
PLAIN_KEYS = frozenset({"event", "level", "timestamp", "service", "logger"})
BLOCK_KEYS = ("exception", "stack")


class TextRenderer:
    """`order-service │ shard claimed shard=3` for structured lines, and anything else as it is."""

    def __init__(self, *, colours: Mapping[str, str] | None = None) -> None:
        self._colours = colours
        """Colour by level; None for a stream that is no terminal."""
        self._colour_of: dict[str, str] = {}

    def __call__(self, process: str, line: str) -> str:
        """The line or, when it carries a traceback, lines to show."""
        label = self._label(process)
        return "\n".join(f"{label} {text}" for text in self._texts(line))

    def _label(self, process: str) -> str:
        label = f"{process:>{LABEL_WIDTH}} │"
        if self._colours is None:
            return label
        colour = self._colour_of.setdefault(
            process, PROCESS_COLOURS[len(self._colour_of) % len(PROCESS_COLOURS)]
        )
        return f"{colour}{label}{RESET}"

    def _texts(self, line: str) -> list[str]:
        record = structured(line)
        if record is None:
            return [printable(line)]
        level = str(record.get("level", ""))
        shown = [f"{level.upper()}"] if level in LEVEL_COLOURS else []
        shown.append(printable(str(record["event"])))
        pairs = [
            f"{printable(key)}={_value(value)}"
            for key, value in record.items()
            if key not in (*PLAIN_KEYS, *BLOCK_KEYS)
        ]
        text = " ".join([*shown, *pairs])
        if self._colours is not None and level in self._colours:
            text = f"{self._colours[level]}{text}{RESET}"
        blocks = [str(record[key]) for key in BLOCK_KEYS if record.get(key)]
        return [text, *(printable(part) for block in blocks for part in block.splitlines())]


def render_json(process: str, line: str) -> str:
    """Structured lines as they came; others wrapped, so that every line shown is one JSON object."""
    if structured(line) is not None:
        return line
    return json.dumps({"service": process, "event": line}, ensure_ascii=False)


def structured(line: str) -> dict[str, Any] | None:
    """The record of a structured log line; None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        record = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return record if "event" in record else None


def printable(text: str) -> str:
    """Without control characters: what a client sent must not steer the terminal of whoever reads the log."""
    return "".join(character if character.isprintable() or character == "\t" else "�" for character in text)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value, reserved=" ")
    if isinstance(value, list) and value and not any(isinstance(item, list | dict) for item in value):
        return ",".join(
            _text(item, reserved=" ,") if isinstance(item, str) else _json(item) for item in value
        )
    return _json(value)


def _text(text: str, *, reserved: str) -> str:
    """As it is where nobody can mistake where it begins and ends, else quoted."""
    is_plain = text and text.isprintable() and not any(character in text for character in reserved)
    return text if is_plain else _json(text)


def _json(value: Any) -> str:
    # JSON escapes some control characters, not all.
    return printable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


class Console:
    """Where everything is shown; goes quiet, rather than fail, when nobody reads any more."""

    def __init__(self, render: Renderer, stream: TextIO) -> None:
        self._render = render
        self._stream = stream
        self._is_open = True

    def show(self, process: str, line: str) -> None:
        """Show one line of a process."""
        if not self._is_open:
            return
        try:
            self._stream.write(self._render(process, line) + "\n")
            self._stream.flush()
        except UnicodeEncodeError:
            self._stream.write(f"{process} | {line!a}\n")
            self._stream.flush()
        except (BrokenPipeError, ValueError):  # ValueError: the stream is closed
            self._is_open = False


def renderer(log_format: LogFormat, *, colours: Mapping[str, str] | None) -> Renderer:
    """The renderer of that format."""
    return render_json if log_format == "json" else TextRenderer(colours=colours)


def console_on_standard_output(log_format: LogFormat, *, no_colour: str) -> Console:
    """The console of `tradewind up`: colours on a terminal, unless NO_COLOR has a value."""
    colours = LEVEL_COLOURS if sys.stdout.isatty() and not no_colour else None
    return Console(renderer(log_format, colours=colours), sys.stdout)
