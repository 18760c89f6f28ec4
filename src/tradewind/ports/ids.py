"""Where ids come from."""

from typing import Protocol


class IdSource(Protocol):
    """Makes ids that nobody made before."""

    def new_id(self) -> str:
        """A canonical lower-case UUID string, version 7 (ordered by time)."""
        ...
