"""The simulated venue's rules written the slow, obvious way: a list of orders, scanned at every event.

No latency, fees or slippage. It shares no code with the real one; reports come as plain texts.
"""

from dataclasses import dataclass
from decimal import Decimal

from tradewind.domain.decimals import format_decimal
from tradewind.domain.market.ticks import Quote, Trade
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce

NS_PER_SESSION = 1_000_000


@dataclass
class _Slot:
    order: Order
    kind: str
    left: Decimal
    expires_at_ns: int | None
    arrival: int

    @property
    def is_buy(self) -> bool:
        return self.order.side is Side.BUY

    @property
    def limit(self) -> Decimal:
        assert self.order.limit_price is not None
        return self.order.limit_price

    @property
    def stop(self) -> Decimal:
        assert self.order.stop_price is not None
        return self.order.stop_price


class NaiveVenue:
    """One symbol, quantity orders only."""

    def __init__(self) -> None:
        self._slots: list[_Slot] = []
        self._arrivals = 0
        self._price: dict[Side, Decimal] = {}
        self._size = {Side.BUY: Decimal(0), Side.SELL: Decimal(0)}
        self._said: list[str] = []

    def submit(self, order: Order, now_ns: int) -> list[str]:
        if all(slot.order.order_id != order.order_id for slot in self._slots):
            self._said.append(f"{order.order_id} accepted")
            assert order.qty is not None
            self._start(order, order.qty, now_ns)
        return self._flush()

    def cancel(self, order_id: str) -> list[str]:
        slot = self._find(order_id)
        if slot is None:
            self._said.append(f"{order_id} cancel rejected")
        else:
            self._slots.remove(slot)
            self._said.append(f"{order_id} canceled")
        return self._flush()

    def replace(self, old_id: str, new: Order, now_ns: int) -> list[str]:
        old = self._find(old_id)
        assert new.qty is not None
        if old is None:
            self._said.append(
                f"{old_id} replace by {new.order_id} rejected: the order is not working at the venue"
            )
            return self._flush()
        assert old.order.qty is not None
        filled = old.order.qty - old.left
        if new.qty <= filled:
            reason = "the new quantity is not above what is already filled"
            self._said.append(f"{old_id} replace by {new.order_id} rejected: {reason}")
            return self._flush()
        self._slots.remove(old)
        self._said.append(f"{old_id} replaced by {new.order_id}")
        self._start(new, new.qty - filled, now_ns)
        return self._flush()

    def forget(self, order_id: str) -> None:
        self._slots = [slot for slot in self._slots if slot.order.order_id != order_id]

    def advance(self, now_ns: int) -> list[str]:
        gone = [
            slot for slot in self._slots if slot.expires_at_ns is not None and slot.expires_at_ns <= now_ns
        ]
        for slot in sorted(gone, key=lambda slot: slot.order.client_order_id):
            self._slots.remove(slot)
            self._said.append(f"{slot.order.order_id} expired")
        return self._flush()

    def on_quote(self, quote: Quote) -> list[str]:
        self._price = {Side.BUY: quote.ask_price, Side.SELL: quote.bid_price}
        self._size = {Side.BUY: quote.ask_size, Side.SELL: quote.bid_size}
        for side in Side:
            price = self._price[side]
            for slot in self._in_priority(side):
                if slot.kind == "market" and self._size[side] > 0:
                    self._size[side] -= self._fill(slot, price, self._size[side])
                elif slot.kind == "limit" and self._size[side] > 0 and _is_at_or_better(slot, price):
                    self._size[side] -= self._fill(slot, slot.limit, self._size[side])
        for side in Side:
            self._trigger(side, self._price[side])
        return self._flush()

    def on_trade(self, trade: Trade) -> list[str]:
        for side in Side:
            left = trade.size
            for slot in self._in_priority(side):
                is_beyond = slot.kind == "limit" and _is_at_or_better(slot, trade.price)
                if is_beyond and slot.limit != trade.price and left > 0:
                    left -= self._fill(slot, slot.limit, left)
        for side in Side:
            self._trigger(side, trade.price)
        return self._flush()

    def _start(self, order: Order, left: Decimal, now_ns: int) -> None:
        is_day = order.time_in_force is TimeInForce.DAY
        expires_at_ns = now_ns - now_ns % NS_PER_SESSION + NS_PER_SESSION if is_day else None
        kind = {OrderType.MARKET: "market", OrderType.LIMIT: "limit"}.get(order.order_type, "stop")
        self._arrivals += 1
        slot = _Slot(order, kind, left, expires_at_ns, self._arrivals)
        self._slots.append(slot)
        if kind != "stop" or (
            order.side in self._price and self._is_triggered(slot, self._price[order.side])
        ):
            self._arrive(slot)

    def _arrive(self, slot: _Slot) -> None:
        self._arrivals += 1
        slot.arrival = self._arrivals
        slot.kind = "limit" if slot.order.limit_price is not None else "market"
        side = slot.order.side
        can_trade = side in self._price and (
            slot.kind == "market" or _is_at_or_better(slot, self._price[side])
        )
        tif = slot.order.time_in_force
        if can_trade and not (tif is TimeInForce.FOK and slot.left > self._size[side]):
            self._size[side] -= self._fill(slot, self._price[side], self._size[side])
        if slot in self._slots and tif in (TimeInForce.IOC, TimeInForce.FOK):
            self._slots.remove(slot)
            self._said.append(f"{slot.order.order_id} canceled")

    def _trigger(self, side: Side, price: Decimal) -> None:
        stops = [
            slot
            for slot in self._slots
            if slot.kind == "stop" and slot.order.side is side and self._is_triggered(slot, price)
        ]
        for slot in sorted(stops, key=lambda slot: (slot.stop if slot.is_buy else -slot.stop, slot.arrival)):
            self._arrive(slot)

    def _is_triggered(self, slot: _Slot, price: Decimal) -> bool:
        return price >= slot.stop if slot.is_buy else price <= slot.stop

    def _in_priority(self, side: Side) -> list[_Slot]:
        ours = [slot for slot in self._slots if slot.order.side is side and slot.kind != "stop"]
        markets = [slot for slot in ours if slot.kind == "market"]
        limits = [slot for slot in ours if slot.kind == "limit"]
        limits.sort(key=lambda slot: (-slot.limit if slot.is_buy else slot.limit, slot.arrival))
        return sorted(markets, key=lambda slot: slot.arrival) + limits

    def _fill(self, slot: _Slot, price: Decimal, available: Decimal) -> Decimal:
        qty = min(slot.left, available)
        if qty > 0:
            slot.left -= qty
            text = f"{slot.order.order_id} {format_decimal(qty)} @ {format_decimal(price)}"
            self._said.append(text if slot.left else f"{text} done")
            if not slot.left:
                self._slots.remove(slot)
        return qty

    def _find(self, order_id: str) -> _Slot | None:
        return next((slot for slot in self._slots if slot.order.order_id == order_id), None)

    def _flush(self) -> list[str]:
        said, self._said = self._said, []
        return said


def _is_at_or_better(slot: _Slot, price: Decimal) -> bool:
    return slot.limit >= price if slot.is_buy else slot.limit <= price
