"""After the storm: was every promise kept, and are the books right?

Each violation is one line; an empty list is the verdict that is wanted.
"""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Protocol

import asyncpg
import httpx

from tests.e2e.order_clients import AcknowledgedOrder, Promises
from tests.e2e.platform import clean_environment
from tests.e2e.traders import Trader
from tradewind.settings import Settings, to_environment


class Judged(Protocol):
    """A platform as far as the verdict asks it."""

    @property
    def settings(self) -> Settings:
        """Settings that reach its database."""
        ...

    def url(self, service: str = "api-gateway") -> str:
        """Base URL of a service."""
        ...


SHOWN_MAX = 5
"""Examples of one kind of violation that are shown."""
PAGE_SIZE = 500
QUIET_TIMEOUT_S = 20.0
VERIFY_TIMEOUT_S = 60.0

TERMS = ("symbol", "side", "type", "qty", "limit_price", "time_in_force")

# Every query finds violations; its rows are shown.
BOOKS: Mapping[str, str] = {
    "journal has gaps": """
        SELECT j.shard, count(*), min(seq), max(seq), s.last_seq FROM journal j JOIN shards s USING (shard)
        GROUP BY j.shard, s.last_seq HAVING count(*) <> s.last_seq OR min(seq) <> 1 OR max(seq) <> s.last_seq""",
    "shard counts events that the journal does not have": """
        SELECT * FROM shards s WHERE last_seq > 0 AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.shard = s.shard)""",
    "two orders have one client_order_id": """
        SELECT account_id, client_order_id, count(*) FROM orders GROUP BY 1, 2 HAVING count(*) > 1""",
    "an order began twice in the journal": """
        SELECT account_id, payload->'order'->>'client_order_id', count(*) FROM journal
        WHERE event_type IN ('OrderSubmitted', 'OrderReplaceRequested') GROUP BY 1, 2 HAVING count(*) > 1""",
    "orders and journal disagree on which orders exist": """
        SELECT o.order_id, j.seq FROM orders o FULL JOIN (SELECT seq, (payload->'order'->>'order_id')::uuid AS order_id
            FROM journal WHERE event_type IN ('OrderSubmitted', 'OrderReplaceRequested')) j USING (order_id)
        WHERE o.order_id IS NULL OR j.order_id IS NULL""",
    "an execution was booked twice": """
        SELECT account_id, payload->>'execution_id', count(*) FROM journal WHERE event_type = 'OrderExecuted'
        GROUP BY 1, 2 HAVING count(*) > 1""",
    "executions and journal disagree": """
        SELECT e.execution_id, j.id FROM executions e FULL JOIN (SELECT account_id, payload->>'execution_id' AS id
            FROM journal WHERE event_type = 'OrderExecuted') j ON j.account_id = e.account_id AND j.id = e.execution_id
        WHERE e.execution_id IS NULL OR j.id IS NULL""",
    # The fills of an order that was replaced carry on in the one that took its place.
    "filled_qty is not the sum of the executions": """
        SELECT o.order_id, o.status, o.filled_qty - coalesce(before.filled_qty, 0) AS filled, coalesce(e.qty, 0) AS booked
        FROM orders o LEFT JOIN orders before ON before.replaced_by = o.order_id
        LEFT JOIN (SELECT order_id, sum(qty) AS qty FROM executions GROUP BY 1) e ON e.order_id = o.order_id
        WHERE o.filled_qty - coalesce(before.filled_qty, 0) <> coalesce(e.qty, 0)""",
    "filled_qty is more than was ordered": "SELECT order_id, qty, filled_qty FROM orders WHERE filled_qty > qty",
    "status and filled_qty disagree": """
        SELECT order_id, status, qty, filled_qty FROM orders
        WHERE qty IS NOT NULL AND (status = 'filled') <> (filled_qty = qty AND NOT is_open)""",
    "positions are not the sum of their executions": """
        SELECT account_id, symbol, p.qty, e.qty FROM positions p FULL JOIN (
            SELECT account_id, symbol, sum(CASE side WHEN 'buy' THEN qty ELSE -qty END) AS qty
            FROM executions GROUP BY 1, 2) e USING (account_id, symbol)
        WHERE coalesce(p.qty, 0) <> coalesce(e.qty, 0)""",
    "postings of an event do not balance": """
        SELECT shard, seq, unit, sum(amount) FROM ledger_postings GROUP BY 1, 2, 3 HAVING sum(amount) <> 0""",
    "cash is not the sum of its postings": """
        SELECT a.account_id, a.cash_available, a.cash_held, p.available, p.held FROM accounts a LEFT JOIN (
            SELECT account_id, sum(amount) FILTER (WHERE ledger_account = 'cash:available') AS available,
                   sum(amount) FILTER (WHERE ledger_account = 'cash:held') AS held
            FROM ledger_postings GROUP BY 1) p USING (account_id)
        WHERE a.cash_available <> coalesce(p.available, 0) OR a.cash_held <> coalesce(p.held, 0)""",
    "cash held is not what the open orders hold": """
        SELECT a.account_id, a.cash_held, o.held FROM accounts a LEFT JOIN (
            SELECT account_id, sum(held_cash) AS held FROM orders GROUP BY 1) o USING (account_id)
        WHERE a.cash_held <> coalesce(o.held, 0)""",
    "positions are not the sum of their postings": """
        SELECT p.account_id, p.symbol, p.qty, l.qty FROM positions p FULL JOIN (
            SELECT account_id, unit, sum(amount) AS qty FROM ledger_postings
            WHERE ledger_account IN ('position:available', 'position:held') GROUP BY 1, 2) l
            ON l.account_id = p.account_id AND l.unit = p.symbol
        WHERE coalesce(p.qty, 0) <> coalesce(l.qty, 0)""",
    "a closed order still holds something": """
        SELECT order_id, status, held_cash, held_qty FROM orders
        WHERE NOT is_open AND (held_cash <> 0 OR held_qty <> 0)""",
}


# Every request of the clients has a correlation id of its own, every repeat of it too.
DONE_TWICE = """
    SELECT shard, correlation_id, event_type, count(*) FROM journal
    WHERE event_type IN ('CommandRefused', 'OrderSubmitted', 'OrderReplaceRequested', 'OrderCancelRequested')
        AND account_id = ANY($1::uuid[])
    GROUP BY 1, 2, 3 HAVING count(*) > 1"""


async def find_violations(platform: Judged, traders: Iterable[Trader], promises: Promises) -> list[str]:
    """What the platform did wrong. It must be ready, and the clients must have stopped."""
    violations = list(promises.offences)
    async with _database(platform) as database:
        await _until_quiet(database)
        for kind, query in BOOKS.items():
            violations += _shown(kind, map(str, await database.fetch(query)))
        violations += await _broken_promises(database, promises)
    violations += await _not_shown_over_rest(platform, traders, promises)
    violations += await asyncio.to_thread(_journal_differences, platform)
    return violations


@asynccontextmanager
async def _database(platform: Judged) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(platform.settings.database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def _until_quiet(database: asyncpg.Connection) -> None:
    """Until no order waits for its venue: what was asked for is done or refused."""
    waiting = (
        "SELECT count(*) FROM orders WHERE status IN ('pending_new', 'pending_cancel', 'pending_replace')"
    )
    async with asyncio.timeout(QUIET_TIMEOUT_S):
        while await database.fetchval(waiting):  # noqa: ASYNC110 -- the database tells nobody
            await asyncio.sleep(0.2)


async def _broken_promises(database: asyncpg.Connection, promises: Promises) -> list[str]:
    accounts = list({order.account_id for order in promises.orders})
    rows = await database.fetch("SELECT * FROM orders WHERE account_id = ANY($1::uuid[])", accounts)
    by_client_id = {(str(row["account_id"]), row["client_order_id"]): row for row in rows}

    def problem(order: AcknowledgedOrder) -> str | None:
        row = by_client_id.get((order.account_id, order.client_order_id))
        if row is None:
            return f"{order} is gone"
        stored = {"type": row["order_type"], "id": str(row["order_id"]), "replaces": _text(row["replaces"])}
        return _difference(order, dict(row) | stored)

    violations = _shown("acknowledged, but not in the books", _problems(promises.orders, problem))
    violations += _shown("a command took effect twice", map(str, await database.fetch(DONE_TWICE, accounts)))
    twice = [key for key, n in Counter(order.client_order_id for order in promises.orders).items() if n > 1]
    violations += _shown("acknowledged twice", twice)
    there = (
        f"{id_}: {answer}" for account, id_, answer in promises.refused if (account, id_) in by_client_id
    )
    violations += _shown("refused, but in the books", there)
    open_ids = {str(row["order_id"]) for row in rows if row["is_open"]}
    violations += _shown(
        "cancelled, but still open", (id_ for _, id_ in promises.cancelled if id_ in open_ids)
    )
    return violations


async def _not_shown_over_rest(platform: Judged, traders: Iterable[Trader], promises: Promises) -> list[str]:
    listed: Counter[str] = Counter()
    shown: dict[str, dict[str, Any]] = {}
    async with httpx.AsyncClient(base_url=platform.url(), trust_env=False, timeout=30) as http:
        for trader in traders:
            async for order in _all_orders(http, trader):
                listed[order["id"]] += 1
                shown[order["id"]] = order

    def problem(order: AcknowledgedOrder) -> str | None:
        if listed[order.order_id] != 1:
            return f"{order} is listed {listed[order.order_id]} times"
        return _difference(order, shown[order.order_id])

    return _shown("acknowledged, but not so over REST", _problems(promises.orders, problem))


async def _all_orders(http: httpx.AsyncClient, trader: Trader) -> AsyncIterator[dict[str, Any]]:
    query = {"status": "all", "direction": "asc", "limit": str(PAGE_SIZE)}
    while True:
        answer = await http.get("/v2/orders", params=query, headers=trader.headers)
        answer.raise_for_status()
        page = answer.json()
        for order in page:
            yield order
        if len(page) < PAGE_SIZE:
            return
        query["after_order_id"] = page[-1]["id"]


def _journal_differences(platform: Judged) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tradewind.cli.main", "journal", "verify"],
        env=clean_environment() | to_environment(platform.settings),
        capture_output=True,
        text=True,
        timeout=VERIFY_TIMEOUT_S,
        check=False,
    )
    if done.returncode == 0:
        return []
    return [f"journal verify: {line}" for line in (done.stdout + done.stderr).splitlines()]


def _difference(order: AcknowledgedOrder, found: Mapping[str, Any]) -> str | None:
    """How what is there differs from what was acknowledged."""
    if found["id"] != order.order_id:
        return f"{order} has the id {found['id']}"
    if found["replaces"] != order.replaces:
        return f"{order} replaces {found['replaces']}"
    for term in TERMS:
        wanted, is_now = order.wanted.get(term), found[term]
        if term in ("qty", "limit_price") and wanted is not None and is_now is not None:
            is_same = Decimal(is_now) == Decimal(wanted)
        else:
            is_same = is_now == wanted
        if not is_same:
            return f"{order} has {term} {is_now}"
    return None


def _problems(
    orders: Iterable[AcknowledgedOrder], problem: Callable[[AcknowledgedOrder], str | None]
) -> list[str]:
    return [found for order in orders if (found := problem(order)) is not None]


def _shown(kind: str, examples: Iterable[str]) -> list[str]:
    found = list(examples)
    lines = [f"{kind}: {example}" for example in found[:SHOWN_MAX]]
    if len(found) > SHOWN_MAX:
        lines.append(f"{kind}: and {len(found) - SHOWN_MAX} more")
    return lines


def _text(value: object) -> str | None:
    return None if value is None else str(value)
