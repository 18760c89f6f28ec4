"""A venue made of market data: orders in, execution reports out, the same for paper trading and backtests.

Deterministic and synchronous: no clock, no randomness, no I/O. The rules of its fills:

- A request (order, cancel, replace) takes effect when the latency has passed.
- Market orders, and limit orders that are marketable when they arrive, fill at the touch (a buy at the ask, a sell
  at the bid), up to the size shown. What we take is gone until the symbol's next quote; the rest waits for it.
- A limit order that waits fills at its own price: when a quote's opposite touch reaches it, up to the size shown;
  and when a trade prints beyond it, up to the trade's size. A trade exactly at the limit does not fill it: we
  assume the back of the queue. A trade's size counts once for our buys and once for our sells.
- A stop is triggered by the relevant touch (buy: ask, sell: bid) or a trade at its price or beyond, and arrives as a
  market or limit order at that moment, behind the orders that already worked.
- Our orders compete by price, then time. Market orders come before limit orders.
- A notional order buys or sells at each touch what its money is worth, rounded down to the smallest step.
- DAY orders expire at the end of the session in which they were submitted.
"""

from collections.abc import Collection
from decimal import ROUND_CEILING, Decimal

from tradewind.domain.commands import VenueReport
from tradewind.domain.decimals import ZERO, quantize_money
from tradewind.domain.identifiers import OrderId, Symbol
from tradewind.domain.market.ticks import Quote, Trade
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import OrderType, TimeInForce
from tradewind.domain.venue_reports import (
    VenueAccepted,
    VenueCanceled,
    VenueCancelRejected,
    VenueExecution,
    VenueExpired,
    VenueRejected,
    VenueReplaced,
    VenueReplaceRejected,
)
from tradewind.engine.price_book import SideBook, SymbolBook
from tradewind.engine.venue_agenda import (
    CancelArrives,
    Item,
    NewOrderArrives,
    ReplaceArrives,
    Request,
    SessionEnds,
    VenueAgenda,
)
from tradewind.engine.venue_rules import VenueRules
from tradewind.engine.working_order import WorkingOrder, fillable_qty

NOT_WORKING = "the order is not working at the venue"
NOTHING_LEFT = "the new quantity is not above what is already filled"
NOT_A_QUANTITY = "orders by notional cannot be replaced"


class SimulatedVenue:
    """Works orders against quotes and trades.

    Every call takes the time, brings the venue up to it, and returns what there is to report since the last call, in
    order. Time never runs backwards here: an earlier `now_ns` counts as the latest one seen.
    """

    def __init__(self, rules: VenueRules, *, execution_prefix: str) -> None:
        """`execution_prefix` makes execution ids unique: no two venues whose reports meet may share one."""
        self._rules = rules
        self._execution_prefix = execution_prefix
        self._execution_count = 0
        self._arrival_count = 0
        self._now_ns = 0
        self._last_due_ns = 0
        self._agenda = VenueAgenda()
        self._books: dict[Symbol, SymbolBook] = {}
        self._orders: dict[OrderId, WorkingOrder] = {}
        self._reports: list[VenueReport] = []

    @property
    def next_due_ns(self) -> int | None:
        """When `advance` will next have something to do, None if only market data can cause anything."""
        return self._agenda.next_due_ns

    @property
    def working_count(self) -> int:
        """How many orders work here or are on their way here."""
        return len(self._orders)

    def works(self, order_id: OrderId) -> bool:
        """Whether the order works here or is on its way here."""
        return order_id in self._orders

    def submit(self, order: Order, now_ns: int) -> list[VenueReport]:
        """Send an order, or what is left of it; one that works here already is left alone."""
        now_ns = self._advance_to(now_ns)
        if order.order_id not in self._orders:
            working = WorkingOrder.of(order, self._expiry_of(order, now_ns))
            self._orders[working.order_id] = working
            self._send(NewOrderArrives(working), now_ns)
        return self._drain()

    def cancel(self, order: Order, now_ns: int) -> list[VenueReport]:
        """Ask to cancel what is left of an order."""
        now_ns = self._advance_to(now_ns)
        self._send(CancelArrives(order.account_id, order.order_id), now_ns)
        return self._drain()

    def replace(self, old_order_id: OrderId, new_order: Order, now_ns: int) -> list[VenueReport]:
        """Ask to work `new_order` in place of another. Its `qty` is the total: what the old one filled counts."""
        now_ns = self._advance_to(now_ns)
        working = WorkingOrder.of(new_order, self._expiry_of(new_order, now_ns))
        self._send(ReplaceArrives(old_order_id, working), now_ns)
        return self._drain()

    def forget(self, order_ids: Collection[OrderId]) -> None:
        """Stop working on these orders, and drop requests about them, without a report."""
        self._agenda.forget(set(order_ids))
        for order_id in order_ids:
            order = self._orders.get(order_id)
            if order is not None:
                self._finish(order)

    def on_quote(self, quote: Quote, now_ns: int) -> list[VenueReport]:
        """The market shows a new best bid and offer. Costs O(1) when it reaches none of our orders."""
        now_ns = self._advance_to(now_ns)
        book = self._book_of(quote.symbol)
        if book is not None:
            book.show(quote)
            for side in book.sides:
                self._match_touch(book, side, now_ns)
            for side in book.sides:
                if side.has_touch:
                    self._trigger_stops(book, side, side.touch_price, now_ns)
        return self._drain()

    def on_trade(self, trade: Trade, now_ns: int) -> list[VenueReport]:
        """A trade printed. Costs O(1) when it reaches none of our orders."""
        now_ns = self._advance_to(now_ns)
        book = self._book_of(trade.symbol)
        if book is not None:
            for side in book.sides:
                self._match_trade(book, side, trade, now_ns)
            for side in book.sides:
                self._trigger_stops(book, side, trade.price, now_ns)
        return self._drain()

    def advance(self, now_ns: int) -> list[VenueReport]:
        """Let time pass: requests arrive and sessions end."""
        self._advance_to(now_ns)
        return self._drain()

    def _drain(self) -> list[VenueReport]:
        reports = self._reports
        if reports:
            self._reports = []
            return reports
        return []

    def _book_of(self, symbol: Symbol) -> SymbolBook | None:
        book = self._books.get(symbol)
        if book is None:
            instrument = self._rules.instruments.get(symbol)
            if instrument is not None:
                book = self._books[symbol] = SymbolBook(instrument)
        return book

    def _expiry_of(self, order: Order, now_ns: int) -> int | None:
        if order.time_in_force is not TimeInForce.DAY:
            return None
        if order.expires_at_ns is not None:
            return order.expires_at_ns
        return self._rules.calendar.session_close_ns(order.submitted_at_ns or now_ns)

    # Time and requests

    def _advance_to(self, now_ns: int) -> int:
        now_ns = max(now_ns, self._now_ns)
        self._now_ns = now_ns
        while due := self._agenda.pop_due(now_ns):
            self._perform(due[1], due[0])
        return now_ns

    def _send(self, request: Request, now_ns: int) -> None:
        due_ns = max(self._rules.latency.arrival_ns(now_ns), self._last_due_ns)
        self._last_due_ns = due_ns
        if due_ns <= now_ns:
            self._perform(request, now_ns)
        else:
            self._agenda.note(due_ns, request)

    def _perform(self, item: Item, ts_ns: int) -> None:
        if isinstance(item, NewOrderArrives):
            self._take_new(item.order, ts_ns)
        elif isinstance(item, CancelArrives):
            self._take_cancel(item, ts_ns)
        elif isinstance(item, ReplaceArrives):
            self._take_replace(item, ts_ns)
        elif isinstance(item, SessionEnds):
            for order in self._agenda.take_expired(ts_ns):
                self._expire(order, ts_ns)

    def _take_new(self, order: WorkingOrder, ts_ns: int) -> None:
        reason = self._refusal_of(order)
        if reason is not None and order.filled_qty:
            self._cancel_rest(order, ts_ns)  # an order with executions cannot be rejected any more
            return
        if reason is not None:
            self._finish(order)
            self._reports.append(
                VenueRejected(
                    account_id=order.account_id, order_id=order.order_id, reason=reason, ts_ns=ts_ns
                )
            )
            return
        self._reports.append(VenueAccepted(account_id=order.account_id, order_id=order.order_id, ts_ns=ts_ns))
        if order.is_exhausted:
            self._cancel_rest(order, ts_ns)
        else:
            self._start_working(order, ts_ns)

    def _refusal_of(self, order: WorkingOrder) -> str | None:
        if order.symbol not in self._rules.instruments:
            return f"the venue does not trade {order.symbol}"
        if order.leaves_notional is not None and order.order_type is not OrderType.MARKET:
            return "only market orders may be for a notional"
        return None

    def _take_cancel(self, request: CancelArrives, ts_ns: int) -> None:
        order = self._orders.get(request.order_id)
        if order is not None:
            self._cancel_rest(order, ts_ns)
            return
        self._reports.append(
            VenueCancelRejected(
                account_id=request.account_id, order_id=request.order_id, reason=NOT_WORKING, ts_ns=ts_ns
            )
        )

    def _take_replace(self, request: ReplaceArrives, ts_ns: int) -> None:
        new = request.new_order
        if new.order_id in self._orders:
            return  # a repeat: it already took the old one's place
        old = self._orders.get(request.old_order_id)
        reason = NOT_WORKING if old is None else _replace_refusal(old, new)
        if old is None or reason is not None:
            self._reports.append(
                VenueReplaceRejected(
                    account_id=new.account_id,
                    order_id=request.old_order_id,
                    new_order_id=new.order_id,
                    reason=reason or NOT_WORKING,
                    ts_ns=ts_ns,
                )
            )
            return
        self._finish(old)
        new.carry_on(old)
        self._orders[new.order_id] = new
        self._reports.append(
            VenueReplaced(
                account_id=new.account_id, order_id=old.order_id, new_order_id=new.order_id, ts_ns=ts_ns
            )
        )
        self._start_working(new, ts_ns)

    # The life of a working order

    def _start_working(self, order: WorkingOrder, ts_ns: int) -> None:
        if order.expires_at_ns is not None:
            if order.expires_at_ns <= ts_ns:
                self._expire(order, ts_ns)
                return
            self._agenda.watch_expiry(order, order.expires_at_ns)
        book = self._books_for(order)
        side = book.side(order.side)
        if order.order_type.has_stop_price:
            if not side.touch_triggers(order.stop):
                self._let_wait(side, order)
                return
            order.trigger()
        self._arrive(book, side, order, ts_ns)

    def _arrive(self, book: SymbolBook, side: SideBook, order: WorkingOrder, ts_ns: int) -> None:
        """Trade what the touch allows; what is left waits, or is cancelled if it may not wait."""
        if order.order_type is OrderType.LIMIT:
            is_marketable = side.is_marketable(order.limit)
            price = side.touch_price
        else:
            is_marketable = side.has_touch
            price = self._market_price(book, side) if is_marketable else ZERO
        must_fill_whole = order.time_in_force is TimeInForce.FOK
        if is_marketable and not (must_fill_whole and order.wanted_qty(price, book.step) > side.touch_size):
            self._fill_at_touch(book, side, order, price, ts_ns)
        if order.order_id not in self._orders:
            return
        if must_fill_whole or order.time_in_force is TimeInForce.IOC:
            self._cancel_rest(order, ts_ns)
        else:
            self._let_wait(side, order)

    def _let_wait(self, side: SideBook, order: WorkingOrder) -> None:
        self._arrival_count += 1
        side.add(order, self._arrival_count)

    def _finish(self, order: WorkingOrder) -> None:
        del self._orders[order.order_id]
        self._agenda.drop_expiry(order)
        if order.arrival:
            self._books[order.symbol].side(order.side).remove(order)

    def _cancel_rest(self, order: WorkingOrder, ts_ns: int) -> None:
        self._finish(order)
        self._reports.append(VenueCanceled(account_id=order.account_id, order_id=order.order_id, ts_ns=ts_ns))

    def _expire(self, order: WorkingOrder, ts_ns: int) -> None:
        self._finish(order)
        self._reports.append(VenueExpired(account_id=order.account_id, order_id=order.order_id, ts_ns=ts_ns))

    # Fills

    def _match_touch(self, book: SymbolBook, side: SideBook, ts_ns: int) -> None:
        while side.touch_size > 0:
            order = side.markets.first_reached(ZERO)
            if order is not None:
                price = self._market_price(book, side)
            else:
                order = side.limits.first_reached(side.touch_price)
                if order is None:
                    return
                price = order.limit
            self._fill_at_touch(book, side, order, price, ts_ns)
            if order.order_id in self._orders:
                return  # it took all that the touch had for it

    def _match_trade(self, book: SymbolBook, side: SideBook, trade: Trade, ts_ns: int) -> None:
        left = trade.size
        while left > 0 and (order := side.limits.first_passed(trade.price)) is not None:
            qty = fillable_qty(order.wanted_qty(order.limit, book.step), left, book.step)
            if not qty:
                return
            left -= qty
            self._execute(book, order, qty, order.limit, ts_ns)

    def _trigger_stops(self, book: SymbolBook, side: SideBook, price: Decimal, ts_ns: int) -> None:
        while (order := side.stops.first_reached(price)) is not None:
            side.remove(order)
            order.trigger()
            self._arrive(book, side, order, ts_ns)

    def _market_price(self, book: SymbolBook, side: SideBook) -> Decimal:
        return self._rules.slippage.price_of(book.instrument, side.side, side.touch_price)

    def _fill_at_touch(
        self, book: SymbolBook, side: SideBook, order: WorkingOrder, price: Decimal, ts_ns: int
    ) -> None:
        wanted = order.wanted_qty(price, book.step)
        if not wanted:
            self._cancel_rest(order, ts_ns)  # the money left no longer buys the smallest step
            return
        qty = fillable_qty(wanted, side.touch_size, book.step)
        if qty:
            side.touch_size -= qty
            self._execute(book, order, qty, price, ts_ns)

    def _execute(
        self, book: SymbolBook, order: WorkingOrder, qty: Decimal, price: Decimal, ts_ns: int
    ) -> None:
        self._execution_count += 1
        order.take_fill(qty, price)
        is_complete = not order.wanted_qty(price, book.step)
        if is_complete:
            self._finish(order)
        fee = self._rules.fees.fee_of(book.instrument, qty * price)
        self._reports.append(
            VenueExecution(
                account_id=order.account_id,
                order_id=order.order_id,
                execution_id=f"{self._execution_prefix}-{self._execution_count}",
                qty=qty,
                price=price,
                fee=quantize_money(fee, ROUND_CEILING),
                is_complete=is_complete,
                ts_ns=ts_ns,
            )
        )

    def _books_for(self, order: WorkingOrder) -> SymbolBook:
        book = self._book_of(order.symbol)
        assert book is not None, f"an order for {order.symbol} was accepted, which the venue does not trade"
        return book


def _replace_refusal(old: WorkingOrder, new: WorkingOrder) -> str | None:
    if new.total_qty is None:
        return NOT_A_QUANTITY
    if new.total_qty <= old.filled_qty:
        return NOTHING_LEFT
    return None
