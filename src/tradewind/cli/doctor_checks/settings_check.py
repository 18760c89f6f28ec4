"""The settings: complete, and no secret that others know."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from tradewind.cli.doctor_checks.finding import Finding, fail, ok, warn
from tradewind.settings import Settings

JWT_KEY_LENGTH_MIN = 32
DEFAULT_SECRETS = frozenset(
    ("", "admin", "changeme", "change-me", "default", "example", "influxdb", "password", "postgres", "redis",
     "secret", "test", "token", "tradewind", "trading")
)  # fmt: skip
TELLING_PARTS = ("changeme", "change-me", "change_me", "your-", "your_", "example", "replace")
"""Parts of values that were copied from an example."""
LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")

_GENERATE = "set {name} to the output of `openssl rand -hex 32`, there and at the server"


def check_settings(settings: Settings) -> Iterator[Finding]:
    """What the settings alone tell."""
    if not settings.database_url:
        yield fail("settings", "DATABASE_URL is not set", "set DATABASE_URL, or run `tradewind up` here")
    if not settings.redis_host:
        yield fail("settings", "REDIS_HOST is not set", "set REDIS_HOST, or run `tradewind up` here")
    if settings.database_url and settings.redis_host:
        yield ok("settings", "the addresses of PostgreSQL and Redis are set")
    yield _jwt_key(settings.jwt_secret_key)
    yield from _passwords(settings)


def is_known(secret: str) -> bool:
    """Whether others would guess it."""
    text = secret.lower()
    return text in DEFAULT_SECRETS or any(part in text for part in TELLING_PARTS)


def _jwt_key(key: str) -> Finding:
    mend = "set JWT_SECRET_KEY to the output of `openssl rand -hex 32`, the same for all services"
    if not key:
        return warn("access token key", "JWT_SECRET_KEY is not set here", mend)
    if is_known(key):
        return fail("access token key", "JWT_SECRET_KEY is a value from an example", mend)
    if len(key) < JWT_KEY_LENGTH_MIN:
        return fail(
            "access token key",
            f"JWT_SECRET_KEY has {len(key)} characters, fewer than {JWT_KEY_LENGTH_MIN}",
            mend,
        )
    return ok("access token key", "long, and from no example")


def _passwords(settings: Settings) -> Iterator[Finding]:
    database = urlsplit(settings.database_url)
    if settings.database_url:
        name, local = "PostgreSQL's password", database.hostname in LOCAL_HOSTS or not database.hostname
        yield _password(name, "POSTGRES_PASSWORD", unquote(database.password or ""), is_local=local)
    if settings.redis_host:
        local = settings.redis_host in LOCAL_HOSTS
        yield _password("Redis's password", "REDIS_PASSWORD", settings.redis_password, is_local=local)
    if settings.influxdb_url:
        local = urlsplit(settings.influxdb_url).hostname in LOCAL_HOSTS
        yield _password("InfluxDB's token", "INFLUXDB_TOKEN", settings.influxdb_token, is_local=local)


def _password(check: str, name: str, secret: str, *, is_local: bool) -> Finding:
    if not is_known(secret):
        return ok(check, "set, and no default")
    text = "none is set" if not secret else "it is a default that others know"
    if is_local and not secret:
        return ok(check, "none, and the server is on this machine")
    return (warn if is_local else fail)(check, text, _GENERATE.format(name=name))
