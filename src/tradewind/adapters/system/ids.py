"""Ids from the system's clock and randomness."""

import uuid_utils


class Uuid7Source:
    """Makes UUIDs of version 7 (RFC 9562): unique, and ordered by the time they were made."""

    def new_id(self) -> str:
        """A canonical lower-case UUID string."""
        return str(uuid_utils.uuid7())
