"""Where clients put their credentials, turned into the headers that an `Authenticator` reads."""

from collections.abc import Mapping

OAUTH_KEY = "oauth"
"""As the key of an `auth` message: the secret is a bearer token."""

_KEY_HEADER = "apca-api-key-id"
_SECRET_HEADER = "apca-api-secret-key"  # noqa: S105 - the name of a header
_AUTHORIZATION_HEADER = "authorization"


def headers_of_key(key: str, secret: str) -> dict[str, str]:
    """The headers of an `auth` message."""
    if key == OAUTH_KEY:
        return headers_of_token(secret)
    return {_KEY_HEADER: key, _SECRET_HEADER: secret}


def headers_of_token(token: str) -> dict[str, str]:
    """The headers of a bearer token."""
    return {_AUTHORIZATION_HEADER: f"Bearer {token}"}


def headers_of_upgrade(headers: Mapping[str, str]) -> dict[str, str]:
    """The credentials among an upgrade request's headers (lower-case names), if it brings any."""
    names = (_KEY_HEADER, _SECRET_HEADER, _AUTHORIZATION_HEADER)
    return {name: headers[name] for name in names if name in headers}
