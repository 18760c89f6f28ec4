"""`tradewind journal verify`: replays the journal from the first event and compares it with the state tables."""

import asyncio
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from tradewind.adapters.postgres.engine import NO_STATEMENT_TIMEOUT_S, create_engine
from tradewind.adapters.postgres.journal_audit import PostgresJournalAudit
from tradewind.cli.database import DATABASE_OPTION, chosen_database, explained
from tradewind.cli.failures import DatabaseFailure
from tradewind.cli.words import counted, plural
from tradewind.engine.verification import ShardVerdict
from tradewind.services.orders.verification import verify_journal

DIFFERENT_STATUS = 1


@click.group()
def command() -> None:
    """Verify the journal against the state tables."""


@command.command(epilog="Example: tradewind journal verify")
@DATABASE_OPTION
@click.pass_context
def verify(context: click.Context, database_url: str | None) -> None:
    """Replay every event and compare accounts, positions, orders, executions and the ledger with what is stored.

    It reads one snapshot, so the platform may be trading meanwhile. Every difference is printed and is a bug, or
    damage; the exit status is then 1, and 2 when the database does not let it look.
    """
    database = chosen_database(database_url)
    try:
        with explained(database):
            verdicts = asyncio.run(_verdicts(database.url))
    except DatabaseFailure as error:
        # Its status says that the books differ: who watches for that must not be alarmed by a database that is away.
        raise click.ClickException(error.message) from error
    count = sum(verdict.difference_count for verdict in verdicts)
    Console(soft_wrap=True).print(_table(verdicts))
    for verdict in verdicts:
        _print_differences(verdict)
    if count:
        click.echo(f"{counted(count, 'difference')}: the stored state is not what the journal says")
        context.exit(DIFFERENT_STATUS)
    click.echo("the journal and the stored state agree")


async def _verdicts(url: str) -> list[ShardVerdict]:
    engine = create_engine(url, statement_timeout_s=NO_STATEMENT_TIMEOUT_S)
    try:
        return [verdict async for verdict in verify_journal(PostgresJournalAudit(engine))]
    finally:
        await engine.dispose()


def _table(verdicts: Sequence[ShardVerdict]) -> Table:
    """A line for each shard that anything happened in."""
    table = Table()
    for title in ("shard", "events", "accounts", "orders", "executions", "ledger lines", "differences"):
        table.add_column(title, justify="right")
    for verdict in verdicts:
        if not verdict.event_count and not verdict.difference_count:
            continue
        table.add_row(
            str(verdict.shard),
            f"{verdict.event_count:,}",
            f"{verdict.account_count:,}",
            f"{verdict.order_count:,}",
            f"{verdict.execution_count:,}",
            f"{verdict.line_count:,}",
            f"{verdict.difference_count:,}",
        )
    return table


def _print_differences(verdict: ShardVerdict) -> None:
    for difference in verdict.differences:
        click.echo(
            f"shard {difference.shard}: {difference.what} of {difference.key}: "
            f"{difference.journal_value} by the journal, {difference.stored_value} stored"
        )
    hidden = verdict.difference_count - len(verdict.differences)
    if hidden:
        click.echo(f"shard {verdict.shard}: {hidden:,} more {plural(hidden, 'difference')}")
