"""The journal: the only truth about orders. One writer a shard, fenced by the writing session itself."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.events import JournalEntry
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId
from tradewind.domain.ledger.posting import Posting
from tradewind.domain.orders.order import Order
from tradewind.domain.positions.position import Position

START_OFFSET = "0-0"
"""The offset before the first entry of a command stream."""


class ShardState(msgspec.Struct):
    """What a shard's core needs to go on: accounts with their positions and open orders.

    `last_seq` is the last event's number, `published_seq` the last that surely was published, `offset` the last
    command entry whose effects are in. `has_closed_orders` tells that orders exist which are not among the accounts'
    open ones.
    """

    shard: int
    accounts: list[Account]
    last_seq: int
    published_seq: int
    offset: str
    has_closed_orders: bool


class ShardWrite(msgspec.Struct):
    """Everything that one batch changes in one shard. The rows are states after the batch."""

    shard: int
    last_seq: int
    published_seq: int
    offset: str
    deadline_ns: int | None
    """The earliest deadline among the batch's commands: the commit must not begin after it."""
    entries: list[JournalEntry]
    postings: list[list[Posting]]
    """The postings of each entry, by position in `entries`."""
    new_accounts: list[Account]
    changed_accounts: list[Account]
    new_orders: list[Order]
    changed_orders: list[Order]
    positions: list[tuple[AccountId, Position]]


class PreparedWrite(msgspec.Struct, frozen=True):
    """A batch as it will be written: `content` is the journal's own form of it."""

    shards: tuple[int, ...]
    content: Any


class ShardJournal(Protocol):
    """One replica's writing session. Losing the session loses every claim and the ability to commit, together."""

    async def claim(self, shards: Collection[int]) -> frozenset[int]:
        """Try to become the owner of each shard; returns those now owned by this session (never waits).

        Raises `StoreUnavailable`.
        """
        ...

    async def release(self, shards: Collection[int]) -> None:
        """Give shards up, so that another replica may claim them."""
        ...

    async def load(self, shard: int) -> ShardState:
        """The committed state of an owned shard."""
        ...

    async def find_orders(
        self, client_ids: Collection[tuple[AccountId, ClientOrderId]], order_ids: Collection[OrderId]
    ) -> list[Order]:
        """Stored orders with one of the ids, open or not."""
        ...

    async def unpublished(self, shard: int, after_seq: int, limit: int) -> list[JournalEntry]:
        """At most `limit` entries after `after_seq`, in order."""
        ...

    def prepare(self, writes: Sequence[ShardWrite]) -> PreparedWrite:
        """Copy what the writes say, so that their rows may change while it is committed."""
        ...

    async def commit(self, write: PreparedWrite) -> None:
        """Write all of it in one transaction.

        Raises `DeadlinePassed` (nothing is written) when a deadline is over once the transaction holds its locks,
        `OwnershipLost` when the session or a claim is gone, `StoreUnavailable` when the outcome is not known. After
        any of them the session is of no use: its owner starts over from what is committed.
        """
        ...

    async def heartbeat(self) -> int:
        """Keep the session alive; returns how many replicas (this one included) have a session now.

        Raises `OwnershipLost`, `StoreUnavailable`.
        """
        ...

    async def close(self) -> None:
        """End the session; every claim is given up."""
        ...


class DeadlinePassed(Exception):
    """A batch held a command whose deadline was over before it could be committed."""
