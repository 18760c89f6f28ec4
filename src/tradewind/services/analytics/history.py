"""Reads an account's executions and cash in pages, oldest first, without holding all of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from tradewind.domain.identifiers import AccountId
from tradewind.domain.performance.fill import Fill
from tradewind.ports.trading_queries import CashMovement, Execution, TradingQueries
from tradewind.services.analytics.errors import TooMuchHistory

PAGE_ROWS = 5_000
PAGES_MAX = 200
"""At most a million rows a request; more raises `TooMuchHistory`."""

CASH_MOVEMENTS_MAX = 100_000
"""Most deposits, withdrawals and adjustments held at once; more raises `TooMuchHistory`."""

EXTERNAL_KINDS = frozenset({"CashDeposited", "CashWithdrawn"})
EXECUTION_KIND = "OrderExecuted"

_Row = TypeVar("_Row", Execution, CashMovement)


async def read_fills(queries: TradingQueries, account_id: AccountId, until_ns: int) -> AsyncIterator[Fill]:
    """Every execution before `until_ns`, oldest first. Raises `TooMuchHistory`, `StoreUnavailable`."""

    async def read(after_ns: int) -> Sequence[Execution]:
        return await queries.executions(account_id, after_ns, until_ns, PAGE_ROWS)

    async for row in _paged(read, lambda execution: execution.executed_at_ns):
        yield Fill(
            symbol=row.symbol,
            side=row.side,
            qty=row.qty,
            price=row.price,
            fee=row.fee,
            ts_ns=row.executed_at_ns,
        )


async def read_other_cash(
    queries: TradingQueries, account_id: AccountId, until_ns: int
) -> list[CashMovement]:
    """Every movement of cash before `until_ns` that is not an execution's. Raises as `read_fills`."""

    async def read(after_ns: int) -> Sequence[CashMovement]:
        return await queries.cash_movements(account_id, after_ns, until_ns, PAGE_ROWS)

    movements: list[CashMovement] = []
    async for movement in _paged(read, lambda row: row.ts_ns):
        if movement.kind != EXECUTION_KIND and movement.amount:
            movements.append(movement)
            if len(movements) > CASH_MOVEMENTS_MAX:
                raise TooMuchHistory(f"the account has more than {CASH_MOVEMENTS_MAX} movements of cash")
    return movements


async def _paged(
    read: Callable[[int], Awaitable[Sequence[_Row]]], time_of: Callable[[_Row], int]
) -> AsyncIterator[_Row]:
    after_ns, seen = 0, 0
    for _ in range(PAGES_MAX):
        page = await read(after_ns)
        for row in page[seen:]:
            yield row
        if len(page) < PAGE_ROWS:
            return
        # The next page begins with the last time of this one, for there may be more rows of that time.
        last_ns = time_of(page[-1])
        seen = sum(1 for row in page if time_of(row) == last_ns)
        if seen == len(page):
            break
        after_ns = last_ns
    raise TooMuchHistory(f"the account has more than {PAGE_ROWS * PAGES_MAX} executions")
