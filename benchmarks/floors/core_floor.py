"""Core floor: the trading core alone, in memory, on one thread: no HTTP, bus or database.

Each round is an order's life in three commands: submit (risk rules, hold), the venue's acknowledgment, and the execution
(position, cash, fee). Prints one JSON object.
"""

import argparse
import sys
import time
from decimal import Decimal
from statistics import median

import msgspec

from tradewind.domain.commands import Command, DepositCash, MarkPrices, OpenAccount, SubmitOrder
from tradewind.domain.events import encode_event
from tradewind.domain.ledger.posting import postings_for, require_balanced
from tradewind.domain.market.universe import default_universe
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.domain.risk.limits import RiskLimits
from tradewind.domain.venue_reports import VenueAccepted, VenueExecution
from tradewind.engine.trading_core import TradingCore
from tradewind.operations.garbage import relax_garbage_collection

ACCOUNT_ID = "0192a000-0000-7000-8000-000000000001"
PRICE = Decimal("228.25")
NS_A_COMMAND = 1_000


class CoreResult(msgspec.Struct, frozen=True, kw_only=True):
    """Commands a second of the core alone, and with each event's postings checked and its journal text written."""

    commands: int
    commands_per_s: float
    commands_per_s_with_journal_text: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--orders", type=int, default=30_000, help="orders a run; three commands each")
    parser.add_argument("--runs", type=int, default=3, help="runs; the median counts")
    options = parser.parse_args()
    commands = _commands(options.orders)
    relax_garbage_collection()  # as the order service does
    bare = median(_seconds(commands, with_journal_text=False) for _ in range(options.runs))
    full = median(_seconds(commands, with_journal_text=True) for _ in range(options.runs))
    result = CoreResult(
        commands=len(commands),
        commands_per_s=round(len(commands) / bare, 1),
        commands_per_s_with_journal_text=round(len(commands) / full, 1),
    )
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


def _commands(orders: int) -> list[Command]:
    commands: list[Command] = []
    for number in range(orders):
        order_id = f"0192a000-0000-7000-8000-{number:012x}"
        side = Side.BUY if number % 2 == 0 else Side.SELL
        commands += [
            SubmitOrder(
                account_id=ACCOUNT_ID,
                order_id=order_id,
                client_order_id=f"bench-{number}",
                symbol="AAPL",
                side=side,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                qty=Decimal(10),
                limit_price=PRICE,
            ),
            VenueAccepted(account_id=ACCOUNT_ID, order_id=order_id, ts_ns=number),
            VenueExecution(
                account_id=ACCOUNT_ID,
                order_id=order_id,
                execution_id=f"execution-{number}",
                qty=Decimal(10),
                price=PRICE,
                fee=Decimal("0.05"),
                is_complete=True,
                ts_ns=number,
            ),
        ]
    return commands


def _seconds(commands: list[Command], *, with_journal_text: bool) -> float:
    core = TradingCore({i.symbol: i for i in default_universe()}, RiskLimits())
    core.apply(OpenAccount(account_id=ACCOUNT_ID, account_number="BENCH"), 1)
    core.apply(DepositCash(account_id=ACCOUNT_ID, amount=Decimal(1_000_000)), 1)
    core.apply(MarkPrices(prices={"AAPL": PRICE}), 1)
    started_s = time.perf_counter()
    for number, command in enumerate(commands, 1):
        for event in core.apply(command, number * NS_A_COMMAND):
            if with_journal_text:
                require_balanced(postings_for(event))
                encode_event(event)
    elapsed_s = time.perf_counter() - started_s
    # A run that refused orders would be fast and worthless.
    account = core.state.accounts[ACCOUNT_ID]
    assert account.cash == Decimal(1_000_000) - Decimal("0.05") * (len(commands) // 3), account.cash
    return elapsed_s


if __name__ == "__main__":
    main()
