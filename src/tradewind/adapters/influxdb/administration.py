"""What each line of InfluxDB does in its own way: make the database, keep it for so long, delete. And which line it is."""

from collections.abc import Callable, Mapping
from typing import Protocol

from tradewind.adapters.influxdb.client import InfluxClient
from tradewind.adapters.influxdb.errors import InfluxUnavailable
from tradewind.adapters.influxdb.line_1 import Line1Administration
from tradewind.adapters.influxdb.line_2 import Line2Administration
from tradewind.adapters.influxdb.line_3 import Line3Administration


class Administration(Protocol):
    """The management of one server's database."""

    async def prepare(self, retention_days: int) -> None:
        """Make the database if it is missing; when `retention_days` is not 0, let it keep bars for so long.

        0 leaves the retention of a database that is there as it is. Raises `InfluxUnavailable`.
        """
        ...

    async def delete_before(self, source: str, timeframe: str, before_ns: int) -> None:
        """Delete the bars that start before `before_ns`. Raises `InfluxUnavailable`, `Refused`."""
        ...


_LINES: Mapping[int, Callable[[InfluxClient], Administration]] = {
    1: Line1Administration,
    2: Line2Administration,
    3: Line3Administration,
}


async def administration_of(client: InfluxClient) -> Administration:
    """That of the server's line, by what `/ping` says. Raises `InfluxUnavailable`."""
    version = await client.version()
    line = _LINES.get(version.line)
    if line is None:
        raise InfluxUnavailable(
            f"{client.place} is no InfluxDB 1.x, 2.x or 3.x: its version is {version.text!r}"
        )
    return line(client)
