"""The Kubernetes overlays agree with the services: names, ports, paths, settings, selectors, and what no pod may do."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tradewind.cli.service import SERVICES
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE
from tradewind.services.websocket.limits import StreamLimits
from tradewind.settings import FILE_SUFFIX, Settings, described_settings

CHECKOUT = Path(__file__).parents[3]
KUBERNETES = CHECKOUT / "deploy/kubernetes"
OVERLAYS = ("development", "production")
DATA_STORES = ("postgres", "redis", "influxdb")
PUBLIC = {"api-gateway", "websocket-service", "analytics-service"}
INGRESS_TIMEOUT_S_USUAL = 60
"""Ingress controllers cut a silent connection after this long, unless told otherwise."""
VARIABLES = {variable.name for _, variable in described_settings().values()}
SECRETS = {variable.name for _, variable in described_settings().values() if variable.is_secret}

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders the overlays")

Object = dict[str, Any]


def rendered(overlay: str) -> list[Object]:
    """All objects of an overlay."""
    folder = KUBERNETES / "overlays" / overlay
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return rendered(request.param)


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def workloads(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod template of everything that runs pods."""
    for found in objects:
        if found["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield found["metadata"]["name"], found["spec"]["template"]


def only_container(template: Object) -> Object:
    (container,) = template["spec"]["containers"]
    return dict(container)


def port_of(service: str) -> int:
    return int(getattr(Settings(), PORT_SETTING_OF_SERVICE[service]))


def test_each_service_is_deployed_and_nothing_else(objects: list[Object]) -> None:
    assert set(of_kind(objects, "Deployment")) == set(SERVICES)
    assert set(of_kind(objects, "StatefulSet")) in (set(), set(DATA_STORES))


def test_images_are_those_that_are_built(objects: list[Object]) -> None:
    listed = re.search(r"SERVICES=\(([^)]+)\)", (CHECKOUT / "build-images.sh").read_text())
    assert listed is not None
    built = {f"trading-platform/{name}" for name in listed[1].split()}
    ours = {
        name: only_container(template)["image"].partition(":")[0]
        for name, template in workloads(objects)
        if name not in DATA_STORES
    }
    assert set(ours.values()) <= built
    assert all(ours[service] == f"trading-platform/{service}" for service in SERVICES)
    # The one image with the operator's commands.
    assert ours["migrate"] == "trading-platform/api-gateway"


def test_every_variable_is_a_setting(objects: list[Object]) -> None:
    for name, configuration in of_kind(objects, "ConfigMap").items():
        assert name.startswith("tradewind-")
        assert set(configuration["data"]) <= VARIABLES
        assert not set(configuration["data"]) & SECRETS - {"DATABASE_URL"}
        Settings.from_environment(configuration["data"])
    for name, template in workloads(objects):
        given = {entry["name"] for entry in only_container(template).get("env", [])}
        if name in DATA_STORES:
            continue
        assert {variable.removesuffix(FILE_SUFFIX) for variable in given} <= VARIABLES
        assert not given & SECRETS, "secrets come as files"


def test_the_database_url_has_no_password(objects: list[Object]) -> None:
    (configuration,) = of_kind(objects, "ConfigMap").values()
    assert re.fullmatch(r"postgresql://\w+@[\w.-]+:\d+/\w+", configuration["data"]["DATABASE_URL"])


def test_every_file_of_a_secret_is_mounted(objects: list[Object]) -> None:
    for name, template in workloads(objects):
        container = only_container(template)
        secrets = [volume["secret"] for volume in template["spec"]["volumes"] if "secret" in volume]
        mounted = {f"/run/secrets/tradewind/{item['path']}" for secret in secrets for item in secret["items"]}
        named = {
            e["value"] for e in container.get("env", []) if e["name"].removesuffix(FILE_SUFFIX) in SECRETS
        }
        assert named <= mounted, name
        assert all(secret["secretName"] == "tradewind" for secret in secrets)


def test_ports_and_probes_are_those_of_the_services(objects: list[Object]) -> None:
    (configuration,) = of_kind(objects, "ConfigMap").values()
    settings = Settings.from_environment(configuration["data"])
    for service, deployment in of_kind(objects, "Deployment").items():
        container = only_container(deployment["spec"]["template"])
        (port,) = container["ports"]
        assert port == {
            "name": "http",
            "containerPort": getattr(settings, PORT_SETTING_OF_SERVICE[service]),
        }
        probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert probes == {
            "startup": {"path": "/health", "port": "http"},
            "liveness": {"path": "/health", "port": "http"},
            "readiness": {"path": "/ready", "port": "http"},
        }
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        assert annotations["prometheus.io/port"] == str(port["containerPort"])
    assert settings.bind_host == "0.0.0.0"


def test_no_pod_may_more_than_it_needs(objects: list[Object]) -> None:
    for name, template in workloads(objects):
        pod, container = template["spec"], only_container(template)
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False
        # Kubernetes would set REDIS_PORT=tcp://… for a Service named redis, which the settings refuse.
        assert pod["enableServiceLinks"] is False
        writable = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
        assert "tmp" in writable, "a read-only root needs a place for temporary files"
        assert set(container["resources"]) == {"requests", "limits"}
        if name not in DATA_STORES:
            assert pod["securityContext"]["runAsUser"] == 1000


def test_selectors_find_the_pods(objects: list[Object]) -> None:
    labels = {name: template["metadata"]["labels"] for name, template in workloads(objects)}
    for kind in ("Service", "PodDisruptionBudget", "Deployment", "StatefulSet"):
        for name, found in of_kind(objects, kind).items():
            selector = found["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)
            matching = [pod for pod, own in labels.items() if wanted.items() <= own.items()]
            assert matching == [name], f"{kind} {name}"
    for policy in of_kind(objects, "NetworkPolicy").values():
        for wanted in policy["spec"]["podSelector"].get("matchExpressions", []):
            named = {own[wanted["key"]] for own in labels.values()}
            assert set(wanted["values"]) <= named, policy["metadata"]["name"]


def test_each_service_survives_a_drained_node_and_scales(objects: list[Object]) -> None:
    assert set(SERVICES) == set(of_kind(objects, "PodDisruptionBudget"))
    scaled = {
        found["spec"]["scaleTargetRef"]["name"]
        for found in of_kind(objects, "HorizontalPodAutoscaler").values()
    }
    assert scaled == set(SERVICES) - {"strategy-service"}
    for name, deployment in of_kind(objects, "Deployment").items():
        assert ("replicas" in deployment["spec"]) == (name not in scaled), "who scales is not told a number"


def test_only_what_clients_use_is_public(objects: list[Object]) -> None:
    (ingress,) = of_kind(objects, "Ingress").values()
    services = of_kind(objects, "Service")
    hosts = [rule["host"] for rule in ingress["spec"]["rules"]]
    assert sorted(ingress["spec"]["tls"][0]["hosts"]) == sorted(hosts)
    routed = set()
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            routed.add(backend["name"])
            assert {"name": "http", "port": port_of(backend["name"]), "targetPort": "http"} in services[
                backend["name"]
            ]["spec"]["ports"]
            assert not any(
                page.startswith(path["path"]) for page in ("/health", "/ready", "/metrics", "/version")
            )
    assert routed == PUBLIC
    assert StreamLimits().ping_idle_s < INGRESS_TIMEOUT_S_USUAL, "an idle stream would be cut"


def test_traffic_is_denied_unless_allowed(objects: list[Object]) -> None:
    policies = of_kind(objects, "NetworkPolicy")
    assert policies["deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "to-data-stores" in policies


def test_a_dry_run_of_the_deployment_names_every_service() -> None:
    script = KUBERNETES / "deploy.sh"
    arguments = ["production", "--registry", "registry.example.com/t", "--version", "1.2.3", "--dry-run"]
    done = subprocess.run([str(script), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    order = re.findall(r"^\+ kubectl .*?(delete|apply|wait|rollout)", done.stdout, re.MULTILINE)
    assert order == ["delete", "apply", "wait", "apply", *["rollout"] * len(SERVICES)]
    assert not list((KUBERNETES / "overlays").glob(".deploy-*"))


def test_production_asks_for_a_version() -> None:
    done = subprocess.run(
        [str(KUBERNETES / "deploy.sh"), "production", "--dry-run"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, "needs --version" in done.stderr) == (2, True)
