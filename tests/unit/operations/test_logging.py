"""Log lines as an operator's log collector sees them."""

import asyncio
import io
import json
import logging
import os
import sys
from collections.abc import Iterator

import pytest
import structlog

from tradewind.operations.logging import (
    MASK,
    bind_correlation_id,
    bound_correlation_id,
    configure_logging,
    correlated,
    get_logger,
)


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_carries_the_common_keys_first(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("order-service", "info")
    get_logger("tradewind.orders").info("shard claimed", shard=3)
    (line,) = lines(capsys)
    assert list(line)[:4] == ["timestamp", "level", "service", "event"]
    assert line["service"] == "order-service"
    assert line["logger"] == "tradewind.orders"
    assert line["shard"] == 3
    assert str(line["timestamp"]).endswith("Z")


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("api-gateway", "warning")
    get_logger("x").info("not shown")
    logging.getLogger("library").info("not shown")
    get_logger("x").warning("shown")
    assert [line["event"] for line in lines(capsys)] == ["shown"]


def test_libraries_use_the_same_format(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("api-gateway", "info")
    logging.getLogger("asyncpg").error("lost %s", "connection")
    (line,) = lines(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("lost connection", "asyncpg", "error")
    assert line["service"] == "api-gateway"


def test_secrets_never_appear(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("api-gateway", "info")
    get_logger("x").info(
        "connecting to postgresql://tradewind:hunter2@db/tradewind",
        password="hunter2",
        headers={"Authorization": "Bearer hunter2", "apca-api-secret-key": "hunter2", "accept": "*/*"},
        attempts=[{"refresh_token": "hunter2"}],
        deep=[[[[[["hunter2"]]]]]],
    )
    text = capsys.readouterr().out
    assert "hunter2" not in text
    assert "*/*" in text
    assert json.loads(text)["password"] == MASK


def test_a_traceback_is_one_line_and_hides_url_passwords(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("api-gateway", "info")
    try:
        raise ConnectionError("redis://:hunter2@127.0.0.1 refused")
    except ConnectionError:
        get_logger("x").exception("failed")
    (line,) = lines(capsys)
    assert "Traceback" in str(line["exception"])
    assert "hunter2" not in str(line["exception"])


async def test_a_correlation_id_stays_in_its_task(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("api-gateway", "info")

    async def request(correlation_id: str) -> None:
        bind_correlation_id(correlation_id)
        await asyncio.sleep(0)
        get_logger("x").info("handled", expected=correlation_id)
        logging.getLogger("library").warning("called")

    await asyncio.gather(request("a"), request("b"))
    assert bound_correlation_id() is None
    seen = lines(capsys)
    assert [line["correlation_id"] for line in seen if "expected" in line] == ["a", "b"]
    assert all("correlation_id" in line for line in seen)


def test_a_correlation_id_for_a_block_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("order-service", "info")
    with correlated("a"):
        get_logger("x").info("inside")
    get_logger("x").info("outside")
    assert [line.get("correlation_id") for line in lines(capsys)] == ["a", None]


def test_work_goes_on_when_nobody_reads_the_log_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with io.TextIOWrapper(io.FileIO(write_end, "w"), write_through=True) as unread:
        monkeypatch.setattr(sys, "stdout", unread)
        configure_logging("order-service", "info")
        get_logger("tradewind.test").warning("reply overdue")
        with pytest.raises(BrokenPipeError):
            unread.write("the pipe is broken indeed\n")
