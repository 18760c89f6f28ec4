"""Opening accounts with money in them, whatever happens on the way."""

from decimal import Decimal

import pytest

from tests.unit.services.gateway.desk import Desk
from tradewind.domain.commands import DepositCash
from tradewind.ports.errors import ReplyOverdue
from tradewind.ports.messages import CommandEnvelope
from tradewind.services.gateway.account.opening import AccountOpening, account_number_of
from tradewind.services.gateway.dependencies import GatewayParts
from tradewind.services.gateway.errors import ApiError


def opening(desk: Desk) -> AccountOpening:
    return AccountOpening(GatewayParts(desk.dependencies()).sender, desk.queries)


def overdue(_envelope: CommandEnvelope) -> None:
    raise ReplyOverdue("no reply")


async def test_a_new_account_holds_its_deposit(desk: Desk) -> None:
    account_id = await opening(desk).open(Decimal("2500.50"), Decimal(1))
    account = desk.core.state.accounts[account_id]
    assert (account.cash, account.may_short) == (Decimal("2500.50"), False)
    assert account.account_number == account_number_of(account_id)
    assert account.account_number.startswith("PA")


async def test_lost_replies_do_not_deposit_twice(desk: Desk) -> None:
    desk.before_reply = overdue
    account_id = await opening(desk).open(Decimal(100), Decimal(2))
    assert desk.core.state.accounts[account_id].cash == 100
    assert sum(isinstance(envelope.command, DepositCash) for envelope in desk.commands) == 1


async def test_a_command_that_never_arrived_is_an_error(desk: Desk) -> None:
    desk.before_command = overdue
    with pytest.raises(ApiError, match="try again"):
        await opening(desk).open(Decimal(100), Decimal(2))
