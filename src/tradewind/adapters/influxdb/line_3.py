"""InfluxDB 3.x: databases have an API of their own; Core deletes nothing and never changes a retention."""

from tradewind.adapters.influxdb.client import InfluxClient
from tradewind.adapters.influxdb.errors import InfluxRefusal
from tradewind.operations.logging import get_logger
from tradewind.ports.errors import Refused

_SCHEME = "Bearer"
_CONFLICT = 409

_log = get_logger(__name__)


class Line3Administration:
    """Implements `administration.Administration`. Making a database takes an admin token."""

    def __init__(self, client: InfluxClient) -> None:
        self._client = client

    async def prepare(self, retention_days: int) -> None:
        """Make the database; the retention of one that is there stays as it is, and is said to."""
        body: dict[str, object] = {"db": self._client.address.database}
        if retention_days:
            body["retention_period"] = f"{retention_days}d"
        try:
            await self._client.call("POST", "/api/v3/configure/database", _SCHEME, {}, body)
        except InfluxRefusal as error:
            if error.status != _CONFLICT:
                raise
            if retention_days:
                _log.info("the database is there: InfluxDB 3 keeps the retention that it was made with")

    async def delete_before(self, source: str, timeframe: str, before_ns: int) -> None:
        """Refused: the retention of the database is the only way."""
        raise Refused(
            f"InfluxDB 3 cannot delete the {source} bars of {timeframe} before {before_ns}: "
            "give the database a retention when it is made (INFLUXDB_RETENTION_DAYS)"
        )
