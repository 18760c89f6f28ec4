"""Bodies of the log-in routes."""

import msgspec


class LoginBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to log in."""

    email: str
    password: str


class RefreshBody(msgspec.Struct, frozen=True, kw_only=True):
    """The refresh token to use up or to give back."""

    refresh_token: str


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An access token for `expires_in` seconds, and the token that gets the next one (once)."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme
