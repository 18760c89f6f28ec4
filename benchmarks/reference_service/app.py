"""The reference's application: FastAPI, pydantic and the SQLAlchemy ORM, one database transaction an order.

It does per order what a platform must: authenticates the key pair, validates the body, locks the account's row, checks
the buying power, and commits the order, the hold and two ledger entries. It has no venue, events or journal.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from uuid_utils.compat import uuid7

from benchmarks.reference_service.models import Account, ApiKey, LedgerEntry, Order
from benchmarks.reference_service.schemas import OrderAnswer, SubmitOrder

POOL_CONNECTIONS_DEFAULT = 20
CACHED_KEYS_MAX = 10_000


class Refusal(Exception):
    """An answer other than 200, with Alpaca's error body."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class CachedKey(NamedTuple):
    """What authentication needs to know of an API key."""

    account_id: UUID
    secret_sha256: bytes


class Services:
    """What a request needs: sessions, the cache of API keys, the tradable symbols with their asset ids."""

    def __init__(self, engine: AsyncEngine, asset_ids: Mapping[str, UUID]) -> None:
        self.sessions = async_sessionmaker(engine, expire_on_commit=False)
        self.asset_ids = asset_ids
        self._keys: dict[str, CachedKey] = {}

    async def account_of(self, key_id: str, secret: str) -> UUID:
        """The account that a key pair names; raises `Refusal` 401."""
        key = self._keys.get(key_id)
        if key is None:
            async with self.sessions() as session:
                stored = await session.get(ApiKey, key_id)
            if stored is None:
                raise Refusal(401, 40110000, "request is not authorized")
            if len(self._keys) >= CACHED_KEYS_MAX:
                self._keys.pop(next(iter(self._keys)))
            key = self._keys[key_id] = CachedKey(stored.account_id, stored.secret_sha256)
        if not hmac.compare_digest(key.secret_sha256, hashlib.sha256(secret.encode()).digest()):
            raise Refusal(401, 40110000, "request is not authorized")
        return key.account_id


def services_of(request: Request) -> Services:
    """The services that the application was built with."""
    services: Services = request.app.state.services
    return services


async def authenticated_account(
    services: Annotated[Services, Depends(services_of)],
    key_id: Annotated[str, Header(alias="APCA-API-KEY-ID")],
    secret: Annotated[str, Header(alias="APCA-API-SECRET-KEY")],
) -> UUID:
    """The account of the request's key pair."""
    return await services.account_of(key_id, secret)


async def submit_order(
    body: SubmitOrder,
    account_id: Annotated[UUID, Depends(authenticated_account)],
    services: Annotated[Services, Depends(services_of)],
) -> OrderAnswer:
    """`POST /v2/orders`: accept a limit order, or refuse it with Alpaca's status and body."""
    asset_id = services.asset_ids.get(body.symbol)
    if asset_id is None:
        raise Refusal(422, 42210000, f'asset "{body.symbol}" not found')
    try:
        async with services.sessions.begin() as session:
            order = await _book(session, account_id, body)
    except IntegrityError as error:
        if "orders_client_order_id_unique" not in str(error.orig):
            raise
        raise Refusal(422, 40010001, "client_order_id must be unique") from error
    return OrderAnswer.of(order, asset_id)


async def _book(session: AsyncSession, account_id: UUID, body: SubmitOrder) -> Order:
    """Lock the account, check its buying power, and add the order, its hold and the ledger entries."""
    query = select(Account).where(Account.id == account_id).with_for_update()
    account = (await session.execute(query)).scalar_one()
    cost = body.qty * body.limit_price if body.side == "buy" else Decimal(0)
    if cost > account.cash - account.held:
        raise Refusal(403, 40310000, "insufficient buying power")
    now = datetime.now(UTC)
    order_id = uuid7()
    order = Order(
        id=order_id,
        account_id=account_id,
        client_order_id=body.client_order_id or str(order_id),
        symbol=body.symbol,
        side=body.side,
        type=body.type,
        time_in_force=body.time_in_force,
        qty=body.qty,
        limit_price=body.limit_price,
        filled_qty=Decimal(0),
        held=cost,
        status="new",
        created_at=now,
        updated_at=now,
        ledger_entries=[
            LedgerEntry(id=uuid7(), account_id=account_id, book="cash", amount=-cost, created_at=now),
            LedgerEntry(id=uuid7(), account_id=account_id, book="held", amount=cost, created_at=now),
        ],
    )
    account.held += cost
    session.add(order)
    return order


async def answer_refusal(request: Request, refusal: Exception) -> JSONResponse:
    """Alpaca's error body."""
    assert isinstance(refusal, Refusal)
    return JSONResponse({"code": refusal.code, "message": refusal.message}, status_code=refusal.status)


async def ready() -> dict[str, str]:
    """`GET /ready`."""
    return {"status": "ready"}


def engine_for(database_url: str, pool_connections: int = POOL_CONNECTIONS_DEFAULT) -> AsyncEngine:
    """An engine with a pool of fixed size, for a `postgresql://` URL."""
    scheme, _, rest = database_url.partition("://")
    assert scheme in ("postgresql", "postgres"), f"not a PostgreSQL URL: {scheme}"
    return create_async_engine(f"postgresql+asyncpg://{rest}", pool_size=pool_connections, max_overflow=0)


def _lifespan(engine: AsyncEngine) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    return lifespan


def build_app(engine: AsyncEngine, asset_ids: Mapping[str, UUID]) -> FastAPI:
    """The application over `engine`, which it disposes of at shutdown."""
    app = FastAPI(title="Reference order API", lifespan=_lifespan(engine))
    app.state.services = Services(engine, asset_ids)
    app.add_exception_handler(Refusal, answer_refusal)
    app.add_api_route("/v2/orders", submit_order, methods=["POST"], response_model=OrderAnswer)
    app.add_api_route("/ready", ready)
    return app
