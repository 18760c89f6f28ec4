"""The SQLAlchemy engine for everything that is not the order path."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

POOL_SIZE = 8


def create_engine(database_url: str) -> AsyncEngine:
    """An engine over asyncpg; `database_url` is plain `postgresql://…`. Connects at first use."""
    scheme, _, rest = database_url.partition("://")
    if scheme not in ("postgresql", "postgres"):
        raise ValueError(f"DATABASE_URL must start with postgresql://, not {scheme}://")
    return create_async_engine(
        f"postgresql+asyncpg://{rest}", pool_size=POOL_SIZE, max_overflow=0, pool_pre_ping=True
    )
