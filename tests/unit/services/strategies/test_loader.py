"""Strategies by name: found, or refused in one line."""

from pathlib import Path

import pytest

from tradewind.services.strategies.loader import StrategyNotFound, load_strategy, try_strategy
from tradewind.strategy.examples.moving_average_cross import MovingAverageCross

SOURCE = """
from __future__ import annotations
from tradewind.strategy import Strategy

class Mine(Strategy):
    size: int = 3

NotOne = 5
"""


def test_a_class_from_a_module_and_from_a_file(tmp_path: Path) -> None:
    found = load_strategy("tradewind.strategy.examples.moving_average_cross:MovingAverageCross")
    assert found is MovingAverageCross
    (tmp_path / "mine.py").write_text(SOURCE)
    mine = load_strategy(f"{tmp_path}/mine.py:Mine")
    assert mine.parameters() == {"size": 3}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nonsense", "'nonsense' is not understood (allowed: FILE.py:Class or package.module:Class)"),
        ("none.py:Mine", "there is no file none.py"),
        ("no.such.module:Mine", "module no is not installed"),
        ("{folder}/mine.py:Other", "has no class Other; strategies in it: Mine"),
        ("{folder}/mine.py:NotOne", "is not a subclass of tradewind.strategy.Strategy"),
        ("{folder}/broken.py:Mine", "cannot be loaded: SyntaxError"),
        ("{folder}/script.py:Mine", "cannot be loaded: SystemExit: 3"),
        ("{folder}/raising.py:Mine", "cannot be loaded: ZeroDivisionError: division by zero"),
        (
            "tests.unit.services.strategies.raising_strategy:Mine",
            "cannot be imported: RuntimeError: not today",
        ),
    ],
)
def test_what_cannot_be_loaded_is_explained_in_one_line(tmp_path: Path, reference: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("def broken(:\n")
    (tmp_path / "script.py").write_text("import sys; sys.exit(3)\n")
    (tmp_path / "raising.py").write_text("1 / 0\n")
    with pytest.raises(StrategyNotFound) as caught:
        load_strategy(reference.format(folder=tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_strategy_is_tried_by_making_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    try_strategy(f"{tmp_path}/mine.py:Mine")
    for body, message in (
        ("def __init__(self, size): pass", "cannot be made: TypeError"),
        (
            "def __init__(self): super().__init__(); self.symbols",
            "cannot be made: RuntimeError: the strategy has",
        ),
    ):
        (tmp_path / "bad.py").write_text(f"{SOURCE}\nclass Bad(Strategy):\n    {body}\n")
        with pytest.raises(StrategyNotFound, match=message):
            try_strategy(f"{tmp_path}/bad.py:Bad")


def test_parameters_are_set_by_name_and_unknown_ones_refused() -> None:
    strategy = MovingAverageCross(fast=2)
    assert (strategy.fast, strategy.slow, MovingAverageCross.fast) == (2, 15, 5)
    with pytest.raises(TypeError, match="no parameter 'fats'; it has: fast, slow, equity_fraction"):
        MovingAverageCross(fats=2)
    with pytest.raises(RuntimeError, match="has not started"):
        strategy.buy("AAPL", 1)
