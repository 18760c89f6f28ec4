"""Failures of the outside, one small tree:

OutsideFailure
├── Unavailable            the other side cannot be reached now; try again
│   ├── StoreUnavailable   the database
│   └── BusUnavailable     the message bus
├── ReplyOverdue           no reply within the deadline and its margin
├── OwnershipLost          another replica owns the shard, or may own it
├── Refused                the other side was reached and will not do it; asking again does not help
└── Overloaded             a bounded queue is full; try again later
"""


class OutsideFailure(Exception):
    """Something outside this process failed."""


class Unavailable(OutsideFailure):
    """The other side cannot be reached now."""


class StoreUnavailable(Unavailable):
    """The database cannot be reached now."""


class BusUnavailable(Unavailable):
    """The message bus cannot be reached now."""


class ReplyOverdue(OutsideFailure):
    """A command's reply did not come within its deadline and the margin after it."""


class OwnershipLost(OutsideFailure):
    """This process may no longer write a shard that it owned."""


class Overloaded(OutsideFailure):
    """A bounded queue is full."""


class Refused(OutsideFailure):
    """The other side was reached and will not do this; asking again does not help."""
