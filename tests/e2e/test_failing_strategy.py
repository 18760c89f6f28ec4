"""A strategy that fails at its start: the platform is there all the same, and nobody can think that it trades."""

from pathlib import Path

import httpx
import pytest

from tests.e2e.platform import live_platform

pytestmark = pytest.mark.e2e

SOURCE = """
from tradewind.strategy import Strategy

class Dip(Strategy):
    def on_start(self) -> None:
        raise ValueError("no dip today")
"""
PROBLEM = "failed in on_start: ValueError: no dip today"


def test_the_banner_and_the_readiness_say_that_the_strategy_failed(tmp_path: Path) -> None:
    (tmp_path / "dip.py").write_text(SOURCE)
    with live_platform({"TRADEWIND_STRATEGY": f"{tmp_path}/dip.py:Dip"}) as platform:
        assert "Tradewind is ready, but its strategy does not run." in platform.log.read_text()
        assert f"dip.py:Dip {PROBLEM}" in platform.log.read_text()
        with httpx.Client(trust_env=False) as client:
            answer = client.get(f"{platform.url('strategy-service')}/ready")
            assert answer.status_code == 503
            assert answer.json()["checks"]["strategy"] == PROBLEM
            assert client.get(f"{platform.url()}/ready").status_code == 200
