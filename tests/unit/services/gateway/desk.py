"""A whole gateway over the real trading core, in one process: what a trader does and what happens behind it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx

from tests.unit.services.gateway.plain_passwords import PlainPasswordHasher
from tradewind.adapters.alpaca.order_format import alpaca_order
from tradewind.adapters.auth.api_keys import RandomSecretSource
from tradewind.adapters.auth.authenticator import CredentialAuthenticator
from tradewind.adapters.auth.tokens import AccessTokens
from tradewind.adapters.memory.bar_store import MemoryBarStore
from tradewind.adapters.memory.command_bus import MemoryCommandBus
from tradewind.adapters.memory.credentials import MemoryCredentialStore
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.adapters.memory.trading_queries import MemoryTradingQueries
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.domain.commands import (
    CancelAllOrders,
    CancelOrder,
    ClosePosition,
    Command,
    DepositCash,
    MarkPrices,
    OpenAccount,
    ReplaceOrder,
    SubmitOrder,
)
from tradewind.domain.events import (
    CashDeposited,
    CashWithdrawn,
    CommandRefused,
    OrderCancelRequested,
    OrderExecuted,
    OrderReplaceRequested,
)
from tradewind.domain.market.calendar import AroundTheClock
from tradewind.domain.market.ticks import Trade
from tradewind.domain.market.universe import default_universe
from tradewind.domain.orders.order import Order
from tradewind.domain.risk.limits import RiskLimits
from tradewind.domain.venue_reports import VenueAccepted, VenueCanceled, VenueExecution, VenueReplaced
from tradewind.engine.trading_core import TradingCore
from tradewind.ports.credentials import ApiKey, KeyPair, fingerprint
from tradewind.ports.messages import CommandEnvelope, Reply
from tradewind.ports.trading_queries import CashMovement, Execution
from tradewind.services.gateway.app import create_app
from tradewind.services.gateway.dependencies import GatewayDependencies

START_NS = 1_700_000_000_000_000_000
JWT_KEY = "k" * 40
ACCESS_TTL_S = 900
REFRESH_TTL_S = 86_400
PRICES = {"AAPL": Decimal(200), "MSFT": Decimal(400), "BTC/USD": Decimal(60000)}


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ns = START_NS

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self.ns

    def advance_s(self, seconds: float) -> None:
        """Let time pass."""
        self.ns += int(seconds * 1e9)


class Desk:
    """The gateway, its one trader, and a venue that does what the test says."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.ids = Uuid7Source()
        universe = default_universe()
        self.core = TradingCore({item.symbol: item for item in universe}, RiskLimits())
        self.queries = MemoryTradingQueries(universe)
        self.credentials = MemoryCredentialStore()
        self.market_data = MemoryMarketData()
        self.bars = MemoryBarStore()
        self._seq = 0
        self.commands: list[CommandEnvelope] = []
        self.before_reply: Callable[[CommandEnvelope], None] = lambda _envelope: None
        self.before_command: Callable[[CommandEnvelope], None] = lambda _envelope: None
        self.cancels_at_once = False
        self.account_id = self.ids.new_id()
        self.tokens = AccessTokens(JWT_KEY, ACCESS_TTL_S, self.ids)
        self.authenticator = CredentialAuthenticator(self.credentials, self.tokens, self.clock)
        self.app = create_app(self.dependencies())
        self.key = RandomSecretSource().new_key_pair()
        self.user_id = self.ids.new_id()

    def dependencies(self) -> GatewayDependencies:
        """What the gateway is built of."""
        return GatewayDependencies(
            authenticator=self.authenticator,
            credentials=self.credentials,
            password_hasher=PlainPasswordHasher(),
            token_issuer=self.tokens,
            secret_source=RandomSecretSource(),
            bus=MemoryCommandBus(self.handle),
            reply_to="desk",
            queries=self.queries,
            market_data=self.market_data,
            bars=self.bars,
            close_timeframe="1Min",
            order_format=alpaca_order,
            calendar=AroundTheClock(),
            ids=self.ids,
            clock=self.clock,
            command_deadline_ms=5_000,
            refresh_token_ttl_s=REFRESH_TTL_S,
            version="0.0.0",
        )

    async def open(self) -> None:
        """Open the trader's account with 100,000 dollars, and the market."""
        self.apply(OpenAccount(account_id=self.account_id, account_number="PA000001", multiplier=Decimal(2)))
        self.apply(DepositCash(account_id=self.account_id, amount=Decimal(100_000)))
        await self.add_key(self.key, self.account_id)
        await self.set_prices(PRICES)

    async def add_key(self, pair: KeyPair, account_id: str) -> None:
        """Let a key open an account."""
        await self.credentials.add_account(self.user_id, account_id)
        await self.credentials.add_api_key(
            ApiKey(
                key_id=pair.key_id,
                secret_sha256=fingerprint(pair.secret),
                user_id=self.user_id,
                account_id=account_id,
                created_at_ns=START_NS,
            )
        )

    async def set_prices(self, prices: dict[str, Decimal]) -> None:
        """One trade of each symbol."""
        self.core.apply(MarkPrices(prices=prices), self.clock.ns)
        await self.market_data.publish(
            [Trade(symbol, price, Decimal(1), self.clock.ns, 1) for symbol, price in prices.items()]
        )
        self.clock.advance_s(1)

    @property
    def headers(self) -> dict[str, str]:
        """The trader's key pair."""
        return {"APCA-API-KEY-ID": self.key.key_id, "APCA-API-SECRET-KEY": self.key.secret}

    def client(self, app: Any = None) -> httpx.AsyncClient:
        """An HTTP client with the trader's key pair."""
        transport = httpx.ASGITransport(app=app or self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://desk", headers=self.headers)

    def handle(self, envelope: CommandEnvelope) -> Reply:
        """What the order service does with a command."""
        self.before_command(envelope)
        self.commands.append(envelope)
        self.clock.advance_s(0.001)
        command = envelope.command
        events = self.apply(command)
        refused = [event for event in events if isinstance(event, CommandRefused)]
        if refused:
            reply = Reply(command_id=envelope.command_id, refusal=refused[0].refusal)
        else:
            reply = Reply(command_id=envelope.command_id, orders=self._orders_of(command, events))
        if self.cancels_at_once:
            self._cancel_requested(events)
        self.before_reply(envelope)
        return reply

    def apply(self, command: Command) -> list[Any]:
        """Apply a command to the core and commit what it changed."""
        events = self.core.apply(command, self.clock.ns)
        for event in events:
            self._book(event)
        for account in self.core.state.accounts.values():
            self.queries.add_account(account)
        for order in self.core.state.orders.values():
            self.queries.add_order(order)
        return events

    def _book(self, event: Any) -> None:
        self._seq += 1
        if isinstance(event, OrderExecuted):
            names = [name for name in Execution.__struct_fields__ if name != "seq"]
            fields = {name: getattr(event, name) for name in names}
            self.queries.add_executions([Execution(**fields, seq=self._seq)])
        elif isinstance(event, CashDeposited | CashWithdrawn):
            amount = event.amount if isinstance(event, CashDeposited) else -event.amount
            movement = CashMovement(ts_ns=self.clock.ns, amount=amount, kind=type(event).__name__)
            self.queries.add_cash_movements(event.account_id, [movement])

    def accept(self, order_id: str) -> None:
        """The venue works the order."""
        self.apply(VenueAccepted(account_id=self.account_id, order_id=order_id, ts_ns=self.clock.ns))

    def fill(self, order_id: str, qty: str, price: str, *, is_complete: bool = True) -> None:
        """The venue executes the order."""
        self.clock.advance_s(0.001)
        self.apply(
            VenueExecution(
                account_id=self.account_id,
                order_id=order_id,
                execution_id=self.ids.new_id(),
                qty=Decimal(qty),
                price=Decimal(price),
                fee=Decimal(0),
                is_complete=is_complete,
                ts_ns=self.clock.ns,
            )
        )

    def replaced(self, order_id: str, new_order_id: str) -> None:
        """The venue works the new order in place of the old one."""
        self.apply(
            VenueReplaced(
                account_id=self.account_id, order_id=order_id, new_order_id=new_order_id, ts_ns=self.clock.ns
            )
        )

    async def hold(self, symbol: str, qty: str, price: str) -> None:
        """Give the account a position."""
        async with self.client() as client:
            answer = await client.post(
                "/v2/orders", json={"symbol": symbol, "qty": qty, "side": "buy", "time_in_force": "day"}
            )
        assert answer.status_code == 200, answer.text
        self.fill(answer.json()["id"], qty, price)

    def _orders_of(self, command: Command, events: list[Any]) -> list[Order]:
        orders = self.core.state.orders
        match command:
            case SubmitOrder() | ClosePosition():
                known = self.core.state.order_by_client_id(self.account_id, command.client_order_id)
                return [] if known is None else [known]
            case ReplaceOrder():
                new = next(e.order.order_id for e in events if isinstance(e, OrderReplaceRequested))
                return [orders[new], orders[command.order_id]]
            case CancelOrder():
                return [orders[command.order_id]]
            case CancelAllOrders():
                return [orders[e.order_id] for e in events if isinstance(e, OrderCancelRequested)]
            case _:
                return []

    def _cancel_requested(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, OrderCancelRequested):
                self.apply(
                    VenueCanceled(account_id=event.account_id, order_id=event.order_id, ts_ns=self.clock.ns)
                )
