"""`tradewind config`: the reference of all settings, generated from the one place that defines them."""

from pathlib import Path

import click

from tradewind.cli.configuration_reference import environment_example, reference_page


@click.group()
def command() -> None:
    """Document the settings."""


@command.command()
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The checkout; the current folder if not given.",
)
def docs(root: Path) -> None:
    """Write .env.example and docs/reference/configuration.md from the settings.

    Example: tradewind config docs
    """
    pages = {
        root / ".env.example": environment_example(),
        root / "docs/reference/configuration.md": reference_page(),
    }
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        click.echo(f"wrote {path}")
