"""What the supervisor raises."""


class ProcessNotReadyError(Exception):
    """A process did not become ready at the start; the message names it, its lines on the console say why."""
