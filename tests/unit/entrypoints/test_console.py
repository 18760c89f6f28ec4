"""What the user sees of the processes' logs."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.entrypoints.supervisor.console import (
    BLOCK_KEYS,
    LEVEL_COLOURS,
    Console,
    TextRenderer,
    render_json,
)


def shown(line: str) -> str:
    """The line as the order service's, without its label."""
    label, _, text = TextRenderer()("order-service", line).partition(" │ ")
    assert label.strip() == "order-service"
    return text


def test_a_structured_line_shows_its_message_and_its_own_keys() -> None:
    line = json.dumps(
        {
            "timestamp": "2026-01-02T15:04:05Z",
            "level": "info",
            "service": "order-service",
            "event": "shard claimed",
            "shard": 3,
            "account": "paper 1",
            "halted": None,
        }
    )
    assert shown(line) == 'shard claimed shard=3 account="paper 1" halted=null'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([0, 1, 2], "0,1,2"),
        (["AAPL", "BTC/USD"], "AAPL,BTC/USD"),
        (["two words", "a,b"], '"two words","a,b"'),
        ([], "[]"),
        ([["AAPL", 1]], '[["AAPL",1]]'),
        ({"AAPL": "10"}, '{"AAPL":"10"}'),
        ('say "when"', r'"say \"when\""'),
        ("", '""'),
    ],
)
def test_a_list_reads_as_a_list(value: object, text: str) -> None:
    assert shown(json.dumps({"event": "feed started", "symbols": value})) == f"feed started symbols={text}"


@pytest.mark.parametrize("level", ["warning", "error", "critical"])
def test_a_line_that_matters_says_so(level: str) -> None:
    assert shown(json.dumps({"level": level, "event": "venue lost"})) == f"{level.upper()} venue lost"


def test_a_traceback_is_labelled_line_by_line() -> None:
    text = TextRenderer()(
        "api-gateway", json.dumps({"level": "error", "event": "failed", "exception": "A\n  B"})
    )
    assert [line.split(" │ ")[1] for line in text.splitlines()] == ["ERROR failed", "A", "  B"]


@pytest.mark.parametrize("line", ["LOG:  ready", "{not json}", '{"no": "event"}', "[1]", ""])
def test_any_other_line_is_shown_as_it_is(line: str) -> None:
    assert shown(line) == line


# Tracebacks have lines of their own.
@given(st.text().filter(lambda text: text not in BLOCK_KEYS))
def test_no_line_can_steer_the_terminal(text: str) -> None:
    for line in (
        text,
        json.dumps({"event": text, "symbol": text, "symbols": [text], "level": text, text: 1}),
    ):
        rendered = TextRenderer()("api-gateway", line)
        assert all(character.isprintable() or character == "\t" for character in rendered)


def test_each_process_has_its_colour() -> None:
    render = TextRenderer(colours=LEVEL_COLOURS)
    first, second = render("postgres", "x"), render("valkey", "x")
    assert first[:5] != second[:5]
    assert render("postgres", "y")[:5] == first[:5]
    assert "\x1b" not in TextRenderer()("postgres", "x")


def test_as_json_every_line_is_an_object() -> None:
    structured = '{"event":"filled","quantity":"1.5"}'
    assert render_json("order-service", structured) == structured
    assert json.loads(render_json("postgres", "LOG:  ready")) == {
        "service": "postgres",
        "event": "LOG:  ready",
    }


def test_a_reader_that_went_away_ends_no_supervision() -> None:
    stream = io.StringIO()
    console = Console(TextRenderer(), stream)
    console.show("up", "first")
    stream.close()
    console.show("up", "second")
    console.show("up", "third")


def test_a_terminal_without_the_characters_still_shows_the_line() -> None:
    raw = io.BytesIO()
    console = Console(TextRenderer(), io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    console.show("order-service", "π is known")
    assert b"is known" in raw.getvalue()
