"""Whether the strategy runs here, in words: for the readiness of the service."""

READINESS_CHECK = "strategy"
"""Name of the readiness check."""
FAILED = "failed"
"""What the problem of a strategy begins with that will not run before somebody mends it."""


class StrategyStatus:
    """A readiness check. A strategy that failed, or has not started yet, is a problem; standing by is none."""

    def __init__(self) -> None:
        self._problem: str | None = "not started yet"

    @property
    def problem(self) -> str | None:
        """What is wrong, None when all is well."""
        return self._problem

    async def check(self) -> str | None:
        """The problem."""
        return self._problem

    def is_absent(self) -> None:
        """No strategy is to run."""
        self._problem = None

    def stands_by(self) -> None:
        """Another replica runs the strategy."""
        self._problem = None

    def waits(self, reason: str) -> None:
        """It is about to start and needs something first."""
        self._problem = f"not started yet: {reason}"

    def runs(self) -> None:
        """It has started."""
        self._problem = None

    def fails(self, place: str, error: BaseException) -> None:
        """It raised, in this method or at this step, and is called no more."""
        self._problem = f"{FAILED} in {place}: {described(error)}"

    def cannot_load(self, reason: str) -> None:
        """There is no such strategy."""
        self._problem = f"{FAILED} to load: {reason}"


def described(error: BaseException) -> str:
    """The exception's type and message in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
