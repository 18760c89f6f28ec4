"""Decisions about accounts: opening, money in and out, halts, and prices."""

from decimal import Decimal

from tradewind.domain.accounts.valuation import free_margin
from tradewind.domain.commands import (
    DepositCash,
    HaltTrading,
    MarkPrices,
    OpenAccount,
    ResumeTrading,
    WithdrawCash,
)
from tradewind.domain.decimals import MAX_MAGNITUDE, MONEY_QUANTUM, ZERO, format_decimal, is_multiple
from tradewind.domain.events import (
    AccountOpened,
    CashDeposited,
    CashWithdrawn,
    Event,
    TradingHalted,
    TradingResumed,
)
from tradewind.domain.refusal import Refusal
from tradewind.domain.reject_codes import RejectCode
from tradewind.engine.decisions.context import Decider, refused, unknown_account


def open_account(decider: Decider, command: OpenAccount, now_ns: int) -> list[Event]:
    """An account is opened once; a repeat is refused."""
    if decider.account(command.account_id) is not None:
        refusal = Refusal(
            code=RejectCode.ACCOUNT_EXISTS,
            message="account exists already",
            field="account_id",
            value=command.account_id,
            allowed="an id that no account has",
        )
        return [*refused(command, refusal)]
    return [
        AccountOpened(
            account_id=command.account_id,
            account_number=command.account_number,
            currency=command.currency,
            multiplier=command.multiplier,
        )
    ]


def deposit_cash(decider: Decider, command: DepositCash, now_ns: int) -> list[Event]:
    """Any positive amount."""
    account = decider.account(command.account_id)
    refusal = unknown_account(command.account_id) if account is None else _refuse_amount(command.amount)
    if account is None or refusal is not None:
        assert refusal is not None
        return [*refused(command, refusal)]
    return [CashDeposited(account_id=account.account_id, currency=account.currency, amount=command.amount)]


def withdraw_cash(decider: Decider, command: WithdrawCash, now_ns: int) -> list[Event]:
    """At most what is neither held nor needed as margin."""
    account = decider.account(command.account_id)
    refusal = unknown_account(command.account_id) if account is None else _refuse_amount(command.amount)
    if account is None or refusal is not None:
        assert refusal is not None
        return [*refused(command, refusal)]
    free = free_margin(
        account.cash_available,
        account.multiplier,
        account.positions.values(),
        decider.risk.marks,
        decider.risk.instruments,
    )
    withdrawable = max(min(free, account.cash_available), ZERO)
    if command.amount > withdrawable:
        refusal = Refusal(
            code=RejectCode.INSUFFICIENT_FUNDS,
            message="insufficient funds",
            field="amount",
            value=format_decimal(command.amount),
            allowed=f"at most {format_decimal(withdrawable)}",
        )
        return [*refused(command, refusal)]
    return [CashWithdrawn(account_id=account.account_id, currency=account.currency, amount=command.amount)]


def halt_trading(decider: Decider, command: HaltTrading, now_ns: int) -> list[Event]:
    """Halting again replaces the reason."""
    if decider.account(command.account_id) is None:
        return [*refused(command, unknown_account(command.account_id))]
    return [TradingHalted(account_id=command.account_id, reason=command.reason)]


def resume_trading(decider: Decider, command: ResumeTrading, now_ns: int) -> list[Event]:
    """Resuming what is not halted changes nothing."""
    account = decider.account(command.account_id)
    if account is None:
        return [*refused(command, unknown_account(command.account_id))]
    return [] if account.halt_reason is None else [TradingResumed(account_id=command.account_id)]


def mark_prices(decider: Decider, command: MarkPrices, now_ns: int) -> list[Event]:
    """Prices are input to later decisions, not part of the books: they leave no event."""
    decider.state.marks.update(command.prices)
    return []


def _refuse_amount(amount: Decimal) -> Refusal | None:
    if ZERO < amount < MAX_MAGNITUDE and is_multiple(amount, MONEY_QUANTUM):
        return None
    return Refusal(
        code=RejectCode.AMOUNT_NOT_POSITIVE,
        message="amount is not allowed",
        field="amount",
        value=format_decimal(amount),
        allowed=f"greater than 0, less than {format_decimal(MAX_MAGNITUDE)}, at most 10 decimals",
    )
