"""How `tradewind top` looks: one frame, drawn from two successive readings."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tradewind.cli.top_readings import ORDERS_SAMPLE, AccountReading, Reading, ServiceReading, rate
from tradewind.cli.words import counted

_UNKNOWN = "-"
_SLOW_S = 0.25
_CENT = Decimal("0.01")

# What each service is busy with: counters as a rate (sample, words), gauges as they are (sample, noun).
_RATES: Mapping[str, Sequence[tuple[str, str]]] = {
    "api-gateway": [("tradewind_http_requests_total", "requests/s")],
    "websocket-service": [("tradewind_websocket_messages_total", "messages/s")],
    "analytics-service": [("tradewind_http_requests_total", "requests/s")],
    "strategy-service": [("tradewind_feed_events_total", "market events/s")],
    "order-service": [
        (ORDERS_SAMPLE, "orders/s"),
        ("tradewind_executions_total", "executions/s"),
    ],
}
_GAUGES: Mapping[str, Sequence[tuple[str, str]]] = {
    "websocket-service": [("tradewind_websocket_clients", "client")],
    "order-service": [("tradewind_shards_owned", "shard"), ("tradewind_open_orders", "open order")],
}


def frame(before: Reading | None, now: Reading, hint: str | None) -> RenderableType:
    """The whole screen; `hint` says how to see more."""
    parts: list[RenderableType] = [_services(before, now)]
    for account in now.accounts:
        parts += [Text(), _account(account)]
    if hint:
        parts += [Text(), Text(hint, style="dim")]
    return Group(*parts)


def _services(before: Reading | None, now: Reading) -> Table:
    earlier = {reading.name: reading for reading in before.services} if before else {}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("service", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("/health", justify="right", no_wrap=True)
    table.add_column("address", no_wrap=True)
    table.add_column("now", ratio=1)
    for reading in now.services:
        is_up = reading.problem is None
        table.add_row(
            reading.name,
            Text("up", style="green") if is_up else Text("down", style="bold red"),
            _latency(reading.latency_s),
            reading.url.removeprefix("http://"),
            _activity(earlier.get(reading.name), reading)
            if is_up
            else Text(reading.problem or "", style="red"),
        )
    return table


def _activity(before: ServiceReading | None, now: ServiceReading) -> str:
    rates = ((rate(before, now, sample), words) for sample, words in _RATES.get(now.name, ()))
    parts = [f"{value:,.1f} {words}" for value, words in rates if value is not None]
    gauges = ((now.samples.get(sample), noun) for sample, noun in _GAUGES.get(now.name, ()))
    return ", ".join(parts + [counted(round(value), noun) for value, noun in gauges if value is not None])


def _latency(latency_s: float | None) -> Text:
    if latency_s is None:
        return Text(_UNKNOWN)
    return Text(f"{latency_s * 1_000:.1f} ms", style="yellow" if latency_s > _SLOW_S else "")


def _account(account: AccountReading) -> RenderableType:
    heading = Text.assemble((account.label, "bold"))
    if account.problem:
        return heading.append(f"  {account.problem}", style="red")
    pnls = [position.unrealised_pnl for position in account.positions]
    unrealised = sum((pnl for pnl in pnls if pnl is not None), Decimal(0))
    heading.append(f"  equity {_money(account.equity)}  cash {_money(account.cash)}")
    heading.append(f"  buying power {_money(account.buying_power)}  unrealised P&L ")
    heading.append_text(_gain(unrealised))
    if account.day_pnl is not None:
        heading.append("  today ").append_text(_gain(account.day_pnl))
    if not account.positions:
        return Group(heading, Text("no positions", style="dim"))
    return Group(heading, _positions(account))


def _positions(account: AccountReading) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("position", no_wrap=True)
    for name in ("quantity", "average price", "price", "value", "unrealised P&L"):
        table.add_column(name, justify="right", no_wrap=True)
    for position in account.positions:
        table.add_row(
            position.symbol,
            f"{position.qty:,f}",
            _money(position.average_price),
            _money(position.price),
            _money(position.market_value),
            _gain(position.unrealised_pnl),
        )
    return table


def _money(amount: Decimal | None) -> str:
    return _UNKNOWN if amount is None else f"{amount.quantize(_CENT):,f}"


def _gain(amount: Decimal | None) -> Text:
    if amount is None:
        return Text(_UNKNOWN)
    style = "green" if amount > 0 else "red" if amount < 0 else ""
    return Text(f"{amount.quantize(_CENT):+,f}", style=style)
