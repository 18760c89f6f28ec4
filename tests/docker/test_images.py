"""Each image alone: who it runs as, what it holds, how it stops."""

import json
import subprocess
import time

import pytest

from tests.docker.stack import IMAGES, inspect
from tradewind.cli.service import SERVICES

HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
NO_STORES = ("-e", "DATABASE_URL=postgresql://nobody@127.0.0.1:1/none", "-e", "REDIS_HOST=127.0.0.1")
STOP_TIMEOUT_S = 12.0

# Run inside: what a runtime image must not hold.
FIND_LEFT_OVERS = """
import json, os, shutil, sys
tools = [t for t in ("gcc", "cc", "g++", "ld", "make", "pip", "pip3", "uv", "git") if shutil.which(t)]
paths = []
for top in ("/opt", "/usr/local", "/app", "/root", "/tmp"):
    for folder, folders, files in os.walk(top):
        paths += [os.path.join(folder, f) for f in folders if f in ("tests", "test", "pip", ".cache")]
print(json.dumps([os.getuid(), os.getgid(), tools, paths]))
"""


def run(*arguments: str) -> str:
    return subprocess.run(
        ["docker", "run", *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.mark.parametrize("image", IMAGES)
def test_it_says_what_it_is_and_checks_its_health(images: dict[str, str], image: str) -> None:
    config = inspect(images[image])["Config"]
    assert config["User"] == "1000:1000"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Entrypoint"][0] in ("tradewind", "haproxy")
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == image
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.version"]


@pytest.mark.parametrize("service", SERVICES)
def test_it_holds_no_tool_of_building_and_no_tests(images: dict[str, str], service: str) -> None:
    output = run(*HARDENED, "--entrypoint", "python", images[service], "-c", FIND_LEFT_OVERS)
    assert json.loads(output) == [1000, 1000, [], []]


@pytest.mark.parametrize("service", SERVICES)
def test_it_starts_from_a_read_only_root(images: dict[str, str], service: str) -> None:
    assert run(*HARDENED, images[service], "--version").startswith("tradewind, version")


@pytest.mark.parametrize("service", ["api-gateway", "order-service"])
def test_the_signal_to_stop_reaches_the_service(images: dict[str, str], service: str) -> None:
    container = run(*HARDENED, *NO_STORES, "-d", "-e", "JWT_SECRET_KEY=" + "k" * 32, images[service]).strip()
    try:
        time.sleep(4)
        began_s = time.monotonic()
        subprocess.run(
            ["docker", "kill", "--signal", "TERM", container], check=True, capture_output=True, timeout=10
        )
        status = subprocess.run(
            ["docker", "wait", container], check=True, capture_output=True, text=True, timeout=STOP_TIMEOUT_S
        ).stdout
        assert time.monotonic() - began_s < STOP_TIMEOUT_S
        assert status.strip() == "0"
    finally:
        subprocess.run(["docker", "rm", "-f", container], check=False, capture_output=True)


def test_a_missing_signing_key_is_said_plainly(images: dict[str, str]) -> None:
    done = subprocess.run(
        ["docker", "run", "--rm", *HARDENED, *NO_STORES, images["api-gateway"]],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode != 0
    assert "JWT_SECRET_KEY must have at least 32 characters" in done.stdout + done.stderr
