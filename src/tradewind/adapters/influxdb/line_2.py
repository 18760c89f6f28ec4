"""InfluxDB 2.x: buckets, their retention and deletes have an API of their own."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from tradewind.adapters.influxdb.client import InfluxClient, decoded
from tradewind.adapters.influxdb.errors import InfluxRefusal, InfluxUnavailable
from tradewind.adapters.influxdb.influxql import TIME_NS_MAX
from tradewind.adapters.influxdb.line_protocol import MEASUREMENT
from tradewind.domain.market.timeframe import NS_PER_S

SECONDS_A_DAY = 86_400
_SCHEME = "Token"
_NOT_FOUND = 404


class _Named(msgspec.Struct):
    id: str
    name: str


class _Buckets(msgspec.Struct):
    buckets: Sequence[_Named] = ()


class _Organisations(msgspec.Struct):
    orgs: Sequence[_Named] = ()


_BUCKETS = msgspec.json.Decoder(_Buckets)
_ORGANISATIONS = msgspec.json.Decoder(_Organisations)


class Line2Administration:
    """Implements `administration.Administration`. The token must be allowed to read and write buckets.

    InfluxQL finds a bucket under its name as a database by itself from 2.4 on.
    """

    def __init__(self, client: InfluxClient) -> None:
        self._client = client
        self._bucket = client.address.database
        self._organisation = client.address.organisation

    async def prepare(self, retention_days: int) -> None:
        """Make the bucket, or set its retention rule."""
        rules = [{"type": "expire", "everySeconds": retention_days * SECONDS_A_DAY}] if retention_days else []
        bucket_id = await self._bucket_id()
        if bucket_id is None:
            bucket = {"orgID": await self._organisation_id(), "name": self._bucket, "retentionRules": rules}
            await self._client.call("POST", "/api/v2/buckets", _SCHEME, {}, bucket)
        elif retention_days:
            changes = {"retentionRules": rules}
            await self._client.call("PATCH", f"/api/v2/buckets/{bucket_id}", _SCHEME, {}, changes)

    async def delete_before(self, source: str, timeframe: str, before_ns: int) -> None:
        """Delete the bars that start before `before_ns`, to the second."""
        # Both ends are included: bars start on whole seconds.
        stop_s = min(before_ns, TIME_NS_MAX) // NS_PER_S - 1
        selection = {
            "start": "1970-01-01T00:00:00Z",
            "stop": _rfc3339(stop_s),
            "predicate": f'_measurement="{MEASUREMENT}" AND source="{source}" AND timeframe="{timeframe}"',
        }
        where = {"bucket": self._bucket, "org": self._organisation}
        await self._client.call("POST", "/api/v2/delete", _SCHEME, where, selection)

    async def _bucket_id(self) -> str | None:
        where = {"name": self._bucket, "org": self._organisation}
        try:
            found = await self._client.call("GET", "/api/v2/buckets", _SCHEME, where, None)
        except InfluxRefusal as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return next(
            (
                bucket.id
                for bucket in decoded(_BUCKETS, found, self._client.place).buckets
                if bucket.name == self._bucket
            ),
            None,
        )

    async def _organisation_id(self) -> str:
        found = await self._client.call("GET", "/api/v2/orgs", _SCHEME, {"org": self._organisation}, None)
        for organisation in decoded(_ORGANISATIONS, found, self._client.place).orgs:
            if organisation.name == self._organisation:
                return organisation.id
        raise InfluxUnavailable(
            f"InfluxDB at {self._client.place} has no organisation {self._organisation!r}"
        )


def _rfc3339(ts_s: int) -> str:
    return datetime.fromtimestamp(ts_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
