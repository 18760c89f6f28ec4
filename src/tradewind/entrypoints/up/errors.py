"""What `tradewind up` raises."""


class PlatformError(Exception):
    """The platform cannot start; the message is one line and says the mend."""
