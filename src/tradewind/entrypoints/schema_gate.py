"""No service works on a schema that its version does not know, or on restored books that the streams run ahead of."""

import asyncio
import os
import threading
import time

import asyncpg

from tradewind.adapters.postgres.schema import stored_schema, why_not_usable
from tradewind.operations.logging import get_logger
from tradewind.ports.errors import StoreUnavailable

RETRY_DELAY_S = 0.2
REFUSED_STATUS = 2

_log = get_logger(__name__)


class SchemaRefused(Exception):
    """The database is not one that this version's services may work on; the message is one line and says the mend."""


def require_usable_database(database_url: str) -> None:
    """Raise `SchemaRefused` unless services may work on the database.

    While it cannot be asked, the service starts all the same and says that it is not ready; it ends with
    `REFUSED_STATUS` should the database turn out to be none for it. Blocks for one attempt at most.
    """
    try:
        problem = _problem(database_url)
    except (StoreUnavailable, asyncpg.PostgresError) as error:
        _log.warning("the schema is not known yet", reason=" ".join(str(error).split()))
        threading.Thread(target=_ask_on, args=(database_url,), name="schema-gate", daemon=True).start()
        return
    if problem is not None:
        raise SchemaRefused(problem)


def _problem(database_url: str) -> str | None:
    return why_not_usable(asyncio.run(stored_schema(database_url)))


def _ask_on(database_url: str) -> None:
    while True:
        time.sleep(RETRY_DELAY_S)
        try:
            problem = _problem(database_url)
        except (StoreUnavailable, asyncpg.PostgresError):
            continue
        if problem is not None:
            _log.error("this version cannot work on the database", reason=problem)
            # At once: the service has its connections by now, or is about to.
            os._exit(REFUSED_STATUS)
        return
