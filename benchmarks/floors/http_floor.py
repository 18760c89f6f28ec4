"""HTTP floor: raw ASGI on uvicorn, one worker; decodes the order, answers one of constant shape, keeps nothing."""

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import uvicorn

BODY_BYTES_MAX = 65_536
TIMESTAMP = "2026-01-02T15:04:05.000000Z"
ORDER_ID = "0197f3a0-0000-7000-8000-000000000001"
ASSET_ID = "0197f3a0-0000-7000-8000-000000000002"

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class SubmitBody(msgspec.Struct):
    """The fields of an order that the floor decodes and checks for type."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: str
    limit_price: str | None = None
    client_order_id: str = ""


class OrderAnswer(msgspec.Struct):
    """An order as Alpaca answers it."""

    client_order_id: str
    symbol: str
    qty: str
    side: str
    order_type: str
    type: str
    time_in_force: str
    limit_price: str | None
    id: str = ORDER_ID
    created_at: str = TIMESTAMP
    updated_at: str = TIMESTAMP
    submitted_at: str = TIMESTAMP
    filled_at: str | None = None
    expired_at: str | None = None
    canceled_at: str | None = None
    failed_at: str | None = None
    replaced_at: str | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    asset_id: str = ASSET_ID
    asset_class: str = "us_equity"
    notional: str | None = None
    filled_qty: str = "0"
    filled_avg_price: str | None = None
    order_class: str = ""
    stop_price: str | None = None
    status: str = "new"
    extended_hours: bool = False
    legs: list[str] | None = None
    trail_percent: str | None = None
    trail_price: str | None = None
    hwm: str | None = None
    position_intent: str = "buy_to_open"


_DECODER = msgspec.json.Decoder(SubmitBody)
_ENCODER = msgspec.json.Encoder()


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """`POST /v2/orders` answers an order; every other request 200 and `{}`."""
    assert scope["type"] == "http"
    if scope["method"] != "POST" or scope["path"] != "/v2/orders":
        await _answer(send, 200, b"{}")
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            await _answer(send, 413, b'{"message":"body too large"}')
            return
        if not message.get("more_body", False):
            break
    try:
        order = _DECODER.decode(body)
    except msgspec.DecodeError:
        await _answer(send, 400, b'{"message":"request body format is invalid"}')
        return
    answer = OrderAnswer(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        qty=order.qty,
        side=order.side,
        order_type=order.type,
        type=order.type,
        time_in_force=order.time_in_force,
        limit_price=order.limit_price,
    )
    await _answer(send, 200, _ENCODER.encode(answer))


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floors.http_floor", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port: int = parser.parse_args().port
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
