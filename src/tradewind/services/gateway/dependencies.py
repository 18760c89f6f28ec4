"""Everything the gateway needs from outside, and the parts that it builds of it."""

from typing import Any

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from tradewind.domain.market.calendar import SessionCalendar
from tradewind.ports.authentication import Authenticator, Principal
from tradewind.ports.bus import CommandBus
from tradewind.ports.clock import Clock
from tradewind.ports.credentials import AccessTokenIssuer, CredentialStore, PasswordHasher, SecretSource
from tradewind.ports.ids import IdSource
from tradewind.ports.market_data import BarStore, MarketDataSubscriber
from tradewind.ports.trading_queries import TradingQueries
from tradewind.services.gateway.account.last_day import LastDayReader
from tradewind.services.gateway.auth.sessions import LoginSessions
from tradewind.services.gateway.commands import CommandSender
from tradewind.services.gateway.context import SCOPE_KEY, RequestContext
from tradewind.services.gateway.instrument_directory import InstrumentDirectory
from tradewind.services.gateway.mark_prices import MarkPriceReader
from tradewind.services.gateway.orders.management import OrderManagement
from tradewind.services.gateway.orders.submit import OrderSubmission
from tradewind.services.gateway.orders.view import OrderFormat
from tradewind.services.gateway.positions.book import PositionBook
from tradewind.services.gateway.positions.reader import PositionReader
from tradewind.services.gateway.previous_closes import PreviousCloses

Sender = NamedDependency[SkipValidation[Principal]]
"""A handler's argument `principal`: who sent the request."""


class GatewayDependencies(msgspec.Struct, frozen=True, kw_only=True):
    """What a composition root hands to the gateway."""

    authenticator: Authenticator
    credentials: CredentialStore
    password_hasher: PasswordHasher
    token_issuer: AccessTokenIssuer
    secret_source: SecretSource
    bus: CommandBus
    reply_to: str
    """The bus's reply channel."""
    queries: TradingQueries
    market_data: MarketDataSubscriber
    bars: BarStore
    """Bars of the market that is traded."""
    close_timeframe: str
    """The timeframe of those bars from which closing prices are taken."""
    order_format: OrderFormat
    calendar: SessionCalendar
    ids: IdSource
    clock: Clock
    command_deadline_ms: int
    refresh_token_ttl_s: int
    version: str


class GatewayParts:
    """The gateway's own objects, one of each."""

    def __init__(self, given: GatewayDependencies) -> None:
        self.given = given
        self.directory = InstrumentDirectory(given.queries, given.clock)
        self.marks = MarkPriceReader(given.market_data, given.clock)
        self.sender = sender = CommandSender(
            given.bus, given.reply_to, given.queries, given.ids, given.clock, given.command_deadline_ms
        )
        self.submission = OrderSubmission(sender, self.directory, given.order_format)
        self.orders = OrderManagement(sender, given.queries, self.directory, given.order_format)
        closes = PreviousCloses(given.bars, given.close_timeframe, given.calendar, self.marks, given.clock)
        self.last_days = LastDayReader(given.queries, closes, self.directory, given.calendar, given.clock)
        self.positions = PositionBook(
            PositionReader(given.queries, self.directory, self.marks, closes, given.calendar, given.clock),
            sender,
            given.queries,
            self.directory,
            given.order_format,
        )
        self.sessions = LoginSessions(
            given.credentials,
            given.password_hasher,
            given.token_issuer,
            given.secret_source,
            given.ids,
            given.clock,
            given.refresh_token_ttl_s,
        )


def parts_of(request: Request[Any, Any, Any]) -> GatewayParts:
    """The parts of the application that serves the request."""
    parts: GatewayParts = request.app.state.parts
    return parts


async def principal_of(request: Request[Any, Any, Any]) -> Principal:
    """Who asks. Raises `NotAuthenticated`, `StoreUnavailable`, `Overloaded`."""
    return await parts_of(request).given.authenticator.authenticate(request.headers)


def context_of(request: Request[Any, Any, Any]) -> RequestContext:
    """The request's id and arrival, put there by the front."""
    context: RequestContext = request.scope[SCOPE_KEY]  # type: ignore[literal-required]
    return context
