"""A bus that records how long each command took, from its sending to its reply."""

import time
from collections.abc import Callable

from tradewind.operations.tracing import Span
from tradewind.ports.bus import CommandBus
from tradewind.ports.errors import OutsideFailure
from tradewind.ports.messages import CommandEnvelope, Reply


class TracedCommandBus:
    """In front of another bus. `record` is a recorder's `record`, or its `record_root` where no request comes before."""

    def __init__(self, bus: CommandBus, record: Callable[[Span], None]) -> None:
        self._bus = bus
        self._record = record

    async def send(self, envelope: CommandEnvelope) -> Reply:
        """See `ports.bus.CommandBus.send`."""
        started_ns = time.time_ns()
        problem: str | None = "cancelled"
        try:
            reply = await self._bus.send(envelope)
            problem = None if reply.refusal is None else reply.refusal.code.name
        except OutsideFailure as error:
            problem = type(error).__name__
            raise
        finally:
            name = type(envelope.command).__name__
            self._record(
                Span(
                    f"send {name}",
                    envelope.correlation_id,
                    started_ns,
                    time.time_ns(),
                    "producer",
                    {"messaging.system": "redis", "tradewind.command_id": envelope.command_id},
                    problem,
                )
            )
        return reply
