"""`tradewind config`: the reference of settings and commands, generated from the places that define them."""

from pathlib import Path

import click

from tradewind.cli.command_reference import command_page
from tradewind.cli.configuration_reference import environment_example, reference_page


@click.group()
def command() -> None:
    """Document settings and commands."""


@command.command(epilog="Example: tradewind config docs")
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The checkout; the current folder if not given.",
)
@click.pass_context
def docs(context: click.Context, root: Path) -> None:
    """Write .env.example and the generated pages of docs/reference from the settings and commands."""
    commands = context.find_root().command
    assert isinstance(commands, click.Group)
    pages = {
        root / ".env.example": environment_example(),
        root / "docs/reference/configuration.md": reference_page(),
        root / "docs/reference/cli.md": command_page(commands),
    }
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        click.echo(f"wrote {path}")
