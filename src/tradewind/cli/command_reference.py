"""Generates `docs/reference/cli.md` from what `--help` prints, so that the page cannot say anything else."""

from collections.abc import Iterator

import click

HELP_WIDTH = 100

PAGE_HEAD = """# Command line

Generated from the commands' own help by `tradewind config docs`: do not edit it.

Errors that you can mend are one line on standard error, and the exit status is 2; it is 1 when the database cannot be
reached or does not do what is asked of it. Commands that ask the platform find the one that `tradewind up` runs on this
machine by themselves.
"""


def command_page(root: click.Group) -> str:
    """The text of the page: every command with its help, in the order of the help."""
    return PAGE_HEAD + "".join(
        f"\n## {context.command_path}\n\n```text\n{context.get_help().rstrip()}\n```\n"
        for context in _contexts(root, root_context(root))
    )


def root_context(root: click.Group) -> click.Context:
    """What the commands below inherit: the width, and how help is asked for."""
    return click.Context(
        root,
        info_name=root.name,
        terminal_width=HELP_WIDTH,
        max_content_width=HELP_WIDTH,
        help_option_names=root.context_settings["help_option_names"],
    )


def _contexts(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _contexts(child, click.Context(child, info_name=name, parent=context))
