"""Access tokens: JWT signed with HS256."""

import jwt
import msgspec

from tradewind.domain.identifiers import AccountId
from tradewind.ports.authentication import NotAuthenticated
from tradewind.ports.ids import IdSource

ISSUER = "tradewind"
ALGORITHM = "HS256"
MIN_KEY_LENGTH = 32
MAX_TOKEN_LENGTH = 4_096
NS_PER_S = 1_000_000_000
_CLAIMS = ["iss", "sub", "account", "exp", "iat", "jti"]


class AccessClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What a good token says: the user, the account it acts for, and until when."""

    user_id: str
    account_id: AccountId
    expires_ns: int


class AccessTokens:
    """Issues and reads access tokens. Implements `tradewind.ports.credentials.AccessTokenIssuer`."""

    def __init__(self, secret_key: str, ttl_s: int, ids: IdSource) -> None:
        if len(secret_key) < MIN_KEY_LENGTH:
            raise ValueError(f"JWT_SECRET_KEY must have at least {MIN_KEY_LENGTH} characters")
        self._key = secret_key
        self._ttl_s = ttl_s
        self._ids = ids

    @property
    def ttl_s(self) -> int:
        """Life of a token, seconds."""
        return self._ttl_s

    def issue(self, user_id: str, account_id: AccountId, now_ns: int) -> str:
        """A signed token that is good for `ttl_s` from now."""
        now_s = now_ns // NS_PER_S
        claims = {
            "iss": ISSUER,
            "sub": user_id,
            "account": account_id,
            "iat": now_s,
            "exp": now_s + self._ttl_s,
            "jti": self._ids.new_id(),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def read(self, token: str, now_ns: int) -> AccessClaims:
        """The claims of a good token; raises `NotAuthenticated` on a forged, expired or malformed one."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise NotAuthenticated
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                # Time is compared with the clock of the caller, below.
                options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            parsed = msgspec.convert(claims, _Claims)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError) as error:
            raise NotAuthenticated from error
        if parsed.exp * NS_PER_S <= now_ns:
            raise NotAuthenticated
        return AccessClaims(user_id=parsed.sub, account_id=parsed.account, expires_ns=parsed.exp * NS_PER_S)


class _Claims(msgspec.Struct):
    sub: str
    account: str
    exp: int
