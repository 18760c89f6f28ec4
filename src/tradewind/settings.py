"""The one settings file: every environment variable that the platform reads, its type, default and meaning.

`.env.example` and `docs/reference/configuration.md` are generated from it (`tradewind config docs`). Only entrypoints
and the command line import this module; everything else receives values.
"""

import difflib
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_type_hints
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

PREFIX = "TRADEWIND_"
FILE_SUFFIX = "_FILE"


class SettingsError(Exception):
    """A variable is unknown or has a value that is not allowed; the message names it and the mend."""


class Variable(msgspec.Struct, frozen=True):
    """How a setting appears in the environment."""

    name: str
    meaning: str
    is_secret: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, read once in a process's entrypoint."""

    database_url: Annotated[
        str,
        Variable(
            "DATABASE_URL",
            "PostgreSQL, `postgresql://user:password@host:port/database`. Empty: `tradewind up` starts a private server.",
            is_secret=True,
        ),
    ] = ""
    postgres_password: Annotated[
        str,
        Variable(
            "POSTGRES_PASSWORD",
            "Password put into `DATABASE_URL` when that has a user but none.",
            is_secret=True,
        ),
    ] = ""
    redis_host: Annotated[
        str, Variable("REDIS_HOST", "Redis or Valkey. Empty: `tradewind up` starts a private server.")
    ] = ""
    redis_port: Annotated[int, Variable("REDIS_PORT", "Port of Redis.")] = 6379
    redis_password: Annotated[
        str, Variable("REDIS_PASSWORD", "Password of Redis, when it asks for one.", is_secret=True)
    ] = ""
    jwt_secret_key: Annotated[
        str,
        Variable(
            "JWT_SECRET_KEY",
            "Key that signs access tokens (HS256), at least 32 characters. Empty: `tradewind up` makes one and keeps it.",
            is_secret=True,
        ),
    ] = ""
    influxdb_url: Annotated[
        str,
        Variable(
            "INFLUXDB_URL",
            "InfluxDB 1.x, 2.x or 3.x for bars, `http://host:8086`. Empty: PostgreSQL holds them.",
        ),
    ] = ""
    influxdb_token: Annotated[
        str,
        Variable("INFLUXDB_TOKEN", "InfluxDB API token; with 1.x the user's password.", is_secret=True),
    ] = ""
    influxdb_username: Annotated[
        str, Variable("INFLUXDB_USERNAME", "InfluxDB user; with 2.x and 3.x any name will do.")
    ] = "admin"
    influxdb_org: Annotated[str, Variable("INFLUXDB_ORG", "InfluxDB organisation (2.x).")] = "tradewind"
    influxdb_bucket: Annotated[
        str, Variable("INFLUXDB_BUCKET", "InfluxDB bucket (2.x) or database; made when it is missing.")
    ] = "market-data"
    influxdb_retention_days: Annotated[
        int,
        Variable(
            "INFLUXDB_RETENTION_DAYS",
            "InfluxDB deletes older bars, imported ones too. 0: what the bucket has; a new one keeps them for ever.",
        ),
    ] = 0
    influxdb_admin_password: Annotated[
        str,
        Variable(
            "INFLUXDB_ADMIN_PASSWORD", "Password of InfluxDB's first user, for its set-up.", is_secret=True
        ),
    ] = ""

    data_dir: Annotated[
        Path,
        Variable("TRADEWIND_DATA_DIR", "Where `tradewind up` keeps its servers' data and generated secrets."),
    ] = Path(".tradewind")
    bind_host: Annotated[str, Variable("TRADEWIND_BIND_HOST", "Address that the services listen on.")] = (
        "127.0.0.1"
    )
    gateway_port: Annotated[int, Variable("TRADEWIND_GATEWAY_PORT", "Port of the API gateway.")] = 8080
    websocket_port: Annotated[int, Variable("TRADEWIND_WEBSOCKET_PORT", "Port of the WebSocket service.")] = (
        8081
    )
    analytics_port: Annotated[int, Variable("TRADEWIND_ANALYTICS_PORT", "Port of the analytics service.")] = (
        8082
    )
    strategy_port: Annotated[
        int, Variable("TRADEWIND_STRATEGY_PORT", "Port of the strategy service's probes and metrics.")
    ] = 8083
    order_port: Annotated[
        int, Variable("TRADEWIND_ORDER_PORT", "Port of the order service's probes and metrics.")
    ] = 8084
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Variable("TRADEWIND_LOG_LEVEL", "Least severe line logged."),
    ] = "info"

    trace_ratio: Annotated[
        float,
        Variable(
            "TRADEWIND_TRACE_RATIO",
            "Share of the requests and orders that are traced through all services with OpenTelemetry, 0 (none) to 1; "
            "`OTEL_EXPORTER_OTLP_ENDPOINT` names the collector. Needs the extra `tracing`.",
        ),
    ] = 0.0

    access_token_ttl_s: Annotated[
        int, Variable("TRADEWIND_ACCESS_TOKEN_TTL_S", "Life of an access token, seconds.")
    ] = 900
    refresh_token_ttl_s: Annotated[
        int, Variable("TRADEWIND_REFRESH_TOKEN_TTL_S", "Life of a refresh token, seconds.")
    ] = 1_209_600
    command_deadline_ms: Annotated[
        int,
        Variable(
            "TRADEWIND_COMMAND_DEADLINE_MS",
            "A command that the order service reads later than this after its receipt is refused.",
        ),
    ] = 5_000
    max_order_notional: Annotated[
        Decimal,
        Variable("TRADEWIND_MAX_ORDER_NOTIONAL", "Largest value of one order, in the account's currency."),
    ] = Decimal(1_000_000)

    feed: Annotated[
        Literal["simulated", "replay"],
        Variable("TRADEWIND_FEED", "Source of market data: `simulated` or `replay`."),
    ] = "simulated"
    simulated_seed: Annotated[
        int,
        Variable("TRADEWIND_SIMULATED_SEED", "Seed of the simulated market: the same seed, the same prices."),
    ] = 1
    simulated_quotes_per_s: Annotated[
        float, Variable("TRADEWIND_SIMULATED_QUOTES_PER_S", "Quotes a second for each simulated symbol.")
    ] = 4.0
    replay_symbols: Annotated[
        str,
        Variable(
            "TRADEWIND_REPLAY_SYMBOLS", "Symbols to replay, separated by commas. Empty: all that are stored."
        ),
    ] = ""
    replay_timeframe: Annotated[
        str, Variable("TRADEWIND_REPLAY_TIMEFRAME", "Timeframe of the stored bars to replay.")
    ] = "1Min"
    replay_speed: Annotated[
        float,
        Variable(
            "TRADEWIND_REPLAY_SPEED", "How many times faster than the clock stored history is replayed."
        ),
    ] = 1.0

    bar_spool_dir: Annotated[
        str,
        Variable(
            "TRADEWIND_BAR_SPOOL_DIR",
            "Where finished bars wait on disk while their store is away. Empty: `bar-spool` in `TRADEWIND_DATA_DIR`.",
        ),
    ] = ""
    bar_spool_mb: Annotated[
        int,
        Variable(
            "TRADEWIND_BAR_SPOOL_MB",
            "Most megabytes of bars that wait on disk; beyond it the oldest are dropped.",
        ),
    ] = 256

    strategy: Annotated[
        str,
        Variable(
            "TRADEWIND_STRATEGY",
            "Strategy to run on the paper account, `FILE.py:Class` or `package.module:Class`; `none` runs none.",
        ),
    ] = "tradewind.strategy.examples.moving_average_cross:MovingAverageCross"
    strategy_symbols: Annotated[
        str, Variable("TRADEWIND_STRATEGY_SYMBOLS", "Symbols that the strategy trades, separated by commas.")
    ] = "AAPL,MSFT,BTC/USD"
    strategy_timeframe: Annotated[
        str, Variable("TRADEWIND_STRATEGY_TIMEFRAME", "Timeframe of the bars that the strategy sees.")
    ] = "5Sec"
    strategy_account_id: Annotated[
        str,
        Variable(
            "TRADEWIND_STRATEGY_ACCOUNT_ID", "Account that it trades. Empty: `tradewind up` opens one for it."
        ),
    ] = ""

    paper_latency_ms: Annotated[
        float, Variable("TRADEWIND_PAPER_LATENCY_MS", "Time an order takes to reach the simulated venue.")
    ] = 1.0
    paper_slippage_bps: Annotated[
        Decimal,
        Variable("TRADEWIND_PAPER_SLIPPAGE_BPS", "Worse price of market fills, hundredths of a percent."),
    ] = Decimal(0)
    paper_equity_fee_rate: Annotated[
        Decimal,
        Variable("TRADEWIND_PAPER_EQUITY_FEE_RATE", "Fee of equity fills, a fraction of their value."),
    ] = Decimal(0)
    paper_crypto_fee_rate: Annotated[
        Decimal,
        Variable("TRADEWIND_PAPER_CRYPTO_FEE_RATE", "Fee of crypto fills, a fraction of their value."),
    ] = Decimal("0.0025")

    docker_registry: Annotated[
        str, Variable("DOCKER_REGISTRY", "Registry and prefix of the images that `build-images.sh` builds.")
    ] = "trading-platform"
    version: Annotated[str, Variable("VERSION", "Tag of the images that Compose runs.")] = "latest"
    published_address: Annotated[
        str, Variable("PUBLISHED_ADDRESS", "Address of the machine that Compose publishes the ports on.")
    ] = "0.0.0.0"  # noqa: S104 -- production is for others to reach
    published_gateway_port: Annotated[
        int, Variable("PUBLISHED_GATEWAY_PORT", "Port of the API gateway that Compose publishes.")
    ] = 8080
    published_websocket_port: Annotated[
        int, Variable("PUBLISHED_WEBSOCKET_PORT", "Port of the WebSocket service that Compose publishes.")
    ] = 8081
    published_analytics_port: Annotated[
        int, Variable("PUBLISHED_ANALYTICS_PORT", "Port of the analytics service that Compose publishes.")
    ] = 8082

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings; raises `SettingsError` on an unknown `TRADEWIND_` variable or a bad value."""
        environment = os.environ if environment is None else environment
        _refuse_unknown(environment)
        values: dict[str, Any] = {}
        for field, (kind, variable) in described_settings().items():
            text = _text_of(variable, environment)
            if text is not None and text != "":
                values[field] = _convert(text, kind, variable)
        if values.get("database_url") and values.get("postgres_password"):
            values["database_url"] = _with_password(values["database_url"], values["postgres_password"])
        return cls(**values)


def described_settings() -> dict[str, tuple[Any, Variable]]:
    """Each setting's type and variable by field name, in the order of the class."""
    hints = get_type_hints(Settings, include_extras=True)
    return {
        field: (get_args(hints[field])[0], get_args(hints[field])[1]) for field in Settings.__struct_fields__
    }


def to_environment(settings: Settings) -> dict[str, str]:
    """The variables that make `Settings.from_environment` return `settings` in another process."""
    return {
        variable.name: str(getattr(settings, field)) for field, (_, variable) in described_settings().items()
    }


def _with_password(database_url: str, password: str) -> str:
    parts = urlsplit(database_url)
    user, at, host = parts.netloc.rpartition("@")
    if not at or ":" in user:
        return database_url
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def _text_of(variable: Variable, environment: Mapping[str, str]) -> str | None:
    name = variable.name + FILE_SUFFIX
    path = environment.get(name)
    if not path:
        return environment.get(variable.name)
    if environment.get(variable.name):
        raise SettingsError(f"{variable.name} and {name} are both set: keep one of them")
    try:
        text = Path(path).read_text().strip()
    except OSError as error:
        raise SettingsError(f"{name}: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name}: {path} is not text") from error
    if not text:
        raise SettingsError(f"{name}: {path} is empty")
    return text


def _convert(text: str, kind: Any, variable: Variable) -> Any:
    if kind is Path:
        return Path(text)
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        shown = "the value" if variable.is_secret else repr(text)
        raise SettingsError(f"{variable.name}: {shown} is not allowed: {error}") from error


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {variable.name for _, variable in described_settings().values()}
    for name in environment:
        base = name.removesuffix(FILE_SUFFIX)
        if name.startswith(PREFIX) and base not in known:
            near = difflib.get_close_matches(base, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; see docs/reference/configuration.md"
            raise SettingsError(f"{name}: unknown variable{hint}")
