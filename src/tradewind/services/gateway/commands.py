"""Sends commands to the order service, and finds out what became of one whose reply did not come."""

from tradewind.domain.commands import ClientCommand, ClosePosition, ReplaceOrder, SubmitOrder
from tradewind.domain.orders.order import Order
from tradewind.operations.logging import get_logger
from tradewind.operations.metrics import COMMANDS_OVERDUE, COMMANDS_WAITING
from tradewind.ports.bus import CommandBus
from tradewind.ports.clock import Clock
from tradewind.ports.errors import BusUnavailable, Overloaded, ReplyOverdue, StoreUnavailable
from tradewind.ports.ids import IdSource
from tradewind.ports.messages import CommandEnvelope, Reply
from tradewind.ports.trading_queries import TradingQueries
from tradewind.services.gateway.context import RequestContext
from tradewind.services.gateway.errors import OUTCOME_UNKNOWN, UNAVAILABLE, ApiError, bad_value
from tradewind.services.gateway.reject_mapping import refusal_answer

OrderCommand = SubmitOrder | ReplaceOrder | ClosePosition

_NS_PER_MS = 1_000_000
_SUBMIT_TERMS = (
    "symbol", "side", "order_type", "time_in_force", "qty", "notional", "limit_price", "stop_price", "extended_hours",
)  # fmt: skip

_log = get_logger(__name__)


class CommandSender:
    """Sends commands with the deadline that every command of this gateway has."""

    def __init__(
        self,
        bus: CommandBus,
        reply_to: str,
        queries: TradingQueries,
        ids: IdSource,
        clock: Clock,
        deadline_ms: int,
    ) -> None:
        self._bus = bus
        self._reply_to = reply_to
        self._queries = queries
        self._deadline_ns = deadline_ms * _NS_PER_MS
        self.ids = ids
        self.clock = clock

    async def send(self, command: ClientCommand, context: RequestContext) -> Reply:
        """The reply. Raises `ApiError` when refused or certainly not sent, `ReplyOverdue` when nobody knows."""
        envelope = CommandEnvelope(
            command_id=self.ids.new_id(),
            correlation_id=context.correlation_id,
            reply_to=self._reply_to,
            received_ns=context.received_ns,
            deadline_ns=context.received_ns + self._deadline_ns,
            command=command,
        )
        COMMANDS_WAITING.inc()
        try:
            reply = await self._bus.send(envelope)
        except (BusUnavailable, Overloaded) as error:
            why = "too many orders are waiting" if isinstance(error, Overloaded) else "the bus is away"
            raise _not_accepted(command, why) from error
        except ReplyOverdue:
            COMMANDS_OVERDUE.inc()
            raise
        finally:
            COMMANDS_WAITING.dec()
        _log.debug(
            "command answered",
            correlation_id=context.correlation_id,
            command=type(command).__name__,
            refusal=reply.refusal and reply.refusal.code.name,
        )
        if reply.refusal is not None:
            raise refusal_answer(reply.refusal)
        return reply

    async def send_for_order(self, command: OrderCommand, context: RequestContext) -> Order:
        """The order that the command made, found in the books when its reply did not come. Raises `ApiError`."""
        try:
            reply = await self.send(command, context)
        except ReplyOverdue:
            return await self._fate(command, context)
        return reply.orders[0]

    async def _fate(self, command: OrderCommand, context: RequestContext) -> Order:
        _log.warning(
            "reply overdue, looking for the order",
            correlation_id=context.correlation_id,
            client_order_id=command.client_order_id,
        )
        try:
            order = await self._queries.resolve_fate(command.account_id, command.client_order_id)
        except StoreUnavailable as error:
            raise outcome_unknown(
                f"whether the order was accepted is not known yet: "
                f"ask /v2/orders:by_client_order_id?client_order_id={command.client_order_id}"
            ) from error
        if order is None:
            raise _not_accepted(command, "it was not processed in time")
        if not _is_from(order, command):
            raise bad_value(
                "client_order_id",
                command.client_order_id,
                "an id that no other order of the account has",
                "client_order_id must be unique",
            )
        return order


def outcome_unknown(message: str) -> ApiError:
    """Neither the reply nor the books can be reached: nobody can tell now what happened."""
    return ApiError(503, OUTCOME_UNKNOWN, message)


def _not_accepted(command: ClientCommand, why: str) -> ApiError:
    if isinstance(command, OrderCommand):
        text = f"order was not accepted: {why}; nothing happened; retry with the same client_order_id"
    else:
        text = f"request was not accepted: {why}; nothing happened; try again"
    return ApiError(503, UNAVAILABLE, text)


def _is_from(order: Order, command: OrderCommand) -> bool:
    """Whether the order is the command's, or that of the same command sent before."""
    match command:
        case SubmitOrder():
            return order.order_id == command.order_id or all(
                getattr(order, term) == getattr(command, term) for term in _SUBMIT_TERMS
            )
        case ReplaceOrder():
            return order.order_id == command.new_order_id or order.replaces == command.order_id
        case ClosePosition():
            return order.order_id == command.order_id
