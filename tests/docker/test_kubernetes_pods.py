"""The pods of the Kubernetes development overlay as plain containers: the same images, users, commands, settings, secrets,
mounts, limits and read-only roots. What a cluster adds (scheduling, Ingress, NetworkPolicy, autoscaling) is not tried."""

import re
import secrets
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from tradewind.cli.service import SERVICES
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE
from tradewind.settings import Settings

OVERLAY = Path(__file__).parents[2] / "deploy/kubernetes/overlays/development"
STORES = ("postgres", "redis", "influxdb")
READY_TIMEOUT_S = 60.0
POLL_S = 1.0
_ASK = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=5)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""

pytestmark = pytest.mark.skipif(
    shutil.which("docker") is None or shutil.which("kubectl") is None, reason="needs docker and kubectl"
)

Object = dict[str, Any]


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a docker command."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done


class Cluster:
    """One network that leads nowhere, and the overlay's pods in it."""

    def __init__(self, folder: Path) -> None:
        self._name = f"tradewind-pods-{uuid.uuid4().hex[:8]}"
        rendered = subprocess.run(
            ["kubectl", "kustomize", str(OVERLAY)], capture_output=True, text=True, check=True
        ).stdout
        self._objects: list[Object] = list(yaml.safe_load_all(rendered))
        self._secrets = folder / "secrets"
        self._secrets.mkdir()
        for name in (
            "postgres-password", "redis-password", "jwt-secret-key", "influxdb-token", "influxdb-admin-password",
        ):  # fmt: skip
            (self._secrets / name).write_text(secrets.token_hex(16 if name != "influxdb-token" else 8))
            (self._secrets / name).chmod(0o444)

    def __enter__(self) -> Self:
        docker("network", "create", "--internal", self._name)
        return self

    def __exit__(self, *_: object) -> None:
        ours = docker("ps", "--all", "--quiet", "--filter", f"label={self._name}").stdout.split()
        if ours:
            docker("rm", "--force", "--volumes", *ours)
        docker("network", "rm", self._name)

    def start(self, name: str) -> None:
        """Start the pod of a workload."""
        (template,) = [
            found["spec"]["template"]
            for found in self._objects
            if found["kind"] in ("Deployment", "StatefulSet", "Job") and found["metadata"]["name"] == name
        ]
        docker(*self._run_arguments(name, template))

    def container(self, name: str) -> str:
        """The container of a workload."""
        return f"{self._name}-{name}"

    def page(self, name: str, url: str) -> str:
        """Status and text of a page inside the pod, or why there is none."""
        asked = docker("exec", self.container(name), "python", "-c", _ASK, url, check=False)
        return asked.stdout.strip() or asked.stderr[-200:]

    def wait_until_ready(self, name: str) -> None:
        """Until the pod's readiness probe answers; fails with its log."""
        url = f"http://127.0.0.1:{getattr(Settings(), PORT_SETTING_OF_SERVICE[name])}/ready"
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while not (page := self.page(name, url)).startswith("200 "):
            logs = docker("logs", self.container(name), check=False)
            assert time.monotonic() < deadline_s, f"{name}: {page}\n{logs.stdout}{logs.stderr}"
            time.sleep(POLL_S)

    def wait_until_store_answers(self, name: str) -> None:
        """Until the store's port is open to the others."""
        port = {"postgres": 5432, "redis": 6379, "influxdb": 8086}[name]
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        probe = f"import socket; socket.create_connection(('{name}', {port}), 2)"
        image = "trading-platform/api-gateway:latest"
        asking = ("run", "--rm", "--network", self._name, "--entrypoint", "python", image, "-c", probe)
        while docker(*asking, check=False).returncode != 0:
            logs = docker("logs", self.container(name), check=False)
            assert time.monotonic() < deadline_s, logs.stdout + logs.stderr
            time.sleep(POLL_S)

    def _run_arguments(self, name: str, template: Object) -> list[str]:
        (container,) = template["spec"]["containers"]
        security = template["spec"]["securityContext"]
        user = f"{security['runAsUser']}:{security['runAsGroup']}"
        arguments = [
            "run", "--detach", "--name", self.container(name), "--label", self._name, "--network", self._name,
            "--network-alias", name, "--user", user, "--read-only", "--cap-drop", "ALL", "--security-opt",
            "no-new-privileges", "--memory", str(container["resources"]["limits"]["memory"]).lower().rstrip("i"),
            "--volume", f"{self._secrets}:/run/secrets/tradewind:ro",
        ]  # fmt: skip
        for mount in container["volumeMounts"]:
            if mount["name"] != "secrets":  # an emptyDir or a claim, which fsGroup opens to the pod's group
                owner = f"uid={security['runAsUser']},gid={security['runAsGroup']},mode=0770"
                arguments += ["--tmpfs", f"{mount['mountPath']}:{owner}"]
        for variable, value in self._environment(container).items():
            arguments += ["--env", f"{variable}={value}"]
        command = list(container.get("command", []))
        if command:
            arguments += ["--entrypoint", command.pop(0)]
        return [*arguments, container["image"], *command, *container.get("args", [])]

    def _environment(self, container: Object) -> dict[str, str]:
        environment: dict[str, str] = {}
        if "envFrom" in container:
            (configuration,) = [found for found in self._objects if found["kind"] == "ConfigMap"]
            environment |= configuration["data"]
        for entry in container.get("env", []):
            key = entry.get("valueFrom", {}).get("secretKeyRef", {}).get("key")
            environment[entry["name"]] = (self._secrets / key).read_text() if key else entry["value"]
        return environment


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    built = docker("image", "inspect", *(f"trading-platform/{name}:latest" for name in SERVICES), check=False)
    assert built.returncode == 0, "build the images first: ./build-images.sh"
    with Cluster(tmp_path_factory.mktemp("pods")) as cluster:
        for store in STORES:
            cluster.start(store)
        for store in STORES:
            cluster.wait_until_store_answers(store)
        cluster.start("migrate")
        assert docker("wait", cluster.container("migrate")).stdout.strip() == "0", docker(
            "logs", cluster.container("migrate")
        ).stderr
        for service in PORT_SETTING_OF_SERVICE:
            cluster.start(service)
        yield cluster


@pytest.mark.parametrize("service", PORT_SETTING_OF_SERVICE)
def test_a_pod_becomes_ready_with_what_its_manifest_gives_it(cluster: Cluster, service: str) -> None:
    cluster.wait_until_ready(service)


def test_the_market_moves(cluster: Cluster) -> None:
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    url = f"http://127.0.0.1:{Settings().strategy_port}/metrics"
    while not re.search(
        r'^tradewind_feed_events_total\{kind="quote"\} [1-9]',
        cluster.page("strategy-service", url),
        re.MULTILINE,
    ):
        logs = docker("logs", cluster.container("strategy-service"), check=False)
        assert time.monotonic() < deadline_s, logs.stdout + logs.stderr
        time.sleep(POLL_S)


def test_a_pod_cannot_write_its_root(cluster: Cluster) -> None:
    done = docker(
        "exec", cluster.container("api-gateway"), "python", "-c", "open('/app/x', 'w')", check=False
    )
    assert "Read-only file system" in done.stderr
