"""Accounts at the trading core: opening, money in and out, prices, and what the core remembers."""

import copy
from decimal import Decimal

import pytest

from tests.core_scenarios import ACCOUNT_ID, INSTRUMENTS, START_NS, Desk, folded, order_uuid, refusal_of
from tradewind.domain.commands import DepositCash, HaltTrading, OpenAccount, ResumeTrading, WithdrawCash
from tradewind.domain.events import AccountOpened, CashDeposited, CashWithdrawn, TradingHalted
from tradewind.domain.reject_codes import RejectCode
from tradewind.engine.core_state import CoreState
from tradewind.engine.evolve import evolve

OTHER_ID = "0190a000-0000-7000-8000-0000000000bb"


def test_an_account_is_opened_once() -> None:
    desk = Desk()
    refusal = refusal_of(desk.do(OpenAccount(account_id=ACCOUNT_ID, account_number="PA2")))
    assert (refusal.code, refusal.value) == (RejectCode.ACCOUNT_EXISTS, ACCOUNT_ID)
    (event,) = desk.do(OpenAccount(account_id=OTHER_ID, account_number="PA2"))
    assert isinstance(event, AccountOpened)


def test_money_goes_in_and_out() -> None:
    desk = Desk(cash="0")
    (event,) = desk.do(DepositCash(account_id=ACCOUNT_ID, amount=Decimal("100.5")))
    assert isinstance(event, CashDeposited)
    (event,) = desk.do(WithdrawCash(account_id=ACCOUNT_ID, amount=Decimal("100.5")))
    assert isinstance(event, CashWithdrawn)
    assert desk.account.cash == 0


@pytest.mark.parametrize("amount", ["0", "-1", "1e15", "0.00000000001"])
def test_odd_amounts_are_refused(amount: str) -> None:
    desk = Desk()
    for command in (DepositCash, WithdrawCash):
        refusal = refusal_of(desk.do(command(account_id=ACCOUNT_ID, amount=Decimal(amount))))
        assert (refusal.code, refusal.field) == (RejectCode.AMOUNT_NOT_POSITIVE, "amount")


def test_reserved_money_cannot_be_withdrawn() -> None:
    desk = Desk(cash="1000")
    desk.working("buy 4 AAPL limit 100")
    refusal = refusal_of(desk.do(WithdrawCash(account_id=ACCOUNT_ID, amount=Decimal("600.01"))))
    assert (refusal.code, refusal.allowed) == (RejectCode.INSUFFICIENT_FUNDS, "at most 600")
    assert desk.do(WithdrawCash(account_id=ACCOUNT_ID, amount=Decimal(600)))


def test_margin_cannot_be_withdrawn() -> None:
    desk = Desk(cash="1000", multiplier="2")
    desk.working("buy 15 AAPL limit 100")
    desk.fill("A", "15", "100")
    refusal = refusal_of(desk.do(WithdrawCash(account_id=ACCOUNT_ID, amount=Decimal(300))))
    assert refusal.allowed == "at most 0", "it borrows 500 already"


@pytest.mark.parametrize(
    "command",
    [
        DepositCash(account_id=OTHER_ID, amount=Decimal(1)),
        WithdrawCash(account_id=OTHER_ID, amount=Decimal(1)),
        HaltTrading(account_id=OTHER_ID, reason="x"),
        ResumeTrading(account_id=OTHER_ID),
    ],
)
def test_an_unknown_account(command: DepositCash | WithdrawCash | HaltTrading | ResumeTrading) -> None:
    refusal = refusal_of(Desk().do(command))
    assert (refusal.code, refusal.value) == (RejectCode.UNKNOWN_ACCOUNT, OTHER_ID)


def test_halting_again_replaces_the_reason_and_resuming_twice_changes_nothing() -> None:
    desk = Desk()
    for reason in ("first", "second"):
        (event,) = desk.do(HaltTrading(account_id=ACCOUNT_ID, reason=reason))
        assert isinstance(event, TradingHalted)
    assert desk.account.halt_reason == "second"
    assert desk.do(ResumeTrading(account_id=ACCOUNT_ID))
    assert desk.do(ResumeTrading(account_id=ACCOUNT_ID)) == []


def test_prices_leave_no_event_and_decide_what_can_be_bought() -> None:
    desk = Desk(cash="1000")
    before = len(desk.history)
    desk.marks({"AAPL": "200"})
    assert len(desk.history) == before
    assert desk.refused("buy 5 AAPL market").code is RejectCode.INSUFFICIENT_BUYING_POWER


def test_a_core_forgets_the_oldest_closed_orders_and_says_so() -> None:
    desk = Desk()
    for name in "ABC":
        desk.working("buy 1 AAPL limit 90", name)
        desk.canceled(name)
    state = CoreState(INSTRUMENTS, max_closed_orders=2)
    for ts_ns, event in desk.history:
        evolve(state, event, ts_ns)
    assert order_uuid("A") not in state.orders
    assert state.order_by_client_id(ACCOUNT_ID, "A") is None
    assert not state.remembers_all_orders
    forgotten = desk.order("A")
    state.remember(forgotten)
    assert state.order_by_client_id(ACCOUNT_ID, "A") is forgotten
    assert order_uuid("B") not in state.orders


def test_a_loaded_core_goes_on_as_if_nothing_had_happened() -> None:
    desk = Desk()
    desk.working("buy 10 AAPL limit 100")
    desk.fill("A", "4", "100")
    state = folded(desk.history)
    other = Desk()
    other.core.state.accounts.clear()
    other.core.load(state.accounts.values(), has_closed_orders=False)
    assert other.core.state_hash() == desk.core.state_hash()
    other.now_ns, other.books = desk.now_ns, copy.deepcopy(desk.books)
    assert other.fill("A", "6", "101", execution_id="Z") == desk.fill("A", "6", "101", execution_id="Z")
    assert other.core.state_hash() == desk.core.state_hash()
    assert desk.now_ns > START_NS
