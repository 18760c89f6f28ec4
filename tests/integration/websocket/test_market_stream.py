"""A client follows market data, in JSON and in msgpack."""

import asyncio
from collections.abc import Iterable

import msgpack
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection

from tests.integration.websocket.harness import (
    MSGPACK,
    hear,
    hear_nothing,
    log_in,
    read_to_the_end,
    running_streams,
    say,
)
from tests.unit.services.websocket.makers import NOON_NS, bar, daily_bar, quote, trade

NO_CHANNELS: dict[str, list[str]] = {
    "trades": [], "quotes": [], "bars": [], "updatedBars": [], "dailyBars": [], "statuses": [], "lulds": [],
    "corrections": [], "cancelErrors": [],
}  # fmt: skip


async def hear_packed(client: ClientConnection) -> list[dict[str, object]]:
    async with asyncio.timeout(2):
        message = await client.recv()
    assert isinstance(message, bytes)
    unpacked: list[dict[str, object]] = msgpack.unpackb(message)
    return unpacked


async def test_json_clients_get_text_and_their_whole_state() -> None:
    async with running_streams() as streams, streams.connect("/v2/iex") as client:
        await log_in(client)
        await say(
            client,
            {"action": "subscribe", "trades": ["AAPL"], "bars": ["*"], "quotes": None, "statuses": ["*"]},
        )
        state = {
            "trades": ["AAPL"],
            "bars": ["*"],
            "statuses": ["*"],
            "corrections": ["AAPL"],
            "cancelErrors": ["AAPL"],
        }
        assert await hear(client) == [{"T": "subscription", **NO_CHANNELS, **state}]
        await streams.market_data.publish(
            [trade("AAPL"), trade("MSFT"), quote("AAPL"), bar("MSFT"), bar("X", "5Sec")]
        )
        text = await client.recv()
        assert isinstance(text, str)
        events = msgspec.json.decode(text)
        assert [(event["T"], event["S"]) for event in events] == [("t", "AAPL"), ("b", "MSFT")]
        assert events[0]["t"] == "2023-11-14T22:13:20.123456789Z"
        await say(client, {"action": "unsubscribe", "trades": ["AAPL"], "bars": ["*"], "statuses": ["*"]})
        assert await hear(client) == [{"T": "subscription", **NO_CHANNELS}]
        await streams.market_data.publish([trade("AAPL"), bar("MSFT")])
        await hear_nothing(client)


async def test_msgpack_clients_get_binary_frames_and_timestamps() -> None:
    async with running_streams() as streams, streams.connect("/v2/sip", additional_headers=MSGPACK) as client:
        assert await hear_packed(client) == [{"T": "success", "msg": "connected"}]
        await client.send(msgpack.packb({"action": "auth", "key": "alice", "secret": "wonderland"}))
        assert await hear_packed(client) == [{"T": "success", "msg": "authenticated"}]
        packed = msgpack.packb({"action": "subscribe", "quotes": ["*"]})
        await client.send(fragments(packed))
        assert (await hear_packed(client))[0]["quotes"] == ["*"]
        await streams.market_data.publish([quote(f"S{number}") for number in range(20)])
        events = await hear_packed(client)
        assert len(events) == 20
        stamp = events[0]["t"]
        assert isinstance(stamp, msgpack.Timestamp)
        assert stamp.seconds * 10**9 + stamp.nanoseconds == NOON_NS
        assert (events[0]["bp"], events[0]["bs"]) == (190.1, 200)


def fragments(message: bytes, size: int = 7) -> Iterable[bytes]:
    return [message[start : start + size] for start in range(0, len(message), size)]


async def test_pings_between_fragments_are_answered() -> None:
    async with running_streams() as streams, streams.connect("/v2/iex") as client:
        await log_in(client)

        async def slow_parts() -> object:
            text = '{"action": "subscribe", "trades": ["AAPL"]}'
            yield text[:10]
            await (await client.ping())
            yield text[10:]

        await client.send(slow_parts())
        assert (await hear(client))[0]["trades"] == ["AAPL"]


@pytest.mark.parametrize("path", ["/v1beta3/crypto/us", "/v1beta2/crypto"])
async def test_crypto_has_its_own_channels_and_symbols(path: str) -> None:
    async with running_streams() as streams, streams.connect(path) as client:
        await log_in(client)
        await say(client, {"action": "subscribe", "trades": ["*"], "orderbooks": ["BTC/USD"]})
        assert await hear(client) == [
            {
                "T": "subscription", "trades": ["*"], "quotes": [], "bars": [], "updatedBars": [], "dailyBars": [],
                "orderbooks": ["BTC/USD"],
            }
        ]  # fmt: skip
        await streams.market_data.publish([trade("AAPL"), trade("BTC/USD")])
        assert [event["S"] for event in await hear(client)] == ["BTC/USD"]


async def test_the_day_so_far_comes_as_a_daily_bar() -> None:
    async with running_streams() as streams, streams.connect("/v2/iex") as client:
        await log_in(client)
        await say(client, {"action": "subscribe", "dailyBars": ["AAPL"], "bars": ["AAPL"]})
        assert (await hear(client))[0]["dailyBars"] == ["AAPL"]
        await streams.market_data.publish([bar("AAPL"), daily_bar("AAPL"), daily_bar("MSFT")])
        minute, day = await hear(client)
        assert (minute["T"], day["T"]) == ("b", "d")
        assert day == minute | {"T": "d"}


async def test_credentials_in_the_upgrade_need_no_message() -> None:
    headers = {"APCA-API-KEY-ID": "alice", "APCA-API-SECRET-KEY": "wonderland"}
    async with running_streams() as streams, streams.connect("/v2/iex", additional_headers=headers) as client:
        assert await hear(client) == [{"T": "success", "msg": "connected"}]
        assert await hear(client) == [{"T": "success", "msg": "authenticated"}]


async def test_messages_wait_while_credentials_are_checked() -> None:
    async with running_streams() as streams, streams.connect("/v2/iex") as client:
        streams.keys.waits_for = asyncio.Event()
        await say(client, {"action": "auth", "key": "alice", "secret": "wonderland"})
        await say(client, {"action": "subscribe", "trades": ["AAPL"]})
        assert (await hear(client))[0]["msg"] == "connected"
        await hear_nothing(client)
        streams.keys.waits_for.set()
        assert (await hear(client))[0]["msg"] == "authenticated"
        assert (await hear(client))[0]["trades"] == ["AAPL"]


async def test_too_many_messages_before_authentication_end_the_connection() -> None:
    async with running_streams(waiting_messages_max=3) as streams, streams.connect("/v2/iex") as client:
        streams.keys.waits_for = asyncio.Event()
        for _ in range(6):
            await say(client, {"action": "auth", "key": "alice", "secret": "wonderland"})
        assert (await hear(client))[0]["msg"] == "connected"
        assert (await read_to_the_end(client))[1] == 1008


async def test_errors_are_numbered() -> None:
    async with running_streams(symbols_max=3) as streams, streams.connect("/v2/iex") as client:
        assert (await hear(client))[0]["msg"] == "connected"

        async def answer(message: object) -> tuple[int, str]:
            await say(client, message)
            [error] = await hear(client)
            assert error["T"] == "error"
            return error["code"], error["msg"]

        assert await answer({"action": "subscribe", "trades": ["AAPL"]}) == (401, "not authenticated")
        assert await answer(["no"]) == (400, "invalid syntax")
        await say(client, {"action": "auth", "key": "oauth", "secret": "alices-token"})
        assert (await hear(client))[0]["msg"] == "authenticated"
        assert await answer({"action": "auth", "key": "x", "secret": "y"}) == (403, "already authenticated")
        assert await answer({"action": "dance"}) == (400, "invalid syntax")
        assert await answer({"action": "subscribe", "trades": "AAPL"}) == (400, "invalid syntax")
        assert await answer({"action": "subscribe", "quotes": ["X" * 33]}) == (400, "invalid syntax")
        assert await answer({"action": "subscribe", "quotes": ["A", "B", "C", "D"]}) == (
            405,
            "symbol limit exceeded",
        )
        assert (await answer({"action": "subscribe", "orderbooks": ["BTC/USD"]}))[0] == 410


async def test_wrong_credentials_are_told_and_the_connection_ends() -> None:
    async with running_streams() as streams, streams.connect("/v2/iex") as client:
        await hear(client)
        await say(client, {"action": "auth", "key": "alice", "secret": "wrong"})
        assert await hear(client) == [{"T": "error", "code": 402, "msg": "auth failed"}]
        assert (await read_to_the_end(client))[1] == 1008


async def test_who_does_not_authenticate_in_time_is_cut() -> None:
    async with running_streams(auth_timeout_s=0.1) as streams, streams.connect("/v2/iex") as client:
        await hear(client)
        assert await hear(client) == [{"T": "error", "code": 404, "msg": "auth timeout"}]
        assert (await read_to_the_end(client))[1] == 1008


async def test_who_authenticated_in_time_stays() -> None:
    async with running_streams(auth_timeout_s=0.1) as streams, streams.connect("/v2/iex") as client:
        await log_in(client)
        await hear_nothing(client, 0.2)
        await say(client, {"action": "subscribe", "trades": ["AAPL"]})
        assert (await hear(client))[0]["T"] == "subscription"


@pytest.mark.parametrize("parts", [["x" * 3_000], ["x" * 600, "x" * 600]])
async def test_an_oversized_message_ends_the_connection(parts: list[str]) -> None:
    async with running_streams(message_bytes_max=1_000) as streams, streams.connect("/v2/iex") as client:
        await hear(client)
        await client.send(parts)
        assert (await read_to_the_end(client))[1] == 1009


async def test_a_slow_client_is_told_and_cut_and_others_are_not() -> None:
    async with (
        running_streams(queued_bytes_max=100_000, write_bytes=10_000) as streams,
        streams.connect("/v2/iex", max_queue=1) as slow,
        streams.connect("/v2/iex", max_queue=None) as quick,
    ):
        for client in (slow, quick):
            await log_in(client)
            await say(client, {"action": "subscribe", "quotes": ["*"]})
            await hear(client)
        batch = [quote(f"SYMBOL{number}") for number in range(400)]
        for _ in range(400):
            await streams.market_data.publish(batch)
            await asyncio.sleep(0)
        messages, code, reason = await read_to_the_end(slow)
        assert msgspec.json.decode(messages[-1]) == [{"T": "error", "code": 407, "msg": "slow client"}]
        assert (code, reason) == (1008, "slow client")
        received = 0
        async with asyncio.timeout(3):
            while received < 400 * 400:
                received += len(msgspec.json.decode(await quick.recv()))
        assert received == 400 * 400
