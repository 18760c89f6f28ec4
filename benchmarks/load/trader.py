"""One trader of the mixed day: an account that submits, cancels, replaces, trades at the market and looks at what it has."""

import random
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec

from benchmarks.load.figures import Recorder
from benchmarks.load.http_client import Answer, HttpClient, Lost
from benchmarks.load.streams import OrderUpdates
from benchmarks.load_plan import KeyPair
from benchmarks.monotonic_timer import NS_PER_S

OPEN_ORDERS_MAX = 50
"""Own resting orders that are remembered; the oldest beyond are left alone."""
FILL_WAIT_S = 2.0
"""A market order is sold again when it is this old: by then it is filled."""
# Far below any simulated price, so the orders rest.
LIMIT_CENTS_LOWEST = 500
LIMIT_CENTS_STEPS = 500
REPLACED_QTY_STEPS = 500

UPDATE = "order to update"


class _Id(msgspec.Struct):
    id: str


class Trader:
    """Acts once at a time it is told to; every latency counts from the time the action was due."""

    def __init__(
        self,
        key: KeyPair,
        rest: HttpClient,
        analytics: HttpClient,
        updates: OrderUpdates,
        recorder: Recorder,
        symbols: list[str],
        seed: int,
    ) -> None:
        self._key = key
        self._rest = rest
        self._analytics = analytics
        self._updates = updates
        self._recorder = recorder
        self._symbols = symbols
        self._random = random.Random(seed)
        self._run = uuid.uuid4().hex[:12]
        self._number = 0
        self._account_id = ""
        self._open: deque[str] = deque(maxlen=OPEN_ORDERS_MAX)
        self._bought: deque[tuple[int, str]] = deque(maxlen=OPEN_ORDERS_MAX)
        self.races = 0
        """Cancels and replaces that came too late, because the order was changed meanwhile."""

    # What a trading day is made of, in parts of a hundred.
    def _actions(self) -> list[tuple[Callable[[int], Awaitable[None]], int]]:
        return [
            (self.submit_limit, 38),
            (self._trade_at_market, 12),
            (self._cancel, 20),
            (self._replace, 6),
            (self._look_at_account, 8),
            (self._list_positions, 8),
            (self._list_orders, 6),
            (self._ask_performance, 2),
        ]

    async def prepare(self) -> None:
        """Learn the account's id; raises `Lost` or `msgspec.DecodeError`."""
        answer = await self._rest.ask(self._key, "GET", "/v2/account")
        self._account_id = msgspec.json.decode(answer.body, type=_Id).id

    async def act(self, due_ns: int) -> None:
        """Do what chance says."""
        actions = self._actions()
        chosen = self._random.choices([act for act, _ in actions], [weight for _, weight in actions])[0]
        await chosen(due_ns)

    async def submit_limit(self, due_ns: int) -> None:
        """A limit order that rests."""
        body = self._order("buy", "limit")
        cents = LIMIT_CENTS_LOWEST + self._random.randrange(LIMIT_CENTS_STEPS)
        body["limit_price"] = f"{cents / 100:.2f}"
        answer = await self._submit("submit limit order", body, due_ns)
        if answer is not None:
            self._open.append(msgspec.json.decode(answer.body, type=_Id).id)

    async def _trade_at_market(self, due_ns: int) -> None:
        now_ns = time.monotonic_ns()
        if self._bought and self._bought[0][0] + FILL_WAIT_S * NS_PER_S < now_ns:
            _, symbol = self._bought.popleft()
            await self._submit("submit market order", self._order("sell", "market", symbol), due_ns)
            return
        body = self._order("buy", "market")
        if await self._submit("submit market order", body, due_ns) is not None:
            self._bought.append((time.monotonic_ns(), body["symbol"]))

    async def _cancel(self, due_ns: int) -> None:
        if not self._open:
            await self.submit_limit(due_ns)
            return
        await self._change("cancel order", "DELETE", f"/v2/orders/{self._open.popleft()}", None, due_ns)

    async def _replace(self, due_ns: int) -> None:
        if not self._open:
            await self.submit_limit(due_ns)
            return
        path = f"/v2/orders/{self._open.popleft()}"
        self._number += 1  # never the quantity that the order has: that would be refused
        body = {"qty": str(2 + self._number % REPLACED_QTY_STEPS)}
        answer = await self._change("replace order", "PATCH", path, body, due_ns)
        if answer is not None:
            self._open.append(msgspec.json.decode(answer.body, type=_Id).id)

    async def _look_at_account(self, due_ns: int) -> None:
        await self._ask("account", self._rest, "GET", "/v2/account", None, due_ns)

    async def _list_positions(self, due_ns: int) -> None:
        await self._ask("positions", self._rest, "GET", "/v2/positions", None, due_ns)

    async def _list_orders(self, due_ns: int) -> None:
        await self._ask("list orders", self._rest, "GET", "/v2/orders?status=all&limit=50", None, due_ns)

    async def _ask_performance(self, due_ns: int) -> None:
        path = f"/v1/accounts/{self._account_id}/performance"
        await self._ask("performance", self._analytics, "GET", path, None, due_ns)

    async def _submit(self, operation: str, body: dict[str, str], due_ns: int) -> Answer | None:
        name = body["client_order_id"]
        self._updates.expect(name, due_ns)
        answer = await self._ask(operation, self._rest, "POST", "/v2/orders", body, due_ns)
        if answer is None:
            self._updates.forget(name)
        return answer

    async def _change(
        self, operation: str, method: str, path: str, body: object, due_ns: int
    ) -> Answer | None:
        """A 422 says that the order is no longer what it was: the trader's bad luck, no error of the platform."""
        try:
            answer = await self._rest.ask(self._key, method, path, body)
        except Lost as error:
            self._recorder.failed(operation, str(error))
            return None
        if answer.status == 422:
            self.races += 1
            return None
        return self._judged(operation, answer, due_ns)

    async def _ask(
        self, operation: str, client: HttpClient, method: str, path: str, body: object, due_ns: int
    ) -> Answer | None:
        try:
            answer = await client.ask(self._key, method, path, body)
        except Lost as error:
            self._recorder.failed(operation, str(error))
            return None
        return self._judged(operation, answer, due_ns)

    def _judged(self, operation: str, answer: Answer, due_ns: int) -> Answer | None:
        if 200 <= answer.status < 300:
            self._recorder.succeeded(operation, time.monotonic_ns() - due_ns)
            return answer
        self._recorder.failed(operation, f"{answer.status} {answer.body.decode('utf-8', 'replace')}")
        return None

    def _order(self, side: str, kind: str, symbol: str | None = None) -> dict[str, str]:
        self._number += 1
        return {
            "symbol": symbol or self._random.choice(self._symbols),
            "qty": "1",
            "side": side,
            "type": kind,
            "time_in_force": "gtc",
            "client_order_id": f"load-{self._run}-{self._number}",
        }
