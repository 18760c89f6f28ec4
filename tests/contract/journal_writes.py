"""Batches for the journal's contract: made by the order service's own shard, from commands in order."""

from decimal import Decimal

from tests.core_scenarios import INSTRUMENTS, START_NS
from tradewind.domain.commands import (
    ClientCommand,
    DepositCash,
    OpenAccount,
    ReplaceOrder,
    SubmitOrder,
    VenueReport,
)
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.domain.risk.limits import RiskLimits
from tradewind.domain.venue_reports import VenueAccepted, VenueCanceled, VenueExecution, VenueReplaced
from tradewind.ports.journal import ShardState, ShardWrite
from tradewind.ports.messages import CommandEnvelope, shard_of
from tradewind.services.orders.shard import Shard

ACCOUNT_ID = "0190a000-0000-7000-8000-0000000000aa"
SHARD = shard_of(ACCOUNT_ID)
FAR_NS = 2**62


def uuid(number: int) -> str:
    return f"0190a000-0000-7000-8000-{number:012x}"


class Writer:
    """Turns commands into writes, as the order service does."""

    def __init__(self, state: ShardState) -> None:
        self.shard = Shard(state, INSTRUMENTS, RiskLimits())
        self.shard.mark_prices({"AAPL": Decimal(100)}, START_NS)
        self._now_ns = START_NS

    def write(
        self, *commands: ClientCommand | VenueReport, offset: str, deadline_ns: int = FAR_NS
    ) -> ShardWrite:
        for number, command in enumerate(commands):
            self._now_ns += 1_000
            if isinstance(command, VenueReport):
                self.shard.apply_report(command, self._now_ns)
                continue
            envelope = CommandEnvelope(
                command_id=uuid(number),
                correlation_id=f"correlation-{number}",
                reply_to="test",
                received_ns=self._now_ns,
                deadline_ns=deadline_ns,
                command=command,
            )
            self.shard.apply_commands([envelope], offset, self._now_ns)
        self.shard.apply_commands([], offset, self._now_ns)
        closed = self.shard.close_batch()
        assert closed is not None
        return closed[0]


def funded() -> tuple[ClientCommand, ...]:
    """An account with money."""
    return (
        OpenAccount(account_id=ACCOUNT_ID, account_number="PA1", multiplier=Decimal(2)),
        DepositCash(account_id=ACCOUNT_ID, amount=Decimal("10000.50")),
    )


def buy(number: int, qty: str = "10", client_order_id: str = "") -> SubmitOrder:
    """A limit order at 100."""
    return SubmitOrder(
        account_id=ACCOUNT_ID,
        order_id=uuid(number),
        client_order_id=client_order_id or f"client-{number}",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        qty=Decimal(qty),
        limit_price=Decimal("100.00"),
    )


def replace(old: int, new: int, qty: str) -> ReplaceOrder:
    return ReplaceOrder(
        account_id=ACCOUNT_ID,
        order_id=uuid(old),
        new_order_id=uuid(new),
        client_order_id=f"client-{new}",
        qty=Decimal(qty),
    )


def accepted(number: int) -> VenueAccepted:
    return VenueAccepted(account_id=ACCOUNT_ID, order_id=uuid(number), ts_ns=START_NS)


def replaced(old: int, new: int) -> VenueReplaced:
    return VenueReplaced(account_id=ACCOUNT_ID, order_id=uuid(old), new_order_id=uuid(new), ts_ns=START_NS)


def canceled(number: int) -> VenueCanceled:
    return VenueCanceled(account_id=ACCOUNT_ID, order_id=uuid(number), ts_ns=START_NS)


def fill(number: int, qty: str, price: str = "99.5", execution_id: str = "") -> VenueExecution:
    return VenueExecution(
        account_id=ACCOUNT_ID,
        order_id=uuid(number),
        execution_id=execution_id or f"E-{number}-{qty}",
        qty=Decimal(qty),
        price=Decimal(price),
        fee=Decimal("0.01"),
        is_complete=False,
        ts_ns=START_NS,
    )
