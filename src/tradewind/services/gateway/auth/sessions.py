"""Logging in, refreshing and logging out."""

from tradewind.ports.clock import Clock
from tradewind.ports.credentials import (
    AccessTokenIssuer,
    CredentialStore,
    PasswordHasher,
    RefreshToken,
    SecretSource,
    fingerprint,
)
from tradewind.ports.ids import IdSource
from tradewind.services.gateway.auth.registration import (
    MAX_EMAIL_LENGTH,
    MAX_PASSWORD_LENGTH,
    normal_email,
)
from tradewind.services.gateway.auth.schemas import LoginBody, RefreshBody, TokenAnswer
from tradewind.services.gateway.errors import BAD_VALUE, FORBIDDEN, NOT_AUTHORIZED, ApiError
from tradewind.services.gateway.fields import NumberText, decode_object

MAX_REFRESH_TOKEN_LENGTH = 128
_NS_PER_S = 1_000_000_000


class LoginSessions:
    """Families of refresh tokens, one a log-in."""

    def __init__(
        self,
        store: CredentialStore,
        hasher: PasswordHasher,
        issuer: AccessTokenIssuer,
        secrets: SecretSource,
        ids: IdSource,
        clock: Clock,
        refresh_ttl_s: int,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._issuer = issuer
        self._secrets = secrets
        self._ids = ids
        self._clock = clock
        self._refresh_ttl_ns = refresh_ttl_s * _NS_PER_S

    async def log_in(self, body: bytes) -> TokenAnswer:
        """New tokens. Answers the same, after the same work, for an unknown user and a wrong password."""
        wanted = _read_login(body)
        user = await self._store.user_by_email(normal_email(wanted.email))
        is_right = await self._hasher.matches(wanted.password, None if user is None else user.password_hash)
        if user is None or not is_right:
            raise ApiError(401, NOT_AUTHORIZED, "email or password is wrong")
        account_ids = await self._store.accounts_of(user.user_id)
        if not account_ids:
            raise ApiError(403, FORBIDDEN, "this user has no account yet")
        now_ns = self._clock.now_ns()
        secret = self._secrets.new_refresh_token()
        token = RefreshToken(
            token_sha256=fingerprint(secret),
            family_id=self._ids.new_id(),
            user_id=user.user_id,
            account_id=account_ids[0],
            expires_at_ns=now_ns + self._refresh_ttl_ns,
        )
        await self._store.add_refresh_token(token, now_ns)
        return self._answer(token, secret, now_ns)

    async def refresh(self, body: bytes) -> TokenAnswer:
        """New tokens for a refresh token, which is used up. One that was used before ends the whole session."""
        wanted = _read_refresh(body)
        now_ns = self._clock.now_ns()
        secret = self._secrets.new_refresh_token()
        token = await self._store.rotate_refresh_token(
            fingerprint(wanted.refresh_token), fingerprint(secret), now_ns, now_ns + self._refresh_ttl_ns
        )
        if token is None:
            raise ApiError(401, NOT_AUTHORIZED, "refresh token is not valid: log in again")
        return self._answer(token, secret, now_ns)

    async def log_out(self, body: bytes) -> None:
        """Revoke the session of a refresh token; an unknown one is ignored."""
        wanted = _read_refresh(body)
        await self._store.revoke_refresh_family(fingerprint(wanted.refresh_token), self._clock.now_ns())

    def _answer(self, token: RefreshToken, secret: str, now_ns: int) -> TokenAnswer:
        return TokenAnswer(
            access_token=self._issuer.issue(token.user_id, token.account_id, now_ns),
            refresh_token=secret,
            expires_in=self._issuer.ttl_s,
        )


def _read_login(body: bytes) -> LoginBody:
    fields = _only(body, ("email", "password"))
    email = _text(fields, "email", MAX_EMAIL_LENGTH)
    return LoginBody(email=email, password=_text(fields, "password", MAX_PASSWORD_LENGTH))


def _read_refresh(body: bytes) -> RefreshBody:
    fields = _only(body, ("refresh_token",))
    return RefreshBody(refresh_token=_text(fields, "refresh_token", MAX_REFRESH_TOKEN_LENGTH))


def _only(body: bytes, known: tuple[str, ...]) -> dict[str, object]:
    fields = decode_object(body)
    for name in fields:
        if name not in known:
            raise ApiError(
                422,
                BAD_VALUE,
                f"unknown field: {name[:100]}",
                {"field": name[:100], "allowed": ", ".join(known)},
            )
    return fields


def _text(fields: dict[str, object], name: str, max_length: int) -> str:
    """Like other text, but a refused value is not shown: it may be a secret."""
    value = fields.get(name)
    is_text = isinstance(value, str) and not isinstance(value, NumberText) and "\0" not in value
    if is_text and 0 < len(str(value)) <= max_length:
        return str(value)
    raise ApiError(
        422,
        BAD_VALUE,
        f"{name} is required" if value is None else f"invalid {name}",
        {"field": name, "allowed": f"text of 1 to {max_length} characters"},
    )
