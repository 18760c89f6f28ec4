"""The supervisor with real processes: started in stages, restarted, watched, stopped in order."""

import asyncio
import io
import itertools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from tradewind.adapters.embedded.errors import EmbeddedServerError
from tradewind.adapters.embedded.processes import command_line
from tradewind.entrypoints.supervisor.console import Console, TextRenderer
from tradewind.entrypoints.supervisor.errors import ProcessNotReadyError
from tradewind.entrypoints.supervisor.http_check import http_check
from tradewind.entrypoints.supervisor.spec import Patience, ProcessSpec
from tradewind.entrypoints.supervisor.supervisor import Supervisor

WAIT_S = 10.0
IMPATIENT = Patience(
    ready_timeout_s=5.0,
    ready_interval_s=0.01,
    restart_initial_s=0.02,
    restart_maximum_s=0.1,
    failed_starts_max=4,
    health_interval_s=0.02,
    health_failures_max=3,
)


class Platform:
    """A supervisor, what it shows, and the process ids that it reports."""

    def __init__(self) -> None:
        self.screen = io.StringIO()
        self.reports: list[Mapping[str, int]] = []
        self.supervisor = Supervisor(
            Console(TextRenderer(), self.screen), on_change=self.reports.append, patience=IMPATIENT
        )

    def lines(self) -> list[str]:
        return self.screen.getvalue().splitlines()


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    platform = Platform()
    yield platform
    await platform.supervisor.stop()


async def ready() -> bool:
    return True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 -- of another process
            await asyncio.sleep(0.01)


def process(name: str, script: str, *arguments: object, **changes: object) -> ProcessSpec:
    """A process that runs a shell script, whose arguments are `$0`, `$1`, …"""
    argv = ("/bin/sh", "-c", script, *map(str, arguments))
    return ProcessSpec(**{"name": name, "argv": argv, "is_ready": ready, **changes})  # type: ignore[arg-type]


SLEEP = "exec sleep 60"
NOTE_THE_END = 'trap \'echo "$1" >> "$0"; kill $child; exit 0\' TERM; sleep 60 & child=$!; echo up; wait'


async def test_a_line_that_is_known_to_mean_nothing_is_not_shown(platform: Platform) -> None:
    script = "echo '# WARNING Memory overcommit must be enabled!'; echo '# Bad file format'; exec sleep 60"
    spec = process("valkey", script, unshown_texts=("WARNING Memory overcommit",))
    await platform.supervisor.start_stage([spec])
    await until(lambda: bool(platform.lines()))
    assert [line.partition(" │ ")[2] for line in platform.lines()] == ["# Bad file format"]


async def test_a_stage_begins_when_the_one_before_is_ready(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "exists").touch()
    is_there = tmp_path / "is-there"

    async def is_ready() -> bool:
        return is_there.exists()

    await platform.supervisor.start_stage(
        [process("postgres", 'sleep 0.1; touch "$0"; sleep 60', is_there, is_ready=is_ready)]
    )
    assert is_there.exists()
    await platform.supervisor.start_stage([process("order-service", SLEEP)])
    assert set(platform.supervisor.pids()) == {"postgres", "order-service"}


async def test_everything_stops_in_reverse_order(platform: Platform, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    for name in ("postgres", "valkey", "order-service"):
        await platform.supervisor.start_stage([process(name, NOTE_THE_END, ended, name)])
    await until(lambda: sum(line.endswith("│ up") for line in platform.lines()) == 3)
    await platform.supervisor.stop()
    assert ended.read_text().split() == ["order-service", "valkey", "postgres"]
    assert platform.supervisor.pids() == {}


async def test_what_dies_is_started_again_and_its_new_process_id_reported(platform: Platform) -> None:
    await platform.supervisor.start_stage([process("order-service", SLEEP)])
    first = platform.supervisor.pids()["order-service"]
    os.kill(first, signal.SIGKILL)
    await until(lambda: platform.supervisor.pids().get("order-service", first) != first)
    assert platform.reports[-1] == platform.supervisor.pids()
    assert any("order-service was ended by SIGKILL; starting it again" in line for line in platform.lines())


async def test_what_dies_again_and_again_is_started_ever_more_slowly_up_to_a_bound(
    platform: Platform, tmp_path: Path
) -> None:
    starts: list[float] = []
    spec = process("analytics-service", "exit 3", prepare=lambda: starts.append(time.monotonic()))
    await platform.supervisor.start_stage([spec])
    await until(lambda: len(starts) >= 8)
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps_s[-1] > gaps_s[0]
    assert max(gaps_s[4:]) < IMPATIENT.restart_maximum_s * 10  # the bound, and a busy machine
    assert any("analytics-service ended with status 3" in line for line in platform.lines())


async def test_what_cannot_start_ends_the_start_with_its_name(platform: Platform) -> None:
    async def never() -> bool:
        return False

    with pytest.raises(ProcessNotReadyError, match="api-gateway ended 4 times"):
        await platform.supervisor.start_stage(
            [process("api-gateway", "echo no port; exit 1", is_ready=never)]
        )
    assert any(line.endswith("api-gateway │ no port") for line in platform.lines())


async def test_what_cannot_be_prepared_is_tried_again(platform: Platform) -> None:
    attempts: list[int] = []

    def prepare() -> None:
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise EmbeddedServerError("the disk is full")

    await platform.supervisor.start_stage([process("postgres", SLEEP, prepare=prepare)])
    assert len(attempts) == 3
    assert any("could not be prepared (the disk is full)" in line for line in platform.lines())


async def test_what_does_not_stop_is_killed_with_its_children(platform: Platform) -> None:
    script = "trap '' TERM; sleep 61 & echo $!; wait; wait"
    await platform.supervisor.start_stage([process("strategy-service", script, stop_timeout_s=0.1)])
    await until(lambda: bool(platform.lines()))
    grandchild = int(platform.lines()[0].split()[-1])
    assert command_line(grandchild)
    await platform.supervisor.stop()
    await until(lambda: not command_line(grandchild))
    assert any("strategy-service did not stop within 0.1 s" in line for line in platform.lines())


async def test_what_no_longer_answers_is_started_again(platform: Platform, tmp_path: Path) -> None:
    sick = tmp_path / "sick"

    async def is_alive() -> bool:
        return not sick.exists()

    spec = process(
        "websocket-service", SLEEP, is_alive=is_alive, prepare=lambda: sick.unlink(missing_ok=True)
    )
    await platform.supervisor.start_stage([spec])
    first = platform.supervisor.pids()["websocket-service"]
    await asyncio.sleep(IMPATIENT.health_interval_s * 5)
    assert platform.supervisor.pids() == {"websocket-service": first}
    sick.touch()
    await until(lambda: platform.supervisor.pids().get("websocket-service", first) != first)
    assert any("has not answered 3 times" in line for line in platform.lines())


async def test_ctrl_c_reaches_the_supervisor_alone(platform: Platform) -> None:
    await platform.supervisor.start_stage([process("order-service", SLEEP)])
    pid = platform.supervisor.pids()["order-service"]
    assert os.getsid(pid) == pid != os.getsid(0)


async def test_kill_ends_everything_at_once(platform: Platform) -> None:
    await platform.supervisor.start_stage([process("order-service", "trap '' TERM; sleep 60; sleep 60")])
    platform.supervisor.kill()
    async with asyncio.timeout(WAIT_S / 2):
        await platform.supervisor.stop()
    assert platform.supervisor.pids() == {}


async def test_a_stop_during_the_start_leaves_nothing(platform: Platform) -> None:
    async def never() -> bool:
        return False

    starting = asyncio.create_task(
        platform.supervisor.start_stage([process("postgres", SLEEP, is_ready=never)])
    )
    await asyncio.sleep(0)
    starting.cancel()
    await platform.supervisor.stop()
    assert platform.supervisor.pids() == {}


async def test_output_is_shown_whole_long_lines_in_pieces(platform: Platform) -> None:
    script = "import sys; print('x' * 200_000); sys.stderr.write('no end of line')"
    spec = process("order-service", "")
    await platform.supervisor.start_stage(
        [ProcessSpec(name=spec.name, argv=(sys.executable, "-S", "-c", script), is_ready=ready)]
    )
    await until(lambda: any("no end of line" in line for line in platform.lines()))
    texts = [line.partition(" │ ")[2] for line in platform.lines() if " │ x" in line]
    assert sum(map(len, texts[:4])) == 200_000
    assert max(map(len, texts)) <= 65_536 * 2


@pytest.mark.parametrize(
    ("answer", "is_well"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"x" * 5000, False),
        (b"", False),
    ],
)
async def test_http_check(answer: bytes, is_well: bool) -> None:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readline())
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await http_check("127.0.0.1", port, "/ready")() is is_well
    assert requests == [b"GET /ready HTTP/1.1\r\n"]
    assert await http_check("127.0.0.1", port, "/ready")() is False
