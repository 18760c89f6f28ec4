"""Opens accounts the only way there is: by commands to the order service."""

from decimal import Decimal

from tradewind.domain.commands import ClientCommand, DepositCash, OpenAccount
from tradewind.domain.identifiers import AccountId
from tradewind.domain.refusal import Refusal
from tradewind.ports.bus import CommandBus
from tradewind.ports.clock import Clock
from tradewind.ports.ids import IdSource
from tradewind.ports.messages import CommandEnvelope

_NS_PER_MS = 1_000_000


class AccountNotOpened(Exception):
    """The order service refused; the message says why."""

    def __init__(self, refusal: Refusal) -> None:
        allowed = f" (allowed: {refusal.allowed})" if refusal.allowed else ""
        super().__init__(f"{refusal.message}{allowed}")


class AccountOpener:
    """Opens and funds accounts. `reply_to` and `deadline_ms` are those of the bus's commands."""

    def __init__(self, bus: CommandBus, reply_to: str, ids: IdSource, clock: Clock, deadline_ms: int) -> None:
        self._bus = bus
        self._reply_to = reply_to
        self._ids = ids
        self._clock = clock
        self._deadline_ms = deadline_ms

    async def open(self, *, deposit: Decimal, multiplier: Decimal) -> AccountId:
        """Open an account with `deposit` (>= 0) in cash; returns its id.

        Raises `AccountNotOpened`, `BusUnavailable`, and `ReplyOverdue` when nobody answers.
        """
        account_id = self._ids.new_id()
        # The tail of a version 7 UUID is random.
        account_number = f"TW{account_id.replace('-', '')[-10:].upper()}"
        await self._send(
            OpenAccount(account_id=account_id, account_number=account_number, multiplier=multiplier)
        )
        if deposit:
            await self._send(DepositCash(account_id=account_id, amount=deposit))
        return account_id

    async def _send(self, command: ClientCommand) -> None:
        now_ns = self._clock.now_ns()
        reply = await self._bus.send(
            CommandEnvelope(
                command_id=self._ids.new_id(),
                correlation_id=self._ids.new_id(),
                reply_to=self._reply_to,
                received_ns=now_ns,
                deadline_ns=now_ns + self._deadline_ms * _NS_PER_MS,
                command=command,
            )
        )
        if reply.refusal is not None:
            raise AccountNotOpened(reply.refusal)
