"""What every decision needs: the state to read, and the risk rules' context."""

from tradewind.domain.accounts.account import Account
from tradewind.domain.commands import ClientCommand
from tradewind.domain.events import CommandRefused
from tradewind.domain.identifiers import AccountId
from tradewind.domain.refusal import Refusal
from tradewind.domain.reject_codes import RejectCode
from tradewind.domain.risk.rules import RiskContext
from tradewind.engine.core_state import CoreState


class Decider:
    """Read access for decisions."""

    def __init__(self, state: CoreState, risk: RiskContext) -> None:
        self.state = state
        self.risk = risk

    def account(self, account_id: AccountId) -> Account | None:
        """The account, or None when there is none."""
        return self.state.accounts.get(account_id)


def refused(command: ClientCommand, refusal: Refusal) -> list[CommandRefused]:
    """The one event of a refused command."""
    return [
        CommandRefused(
            account_id=command.account_id,
            command=type(command).__name__,
            refusal=refusal,
            order_id=getattr(command, "order_id", None),
            client_order_id=getattr(command, "client_order_id", None),
        )
    ]


def unknown_account(account_id: AccountId) -> Refusal:
    """The refusal for a command to an account that does not exist."""
    return Refusal(
        code=RejectCode.UNKNOWN_ACCOUNT, message="account not found", field="account_id", value=account_id
    )
