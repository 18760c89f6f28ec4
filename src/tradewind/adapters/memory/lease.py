"""Leases between parts of one process, for tests."""

from tradewind.ports.errors import OwnershipLost, StoreUnavailable

HEARTBEAT_INTERVAL_S = 0.02


class MemoryLeases:
    """The names and their holders. `is_available = False` makes asking fail."""

    def __init__(self) -> None:
        self.is_available = True
        self.holders: dict[str, MemoryLease] = {}

    def lease(self, name: str) -> "MemoryLease":
        """One contender for `name`."""
        return MemoryLease(self, name)

    def revoke(self, name: str) -> None:
        """Take the lease away from whoever holds it, as a lost session does."""
        self.holders.pop(name, None)


class MemoryLease:
    """Implements `tradewind.ports.lease.Lease`."""

    def __init__(self, leases: MemoryLeases, name: str) -> None:
        self._leases = leases
        self._name = name

    @property
    def name(self) -> str:
        """What it is the right to do."""
        return self._name

    @property
    def heartbeat_interval_s(self) -> float:
        """How often to call `heartbeat`."""
        return HEARTBEAT_INTERVAL_S

    @property
    def is_held(self) -> bool:
        """Whether this contender may act now."""
        return self._leases.holders.get(self._name) is self

    async def try_acquire(self) -> bool:
        """Take the lease if it is free. Raises `StoreUnavailable`."""
        if not self._leases.is_available:
            raise StoreUnavailable(f"lease {self._name} cannot be asked for")
        return self._leases.holders.setdefault(self._name, self) is self

    async def heartbeat(self) -> None:
        """Keep the lease. Raises `OwnershipLost`."""
        if not (self.is_held and self._leases.is_available):
            await self.release()
            raise OwnershipLost(f"lease {self._name} is lost")

    async def release(self) -> None:
        """Give the lease up."""
        if self.is_held:
            del self._leases.holders[self._name]
