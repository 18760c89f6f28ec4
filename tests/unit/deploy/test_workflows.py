"""The workflows: every action is pinned by its commit, no job may more than it needs, and their commands exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
WORKFLOWS = sorted((CHECKOUT / ".github/workflows").glob("*.yml"))
_USES = re.compile(r"uses:\s*(\S+)(.*)")
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
_VERSION = re.compile(r" # v\d+(\.\d+)*")


def named(path: Path) -> str:
    return path.name


def steps_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_the_workflows_are_there() -> None:
    assert {path.name for path in WORKFLOWS} >= {"ci.yml", "images.yml", "deploy.yml"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=named)
def test_every_action_is_pinned_by_its_commit(path: Path) -> None:
    used = _USES.findall(path.read_text())
    assert used
    for action, comment in used:
        assert _PINNED.fullmatch(action), action
        assert _VERSION.fullmatch(comment), f"{action} does not say its version"


def test_an_action_has_one_commit_everywhere() -> None:
    commits: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, comment in _USES.findall(path.read_text()):
            name, _, commit = action.partition("@")
            commits.setdefault(name, set()).add(commit + comment)
    assert all(len(found) == 1 for found in commits.values()), commits


@pytest.mark.parametrize("path", WORKFLOWS, ids=named)
def test_a_job_reads_and_no_more(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "timeout-minutes" in job
        assert set(job.get("permissions", {}).items()) <= {("contents", "read"), ("id-token", "write")}
    for step in steps_of(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=named)
def test_no_command_is_put_together_from_what_others_say(path: Path) -> None:
    for step in steps_of(yaml.safe_load(path.read_text())):
        assert "${{" not in step.get("run", ""), step


@pytest.mark.parametrize("path", WORKFLOWS, ids=named)
def test_every_command_exists(path: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    for step in steps_of(yaml.safe_load(path.read_text())):
        for target in re.findall(r"^make ([a-z-]+)", step.get("run", ""), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
        for script in re.findall(r"(?:^|\s)((?:\./|deploy/)[\w./-]+\.sh)", step.get("run", "")):
            assert (CHECKOUT / script).exists(), script


def test_images_of_a_tag_are_scanned_before_they_are_pushed() -> None:
    workflow = yaml.safe_load((CHECKOUT / ".github/workflows/images.yml").read_text())
    steps = workflow["jobs"]["image"]["steps"]
    names = [step.get("name") for step in steps]
    assert names.index("Scan") < names.index("Push")
    assert names.index("Software bill of materials") < names.index("Push")
    assert steps[names.index("Push")]["if"] == "github.ref_type == 'tag'"
    built = re.search(r"SERVICES=\(([^)]+)\)", (CHECKOUT / "build-images.sh").read_text())
    assert built is not None
    assert set(built[1].split()) <= set(workflow["jobs"]["image"]["strategy"]["matrix"]["image"])


def test_a_deployment_waits_for_approval() -> None:
    workflow = yaml.safe_load((CHECKOUT / ".github/workflows/deploy.yml").read_text())
    assert set(workflow[True]) == {"workflow_dispatch"}  # YAML reads `on` as true
    assert all(job["environment"] == "production" for job in workflow["jobs"].values())
