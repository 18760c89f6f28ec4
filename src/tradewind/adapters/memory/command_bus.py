"""A command bus inside the process: the order service's answer is a function call."""

from collections.abc import Callable

from tradewind.ports.messages import CommandEnvelope, Reply


class MemoryCommandBus:
    """Implements `tradewind.ports.bus.CommandBus` with `handler`, which may raise what a bus raises."""

    def __init__(self, handler: Callable[[CommandEnvelope], Reply]) -> None:
        self._handler = handler

    async def send(self, envelope: CommandEnvelope) -> Reply:
        """The handler's reply to the command."""
        return self._handler(envelope)
