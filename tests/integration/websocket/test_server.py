"""The port as a whole: plain HTTP, routes, the bound on clients, and stopping."""

import asyncio
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.websocket.harness import hear, listen, log_in, running_streams


async def test_operators_pages_are_on_the_same_port() -> None:
    async with running_streams() as streams, httpx.AsyncClient(trust_env=False) as client:
        base = f"http://127.0.0.1:{streams.port}"
        health = await client.get(f"{base}/health")
        assert (health.status_code, health.json()["status"]) == (200, "alive")
        assert (await client.get(f"{base}/ready")).json()["status"] == "ready"
        assert (await client.get(f"{base}/version")).json() == {
            "service": "websocket-service",
            "version": "1",
        }
        metrics = await client.get(f"{base}/metrics?x=1")
        assert "tradewind_websocket_clients" in metrics.text
        assert metrics.headers["content-type"].startswith("text/plain")


async def test_unknown_paths_are_not_found() -> None:
    async with running_streams() as streams, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{streams.port}/v2/account/orders")
        assert (answer.status_code, answer.json()["code"]) == (404, 40410000)
        with pytest.raises(InvalidStatus):
            async with streams.connect("/v1beta1/nothing"):
                pass


async def test_a_stream_asked_for_without_an_upgrade_is_refused() -> None:
    async with running_streams() as streams, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{streams.port}/stream")).status_code == 400


async def test_clients_beyond_the_bound_are_turned_away_until_one_leaves() -> None:
    async with running_streams(clients_max=1) as streams:
        async with streams.connect("/stream"):
            with pytest.raises(InvalidStatus) as refused:
                async with streams.connect("/stream"):
                    pass
            assert refused.value.response.status_code == 503
        await asyncio.sleep(0.02)
        async with streams.connect("/stream") as client:
            await listen(client)


async def test_browsers_that_list_more_connection_options_are_let_in() -> None:
    async with running_streams() as streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", streams.port)
        writer.write(
            b"GET /v2/iex HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        writer.close()


async def test_stopping_says_goodbye_to_every_client() -> None:
    async with (
        running_streams() as streams,
        streams.connect("/stream") as trader,
        streams.connect("/v2/iex") as watcher,
    ):
        await listen(trader)
        await log_in(watcher)
        streams.stop.set()
        for client in (trader, watcher):
            with pytest.raises(ConnectionClosed) as closed:
                await hear(client)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001


async def test_a_client_that_does_not_leave_is_torn_down() -> None:
    async with running_streams(drain_timeout_s=0.1) as streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", streams.port)
        writer.write(
            b"GET /stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        began_s = time.monotonic()
        streams.stop.set()
        await asyncio.gather(reader.read(), return_exceptions=True)
        assert time.monotonic() - began_s < 2
        writer.close()
