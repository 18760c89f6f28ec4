"""The operators' paths, asked over real connections and in front of another application."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from tradewind.operations import http as http_module
from tradewind.operations import probes as probes_module
from tradewind.operations.http import OperationsMiddleware, RunningServer, operations_app, respond, serve
from tradewind.operations.probes import Probes


async def fine() -> str | None:
    return None


async def down() -> str | None:
    return "connection refused"


async def broken() -> str | None:
    raise ConnectionError("postgresql://trader:hunter2@db/tradewind unreachable")


@pytest.fixture
def probes() -> Probes:
    return Probes("order-service", "1.2.3")


@pytest.fixture
async def server(probes: Probes) -> AsyncIterator[RunningServer]:
    running = await serve(operations_app(probes), "127.0.0.1", 0)
    yield running
    await running.stop()


async def test_the_four_paths_over_http(server: RunningServer, probes: Probes) -> None:
    probes.add_check("postgres", fine)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        health = await client.get("/health")
        ready = await client.get("/ready")
        version = await client.head("/version")
        metrics = await client.get("/metrics")
        elsewhere = await client.get("/v2/orders")
        posted = await client.post("/health")
    assert (health.status_code, health.json()) == (200, {"status": "alive", "service": "order-service"})
    assert "server" not in health.headers
    assert ready.json()["checks"] == {"postgres": "ok"}
    assert (version.status_code, version.content) == (200, b"")
    assert 'tradewind_build_info{service="order-service",version="1.2.3"} 1.0' in metrics.text
    assert "process_resident_memory_bytes" in metrics.text
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, 40410000)
    assert posted.status_code == 405


async def test_not_ready_names_every_problem_and_hides_passwords(probes: Probes) -> None:
    probes.add_check("redis", down)
    probes.add_check("postgres", broken)
    probes.add_check("clock", fine)
    response = await respond("/ready", probes)
    assert response is not None
    assert response.status == 503
    assert b'"redis":"connection refused"' in response.body
    assert b"ConnectionError" in response.body
    assert b"hunter2" not in response.body
    assert b'"clock":"ok"' in response.body


async def test_a_check_that_hangs_fails_in_time(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes_module, "CHECK_TIMEOUT_S", 0.05)

    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    probes.add_check("redis", hangs)
    async with asyncio.timeout(1):
        assert await probes.readiness() == {"redis": "no answer within 0.05 s"}


def test_a_check_name_is_used_once(probes: Probes) -> None:
    probes.add_check("redis", fine)
    with pytest.raises(ValueError, match="redis"):
        probes.add_check("redis", fine)


async def test_other_paths_reach_the_wrapped_application(probes: Probes) -> None:
    seen: list[str] = []

    async def application(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(OperationsMiddleware(application, probes))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/v2/account")).status_code == 204
    assert seen == ["/v2/account"]


async def test_stopping_answers_the_request_in_progress(probes: Probes) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        assert scope["type"] == "http"
        entered.set()
        await release.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    running = await serve(slow, "127.0.0.1", 0)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
        request = asyncio.create_task(client.get("/v2/orders"))
        await entered.wait()
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0.05)
        release.set()
        assert (await request).status_code == 204
        await stopping
    assert not running.started


async def test_an_address_in_use_is_an_error_that_names_it(probes: Probes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            await serve(operations_app(probes), "127.0.0.1", port)


async def test_a_request_that_outlasts_the_stop_is_answered_503_and_not_as_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_module, "GRACEFUL_STOP_TIMEOUT_S", 0.05)
    has_begun = asyncio.Event()

    async def waits_for_a_reply(scope: http_module.Scope, receive: object, send: object) -> None:
        assert scope["type"] == "http"  # uvicorn takes that as: no lifespan
        has_begun.set()
        await asyncio.Event().wait()

    running = await serve(waits_for_a_reply, "127.0.0.1", 0)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
        asking = asyncio.create_task(client.post("/v2/orders"))
        await has_begun.wait()
        await running.stop()
        answer = await asking
    assert answer.status_code == 503
    assert "not known" in answer.json()["message"]
