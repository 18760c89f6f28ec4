"""A stack of containers under a name of its own, on ports of its own, with secrets of its own; removed at the end."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.traders import Trader
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.cli.service import SERVICES

ROOT = Path(__file__).parents[2]
REGISTRY, VERSION = "tradewind-tests", "under-test"
IMAGES = (*SERVICES, "load-balancer")
COMMAND_TIMEOUT_S = 300
POLL_INTERVAL_S = 0.5

PORT_VARIABLES = {
    "api-gateway": "PUBLISHED_GATEWAY_PORT",
    "websocket-service": "PUBLISHED_WEBSOCKET_PORT",
    "analytics-service": "PUBLISHED_ANALYTICS_PORT",
}


def stack_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Only what Docker needs of ours, the images under test, and `extra`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
    return kept | {"DOCKER_REGISTRY": REGISTRY, "VERSION": VERSION} | dict(extra or {})


def generated_secrets() -> dict[str, str]:
    """What production asks for."""
    return {
        "POSTGRES_PASSWORD": secrets.token_hex(24),
        "REDIS_PASSWORD": secrets.token_hex(24),
        "JWT_SECRET_KEY": secrets.token_hex(32),
        # Short, for a stand-in server whose table of credentials holds no long ones.
        "INFLUXDB_TOKEN": secrets.token_hex(12),
        "INFLUXDB_ADMIN_PASSWORD": secrets.token_hex(12),
    }


class Stack:
    """One Compose project."""

    def __init__(self, files: tuple[str, ...], environment: Mapping[str, str]) -> None:
        ports: dict[str, int] = {}
        for service in PORT_VARIABLES:
            ports[service] = free_loopback_port(frozenset(ports.values()))
        self._ports = ports
        self._name = f"tradewind-test-{secrets.token_hex(3)}"
        self._files = [part for file in files for part in ("-f", file)]
        published = {PORT_VARIABLES[service]: str(port) for service, port in ports.items()}
        self._environment = stack_environment(
            {"PUBLISHED_ADDRESS": "127.0.0.1"} | published | dict(environment)
        )

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`docker compose ARGUMENTS` on this project."""
        done = self._run(*arguments)
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}\n{self.logs()}"
        return done

    def logs(self) -> str:
        """The last lines of each container."""
        return self._run("logs", "--no-color", "--tail", "8").stdout[-8_000:]

    def url(self, service: str = "api-gateway") -> str:
        """Base URL of a public service."""
        return f"http://127.0.0.1:{self._ports[service]}"

    def containers(self, service: str) -> list[str]:
        """Ids of the replicas that run."""
        return self.compose("ps", "--quiet", "--status", "running", service).stdout.split()

    def trader(self, email: str, deposit: int) -> Trader:
        """A user with a funded account and a key, made as the guide says."""
        run = ("exec", "-T", "api-gateway", "tradewind")
        self.compose(*run, "user", "create", "--email", email, "--deposit", str(deposit))
        key = json.loads(self.compose(*run, "key", "create", "--email", email, "--json").stdout)
        return Trader(account_id=key["account_id"], key_id=key["key_id"], secret=key["secret"])

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # No .env of the developer's: the variables are ours alone.
        project = ("--env-file", os.devnull, "-p", self._name)
        return subprocess.run(
            ["docker", "compose", *project, *self._files, *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def down(self) -> None:
        """Stop and forget everything."""
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "12", check=False)


@contextmanager
def running_stack(
    files: tuple[str, ...], environment: Mapping[str, str], *up_arguments: str
) -> Iterator[Stack]:
    """A stack that is up; Compose returns when everything that others wait for is healthy."""
    stack = Stack(files, environment)
    try:
        stack.compose("up", "-d", "--no-build", *up_arguments)
        yield stack
    finally:
        stack.down()


def inspect(name: str) -> dict[str, Any]:
    """What Docker knows of a container or an image."""
    done = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def wait_until_healthy(container: str, timeout_s: float = 60.0) -> None:
    """Until its health check passes; `AssertionError` when that takes longer."""
    deadline_s = time.monotonic() + timeout_s
    while (state := inspect(container)["State"])["Health"]["Status"] != "healthy":
        assert time.monotonic() < deadline_s, f"{container} is not healthy: {state}"
        time.sleep(POLL_INTERVAL_S)
