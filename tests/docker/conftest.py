"""Everything here needs Docker, so it is left out unless it is asked for; images are built once a session."""

import subprocess
from pathlib import Path

import pytest

from tests.docker.stack import IMAGES, REGISTRY, ROOT, VERSION, stack_environment

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """Name by image, all built from this checkout by the script that builds releases."""
    subprocess.run(["./build-images.sh"], cwd=ROOT, env=stack_environment(), check=True, capture_output=True)
    return {image: f"{REGISTRY}/{image}:{VERSION}" for image in IMAGES}
