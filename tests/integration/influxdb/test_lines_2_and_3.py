"""The calls that manage 2.x and 3.x, as their documentation has them, against a server that records what it is asked.

It shows what we send and how we take the answers; that the real servers agree, it cannot show.
"""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec
import pytest

from tradewind.adapters.influxdb.bar_store import InfluxBarStore
from tradewind.adapters.influxdb.client import InfluxAddress, InfluxClient
from tradewind.domain.market.ticks import Bar
from tradewind.operations.http import RunningServer, serve
from tradewind.ports.errors import Refused, StoreUnavailable

ONE = Decimal(1)
BAR = Bar("AAPL", "1Min", 0, ONE, ONE, ONE, ONE, ONE, 1, ONE)
DAY_NS = 86_400 * 1_000_000_000
BASIC = "Basic dHJhZGV3aW5kOnNlY3JldA=="  # tradewind:secret


class Asked(NamedTuple):
    call: str
    parameters: Mapping[str, str]
    authorization: str
    body: Any


class RecordingServer:
    """Answers `METHOD /path` with a status and a body; 404 otherwise."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.answers: dict[str, tuple[int, object]] = {"POST /write": (204, None)}
        self.asked: list[Asked] = []

    @property
    def calls(self) -> list[str]:
        return [asked.call for asked in self.asked]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        body = (await receive())["body"]
        call = f"{scope['method']} {scope['path']}"
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        parameters = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        is_json = headers.get("content-type") == "application/json" and body
        self.asked.append(
            Asked(
                call,
                parameters,
                headers.get("authorization", ""),
                msgspec.json.decode(body) if is_json else body,
            )
        )
        status, answer = self.answers.get(call, (404, {"code": "not found", "message": "not found"}))
        reply_headers = []
        if call == "GET /ping":
            status, answer = 200, {"version": self.version}
            if not self.version.startswith("3"):  # 3.x says it in the body alone
                status, answer = 204, None
                reply_headers.append((b"x-influxdb-version", self.version.encode()))
        content = b"" if answer is None else msgspec.json.encode(answer)
        await send({"type": "http.response.start", "status": status, "headers": reply_headers})
        await send({"type": "http.response.body", "body": content})


class Served(NamedTuple):
    server: RecordingServer
    store: InfluxBarStore


async def served(version: str, retention_days: int) -> AsyncIterator[Served]:
    recording = RecordingServer(version)
    running: RunningServer = await serve(recording, "127.0.0.1", 0)
    address = InfluxAddress(
        url=f"http://127.0.0.1:{running.port}",
        database="bars",
        organisation="desk",
        username="tradewind",
        token="secret",
    )
    async with InfluxClient(address) as client:
        yield Served(recording, InfluxBarStore(client, "imported", retention_days))
    await running.stop()


@pytest.fixture
async def two() -> AsyncIterator[Served]:
    async for running in served("v2.7.10", 30):
        yield running


@pytest.fixture
async def three() -> AsyncIterator[Served]:
    async for running in served("3.4.0", 30):
        yield running


async def test_2_makes_a_missing_bucket_in_its_organisation_and_writes_with_the_token(two: Served) -> None:
    two.server.answers |= {
        "GET /api/v2/orgs": (200, {"orgs": [{"id": "0a", "name": "desk", "links": {}}]}),
        "POST /api/v2/buckets": (201, {"id": "0b", "name": "bars"}),
    }
    await two.store.write_bars([BAR])
    await two.store.write_bars([BAR])
    find, organisations, make, write, again = two.server.asked[1:]
    assert (find.call, find.parameters) == ("GET /api/v2/buckets", {"name": "bars", "org": "desk"})
    assert organisations.authorization == make.authorization == "Token secret"
    assert make.body == {
        "orgID": "0a",
        "name": "bars",
        "retentionRules": [{"type": "expire", "everySeconds": 30 * 86_400}],
    }
    assert (write.call, write.parameters) == ("POST /write", {"db": "bars", "precision": "ns"})
    assert (write.authorization, again.call) == (BASIC, "POST /write")


async def test_2_sets_the_retention_of_a_bucket_that_is_there(two: Served) -> None:
    two.server.answers |= {
        "GET /api/v2/buckets": (200, {"buckets": [{"id": "0b", "name": "bars"}]}),
        "PATCH /api/v2/buckets/0b": (200, {"id": "0b", "name": "bars"}),
    }
    await two.store.write_bars([BAR])
    (change,) = (asked for asked in two.server.asked if asked.call.startswith("PATCH"))
    assert change.body == {"retentionRules": [{"type": "expire", "everySeconds": 30 * 86_400}]}


async def test_2_deletes_by_a_predicate_up_to_the_second_before(two: Served) -> None:
    two.server.answers["POST /api/v2/delete"] = (204, None)
    await two.store.delete_bars_before("1Min", 2 * DAY_NS)
    delete = two.server.asked[-1]
    assert delete.parameters == {"bucket": "bars", "org": "desk"}
    assert delete.body == {
        "start": "1970-01-01T00:00:00Z",
        "stop": "1970-01-02T23:59:59Z",
        "predicate": '_measurement="bars" AND source="imported" AND timeframe="1Min"',
    }


async def test_2_without_the_organisation_says_so_and_bars_wait(two: Served) -> None:
    two.server.answers["GET /api/v2/orgs"] = (200, {"orgs": []})
    with pytest.raises(StoreUnavailable, match="has no organisation 'desk'"):
        await two.store.write_bars([BAR])


async def test_3_makes_its_database_once_and_writes_with_the_token(three: Served) -> None:
    three.server.answers["POST /api/v3/configure/database"] = (200, None)
    await three.store.write_bars([BAR])
    _, make, write = three.server.asked
    assert (make.authorization, make.body) == ("Bearer secret", {"db": "bars", "retention_period": "30d"})
    assert (write.call, write.authorization) == ("POST /write", BASIC)


async def test_3_takes_a_database_that_is_there_as_it_is(three: Served) -> None:
    three.server.answers["POST /api/v3/configure/database"] = (409, {"error": "database already exists"})
    await three.store.write_bars([BAR])
    assert three.server.calls[-1] == "POST /write"


async def test_3_cannot_delete_and_says_what_does(three: Served) -> None:
    with pytest.raises(Refused, match="INFLUXDB_RETENTION_DAYS"):
        await three.store.delete_bars_before("1Min", DAY_NS)


async def test_what_is_no_influxdb_is_not_written_to() -> None:
    async for running in served("nginx", 0):
        with pytest.raises(StoreUnavailable, match="is no InfluxDB"):
            await running.store.write_bars([BAR])
        assert "POST /write" not in running.server.calls
