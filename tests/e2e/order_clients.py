"""Clients that trade as fast as they can and remember every promise that the platform made them.

A request without a definite answer (no connection, a timeout, a 5xx) is sent again with the same client order id and
the same body until there is one.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from tests.e2e.traders import Trader

Body = dict[str, str]

RETRY_DELAY_S = (0.05, 0.5)
GIVE_UP_S = 90.0
"""A request that has no definite answer for this long counts as lost: the platform did not come back."""
OPEN_ORDERS_WANTED = 20
"""A client with more resting orders than this cancels one rather than submit another."""

# Symbol, far below any price of the simulated market, far above.
SYMBOLS = (("AAPL", 10, 5_000), ("MSFT", 10, 5_000), ("TSLA", 10, 5_000), ("BTC/USD", 1_000, 900_000))


@dataclass(frozen=True)
class AcknowledgedOrder:
    """A new or replacing order that was answered with success: `wanted` is the body that was sent."""

    account_id: str
    order_id: str
    client_order_id: str
    wanted: Body
    replaces: str | None = None


@dataclass
class Promises:
    """Everything that the platform answered."""

    orders: list[AcknowledgedOrder] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    """Account, client order id and answer of each order that was refused for good."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Refused orders by reason."""
    cancelled: list[tuple[str, str]] = field(default_factory=list)
    """Account and id of each order whose cancellation was accepted."""
    offences: list[str] = field(default_factory=list)
    """Answers that no client should ever see."""
    attempts: Counter[str] = field(default_factory=Counter)
    """Requests by what became of them: a status, or the name of an error."""
    longest_wait_s: float = 0.0
    """The longest time from the first attempt to the definite answer."""


class OrderClient:
    """One client with one connection, trading one account."""

    def __init__(self, base_url: str, trader: Trader, promises: Promises, seed: int) -> None:
        self._url = base_url
        self._trader = trader
        self._promises = promises
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._name = f"{seed:x}"
        self._resting: list[tuple[str, Body]] = []

    async def trade(self, stop: asyncio.Event) -> None:
        """Until `stop`; the request under way is seen through."""
        # Shorter than the platform's own deadline as often as longer: then our repeats meet what is still under way.
        timeout_s = self._random.choice((1.0, 3.0, 10.0))
        async with httpx.AsyncClient(
            base_url=self._url, headers=self._trader.headers, trust_env=False, timeout=timeout_s
        ) as http:
            while not stop.is_set():
                await self._act(http)

    async def _act(self, http: httpx.AsyncClient) -> None:
        chance = self._random.random()
        if len(self._resting) > OPEN_ORDERS_WANTED or (self._resting and chance < 0.15):
            await self._cancel(http)
        elif self._resting and chance < 0.3:
            await self._replace(http)
        elif chance < 0.6:
            await self._submit(http, self._market_order())
        else:
            await self._submit(http, self._resting_order())

    async def _submit(self, http: httpx.AsyncClient, body: Body) -> None:
        answer = await self._insist(http, "POST", "/v2/orders", body)
        if answer is None:
            return
        if answer.status_code == 200:
            order = self._acknowledge(answer.json(), body, None)
            if "limit_price" in body:
                self._resting.append((order.order_id, body))
        else:
            self._note_refusal(body, answer)

    async def _replace(self, http: httpx.AsyncClient) -> None:
        order_id, old = self._resting.pop(self._random.randrange(len(self._resting)))
        body = {"limit_price": self._another_price(old), "client_order_id": self._new_id()}
        answer = await self._insist(http, "PATCH", f"/v2/orders/{order_id}", body)
        if answer is None:
            return
        if answer.status_code == 200:
            wanted = old | body
            order = self._acknowledge(answer.json(), wanted, order_id)
            self._resting.append((order.order_id, wanted))
        else:
            self._note_refusal(body, answer)

    async def _cancel(self, http: httpx.AsyncClient) -> None:
        order_id, _ = self._resting.pop(self._random.randrange(len(self._resting)))
        answer = await self._insist(http, "DELETE", f"/v2/orders/{order_id}", None)
        if answer is not None and answer.status_code == 204:
            self._promises.cancelled.append((self._trader.account_id, order_id))

    async def _insist(
        self, http: httpx.AsyncClient, method: str, path: str, body: Body | None
    ) -> httpx.Response | None:
        """The definite answer; None when there is none for so long that the client gives up."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < GIVE_UP_S:
            try:
                answer = await http.request(method, path, json=body)
            except httpx.TransportError as error:
                self._promises.attempts[type(error).__name__] += 1
            else:
                self._promises.attempts[str(answer.status_code)] += 1
                if answer.status_code < 500:
                    self._note_wait(time.monotonic() - began_s)
                    self._judge(answer, method, path)
                    return answer
                if answer.status_code not in (502, 503, 504):
                    self._offend(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
            await asyncio.sleep(self._random.uniform(*RETRY_DELAY_S))
        self._offend(f"{method} {path} {body} had no definite answer for {GIVE_UP_S:g} s")
        return None

    def _acknowledge(self, order: dict[str, Any], wanted: Body, replaces: str | None) -> AcknowledgedOrder:
        promise = AcknowledgedOrder(
            account_id=self._trader.account_id,
            order_id=order["id"],
            client_order_id=wanted["client_order_id"],
            wanted=wanted,
            replaces=replaces,
        )
        if order["client_order_id"] != promise.client_order_id:
            self._offend(f"{promise.client_order_id} was answered with order {order['client_order_id']}")
        self._promises.orders.append(promise)
        return promise

    def _note_refusal(self, body: Body, answer: httpx.Response) -> None:
        self._promises.refused.append((self._trader.account_id, body["client_order_id"], answer.text[:300]))
        self._promises.refusals[answer.json().get("reject_reason", "none given")] += 1

    def _note_wait(self, waited_s: float) -> None:
        self._promises.longest_wait_s = max(self._promises.longest_wait_s, waited_s)

    def _judge(self, answer: httpx.Response, method: str, path: str) -> None:
        # The credentials are right and the requests well formed: these would be the platform's mistakes.
        if answer.status_code in (400, 401, 405, 413, 415, 429):
            self._offend(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")

    def _offend(self, what: str) -> None:
        self._promises.offences.append(what)

    def _resting_order(self) -> Body:
        symbol, low, high = self._random.choice(SYMBOLS)
        can_be_short = "/" not in symbol
        side: Literal["buy", "sell"] = "sell" if can_be_short and self._random.random() < 0.2 else "buy"
        body = self._order(symbol, side, "limit")
        body["limit_price"] = str((low if side == "buy" else high) + self._random.randrange(5))
        return body

    def _market_order(self) -> Body:
        symbol = self._random.choice(SYMBOLS)[0]
        side: Literal["buy", "sell"] = "sell" if self._random.random() < 0.45 else "buy"
        return self._order(symbol, side, "market")

    def _order(self, symbol: str, side: Literal["buy", "sell"], kind: Literal["limit", "market"]) -> Body:
        is_crypto = "/" in symbol
        return {
            "symbol": symbol,
            "side": side,
            "type": kind,
            "qty": str(self._random.randrange(1, 10) / 1_000 if is_crypto else self._random.randrange(1, 10)),
            "time_in_force": "gtc",
            "client_order_id": self._new_id(),
        }

    def _another_price(self, old: Body) -> str:
        return str(max(int(old["limit_price"]) + self._random.choice((-3, -2, 1, 2, 3)), 1))

    def _new_id(self) -> str:
        return f"{self._name}-{next(self._numbers)}"


async def trade_until(stop: asyncio.Event, base_url: str, traders: Iterable[Trader], seed: int) -> Promises:
    """One client an account, until `stop`; what the platform promised them."""
    promises = Promises()
    clients = [
        OrderClient(base_url, trader, promises, seed * 1_000 + number)
        for number, trader in enumerate(traders)
    ]
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.trade(stop))
    return promises
