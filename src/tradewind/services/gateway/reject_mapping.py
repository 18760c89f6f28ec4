"""How each refusal of the core is answered: HTTP status and Alpaca's error code, in one table."""

from types import MappingProxyType

from tradewind.domain.refusal import Refusal
from tradewind.domain.reject_codes import RejectCode
from tradewind.services.gateway.errors import (
    BAD_VALUE,
    FORBIDDEN,
    NOT_FOUND,
    UNAVAILABLE,
    UNPROCESSABLE,
    ApiError,
)

_R = RejectCode
_VALUE = (422, BAD_VALUE)
_RULE = (422, UNPROCESSABLE)
_DENIED = (403, FORBIDDEN)
_ABSENT = (404, NOT_FOUND)

REJECT_ANSWERS: MappingProxyType[RejectCode, tuple[int, int]] = MappingProxyType(
    {
        _R.UNKNOWN_ACCOUNT: _ABSENT,
        _R.ACCOUNT_BLOCKED: _DENIED,
        _R.ACCOUNT_EXISTS: _RULE,
        _R.INSUFFICIENT_FUNDS: _DENIED,
        _R.UNKNOWN_SYMBOL: _RULE,
        _R.SYMBOL_NOT_TRADABLE: _RULE,
        _R.TRADING_HALTED: _DENIED,
        _R.NO_REFERENCE_PRICE: _RULE,
        _R.QTY_OR_NOTIONAL_REQUIRED: _VALUE,
        _R.QTY_NOT_POSITIVE: _VALUE,
        _R.QTY_INCREMENT: _VALUE,
        _R.QTY_BELOW_MINIMUM: _VALUE,
        _R.NOTIONAL_NOT_POSITIVE: _VALUE,
        _R.NOTIONAL_INCREMENT: _VALUE,
        _R.NOTIONAL_BELOW_MINIMUM: _VALUE,
        _R.NOTIONAL_NEEDS_MARKET_ORDER: _VALUE,
        _R.FRACTIONAL_NEEDS_DAY: _VALUE,
        _R.LIMIT_PRICE_REQUIRED: _VALUE,
        _R.LIMIT_PRICE_NOT_ALLOWED: _VALUE,
        _R.LIMIT_PRICE_INCREMENT: _RULE,
        _R.STOP_PRICE_REQUIRED: _VALUE,
        _R.STOP_PRICE_NOT_ALLOWED: _VALUE,
        _R.STOP_PRICE_INCREMENT: _RULE,
        _R.PRICE_NOT_POSITIVE: _VALUE,
        _R.VALUE_TOO_LARGE: _VALUE,
        _R.NOT_FRACTIONABLE: _VALUE,
        _R.TIME_IN_FORCE_NOT_ALLOWED: _VALUE,
        _R.INSUFFICIENT_BUYING_POWER: _DENIED,
        _R.INSUFFICIENT_QTY: _DENIED,
        _R.SHORTING_NOT_ALLOWED: _DENIED,
        _R.MAX_ORDER_NOTIONAL: _DENIED,
        _R.CLIENT_ORDER_ID_CONFLICT: _VALUE,
        _R.ORDER_NOT_FOUND: _ABSENT,
        _R.ORDER_TERMINAL: _RULE,
        _R.ORDER_NOT_REPLACEABLE: _RULE,
        _R.ORDER_UNCHANGED: _DENIED,
        _R.POSITION_NOT_FOUND: _ABSENT,
        _R.QTY_ALREADY_FILLED: _RULE,
        _R.TOO_MANY_OPEN_ORDERS: _DENIED,
        _R.ORDER_BEING_REPLACED: _RULE,
        _R.AMOUNT_NOT_POSITIVE: _VALUE,
        _R.PERCENTAGE_OUT_OF_RANGE: _VALUE,
        # Read by the order service after its deadline, hence refused: nothing happened.
        _R.DEADLINE_PASSED: (503, UNAVAILABLE),
    }
)


def refusal_answer(refusal: Refusal) -> ApiError:
    """The error that tells a client of the refusal: its message, field, value, what is allowed, and the facts."""
    status, code = REJECT_ANSWERS[refusal.code]
    extras = {
        "field": refusal.field,
        "value": refusal.value,
        "allowed": refusal.allowed,
        "reject_reason": refusal.code.name.lower(),
        **refusal.details,
    }
    return ApiError(status, code, refusal.message, extras)
