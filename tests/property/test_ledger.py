"""The ledger: whatever an event moves, it takes from somewhere."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core_scenarios import ACCOUNT_ID, order_uuid
from tradewind.domain.events import (
    CashDeposited,
    CashWithdrawn,
    Event,
    OrderCanceled,
    OrderExecuted,
    OrderExpired,
    decode_event,
    encode_event,
)
from tradewind.domain.ledger.posting import (
    LedgerAccount,
    LedgerImbalance,
    Posting,
    postings_for,
    require_balanced,
)
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import Side

amounts = st.decimals("0", "1000000", places=9)
symbols = st.sampled_from(["AAPL", "BTC/USD", "USD"])  # USD is also the ticker of a fund


@st.composite
def closings(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from([OrderCanceled, OrderExpired]))
    event = kind(
        account_id=ACCOUNT_ID,
        order_id=order_uuid("A"),
        symbol=draw(symbols),
        side=draw(st.sampled_from(Side)),
        currency="USD",
        released_cash=draw(amounts),
        released_qty=draw(amounts),
    )
    assert isinstance(event, OrderCanceled | OrderExpired)
    return event


@st.composite
def executions(draw: st.DrawFn) -> Event:
    return OrderExecuted(
        account_id=ACCOUNT_ID,
        order_id=order_uuid("A"),
        symbol=draw(symbols),
        side=draw(st.sampled_from(Side)),
        currency="USD",
        execution_id="E",
        qty=draw(amounts),
        price=draw(amounts),
        fee=draw(st.decimals("-10", "10", places=10)),
        executed_at_ns=0,
        status=OrderStatus.FILLED,
        position_qty=Decimal(0),
        cost_change=Decimal(0),
        realised_pnl=Decimal(0),
        released_cash=draw(amounts),
        released_qty=draw(amounts),
    )


def transfers() -> st.SearchStrategy[Event]:
    return st.one_of(
        st.builds(CashDeposited, account_id=st.just(ACCOUNT_ID), currency=st.just("USD"), amount=amounts),
        st.builds(CashWithdrawn, account_id=st.just(ACCOUNT_ID), currency=st.just("USD"), amount=amounts),
    )


events = st.one_of(closings(), executions(), transfers())


def moved(event: Event, *accounts: LedgerAccount) -> Decimal:
    return sum((p.amount for p in postings_for(event) if p.ledger_account in accounts), Decimal(0))


@given(events)
def test_postings_balance_in_each_unit(event: Event) -> None:
    postings = postings_for(event)
    require_balanced(postings)
    assert all(posting.amount for posting in postings), "nothing moves by zero"


@given(executions())
def test_an_execution_moves_what_it_says(event: Event) -> None:
    assert isinstance(event, OrderExecuted)
    sign = 1 if event.side is Side.BUY else -1
    units = moved(event, LedgerAccount.POSITION_AVAILABLE, LedgerAccount.POSITION_HELD)
    assert units == sign * event.qty
    cash = moved(event, LedgerAccount.CASH_AVAILABLE, LedgerAccount.CASH_HELD)
    assert cash == -sign * event.qty * event.price - event.fee
    assert moved(event, LedgerAccount.CASH_HELD) == -event.released_cash
    assert moved(event, LedgerAccount.FEES) == event.fee


@given(events)
def test_the_journals_text_says_all(event: Event) -> None:
    text = encode_event(event)
    assert decode_event(text) == event
    assert encode_event(decode_event(text)) == text


@given(events, st.decimals("0.0000000001", "1", places=10))
def test_an_imbalance_is_noticed(event: Event, error: Decimal) -> None:
    wrong = [*postings_for(event), Posting(LedgerAccount.CASH_AVAILABLE, "USD", error)]
    with pytest.raises(LedgerImbalance):
        require_balanced(wrong)
