"""The tradable universe in PostgreSQL."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import RowMapping, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.postgres import tables
from tradewind.adapters.postgres.sessions import reading, writing
from tradewind.domain.market.instrument import AssetClass, Instrument

_AMOUNTS = ("tick_size", "lot_size", "min_order_size", "min_notional", "max_fee_rate")


async def load_instruments(engine: AsyncEngine) -> list[Instrument]:
    """All instruments by symbol. Raises `StoreUnavailable`."""
    async with reading(engine) as connection:
        rows = await connection.execute(select(tables.instruments).order_by(tables.instruments.c.symbol))
        return [_instrument(row) for row in rows.mappings()]


async def seed_instruments(engine: AsyncEngine, instruments: Iterable[Instrument]) -> None:
    """Add those that are missing; never changes a row that exists. Raises `StoreUnavailable`."""
    rows = [
        {**msgspec.structs.asdict(instrument), "asset_class": instrument.asset_class.value}
        for instrument in instruments
    ]
    if not rows:
        return
    async with writing(engine) as connection:
        await connection.execute(insert(tables.instruments).on_conflict_do_nothing(), rows)


def _instrument(row: RowMapping) -> Instrument:
    values: dict[str, Any] = dict(row)
    values["asset_class"] = AssetClass(row["asset_class"])
    for name in _AMOUNTS:
        values[name] = tables.normalised(row[name])
    return Instrument(**values)
