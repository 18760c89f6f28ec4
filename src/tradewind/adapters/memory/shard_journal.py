"""A journal in memory, shared by sessions that claim shards, for tests of the order service without a database."""

import copy
from collections.abc import Collection, Sequence

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.events import JournalEntry
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId, Shard
from tradewind.domain.ledger.posting import Posting
from tradewind.domain.orders.order import Order
from tradewind.ports.clock import Clock
from tradewind.ports.errors import OwnershipLost, StoreUnavailable
from tradewind.ports.journal import START_OFFSET, DeadlinePassed, PreparedWrite, ShardState, ShardWrite
from tradewind.ports.messages import SHARD_COUNT


class _StoredShard(msgspec.Struct):
    last_seq: int = 0
    published_seq: int = 0
    offset: str = START_OFFSET
    entries: list[JournalEntry] = msgspec.field(default_factory=list)
    postings: list[list[Posting]] = msgspec.field(default_factory=list)
    accounts: dict[AccountId, Account] = msgspec.field(default_factory=dict)
    orders: dict[OrderId, Order] = msgspec.field(default_factory=dict)


class MemoryJournalDatabase:
    """What is committed, and who owns which shard. `is_available = False` makes every call fail."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.is_available = True
        self.shards = {shard: _StoredShard() for shard in range(SHARD_COUNT)}
        self.owners: dict[Shard, MemoryShardJournal] = {}
        self.sessions: list[MemoryShardJournal] = []

    async def open(self) -> "MemoryShardJournal":
        """Open a writing session. Raises `StoreUnavailable`."""
        if not self.is_available:
            raise StoreUnavailable("the database cannot be reached")
        session = MemoryShardJournal(self)
        self.sessions.append(session)
        return session

    def kill(self, session: "MemoryShardJournal") -> None:
        """End a session from outside: its claims are free from now on."""
        if session in self.sessions:
            self.sessions.remove(session)
        for shard in [shard for shard, owner in self.owners.items() if owner is session]:
            del self.owners[shard]

    def write(self, writes: Sequence[ShardWrite]) -> None:
        """Take over all of it. Two writers at once, or an order id used twice, are broken invariants."""
        for write in writes:
            shard = self.shards[write.shard]
            for entry, postings in zip(write.entries, write.postings, strict=True):
                assert entry.seq == len(shard.entries) + 1, (
                    f"event {entry.seq} of {write.shard} is not the next"
                )
                shard.entries.append(entry)
                shard.postings.append(list(postings))
            assert write.last_seq == len(shard.entries), f"shard {write.shard} counts its events wrong"
            shard.last_seq, shard.published_seq, shard.offset = (
                write.last_seq,
                write.published_seq,
                write.offset,
            )
            _write_state(shard, write)


class MemoryShardJournal:
    """Implements `tradewind.ports.journal.ShardJournal`."""

    def __init__(self, database: MemoryJournalDatabase) -> None:
        self._database = database

    async def claim(self, shards: Collection[int]) -> frozenset[int]:
        """See the port."""
        self._require_session()
        owners = self._database.owners
        for shard in shards:
            owners.setdefault(shard, self)
        return frozenset(shard for shard, owner in owners.items() if owner is self)

    async def release(self, shards: Collection[int]) -> None:
        """See the port."""
        self._require_session()
        for shard in self._owned().intersection(shards):
            del self._database.owners[shard]

    async def load(self, shard: int) -> ShardState:
        """See the port."""
        self._require_session()
        self._require_owned([shard])
        stored = self._database.shards[shard]
        accounts = copy.deepcopy(list(stored.accounts.values()))
        by_id = {account.account_id: account for account in accounts}
        orders = copy.deepcopy(sorted(stored.orders.values(), key=lambda order: order.submitted_at_ns))
        for order in orders:
            if order.is_open:
                by_id[order.account_id].open_orders[order.order_id] = order
        return ShardState(
            shard=shard,
            accounts=accounts,
            last_seq=stored.last_seq,
            published_seq=stored.published_seq,
            offset=stored.offset,
            has_closed_orders=any(not order.is_open for order in orders),
        )

    async def find_orders(
        self, client_ids: Collection[tuple[AccountId, ClientOrderId]], order_ids: Collection[OrderId]
    ) -> list[Order]:
        """See the port."""
        self._require_session()
        return [
            copy.deepcopy(order)
            for shard in self._database.shards.values()
            for order in shard.orders.values()
            if order.order_id in order_ids or (order.account_id, order.client_order_id) in client_ids
        ]

    async def unpublished(self, shard: int, after_seq: int, limit: int) -> list[JournalEntry]:
        """See the port."""
        self._require_session()
        return self._database.shards[shard].entries[after_seq : after_seq + limit]

    def prepare(self, writes: Sequence[ShardWrite]) -> PreparedWrite:
        """See the port."""
        return PreparedWrite(tuple(write.shard for write in writes), copy.deepcopy(list(writes)))

    async def commit(self, write: PreparedWrite) -> None:
        """See the port."""
        self._require_session()
        self._require_owned(write.shards)
        writes: list[ShardWrite] = write.content
        now_ns = self._database.clock.now_ns()
        if any(each.deadline_ns is not None and now_ns > each.deadline_ns for each in writes):
            self._database.kill(self)
            raise DeadlinePassed("the deadline of a command is over")
        self._database.write(writes)

    async def heartbeat(self) -> int:
        """See the port."""
        self._require_session()
        return len(self._database.sessions)

    async def close(self) -> None:
        """See the port."""
        self._database.kill(self)

    def _owned(self) -> set[int]:
        return {shard for shard, owner in self._database.owners.items() if owner is self}

    def _require_session(self) -> None:
        if not self._database.is_available:
            raise StoreUnavailable("the database cannot be reached")
        if self not in self._database.sessions:
            raise OwnershipLost("the session has ended")

    def _require_owned(self, shards: Collection[int]) -> None:
        missing = set(shards) - self._owned()
        if missing:
            raise OwnershipLost(f"shards {sorted(missing)} are not owned by this session")


def _write_state(shard: _StoredShard, write: ShardWrite) -> None:
    for account in (*write.new_accounts, *write.changed_accounts):
        before = shard.accounts.get(account.account_id)
        account.positions = {} if before is None else before.positions
        account.open_orders = {}
        shard.accounts[account.account_id] = account
    for account_id, position in write.positions:
        shard.accounts[account_id].positions[position.symbol] = position
    taken = {(order.account_id, order.client_order_id) for order in shard.orders.values()}
    for order in write.new_orders:
        assert order.order_id not in shard.orders, f"order {order.order_id} exists"
        assert (order.account_id, order.client_order_id) not in taken, f"{order.client_order_id} is taken"
        shard.orders[order.order_id] = order
    for order in write.changed_orders:
        assert order.order_id in shard.orders, f"order {order.order_id} does not exist"
        shard.orders[order.order_id] = order
