"""What a load run is asked to do and what it answers: plan, accounts file, result, percentiles."""

from collections.abc import Sequence
from pathlib import Path

import msgspec


class KeyPair(msgspec.Struct, frozen=True):
    """An Alpaca-style API key pair; one pair is one account."""

    id: str
    secret: str


class Accounts(msgspec.Struct, frozen=True):
    """The accounts file: key pairs to spread the connections over, and the symbols to order."""

    keys: list[KeyPair]
    symbols: list[str]

    @classmethod
    def read(cls, path: Path) -> "Accounts":
        """Read the JSON file; raises `ValueError` when it holds no key or no symbol."""
        accounts = msgspec.json.decode(path.read_bytes(), type=cls)
        if not accounts.keys or not accounts.symbols:
            raise ValueError(f"{path}: needs at least one key and one symbol")
        return accounts

    def write(self, path: Path) -> None:
        """Write the JSON file, readable by its owner only: it holds secrets."""
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(self))


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One run: `warmup_s` unmeasured, then `measured_s`. `rate_per_s` 0 is a closed loop."""

    host: str
    port: int
    accounts: Accounts
    connections: int
    warmup_s: float
    measured_s: float
    rate_per_s: float = 0.0
    cancels: bool = False


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a run measured. `acknowledged` are 2xx answers that arrived inside the measured window.

    Latencies are those of acknowledged orders intended inside the window, from the intended send to the complete
    answer; an order still unanswered when the run gives up counts with the time waited so far. `statuses` counts
    the answers to orders intended inside the window. `acknowledged_in_all` includes warm-up and
    drain; `cpu_s` is the generator's own CPU inside the window.
    """

    loop: str
    connections: int
    offered_per_s: float
    measured_s: float
    acknowledged: int
    acknowledged_per_s: float
    acknowledged_in_all: int
    p50_ms: float
    p99_ms: float
    p99_9_ms: float
    max_ms: float
    statuses: dict[str, int]
    cancel_statuses: dict[str, int]
    unanswered: int
    connections_lost: int
    first_refusal: str
    cpu_s: float


def percentile(ascending: Sequence[int], fraction: float) -> int:
    """Nearest-rank percentile of sorted values; 0 when there are none."""
    if not ascending:
        return 0
    rank = -(-len(ascending) * round(fraction * 10_000) // 10_000)
    return ascending[max(rank, 1) - 1]
