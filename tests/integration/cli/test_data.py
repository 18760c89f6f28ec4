"""`tradewind data` against a real database."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.instruments import load_instruments
from tradewind.cli.data import command
from tradewind.domain.market.instrument import AssetClass, Instrument

GOOD = "date,open,high,low,close,volume\n2024-01-02,10,12,9,11,100\n2024-01-03,11,12,10,10.5,200\n"


def run(database_url: str, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--database-url", database_url], terminal_width=200)


def instruments(database_url: str) -> dict[str, Instrument]:
    async def load() -> list[Instrument]:
        engine = create_engine(database_url)
        try:
            return await load_instruments(engine)
        finally:
            await engine.dispose()

    return {instrument.symbol: instrument for instrument in asyncio.run(load())}


def test_a_file_is_imported_listed_and_its_symbol_becomes_an_instrument(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "ibm.csv").write_text(GOOD)
    assert "no bars are stored yet" in run(database_url, "list").output
    imported = run(database_url, "import", str(tmp_path / "ibm.csv"), "--symbol", "ibm", "--timeframe", "1D")
    assert imported.exit_code == 0, imported.output
    assert "imported 2 bars of IBM, 1Day, 2024-01-02 00:00 to 2024-01-03 00:00" in imported.output
    assert "IBM was not known and is an instrument now" in imported.output
    listed = run(database_url, "list").output
    assert all(part in listed for part in ("IBM", "1Day", "2024-01-02", "2024-01-03", " 2 "))
    known = instruments(database_url)["IBM"]
    assert (known.asset_class, known.tradable, known.fractionable) == (AssetClass.EQUITY, True, False)
    again = run(database_url, "import", str(tmp_path / "ibm.csv"), "--symbol", "IBM", "--timeframe", "1Day")
    assert "was not known" not in again.output


def test_a_damaged_file_imports_nothing_and_says_where(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(GOOD + "2024-01-04,11,12,10,-1,200\n")
    refused = run(database_url, "import", str(tmp_path / "bad.csv"), "--symbol", "IBM", "--timeframe", "1Day")
    assert refused.exit_code != 0
    assert "line 4, column close: '-1' is not allowed (allowed: greater than 0)" in refused.output
    assert "no bars are stored yet" in run(database_url, "list").output
    assert instruments(database_url) == {}


@pytest.mark.parametrize(("symbol", "is_tradable"), [("DOGE/USD", True), ("ETH/BTC", False)])
def test_an_unknown_pair_becomes_crypto_and_trades_against_dollars_only(
    database_url: str, tmp_path: Path, symbol: str, is_tradable: bool
) -> None:
    (tmp_path / "pair.csv").write_text(GOOD)
    run(database_url, "import", str(tmp_path / "pair.csv"), "--symbol", symbol, "--timeframe", "1Day")
    known = instruments(database_url)[symbol]
    assert (known.asset_class, known.tradable) == (AssetClass.CRYPTO, is_tradable)


def test_a_wrong_timeframe_and_an_unreachable_database_are_explained(tmp_path: Path) -> None:
    (tmp_path / "ibm.csv").write_text(GOOD)
    arguments = ("import", str(tmp_path / "ibm.csv"), "--symbol", "IBM", "--timeframe")
    wrong = run("postgresql://x", *arguments, "1Year")
    assert "invalid timeframe: 1Year (allowed: 1-59Sec" in wrong.output
    away = run("postgresql://nobody:none@127.0.0.1:1/none", *arguments, "1Day")
    assert "the database at 127.0.0.1:1 cannot be reached: is it running?" in away.output
    for url in ("mysql://x", "postgresql://u:secret@h:port/x"):
        wrong_url = run(url, *arguments, "1Day")
        assert "--database-url must be like postgresql://" in wrong_url.output
        assert "secret" not in wrong_url.output
