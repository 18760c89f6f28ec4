"""InfluxDB 1.x: databases, retention policies and deletes are InfluxQL."""

from collections.abc import Sequence

import msgspec

from tradewind.adapters.influxdb.client import Answer, InfluxClient, Result
from tradewind.adapters.influxdb.influxql import delete_before, name, series

SHARD_WEEKS = 13
"""History for ever lies in files of a quarter: twenty years are 80 of them, not a thousand as at the default of a week."""
SHARD_DAYS_OF_RETENTION = 20
"""With a retention, a file holds a twentieth of it (at least a day): files are deleted whole."""


class _Table(msgspec.Struct):
    columns: list[str]
    values: Sequence[list[str | int | bool]] = ()


class _ShowResult(Result):
    series: Sequence[_Table] = ()


class _ShowReply(Answer):
    results: Sequence[_ShowResult] = ()


_ANSWER = msgspec.json.Decoder(Answer)
_SHOW = msgspec.json.Decoder(_ShowReply)


class Line1Administration:
    """Implements `administration.Administration`. Making a database takes a user with all privileges."""

    def __init__(self, client: InfluxClient) -> None:
        self._client = client
        self._database = name(client.address.database)

    async def prepare(self, retention_days: int) -> None:
        """Make the database with a policy `autogen`, or set the duration of its default policy."""
        if [self._client.address.database] not in await self._rows("SHOW DATABASES", "name"):
            kept = (
                _kept_for(retention_days)
                if retention_days
                else f"INF REPLICATION 1 SHARD DURATION {SHARD_WEEKS}w"
            )
            await self._run(f'CREATE DATABASE {self._database} WITH DURATION {kept} NAME "autogen"')
        elif retention_days:
            await self._change_retention(retention_days)

    async def delete_before(self, source: str, timeframe: str, before_ns: int) -> None:
        """Delete the bars that start before `before_ns`."""
        await self._run(delete_before(series(source, timeframe), before_ns))

    async def _change_retention(self, retention_days: int) -> None:
        policies = await self._rows(f"SHOW RETENTION POLICIES ON {self._database}", "name", "default")
        for policy, is_default in policies:
            if is_default:
                kept = _kept_for(retention_days)
                await self._run(
                    f"ALTER RETENTION POLICY {name(str(policy))} ON {self._database} DURATION {kept}"
                )

    async def _run(self, statement: str) -> None:
        await self._client.execute(statement, _ANSWER)

    async def _rows(self, statement: str, *columns: str) -> list[list[str | int | bool]]:
        reply = await self._client.execute(statement, _SHOW)
        return [
            [row[table.columns.index(column)] for column in columns]
            for result in reply.results
            for table in result.series
            for row in table.values
        ]


def _kept_for(retention_days: int) -> str:
    return (
        f"{retention_days}d REPLICATION 1 SHARD DURATION {max(1, retention_days // SHARD_DAYS_OF_RETENTION)}d"
    )
