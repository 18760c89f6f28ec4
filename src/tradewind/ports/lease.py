"""A lease: the right, held by at most one process at a time, to do something that must not be done twice."""

from typing import Protocol


class Lease(Protocol):
    """One process's hold on a named right.

    A holder calls `heartbeat` every `heartbeat_interval_s`. It may act only while `is_held`, which turns false by
    itself, without any call, when heartbeats stop: before another process can get the lease.
    """

    @property
    def name(self) -> str:
        """What it is the right to do, for logs."""
        ...

    @property
    def heartbeat_interval_s(self) -> float:
        """How often to call `heartbeat`."""
        ...

    @property
    def is_held(self) -> bool:
        """Whether this process may act now."""
        ...

    async def try_acquire(self) -> bool:
        """Take the lease if it is free; never waits for another holder. Raises `StoreUnavailable`."""
        ...

    async def heartbeat(self) -> None:
        """Keep the lease. Raises `OwnershipLost` when it is gone: it must be acquired again."""
        ...

    async def release(self) -> None:
        """Give the lease up, so that another process may take it at once; harmless when it is not held."""
        ...
