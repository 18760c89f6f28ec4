"""What `tradewind top` reads: each service's health and metrics, each account's positions, over HTTP."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

REQUEST_TIMEOUT_S = 2.0
"""A service that takes longer to answer is shown as down."""

ACCOUNTS_MAX = 8
"""Most accounts shown."""

ORDERS_SAMPLE = "tradewind_commands_total of SubmitOrder"
"""Under this name `parse_metrics` gives the part of the commands that are orders."""


class ServiceAddress(msgspec.Struct, frozen=True):
    """Where a service answers."""

    name: str
    url: str


class ServiceReading(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a service. `samples` sums each metric over its labels; empty when the service is down."""

    name: str
    url: str
    latency_s: float | None
    problem: str | None
    read_at_s: float
    samples: Mapping[str, float]


class AccountAccess(msgspec.Struct, frozen=True):
    """How to see one account: a label for it, and the headers that open it."""

    label: str
    headers: Mapping[str, str]


class PositionReading(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the gateway shows it."""

    symbol: str
    qty: Decimal
    average_price: Decimal
    price: Decimal | None
    market_value: Decimal | None
    unrealised_pnl: Decimal | None


class AccountReading(msgspec.Struct, frozen=True, kw_only=True):
    """An account as the gateway shows it; `problem` says why it does not, then the rest is empty.

    `day_pnl` is what equity gained since the last day's end, None where the gateway does not say.
    """

    label: str
    problem: str | None = None
    equity: Decimal | None = None
    cash: Decimal | None = None
    buying_power: Decimal | None = None
    day_pnl: Decimal | None = None
    positions: Sequence[PositionReading] = ()


class Reading(msgspec.Struct, frozen=True):
    """Everything that one frame shows."""

    services: Sequence[ServiceReading]
    accounts: Sequence[AccountReading]


class Reader:
    """Asks all services at once, over one client."""

    def __init__(
        self, client: httpx.AsyncClient, services: Sequence[ServiceAddress], gateway_url: str
    ) -> None:
        self._client = client
        self._services = services
        self._gateway_url = gateway_url

    async def read(self, accounts: Sequence[AccountAccess]) -> Reading:
        """One look at everything; what does not answer is shown with its problem."""
        services, seen = await asyncio.gather(
            asyncio.gather(*(self._service(address) for address in self._services)),
            asyncio.gather(*(self._account(access) for access in accounts[:ACCOUNTS_MAX])),
        )
        return Reading(services, seen)

    async def _service(self, address: ServiceAddress) -> ServiceReading:
        began_s = time.perf_counter()
        latency_s: float | None = None
        samples: Mapping[str, float] = {}
        problem = None
        try:
            response = await self._client.get(f"{address.url}/health")
            latency_s = time.perf_counter() - began_s
            if response.status_code == httpx.codes.OK:
                samples = parse_metrics((await self._client.get(f"{address.url}/metrics")).text)
            else:
                problem = f"answers {response.status_code}"
        except (httpx.HTTPError, ValueError) as error:
            problem = _in_words(error)
        return ServiceReading(
            name=address.name,
            url=address.url,
            latency_s=latency_s,
            problem=problem,
            read_at_s=time.monotonic(),
            samples=samples,
        )

    async def _account(self, access: AccountAccess) -> AccountReading:
        try:
            account, positions = await asyncio.gather(
                self._get("/v2/account", access), self._get("/v2/positions", access)
            )
            return _account_reading(access.label, account, positions)
        except httpx.HTTPStatusError as error:
            return AccountReading(label=access.label, problem=_refusal(error.response))
        except httpx.HTTPError as error:
            return AccountReading(label=access.label, problem=_in_words(error))
        except (ValueError, KeyError, TypeError, InvalidOperation):
            return AccountReading(label=access.label, problem="the gateway's answer cannot be read")

    async def _get(self, path: str, access: AccountAccess) -> Any:
        response = await self._client.get(f"{self._gateway_url}{path}", headers=dict(access.headers))
        response.raise_for_status()
        return response.json()


def parse_metrics(text: str) -> dict[str, float]:
    """Sum of each metric over its labels, by sample name. Raises `ValueError` on text that is no metrics."""
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            names = [sample.name]
            if command := sample.labels.get("command"):
                names.append(f"{sample.name} of {command}")
            for name in names:
                samples[name] = samples.get(name, 0.0) + sample.value
    return samples


def rate(before: ServiceReading | None, after: ServiceReading, sample: str) -> float | None:
    """How much a counter grew a second between two looks; None when that cannot be said."""
    if before is None or not before.samples or not after.samples:
        return None
    elapsed_s = after.read_at_s - before.read_at_s
    # A counter with labels is absent until it first counts.
    grown = after.samples.get(sample, 0.0) - before.samples.get(sample, 0.0)
    # A counter that fell belongs to a process that has started anew.
    return grown / elapsed_s if elapsed_s > 0 and grown >= 0 else None


def _account_reading(label: str, account: Any, positions: Any) -> AccountReading:
    equity = Decimal(account["equity"])
    last_equity = _decimal_or_none(account.get("last_equity"))
    return AccountReading(
        label=label,
        equity=equity,
        cash=Decimal(account["cash"]),
        buying_power=_decimal_or_none(account.get("buying_power")),
        day_pnl=None if last_equity is None else equity - last_equity,
        positions=[
            PositionReading(
                symbol=position["symbol"],
                qty=Decimal(position["qty"]),
                average_price=Decimal(position["avg_entry_price"]),
                price=_decimal_or_none(position.get("current_price")),
                market_value=_decimal_or_none(position.get("market_value")),
                unrealised_pnl=_decimal_or_none(position.get("unrealized_pl")),
            )
            for position in positions
        ],
    )


def _decimal_or_none(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _refusal(response: httpx.Response) -> str:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return "the gateway does not accept this key"
    return f"the gateway answers {response.status_code}"


def _in_words(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError):
        return "no answer at this address"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {REQUEST_TIMEOUT_S:g} s"
    return f"{type(error).__name__}: {error}"
