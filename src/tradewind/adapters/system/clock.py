"""The system's clock."""

import time


class SystemClock:
    """Tells the machine's wall-clock time."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return time.time_ns()
