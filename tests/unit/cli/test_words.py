"""Numbers with their nouns."""

import pytest

from tradewind.cli.words import counted, plural


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 open orders"), (1, "1 open order"), (2, "2 open orders"), (1_234, "1,234 open orders")],
)
def test_one_is_one_and_all_else_is_many(count: int, text: str) -> None:
    assert counted(count, "open order") == text
    assert plural(count, "open order") == text.partition(" ")[2]
