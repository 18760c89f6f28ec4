"""`/v1/auth`: log in, refresh, log out."""

from typing import Any

from litestar import Request, Router, post

from tradewind.services.gateway.auth.schemas import TokenAnswer
from tradewind.services.gateway.dependencies import parts_of
from tradewind.services.gateway.openapi import LoginOperation, RefreshOperation


@post("/login", status_code=200, operation_class=LoginOperation, summary="Log in")
async def log_in(request: Request[Any, Any, Any]) -> TokenAnswer:
    """An access token for a short while, and a refresh token for the next one."""
    return await parts_of(request).sessions.log_in(await request.body())


@post("/refresh", status_code=200, operation_class=RefreshOperation, summary="Get new tokens")
async def refresh(request: Request[Any, Any, Any]) -> TokenAnswer:
    """Uses the refresh token up. Using one twice ends the session."""
    return await parts_of(request).sessions.refresh(await request.body())


@post("/logout", status_code=204, operation_class=RefreshOperation, summary="Log out")
async def log_out(request: Request[Any, Any, Any]) -> None:
    """Revokes the session that the refresh token belongs to."""
    await parts_of(request).sessions.log_out(await request.body())


def auth_router() -> Router:
    """The routes that need no credentials."""
    return Router("/v1/auth", route_handlers=[log_in, refresh, log_out], tags=["log-in"])
