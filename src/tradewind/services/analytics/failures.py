"""Every failure as an HTTP answer with the platform's common body, `{"code": …, "message": …}`."""

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from tradewind.operations.logging import get_logger
from tradewind.ports.authentication import NotAuthenticated
from tradewind.ports.errors import Overloaded, StoreUnavailable
from tradewind.services.analytics.answers import ErrorAnswer
from tradewind.services.analytics.errors import AccountNotFound, InvalidParameter, TooMuchHistory

RETRY_AFTER_S = 1

_log = get_logger(__name__)
_AnyRequest = Request[Any, Any, Any]


def _answer(status: int, code: int, message: str) -> Response[ErrorAnswer]:
    return Response(
        ErrorAnswer(code=code, message=message), status_code=status, media_type="application/json"
    )


def _not_authenticated(_request: _AnyRequest, _error: NotAuthenticated) -> Response[ErrorAnswer]:
    return _answer(401, 40110000, "request is not authorized")


def _account_not_found(_request: _AnyRequest, error: AccountNotFound) -> Response[ErrorAnswer]:
    return _answer(404, 40410000, str(error))


def _invalid(_request: _AnyRequest, error: InvalidParameter | TooMuchHistory) -> Response[ErrorAnswer]:
    return _answer(422, 40010001, str(error))


def _unavailable(_request: _AnyRequest, error: StoreUnavailable | Overloaded) -> Response[ErrorAnswer]:
    _log.warning("request turned away", reason=type(error).__name__, error=str(error))
    answer = _answer(503, 50310000, "the service cannot answer now, try again")
    answer.set_header("Retry-After", str(RETRY_AFTER_S))
    return answer


def _http_error(_request: _AnyRequest, error: HTTPException) -> Response[ErrorAnswer]:
    message = "endpoint not found." if error.status_code == 404 else error.detail.lower()
    return _answer(error.status_code, error.status_code * 100_000 + 10_000, message)


def _unexpected(request: _AnyRequest, error: Exception) -> Response[ErrorAnswer]:
    _log.error("request failed", path=request.url.path, exc_info=error)
    return _answer(500, 50010000, "internal server error occurred")


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    NotAuthenticated: _not_authenticated,
    AccountNotFound: _account_not_found,
    InvalidParameter: _invalid,
    TooMuchHistory: _invalid,
    StoreUnavailable: _unavailable,
    Overloaded: _unavailable,
    HTTPException: _http_error,
    Exception: _unexpected,
}
