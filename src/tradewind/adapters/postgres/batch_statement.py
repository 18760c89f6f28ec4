"""One SQL statement that writes a whole batch: every table's rows travel as arrays, and all of it is one round trip.

Each part is a common table expression over `unnest`. PostgreSQL runs all of them on the same snapshot, so no row may be
written by two parts: orders are either new or changed, accounts too.

The statement is its own transaction. A gateway that wants to know a command's fate after the deadline locks the shard's
row: either it waits until the batch that holds the row is committed, or the batch waits for the gateway, and then finds
that the deadline is over. `require_deadline` therefore reads the clock only when the last part has locked the rows.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, cast

import msgspec

from tradewind.adapters.postgres.order_rows import MUTABLE_COLUMNS, ORDER_COLUMNS
from tradewind.domain.events import OrderExecuted, encode_event
from tradewind.ports.journal import ShardWrite

_JOURNAL = {
    "shard": "smallint",
    "seq": "bigint",
    "ts_ns": "bigint",
    "event_type": "text",
    "account_id": "uuid",
    "correlation_id": "text",
    "payload": "json",
}
_POSTINGS = {
    "shard": "smallint",
    "seq": "bigint",
    "line": "smallint",
    "account_id": "uuid",
    "ledger_account": "text",
    "unit": "text",
    "amount": "numeric",
}
_EXECUTIONS = {
    "account_id": "uuid",
    "execution_id": "text",
    "order_id": "uuid",
    "symbol": "text",
    "side": "text",
    "qty": "numeric",
    "price": "numeric",
    "fee": "numeric",
    "realised_pnl": "numeric",
    "position_qty": "numeric",
    "executed_at_ns": "bigint",
    "shard": "smallint",
    "seq": "bigint",
}
_NEW_ACCOUNTS = {
    "account_id": "uuid",
    "shard": "smallint",
    "account_number": "text",
    "currency": "text",
    "multiplier": "numeric",
    "cash_available": "numeric",
    "cash_held": "numeric",
    "halt_reason": "text",
    "last_submitted_ns": "bigint",
    "created_at_ns": "bigint",
}
_CHANGED_ACCOUNTS = {
    "account_id": "uuid",
    "cash_available": "numeric",
    "cash_held": "numeric",
    "halt_reason": "text",
    "last_submitted_ns": "bigint",
}
_POSITIONS = {
    "account_id": "uuid",
    "symbol": "text",
    "qty": "numeric",
    "cost_basis": "numeric",
    "realised_pnl": "numeric",
    "held_qty": "numeric",
}
_SHARDS = {
    "shard": "smallint",
    "last_seq": "bigint",
    "published_seq": "bigint",
    "stream_offset": "text",
}
# Arrays of arrays do not unnest row by row, so execution ids travel as one text each, with ASCII's unit separator.
_ID_SEPARATOR = "\x1f"
_NEW_ORDERS = {
    column: "text" if column == "execution_ids" else kind for column, kind in ORDER_COLUMNS.items()
}
_CHANGED_ORDERS = {column: _NEW_ORDERS[column] for column in ("order_id", *MUTABLE_COLUMNS, "execution_ids")}


_SENT_AS_ARRAY = frozenset(("json",))
"""Kinds of columns that the driver encodes. All others travel as the text of an array, which takes a third of the time;
for documents, whose quotes would all need escapes, it would take longer."""


class _Part(msgspec.Struct, frozen=True):
    """One table's share of the statement: `text` has `{rows}` where the arrays come."""

    columns: dict[str, str]
    text: str
    rows: Callable[[Sequence[ShardWrite]], Iterable[Sequence[Any]]]


def _insert(table: str, columns: dict[str, str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM {{rows}}"


def _assignments(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} = n.{column}" for column in columns)


def _ids_split(column: str) -> str:
    return (
        f"string_to_array({column}, chr({ord(_ID_SEPARATOR)}))"
        if column.endswith("execution_ids")
        else column
    )


def _new_account_rows(writes: Sequence[ShardWrite]) -> Iterable[Sequence[Any]]:
    for w in writes:
        for a in w.new_accounts:
            yield [w.shard if column == "shard" else getattr(a, column) for column in _NEW_ACCOUNTS]


def _journal_rows(writes: Sequence[ShardWrite]) -> Iterable[Sequence[Any]]:
    for w in writes:
        for e in w.entries:
            payload = encode_event(e.event).decode()
            kind = type(e.event).__name__
            yield (e.shard, e.seq, e.ts_ns, kind, e.event.account_id, e.correlation_id, payload)


def _posting_rows(writes: Sequence[ShardWrite]) -> Iterable[Sequence[Any]]:
    for w in writes:
        for e, postings in zip(w.entries, w.postings, strict=True):
            for line, p in enumerate(postings):
                yield (e.shard, e.seq, line, e.event.account_id, p.ledger_account, p.unit, p.amount)


def _execution_rows(writes: Sequence[ShardWrite]) -> Iterable[Sequence[Any]]:
    for w in writes:
        for e in w.entries:
            if isinstance(e.event, OrderExecuted):
                yield [
                    getattr(e if column in ("shard", "seq") else e.event, column) for column in _EXECUTIONS
                ]


_new_order_values = attrgetter(*(column for column in _NEW_ORDERS if column != "execution_ids"))
_changed_order_values = attrgetter(*(column for column in _CHANGED_ORDERS if column != "execution_ids"))


def _new_order_rows(writes: Sequence[ShardWrite]) -> Iterable[Sequence[Any]]:
    for w in writes:
        for order in w.new_orders:
            yield (*_new_order_values(order), _ID_SEPARATOR.join(order.execution_ids))


def _changed_order_rows(writes: Sequence[ShardWrite]) -> Iterable[Sequence[Any]]:
    for w in writes:
        for order in w.changed_orders:
            yield (*_changed_order_values(order), _ID_SEPARATOR.join(order.execution_ids))


_PARTS: tuple[_Part, ...] = (
    _Part(_NEW_ACCOUNTS, _insert("accounts", _NEW_ACCOUNTS), _new_account_rows),
    _Part(_JOURNAL, _insert("journal", _JOURNAL), _journal_rows),
    _Part(_POSTINGS, _insert("ledger_postings", _POSTINGS), _posting_rows),
    _Part(_EXECUTIONS, _insert("executions", _EXECUTIONS), _execution_rows),
    _Part(
        _NEW_ORDERS,
        f"INSERT INTO orders ({', '.join(_NEW_ORDERS)}) "
        f"SELECT {', '.join(_ids_split(column) for column in _NEW_ORDERS)} FROM {{rows}}",
        _new_order_rows,
    ),
    _Part(
        _CHANGED_ORDERS,
        f"UPDATE orders o SET {_assignments(MUTABLE_COLUMNS)}, "
        f"execution_ids = {_ids_split('n.execution_ids')} FROM {{rows}} WHERE o.order_id = n.order_id",
        _changed_order_rows,
    ),
    _Part(
        _CHANGED_ACCOUNTS,
        f"UPDATE accounts a SET {_assignments([c for c in _CHANGED_ACCOUNTS if c != 'account_id'])} "
        "FROM {rows} WHERE a.account_id = n.account_id",
        lambda writes: (
            [getattr(a, column) for column in _CHANGED_ACCOUNTS] for w in writes for a in w.changed_accounts
        ),
    ),
    _Part(
        _POSITIONS,
        _insert("positions", _POSITIONS)
        + " ON CONFLICT (account_id, symbol) DO UPDATE SET qty = excluded.qty, cost_basis = excluded.cost_basis,"
        " realised_pnl = excluded.realised_pnl, held_qty = excluded.held_qty",
        lambda writes: (
            (account_id, p.symbol, p.qty, p.cost_basis, p.realised_pnl, p.held_qty)
            for w in writes
            for account_id, p in w.positions
        ),
    ),
    _Part(
        _SHARDS,
        f"UPDATE shards s SET {_assignments([c for c in _SHARDS if c != 'shard'])} "
        "FROM {rows} WHERE s.shard = n.shard RETURNING s.shard",
        lambda writes: ((w.shard, w.last_seq, w.published_seq, w.offset) for w in writes),
    ),
)


def _statement(parts: Iterable[_Part]) -> str:
    texts: list[str] = []
    number = 1
    for part in parts:
        arrays: list[str] = []
        for kind in part.columns.values():
            number += 1
            arrays.append(f"${number}::{kind}[]" if kind in _SENT_AS_ARRAY else f"${number}::text::{kind}[]")
        rows = f"unnest({', '.join(arrays)}) AS n({', '.join(part.columns)})"
        texts.append(part.text.format(rows=rows))
    expressions = ",\n".join(f"part_{index} AS ({text})" for index, text in enumerate(texts))
    return f"WITH {expressions}\nSELECT require_deadline($1, (SELECT count(*) FROM part_{len(texts) - 1}))"


DEADLINE_PASSED = "TW001"
"""SQLSTATE of `require_deadline`."""

_NO_DEADLINE_NS = 2**63 - 1


class BatchCall(msgspec.Struct, frozen=True):
    """A batch as a call of its statement, which returns how many shards it wrote.

    The statement has the parts that the batch has rows for: PostgreSQL takes its time to start each of them. There are
    few combinations, so `statement` serves as the key of those that are prepared. Fails with `DEADLINE_PASSED` after
    the earliest deadline.
    """

    statement: str
    arguments: list[Any]


def batch_call(writes: Sequence[ShardWrite]) -> BatchCall:
    """The call that writes the batch: its rows are copied now."""
    deadlines = [write.deadline_ns for write in writes if write.deadline_ns is not None]
    arguments: list[Any] = [min(deadlines, default=_NO_DEADLINE_NS)]
    filled: list[int] = []
    for number, part in enumerate(_PARTS):
        columns = list(zip(*part.rows(writes), strict=True))
        if not columns:
            continue
        filled.append(number)
        for kind, column in zip(part.columns.values(), columns, strict=True):
            arguments.append(column if kind in _SENT_AS_ARRAY else _array_text(column, kind))
    return BatchCall(_statement_of(tuple(filled)), arguments)


@cache
def _statement_of(filled: tuple[int, ...]) -> str:
    return _statement(_PARTS[number] for number in filled)


def _array_text(values: Sequence[Any], kind: str) -> str:
    """The literal of an array of `kind`."""
    if kind == "text":
        return _text_array_text(values)
    # Numbers, ids and truth values need no quotes, and none of them is written with "None" in it.
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def _text_array_text(values: Sequence[str | None]) -> str:
    if None not in values:
        joined = '","'.join(cast("Sequence[str]", values))
        # As many quotes as the separators have: no value needs an escape.
        if joined.count('"') == 2 * (len(values) - 1) and "\\" not in joined:
            return f'{{"{joined}"}}'
    return "{" + ",".join(map(_quoted, values)) + "}"


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
