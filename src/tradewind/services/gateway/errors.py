"""Every error answer of the gateway: `{"code": …, "message": …}` with what else helps at the same level.

`code` is Alpaca's: its first three digits are the family, not always the HTTP status.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar.exceptions import HTTPException

from tradewind.ports.authentication import NotAuthenticated
from tradewind.ports.errors import BusUnavailable, OutsideFailure, Overloaded, StoreUnavailable

BAD_BODY = 40010000
BAD_VALUE = 40010001
NOT_AUTHORIZED = 40110000
FORBIDDEN = 40310000
NOT_FOUND = 40410000
METHOD_NOT_ALLOWED = 40510000
BODY_TOO_LARGE = 41310000
UNPROCESSABLE = 42210000
INTERNAL = 50010000
UNAVAILABLE = 50310000
OUTCOME_UNKNOWN = 50310001

MAX_BODY_BYTES = 64 * 1024
MAX_SHOWN_LENGTH = 100
"""A refused value is shown up to this many characters."""
RETRY_AFTER_S = 1

_ENCODER = msgspec.json.Encoder(enc_hook=str)


class ApiError(Exception):
    """An answer other than success."""

    def __init__(
        self, status: int, code: int, message: str, extras: Mapping[str, str | None] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extras = extras or {}

    def body(self) -> bytes:
        """The answer's JSON text."""
        return _ENCODER.encode(self.content())

    def content(self) -> dict[str, Any]:
        """The answer's JSON object; extras that are None are left out."""
        known = {name: value for name, value in self.extras.items() if value is not None}
        return {"code": self.code, "message": self.message, **known}

    def headers(self) -> dict[str, str]:
        """Headers that belong to the answer."""
        if self.status == 503:
            return {"retry-after": str(RETRY_AFTER_S)}
        return {"www-authenticate": "Bearer"} if self.status == 401 else {}


def bad_value(field: str, value: object, allowed: str, message: str | None = None) -> ApiError:
    """A field of the body or a query key whose value is not allowed."""
    shown = str(value) if isinstance(value, str) else _ENCODER.encode(value).decode()
    if len(shown) > MAX_SHOWN_LENGTH:
        shown = shown[:MAX_SHOWN_LENGTH] + "…"
    return ApiError(
        422,
        BAD_VALUE,
        message or f"invalid {field}: {shown} (allowed: {allowed})",
        {"field": field, "value": shown, "allowed": allowed},
    )


def missing(field: str, allowed: str, message: str | None = None) -> ApiError:
    """A field that must be there and is not."""
    return ApiError(422, BAD_VALUE, message or f"{field} is required", {"field": field, "allowed": allowed})


def not_found(message: str) -> ApiError:
    """There is no such thing, or it is somebody else's."""
    return ApiError(404, NOT_FOUND, message)


def body_too_large() -> ApiError:
    """The body is beyond `MAX_BODY_BYTES`."""
    return ApiError(
        413, BODY_TOO_LARGE, "request body is too large", {"allowed": f"at most {MAX_BODY_BYTES} bytes"}
    )


def unavailable(what: str) -> ApiError:
    """Something that this request needs cannot be reached now, and nothing happened."""
    return ApiError(503, UNAVAILABLE, f"{what}; try again in a moment")


def api_error_of(error: Exception) -> ApiError:
    """The answer that an exception stands for."""
    match error:
        case ApiError():
            return error
        case NotAuthenticated():
            return ApiError(401, NOT_AUTHORIZED, "request is not authorized")
        case HTTPException():
            return _of_framework(error)
        case StoreUnavailable():
            return unavailable("the database cannot be reached")
        case BusUnavailable():
            return unavailable("the message bus cannot be reached")
        case Overloaded():
            return unavailable("too many requests are waiting")
        case OutsideFailure():
            return unavailable("the service is not available")
        case _:
            return ApiError(500, INTERNAL, "internal server error occurred")


def _of_framework(error: HTTPException) -> ApiError:
    match error.status_code:
        case 404:
            return not_found("endpoint not found.")
        case 405:
            return ApiError(405, METHOD_NOT_ALLOWED, "method not allowed")
        case 413:
            return body_too_large()
        case status if 400 <= status < 500:
            return ApiError(status, status * 100_000 + 10_000, error.detail)
        case _:
            return ApiError(500, INTERNAL, "internal server error occurred")
