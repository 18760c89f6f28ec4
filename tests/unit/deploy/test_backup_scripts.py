"""The backup scripts are plain POSIX shell, by a strict shell and by shellcheck where that is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[3] / "deploy" / "backup").iterdir())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_posix_shell(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)
    if shutil.which("shellcheck") is not None:
        done = subprocess.run(
            ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR/../..", str(script)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_what_the_containers_run_is_executable() -> None:
    for script in SCRIPTS:
        assert (script.stat().st_mode & 0o555 == 0o555) == (script.name != "common.sh"), script.name
