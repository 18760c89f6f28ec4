"""The OpenAPI description: title, security schemes, and the bodies that handlers read by themselves."""

from dataclasses import dataclass
from typing import Any

from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    RequestBody,
    Schema,
    SecurityScheme,
)

from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.operations.docs_page import DOCS_PATH, OfflineDocsPage

SECURITY: list[dict[str, list[str]]] = [{"key_id": [], "secret_key": []}, {"bearer": []}, {"basic": []}]
"""Any one of these: the pair of headers, a Bearer token, or Basic with key id and secret."""

_NUMBER = [Schema(type=OpenAPIType.STRING), Schema(type=OpenAPIType.NUMBER)]


def openapi_config(version: str) -> OpenAPIConfig:
    """The description is served at `/docs`, as a page that needs nothing from the network, and `/docs/openapi.json`."""
    return OpenAPIConfig(
        title="Tradewind API",
        version=version,
        description="Trading in the format of Alpaca's Trading API v2.",
        path=DOCS_PATH,
        render_plugins=[OfflineDocsPage()],
        components=Components(
            security_schemes={
                "key_id": SecurityScheme(type="apiKey", name="APCA-API-KEY-ID", security_scheme_in="header"),
                "secret_key": SecurityScheme(
                    type="apiKey", name="APCA-API-SECRET-KEY", security_scheme_in="header"
                ),
                "bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT"),
                "basic": SecurityScheme(type="http", scheme="basic"),
            }
        ),
    )


def _decimal(description: str) -> Schema:
    return Schema(one_of=_NUMBER, description=description)


def _text(description: str, values: list[str] | None = None) -> Schema:
    return Schema(type=OpenAPIType.STRING, description=description, enum=values)


def _json_body(required: list[str], properties: dict[str, Any], example: dict[str, Any]) -> RequestBody:
    schema = Schema(type=OpenAPIType.OBJECT, required=required, properties=properties)
    return RequestBody(
        required=True, content={"application/json": OpenAPIMediaType(schema=schema, example=example)}
    )


def _order_body() -> RequestBody:
    return _json_body(
        ["symbol", "side", "time_in_force"],
        {
            "symbol": _text("Symbol, pair or asset id."),
            "qty": _decimal("Units; this or notional."),
            "notional": _decimal("Value, for market orders of fractionable assets."),
            "side": _text("Which way.", list(Side)),
            "type": _text("Default market.", list(OrderType)),
            "time_in_force": _text("How long.", list(TimeInForce)),
            "limit_price": _decimal("For limit and stop_limit."),
            "stop_price": _decimal("For stop and stop_limit."),
            "extended_hours": Schema(type=OpenAPIType.BOOLEAN),
            "client_order_id": _text(
                "Your id for it, unique for ever. A retry with it never makes a second order."
            ),
        },
        {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
    )


def _replacement_body() -> RequestBody:
    return _json_body(
        [],
        {
            "qty": _decimal("The new total."),
            "limit_price": _decimal("The new limit price."),
            "stop_price": _decimal("The new stop price."),
            "time_in_force": _text("How long.", list(TimeInForce)),
            "client_order_id": _text("Your id for the new order."),
        },
        {"qty": "2", "limit_price": "100.25"},
    )


def _login_body() -> RequestBody:
    return _json_body(
        ["email", "password"],
        {"email": _text("Your e-mail address."), "password": _text("Your password.")},
        {"email": "you@example.com", "password": ""},
    )


def _refresh_body() -> RequestBody:
    return _json_body(
        ["refresh_token"], {"refresh_token": _text("From the last log-in or refresh.")}, {"refresh_token": ""}
    )


@dataclass
class OrderOperation(Operation):
    """Submits an order."""

    def __post_init__(self) -> None:
        self.request_body = _order_body()


@dataclass
class ReplacementOperation(Operation):
    """Replaces an order."""

    def __post_init__(self) -> None:
        self.request_body = _replacement_body()


@dataclass
class LoginOperation(Operation):
    """Logs in."""

    def __post_init__(self) -> None:
        self.request_body = _login_body()


@dataclass
class RefreshOperation(Operation):
    """Uses up or revokes a refresh token."""

    def __post_init__(self) -> None:
        self.request_body = _refresh_body()
