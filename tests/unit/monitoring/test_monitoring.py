"""Dashboards and alert rules name metrics and labels that exist, and Prometheus' own tool accepts its files."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.metrics import MetricWrapperBase

from tradewind.operations import metrics
from tradewind.operations.stage_histogram import StageHistogram

CHECKOUT = Path(__file__).parents[3]
MONITORING = CHECKOUT / "deploy/monitoring"
RULES = MONITORING / "rules/tradewind.yml"
DASHBOARDS = sorted((MONITORING / "grafana/dashboards").glob("*.json"))
TROUBLESHOOTING = CHECKOUT / "docs/operations/troubleshoot.md"

SCRAPE_LABELS = {"job", "instance", "le"}
"""Labels that Prometheus adds, or that every histogram has."""
FOREIGN_METRICS = {
    "up": set(),
    "ALERTS": {"alertname", "alertstate", "severity"},
    "node_filesystem_avail_bytes": {"device", "fstype", "mountpoint"},
    "node_filesystem_size_bytes": {"device", "fstype", "mountpoint"},
}
"""What others export: Prometheus itself and its node exporter."""

_METRIC = re.compile(r"\b((?:tradewind|process|python|node)_[a-z0-9_]+|up|ALERTS)\b(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|without|on)\s*\(([^)]*)\)")
_MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')

Query = tuple[str, str]
"""Where it stands, and what it says."""


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> list[Query]:
    found = [(f"rule {rule['alert']}", rule["expr"]) for rule in rules()]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            if panel["datasource"]["type"] == "prometheus":
                found += [(f"{path.stem}: {panel['title']}", target["expr"]) for target in panel["targets"]]
    return found


def exported() -> dict[str, set[str]]:
    """Labels of every sample that a service may export, by the sample's name."""
    metrics._add_process_collectors()
    found: dict[str, set[str]] = {}
    registry: CollectorRegistry = metrics.REGISTRY
    for collector in registry._collector_to_names:
        families = list(collector.collect())
        for family in families:
            for name in sample_names(family):
                found.setdefault(name, set()).update(labels_of(collector, family))
    return found


def sample_names(family: Metric) -> list[str]:
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    return [family.name + suffix for suffix in suffixes.get(family.type, [""])]


def labels_of(collector: object, family: Metric) -> set[str]:
    if isinstance(collector, MetricWrapperBase):
        return set(collector._labelnames)
    return {label for sample in family.samples for label in sample.labels}


EXPORTED = exported() | FOREIGN_METRICS


@pytest.mark.parametrize(("place", "query"), queries())
def test_every_metric_and_label_of_a_query_exists(place: str, query: str) -> None:
    named = _METRIC.findall(query)
    assert named, f"{place} reads no metric"
    allowed = set(SCRAPE_LABELS)
    for name, matchers in named:
        assert name in EXPORTED, f"{place}: nothing exports {name}"
        allowed |= EXPORTED[name]
        unknown = set(_MATCHER.findall(matchers)) - EXPORTED[name] - SCRAPE_LABELS
        assert not unknown, f"{place}: {name} has no label {unknown}"
    for labels in _GROUPING.findall(query):
        unknown = {label.strip() for label in labels.split(",")} - allowed
        assert not unknown, f"{place}: no metric of the query has {unknown}"


def test_the_comparison_finds_what_is_wrong() -> None:
    for query in ("sum(rate(tradewind_order_total[5m]))", 'tradewind_commands_total{outcom="refused"}'):
        with pytest.raises(AssertionError):
            test_every_metric_and_label_of_a_query_exists("a typing error", query)


def test_the_values_of_labels_that_queries_ask_for_exist() -> None:
    text = " ".join(query for _, query in queries())
    stages = set(re.findall(r'stage="([a-z_]+)"', text))
    histogram: StageHistogram = metrics.ORDER_STAGE_SECONDS
    assert stages == set(histogram._stages)


def test_every_alert_says_what_to_do() -> None:
    headings = re.findall(r"^##+ (.+)$", TROUBLESHOOTING.read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (CHECKOUT / page) == TROUBLESHOOTING
        assert anchor in anchors, f"{rule['alert']}: no section {anchor}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    sources = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/tradewind.yml").read_text())
    known = {(source["type"], source["uid"]) for source in sources["datasources"]}
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert (panel["datasource"]["type"], panel["datasource"]["uid"]) in known
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells


def test_prometheus_reads_every_service_of_compose() -> None:
    compose = yaml.safe_load((CHECKOUT / "docker-compose.prod.yml").read_text())["services"]
    jobs = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    targets = {name for job in jobs for sd in job.get("dns_sd_configs", ()) for name in sd["names"]}
    assert targets <= set(compose)
    ours = {name for name, service in compose.items() if name.endswith(("-service", "-gateway"))}
    assert ours <= targets
    for name in targets:
        assert "services" in compose[name]["networks"], f"Prometheus does not reach {name}"


def test_monitoring_images_are_pinned() -> None:
    compose = yaml.safe_load((CHECKOUT / "docker-compose.prod.yml").read_text())["services"]
    watching = {name: s for name, s in compose.items() if s.get("profiles") == ["monitoring"]}
    assert {"prometheus", "grafana", "loki", "vector", "jaeger"} <= set(watching)
    for name, service in watching.items():
        assert re.search(r":v?\d+\.\d+\.\d+(-debian)?\}$", service["image"]), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (CHECKOUT / source).exists(), f"{name} mounts {source}"


def promtool(*arguments: str) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (on Debian: apt install prometheus)")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-local.yml"])
def test_prometheus_accepts_its_configuration(name: str) -> None:
    promtool("check", "config", str(MONITORING / name))


def test_prometheus_accepts_the_rules() -> None:
    promtool("check", "rules", "--lint-fatal", str(RULES))


def test_alerts_fire_when_they_should_and_not_before() -> None:
    promtool("test", "rules", str(MONITORING / "tests/alerts.yml"))
