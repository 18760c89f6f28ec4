"""`tradewind order`: submit, list and cancel orders over the REST API."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import click
import httpx
from rich.console import Console
from rich.table import Table

from tradewind.cli.parameters import POSITIVE_AMOUNT
from tradewind.cli.platform_connection import platform_settings
from tradewind.cli.words import counted
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.entrypoints.up.public_ports import reachable_host

REQUEST_TIMEOUT_S = 15.0
MAX_WIDTH = 250
SHOWN_TIME_LENGTH = len("2026-01-31T12:00:00")
KEY_HINT = "set APCA_API_KEY_ID and APCA_API_SECRET_KEY, or give --key-id and --secret-key"
_COLUMNS = ("submitted (UTC)", "symbol", "side", "type", "amount", "price", "filled", "status", "id")


@click.group()
@click.option(
    "--url", envvar="APCA_API_BASE_URL", help="Address of the API. Default: the platform on this machine."
)
@click.option("--key-id", envvar="APCA_API_KEY_ID", help="API key id (or APCA_API_KEY_ID).")
@click.option("--secret-key", envvar="APCA_API_SECRET_KEY", help="API secret (or APCA_API_SECRET_KEY).")
@click.pass_context
def command(context: click.Context, url: str | None, key_id: str | None, secret_key: str | None) -> None:
    """Submit, list and cancel orders."""
    context.obj = ApiAccess(url, key_id, secret_key)


@dataclass(frozen=True)
class ApiAccess:
    """Where the API is and with which key it is asked."""

    url: str | None
    key_id: str | None
    secret_key: str | None

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The answer's JSON; one line that says the mend when there is none."""
        if not (self.key_id and self.secret_key):
            raise click.ClickException(f"no API key: {KEY_HINT}")
        headers = {"APCA-API-KEY-ID": self.key_id, "APCA-API-SECRET-KEY": self.secret_key}
        base_url = self.url or _address_here()
        # A proxy of the environment is not for the platform on this machine.
        with httpx.Client(
            base_url=base_url, headers=headers, timeout=REQUEST_TIMEOUT_S, trust_env=self.url is not None
        ) as client:
            return _ask(client, method, path, **options)


@command.command(epilog="Example: tradewind order submit AAPL buy 10 --limit 190.50")
@click.argument("symbol")
@click.argument("side", type=click.Choice([side.value for side in Side]))
@click.argument("qty", type=POSITIVE_AMOUNT, required=False)
@click.option("--notional", type=POSITIVE_AMOUNT, help="Dollars instead of a quantity.")
@click.option("--limit", "limit_price", type=POSITIVE_AMOUNT, help="Limit price.")
@click.option("--stop", "stop_price", type=POSITIVE_AMOUNT, help="Stop price.")
@click.option(
    "--time-in-force",
    "--tif",
    type=click.Choice([term.value for term in TimeInForce]),
    default="day",
    show_default=True,
)
@click.option("--client-order-id", help="Your own id: the same one twice is one order.")
@click.pass_obj
def submit(
    api: ApiAccess,
    symbol: str,
    side: str,
    qty: Decimal | None,
    notional: Decimal | None,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    time_in_force: str,
    client_order_id: str | None,
) -> None:
    """Submit an order; without prices a market order."""
    terms = {
        "symbol": symbol,
        "side": side,
        "type": _type_of(limit_price, stop_price).value,
        "qty": qty,
        "notional": notional,
        "limit_price": limit_price,
        "stop_price": stop_price,
        "time_in_force": time_in_force,
        "client_order_id": client_order_id,
    }
    body = {name: str(value) for name, value in terms.items() if value is not None}
    _show([api.ask("POST", "/v2/orders", json=body)])


@command.command(name="list", epilog="Example: tradewind order list --status all")
@click.option("--status", type=click.Choice(["open", "closed", "all"]), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.pass_obj
def list_orders(api: ApiAccess, status: str, limit: int) -> None:
    """List orders, newest first."""
    found = api.ask("GET", "/v2/orders", params={"status": status, "limit": limit})
    if not found:
        kind = "" if status == "all" else f"{status} "
        click.echo(
            f"no {kind}orders" + ("; --status all lists those that ended too" if status == "open" else "")
        )
        return
    _show(found)


@command.command(epilog="Example: tradewind order cancel 0192f0c1-0000-7000-8000-000000000000")
@click.argument("order_id", type=click.UUID, required=False)
@click.option("--all", "every", is_flag=True, help="Cancel every open order.")
@click.pass_obj
def cancel(api: ApiAccess, order_id: UUID | None, every: bool) -> None:  # noqa: FBT001
    """Cancel an order, or all of them."""
    if bool(order_id) == every:
        raise click.UsageError("give either an order id or --all")
    if every:
        asked = api.ask("DELETE", "/v2/orders")
        click.echo(f"asked to cancel {counted(len(asked), 'order')}")
    else:
        api.ask("DELETE", f"/v2/orders/{order_id}")
        click.echo(f"asked to cancel {order_id}")


def _type_of(limit_price: Decimal | None, stop_price: Decimal | None) -> OrderType:
    if stop_price is not None:
        return OrderType.STOP if limit_price is None else OrderType.STOP_LIMIT
    return OrderType.MARKET if limit_price is None else OrderType.LIMIT


def _address_here() -> str:
    settings = platform_settings()
    return f"http://{reachable_host(settings.bind_host)}:{settings.gateway_port}"


def _ask(client: httpx.Client, method: str, path: str, **options: Any) -> Any:
    try:
        answer = client.request(method, path, **options)
        content = answer.json() if answer.content else None
    except httpx.HTTPError as error:
        raise click.ClickException(
            f"no answer from {client.base_url}: {error}; is the platform running (`tradewind up`)?"
        ) from error
    except ValueError as error:
        raise click.ClickException(f"{client.base_url} is not a trading API: check --url") from error
    if answer.is_success:
        return content
    message = content.get("message", "") if isinstance(content, dict) else ""
    allowed = content.get("allowed") if isinstance(content, dict) else None
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        allowed = KEY_HINT
    raise click.ClickException(f"{message or answer.status_code}" + (f" ({allowed})" if allowed else ""))


def _show(orders: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in _COLUMNS:
        table.add_column(column, no_wrap=True)
    for order in orders:
        table.add_row(*_cells(order))
    # As wide as the table needs: a cell that is cut in two cannot be copied or searched for.
    Console(width=MAX_WIDTH, soft_wrap=True).print(table)


def _cells(order: dict[str, Any]) -> tuple[str, ...]:
    prices = (order["limit_price"], order["stop_price"] and f"stop {order['stop_price']}")
    return (
        str(order["submitted_at"])[:SHOWN_TIME_LENGTH].replace("T", " "),
        order["symbol"],
        order["side"],
        order["type"],
        order["qty"] or f"${order['notional']}",
        " ".join(price for price in prices if price),
        order["filled_qty"],
        order["status"],
        order["id"],
    )
