"""Serves the reference: makes its tables and funded accounts, writes their keys to a file, then listens.

The database is named by `DATABASE_URL` and is the reference's own; its tables are dropped and made anew.
"""

import argparse
import asyncio
import hashlib
import os
import secrets
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import uvicorn
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from benchmarks.load_plan import Accounts, KeyPair
from benchmarks.reference_service.app import POOL_CONNECTIONS_DEFAULT, build_app, engine_for
from benchmarks.reference_service.models import Account, ApiKey, Base

DEPOSIT = Decimal(100_000_000)
SYMBOLS = ("AAPL", "MSFT", "NVDA", "AMZN", "GOOG", "META", "TSLA", "JPM", "XOM", "SPY")


async def prepare(database_url: str, account_count: int) -> Accounts:
    """Make the tables and `account_count` funded accounts with one key pair each."""
    engine = engine_for(database_url)
    pairs = [
        KeyPair(id=f"REF{secrets.token_hex(9).upper()}", secret=secrets.token_hex(20))
        for _ in range(account_count)
    ]
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session, session.begin():
        for pair in pairs:
            account = Account(id=uuid7(), cash=DEPOSIT, held=Decimal(0), created_at=datetime.now(UTC))
            session.add(account)
            await session.flush()
            digest = hashlib.sha256(pair.secret.encode()).digest()
            session.add(ApiKey(id=pair.id, account_id=account.id, secret_sha256=digest))
    await engine.dispose()
    return Accounts(keys=pairs, symbols=list(SYMBOLS))


def main() -> int:
    """Prepare and serve until a signal; 1 when `DATABASE_URL` is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference_service", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--accounts", type=int, default=16, help="funded accounts to make")
    parser.add_argument("--accounts-output", type=Path, required=True, help="file for their key pairs")
    parser.add_argument("--pool", type=int, default=POOL_CONNECTIONS_DEFAULT, help="database connections")
    options = parser.parse_args()
    database_url = os.environ.get("DATABASE_URL", "")
    if not database_url:
        print("set DATABASE_URL to the reference's own database", file=sys.stderr)
        return 1
    asyncio.run(prepare(database_url, options.accounts)).write(options.accounts_output)
    app = build_app(engine_for(database_url, options.pool), {symbol: uuid7() for symbol in SYMBOLS})
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
