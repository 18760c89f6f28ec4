"""The SQLAlchemy engine for everything that is not the order path."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

POOL_SIZE = 8
STATEMENT_TIMEOUT_S = 30
"""The server ends a statement that takes longer: whoever asked has gone by then, and its connection is one of few."""
NO_STATEMENT_TIMEOUT_S = 0
"""For work that a person started and waits for, whatever the size of the tables: imports, audits, migrations."""

_MS_PER_S = 1_000


def create_engine(database_url: str, *, statement_timeout_s: int = STATEMENT_TIMEOUT_S) -> AsyncEngine:
    """An engine over asyncpg; `database_url` is plain `postgresql://…`, else `ValueError`. Connects at first use."""
    return create_async_engine(
        asyncpg_url(database_url),
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args=connect_arguments(statement_timeout_s),
    )


def asyncpg_url(database_url: str) -> str:
    """The URL in SQLAlchemy's form; raises `ValueError` for any other database than PostgreSQL."""
    scheme, _, rest = database_url.partition("://")
    if scheme not in ("postgresql", "postgres"):
        raise ValueError(f"DATABASE_URL must start with postgresql://, not {scheme}://")
    return f"postgresql+asyncpg://{rest}"


def connect_arguments(statement_timeout_s: int) -> dict[str, Any]:
    """What asyncpg is to connect with: the limit holds for every statement of the session."""
    return {"server_settings": {"statement_timeout": str(statement_timeout_s * _MS_PER_S)}}
