"""A strategy that cannot run is told of before anything starts, and by the banner when it fails later."""

import io
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.entrypoints.up.banner import print_banner
from tradewind.entrypoints.up.errors import PlatformError
from tradewind.entrypoints.up.strategy_readiness import ready_but_for_strategy, strategy_problem
from tradewind.entrypoints.up.strategy_setting import require_strategy
from tradewind.operations.http import operations_app, serve
from tradewind.operations.probes import Probes
from tradewind.services.strategies.status import READINESS_CHECK, StrategyStatus
from tradewind.settings import Settings

SOURCE = """
from tradewind.strategy import Strategy

print("hello from", __name__)

class Mine(Strategy):
    pass
"""


def check(reference: str) -> None:
    require_strategy(Settings(strategy=reference), os.environ)


def test_a_good_strategy_passes_and_none_needs_no_check(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    check(f"{tmp_path}/mine.py:Mine")
    check(Settings().strategy)
    require_strategy(Settings(strategy="none"), {})


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nonsense", "is not understood (allowed: FILE.py:Class or package.module:Class)"),
        ("{folder}/none.py:Mine", "there is no file"),
        ("{folder}/mine.py:Yours", "has no class Yours; strategies in it: Mine"),
        ("{folder}/script.py:Mine", "cannot be loaded: SystemExit: 3"),
        ("{folder}/dying.py:Mine", "its process ended with status 7 while it was loaded"),
    ],
)
def test_a_bad_one_is_named_with_its_setting_and_the_mend(
    tmp_path: Path, reference: str, message: str
) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    (tmp_path / "script.py").write_text("import sys; sys.exit(3)\n")
    (tmp_path / "dying.py").write_text("import os; os._exit(7)\n")
    reference = reference.format(folder=tmp_path)
    with pytest.raises(PlatformError) as refused:
        check(reference)
    text = str(refused.value)
    assert text.startswith(f"TRADEWIND_STRATEGY={reference}: ")
    assert message in text
    assert text.count("allowed: FILE.py:Class or package.module:Class") == 1
    assert text.endswith("set TRADEWIND_STRATEGY=none to run none")
    assert "\n" not in text


@pytest.mark.parametrize("field", ["strategy_timeframe", "replay_timeframe"])
def test_a_timeframe_that_is_none_is_named_with_what_is_allowed(field: str) -> None:
    with pytest.raises(
        PlatformError, match=f"TRADEWIND_{field.upper()}: invalid timeframe: 7Moons .allowed: 1-59Sec"
    ):
        require_strategy(msgspec.structs.replace(Settings(strategy="none"), **{field: "7Moons"}), {})


def test_up_refuses_before_it_touches_anything(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tradewind.cli.main", "up", "--data-dir", str(tmp_path / "data")],
        env=os.environ | {"TRADEWIND_STRATEGY": "dip.py:Dip"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: TRADEWIND_STRATEGY=dip.py:Dip: there is no file dip.py")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


async def test_the_service_is_ready_for_the_platform_though_its_strategy_failed() -> None:
    status = StrategyStatus()
    probes = Probes("strategy-service", "1")
    probes.add_check(READINESS_CHECK, status.check)
    store: list[str] = ["away"]

    async def check_store() -> str | None:
        return store[0] if store else None

    probes.add_check("postgres", check_store)
    server = await serve(operations_app(probes), "127.0.0.1", 0)
    is_ready = ready_but_for_strategy("127.0.0.1", server.port)
    assert not await is_ready()
    store.clear()
    assert await is_ready()
    status.fails("on_start", KeyError("AAPL"))
    assert await is_ready()
    assert await strategy_problem("127.0.0.1", server.port) == "failed in on_start: KeyError: 'AAPL'"
    status.runs()
    assert await strategy_problem("127.0.0.1", server.port) is None
    await server.stop()
    assert not await is_ready()


async def test_a_strategy_that_does_not_start_is_waited_for_and_then_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tradewind.entrypoints.up.strategy_readiness.STRATEGY_START_TIMEOUT_S", 0.1)
    assert "does not answer" in str(await strategy_problem("127.0.0.1", free_loopback_port()))


def test_the_banner_does_not_hide_a_failed_strategy() -> None:
    well, ill = io.StringIO(), io.StringIO()
    settings = Settings(strategy="dip.py:Dip")
    print_banner(well, settings, None, None)
    print_banner(ill, settings, None, None, "failed in on_start: ValueError: [oh]")
    assert "Tradewind is ready." in well.getvalue()
    assert "Strategy" not in well.getvalue()
    assert "Tradewind is ready, but its strategy does not run." in ill.getvalue()
    assert "dip.py:Dip failed in on_start: ValueError: [oh]" in ill.getvalue()
