"""The documentation is true where a machine can tell: links lead somewhere, commands exist, generated pages are current."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tradewind.cli.command_reference import root_context
from tradewind.cli.main import tradewind
from tradewind.version import __version__

CHECKOUT = Path(__file__).parents[3]
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("benchmarks/*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
_MAKE_TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)


def named(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual viewers make them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell_commands(page: Path) -> Iterator[list[str]]:
    """The words of every command in the page's shell blocks, without what is set before it or piped after it."""
    for language, block in _FENCE.findall(page.read_text()):
        if language != "sh":
            continue
        for line in block.replace("\\\n", " ").splitlines():
            try:
                words = shlex.split(line, comments=True)
            except ValueError:
                continue  # a part of a here-document
            while words and _ASSIGNMENT.fullmatch(words[0]):
                words.pop(0)
            if words:
                yield words


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_page_that_is_there(page: Path) -> None:
    for target in _LINK.findall(_FENCE.sub("", page.read_text())):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{named(page)} links to {target}"
        assert CHECKOUT in found.parents, f"{named(page)} links out of the checkout: {target}"
        if anchor:
            assert anchor in anchors_of(found), f"{named(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_of_the_documentation_exists(page: Path) -> None:
    for words in shell_commands(page):
        if words[0] == "tradewind":
            check_command(words)
        elif words[0] == "make":
            targets = set(_MAKE_TARGET.findall((CHECKOUT / "Makefile").read_text()))
            assert words[1] in targets, " ".join(words)


def test_the_check_of_commands_would_notice() -> None:
    check_command(["tradewind", "order", "submit", "AAPL", "buy", "1", "--limit", "190"])
    for wrong in ("tradewind oder list", "tradewind order lst", "tradewind order list --state all"):
        with pytest.raises((click.UsageError, AssertionError)):
            check_command(wrong.split())


def check_command(words: list[str]) -> None:
    """Parse as the command line would, without running anything; raises `click.UsageError` when it would refuse."""
    command: click.Command = tradewind
    context = root_context(tradewind)
    rest = words[1:]
    while isinstance(command, click.Group):
        if rest in (["--help"], ["--version"]):
            return
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, " ".join(words)
        command, context = found, click.Context(found, info_name=name, parent=context)
    if rest != ["--help"]:
        # Not `parse_args`, which would also look for the files that are named.
        _, left, _ = command.make_parser(context).parse_args(args=list(rest))
        assert not left, f"{' '.join(words)}: {left} is too much"


def test_the_tutorial_names_commands() -> None:
    tutorial = CHECKOUT / "docs/tutorials/first-ten-minutes.md"
    assert sum(words[0] == "tradewind" for words in shell_commands(tutorial)) >= 8


def test_the_command_line_reference_is_current() -> None:
    # In a process of its own: click keeps a command's help option from the first context that asked for it.
    script = (
        "from tradewind.cli.command_reference import command_page; from tradewind.cli.main import tradewind; "
        "print(command_page(tradewind), end='')"
    )
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert (CHECKOUT / "docs/reference/cli.md").read_text() == made, "run `tradewind config docs`"


def test_the_changelog_names_the_version() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == __version__


def test_every_decision_is_in_the_index() -> None:
    index = (CHECKOUT / "docs/README.md").read_text()
    for page in CHECKOUT.glob("docs/decisions/*.md"):
        assert f"(decisions/{page.name})" in index


def test_every_page_is_reached_from_the_index_or_the_readme() -> None:
    linked = {
        (source.parent / target.partition("#")[0]).resolve()
        for source in (CHECKOUT / "README.md", CHECKOUT / "docs/README.md")
        for target in _LINK.findall(source.read_text())
    }
    for page in CHECKOUT.glob("docs/**/*.md"):
        assert page in linked or page == CHECKOUT / "docs/README.md", f"nothing links to {named(page)}"
