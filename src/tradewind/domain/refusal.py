"""A refusal: the numbered, explained answer to a command that a rule does not allow."""

import msgspec

from tradewind.domain.reject_codes import RejectCode


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a command was refused: which `field` had which `value`, and what is `allowed`.

    `details` holds further facts for the client, such as the buying power at that moment.
    """

    code: RejectCode
    message: str
    field: str | None = None
    value: str | None = None
    allowed: str | None = None
    details: dict[str, str] = msgspec.field(default_factory=dict)
