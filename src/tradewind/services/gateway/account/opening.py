"""Opens an account with money in it."""

from decimal import Decimal

from tradewind.domain.commands import DepositCash, OpenAccount
from tradewind.domain.identifiers import AccountId
from tradewind.ports.errors import ReplyOverdue
from tradewind.ports.trading_queries import TradingQueries
from tradewind.services.gateway.commands import CommandSender, outcome_unknown
from tradewind.services.gateway.context import RequestContext

ACCOUNT_NUMBER_PREFIX = "PA"
_ID_DIGITS = 16
_NO_ORDER = "-"


class AccountOpening:
    """Opens accounts through the order service, as every change of the books goes."""

    def __init__(self, sender: CommandSender, queries: TradingQueries) -> None:
        self._sender = sender
        self._queries = queries

    async def open(self, deposit: Decimal, multiplier: Decimal) -> AccountId:
        """The id of a new account that holds `deposit` (none when zero).

        Raises `ApiError` and `StoreUnavailable`; an account without money may then be left behind, which is harmless.
        """
        account_id = self._sender.ids.new_id()
        opening = OpenAccount(
            account_id=account_id, account_number=account_number_of(account_id), multiplier=multiplier
        )
        try:
            await self._sender.send(opening, self._context())
        except ReplyOverdue as error:
            if not await self._holds(account_id, Decimal(0)):
                raise outcome_unknown("the order service did not answer in time: try again") from error
        if deposit:
            await self._deposit(account_id, deposit)
        return account_id

    async def _deposit(self, account_id: AccountId, deposit: Decimal) -> None:
        try:
            await self._sender.send(DepositCash(account_id=account_id, amount=deposit), self._context())
        except ReplyOverdue as error:
            if not await self._holds(account_id, deposit):
                raise outcome_unknown("the order service did not answer in time: try again") from error

    async def _holds(self, account_id: AccountId, amount: Decimal) -> bool:
        """Whether the account is there with this much money, once everything being written now is done."""
        await self._queries.resolve_fate(account_id, _NO_ORDER)
        account = await self._queries.account(account_id)
        return account is not None and account.cash == amount

    def _context(self) -> RequestContext:
        return RequestContext(self._sender.ids.new_id(), self._sender.clock.now_ns())


def account_number_of(account_id: AccountId) -> str:
    """A number for people, as unique as the id's random part."""
    return ACCOUNT_NUMBER_PREFIX + account_id.replace("-", "")[-_ID_DIGITS:].upper()
