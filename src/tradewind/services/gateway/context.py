"""What a request carries besides its sender and its body."""

import re

import msgspec

MAX_REQUEST_ID_LENGTH = 128
_REQUEST_ID = re.compile(rf"[A-Za-z0-9._:/+=-]{{1,{MAX_REQUEST_ID_LENGTH}}}")

SCOPE_KEY = "tradewind.request"
"""Where the context lies in an ASGI scope."""


class RequestContext(msgspec.Struct, frozen=True):
    """`correlation_id` follows what the request causes through all services; `received_ns` is its arrival."""

    correlation_id: str
    received_ns: int


def usable_request_id(text: str | None) -> str | None:
    """A client's X-Request-Id when it is short and harmless, else None."""
    return text if text and _REQUEST_ID.fullmatch(text) else None
