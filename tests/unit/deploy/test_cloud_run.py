"""The Cloud Run definitions agree with the services, and the script's dry run sends what they say."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tradewind.cli.service import SERVICES
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE
from tradewind.operations.lifecycle import EXIT_TIMEOUT_S
from tradewind.settings import Settings, described_settings

CLOUD_RUN = Path(__file__).parents[3] / "deploy/cloud-run"
PUBLIC = {"api-gateway", "websocket-service", "analytics-service"}
STOP_GRACE_S = 10
"""Cloud Run kills an instance this long after SIGTERM."""
VARIABLES = {variable.name: variable for _, variable in described_settings().values()}
GIVEN = {
    "PROJECT": "my-project",
    "REGION": "europe-west1",
    "DOCKER_REGISTRY": "registry.example.com/tradewind",
    "VERSION": "1.2.3",
    "DATABASE_URL": "postgresql://tradewind@10.0.0.3:5432/tradewind",
    "REDIS_HOST": "10.0.0.4",
}


def deploy(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the script in an environment of its own."""
    return subprocess.run(
        [str(CLOUD_RUN / "deploy.sh"), *arguments],
        env={"PATH": os.environ["PATH"]} | GIVEN | changes,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def dry_run() -> str:
    done = deploy("--dry-run")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sent(dry_run: str) -> dict[str, dict[str, Any]]:
    parts = [part for part in re.split(r"^---$", dry_run, flags=re.MULTILINE) if part.strip().startswith("#")]
    return {found["metadata"]["name"]: found for found in map(yaml.safe_load, parts)}


def container_of(definition: dict[str, Any]) -> dict[str, Any]:
    template = definition["spec"]["template"]
    if definition["kind"] == "Job":
        template = template["spec"]["template"]
    (container,) = template["spec"]["containers"]
    return dict(container)


def test_the_migration_comes_first_and_every_service_follows(dry_run: str) -> None:
    commands = re.findall(r"^\+ gcloud run (.*)", dry_run, re.MULTILINE)
    assert [command.split()[:2] for command in commands[:2]] == [["jobs", "replace"], ["jobs", "execute"]]
    replaced = [
        Path(command.split()[2]).stem for command in commands if command.startswith("services replace")
    ]
    assert sorted(replaced) == sorted(SERVICES)
    opened = {command.split()[2] for command in commands if "allUsers" in command}
    assert opened == PUBLIC


def test_no_placeholder_is_left(dry_run: str) -> None:
    assert not re.findall(r"@[A-Z_]+@", dry_run)


def test_each_service_has_its_image_port_and_probes(sent: dict[str, dict[str, Any]]) -> None:
    for service in SERVICES:
        container = container_of(sent[service])
        port = getattr(Settings(), PORT_SETTING_OF_SERVICE[service])
        assert container["image"] == f"registry.example.com/tradewind/{service}:1.2.3"
        assert container["ports"] == [{"containerPort": port}]
        assert container["livenessProbe"]["httpGet"] == {"path": "/health", "port": port}
        assert container["startupProbe"]["httpGet"]["path"] in ("/health", "/ready")
    assert container_of(sent["migrate"])["args"] == ["db", "upgrade"]


def test_every_variable_is_a_setting_and_every_secret_is_kept_elsewhere(
    sent: dict[str, dict[str, Any]],
) -> None:
    for definition in sent.values():
        plain = {}
        for entry in container_of(definition)["env"]:
            variable = VARIABLES[entry["name"]]
            if "value" in entry:
                assert not variable.is_secret or entry["name"] == "DATABASE_URL"
                plain[entry["name"]] = entry["value"]
            else:
                name = entry["name"].lower().replace("_", "-")
                assert entry["valueFrom"]["secretKeyRef"]["name"] == f"tradewind-{name}"
        Settings.from_environment(plain)


def test_who_works_without_requests_always_has_a_processor(sent: dict[str, dict[str, Any]]) -> None:
    for service in ("order-service", "strategy-service", "websocket-service"):
        annotations = sent[service]["spec"]["template"]["metadata"]["annotations"]
        assert annotations["run.googleapis.com/cpu-throttling"] == "false"
        assert int(annotations["autoscaling.knative.dev/minScale"]) >= 1
    for service in SERVICES:
        ingress = sent[service]["metadata"]["annotations"]["run.googleapis.com/ingress"]
        assert ingress == ("all" if service in PUBLIC else "internal")
    assert EXIT_TIMEOUT_S < STOP_GRACE_S


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"VERSION": ""}, "VERSION is not set"),
        ({"DATABASE_URL": "postgresql://tradewind:secret@10.0.0.3/t"}, "holds a password"),
    ],
)
def test_what_is_missing_or_dangerous_is_refused(change: dict[str, str], complaint: str) -> None:
    done = deploy("--dry-run", **change)
    assert done.returncode == 2
    assert complaint in done.stderr
