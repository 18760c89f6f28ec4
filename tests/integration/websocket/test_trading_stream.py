"""A trader follows the orders of an account on /stream."""

import pytest

from tests.integration.websocket.harness import (
    hear,
    hear_nothing,
    listen,
    read_to_the_end,
    running_streams,
    say,
)
from tests.unit.services.websocket.makers import (
    BOB,
    acknowledged,
    executed,
    make_order,
    published,
    submitted,
)
from tradewind.domain.orders.state_machine import OrderStatus


@pytest.mark.parametrize("path", ["/stream", "/stream/", "//stream"])
async def test_the_handshake_has_alpacas_order_and_binary_frames(path: str) -> None:
    async with running_streams() as streams, streams.connect(path) as client:
        await hear_nothing(client)
        await say(client, {"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert await hear(client) == {
            "stream": "authorization",
            "data": {"status": "unauthorized", "action": "listen"},
        }
        await say(client, {"action": "authenticate", "data": {"key_id": "alice", "secret_key": "wonderland"}})
        answer = await client.recv()
        assert isinstance(answer, bytes)
        assert answer == b'{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}'
        await say(client, {"action": "listen", "data": {"streams": ["trade_updates", "account_updates"]}})
        assert await hear(client) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}


@pytest.mark.parametrize(
    "message",
    [
        {"action": "auth", "key": "alice", "secret": "wonderland"},
        {"action": "authenticate", "data": {"oauth_token": "alices-token"}},
        {"action": "auth", "key": "oauth", "secret": "alices-token"},
    ],
)
async def test_other_ways_to_authenticate(message: object) -> None:
    async with running_streams() as streams, streams.connect("/stream") as client:
        await say(client, message)
        assert (await hear(client))["data"]["status"] == "authorized"


async def test_wrong_credentials_are_told_and_the_connection_ends() -> None:
    async with running_streams() as streams, streams.connect("/stream") as client:
        await say(client, {"action": "authenticate", "data": {"key_id": "alice", "secret_key": "wrong"}})
        assert (await hear(client))["data"] == {"status": "unauthorized", "action": "authenticate"}
        assert (await read_to_the_end(client))[1] == 1008


async def test_credentials_that_cannot_be_checked_now_ask_for_patience() -> None:
    async with running_streams() as streams, streams.connect("/stream") as client:
        streams.keys.is_available = False
        await say(client, {"action": "auth", "key": "alice", "secret": "wonderland"})
        assert (await read_to_the_end(client))[1] == 1013


async def test_nonsense_is_answered_and_survived() -> None:
    async with running_streams() as streams, streams.connect("/stream") as client:
        for nonsense in ("{", "[]", '{"action": 5}', '{"data": {}}', b"\xff"):
            await client.send(nonsense)
            assert (await hear(client)) == {"stream": "error", "data": {"error": "invalid syntax"}}
        await listen(client)


async def test_updates_arrive_in_order_with_the_whole_order() -> None:
    async with running_streams() as streams, streams.connect("/stream") as client:
        await listen(client)
        order, working = make_order(), make_order(status=OrderStatus.NEW)
        streams.commit(submitted(order), acknowledged())
        await streams.bus.publish(
            [published(1, submitted(order), order), published(2, acknowledged(), working)]
        )
        first, second = await hear(client), await hear(client)
        assert (first["stream"], first["data"]["event"], second["data"]["event"]) == (
            "trade_updates",
            "pending_new",
            "new",
        )
        assert second["data"]["order"]["status"] == "new"
        assert second["data"]["order"]["limit_price"] == "190.5"
        assert second["data"]["timestamp"].endswith("Z")


async def test_nobody_sees_another_accounts_orders() -> None:
    async with (
        running_streams() as streams,
        streams.connect("/stream") as alice,
        streams.connect("/stream") as bob,
    ):
        await listen(alice)
        await listen(bob, "bob", "builder")
        alices, bobs = make_order(), make_order(account_id=BOB)
        streams.commit(submitted(alices), submitted(bobs))
        await streams.bus.publish(
            [published(1, submitted(alices), alices), published(1, submitted(bobs), bobs)]
        )
        assert (await hear(alice))["data"]["order"]["id"] == alices.order_id
        assert (await hear(bob))["data"]["order"]["id"] == bobs.order_id
        await hear_nothing(alice)
        await hear_nothing(bob)


async def test_a_client_that_logs_in_anew_leaves_the_former_account() -> None:
    async with running_streams() as streams, streams.connect("/stream") as client:
        await listen(client)
        await listen(client, "bob", "builder")
        await streams.bus.publish([published(1, submitted(make_order()), make_order())])
        await hear_nothing(client)


async def test_an_empty_list_stops_the_updates() -> None:
    async with running_streams() as streams, streams.connect("/stream") as client:
        await listen(client)
        await say(client, {"action": "listen", "data": {"streams": []}})
        assert (await hear(client))["data"] == {"streams": []}
        await streams.bus.publish([published(1, submitted(make_order()), make_order())])
        await hear_nothing(client)


async def test_updates_lost_with_the_bus_come_from_the_journal_once() -> None:
    async with running_streams() as streams, streams.connect("/stream") as client:
        await listen(client)
        streams.queries.add_order(make_order(status=OrderStatus.FILLED, filled_qty=make_order().qty))
        streams.commit(submitted(make_order()), acknowledged(), executed())
        await streams.bus.publish([published(1, submitted(make_order()), make_order())])
        assert (await hear(client))["data"]["event"] == "pending_new"
        await streams.bus.publish([published(2, acknowledged(), make_order())])
        streams.bus.flush()
        assert [(await hear(client))["data"]["event"] for _ in range(2)] == ["new", "fill"]
        await streams.bus.publish([published(seq, acknowledged(), make_order()) for seq in (2, 3)])
        await hear_nothing(client, 0.2)


async def test_a_slow_trader_is_cut_with_a_reason() -> None:
    async with (
        running_streams(queued_bytes_max=20_000, write_bytes=1_000) as streams,
        streams.connect("/stream", max_queue=1) as client,
    ):
        await listen(client)
        order = make_order(client_order_id="x" * 100_000)
        for seq in range(1, 200):
            await streams.bus.publish([published(seq, submitted(order), order)])
        _, code, reason = await read_to_the_end(client)
        assert (code, reason) == (1008, "slow client")
