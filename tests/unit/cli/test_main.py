"""The `tradewind` command: help that comes at once, errors in one line."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.cli.configuration_reference import environment_example, reference_page
from tradewind.cli.main import COMMANDS, tradewind
from tradewind.cli.up import Speed, explicit_settings
from tradewind.settings import described_settings

CHECKOUT = Path(__file__).parents[3]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tradewind.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ) | variables,
        timeout=30,
    )


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    script = (
        "import sys; from tradewind.cli.main import tradewind; tradewind.main(['--help'], standalone_mode=False); "
        "print([name for name in ('asyncpg', 'redis', 'litestar', 'polars', 'numpy') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in answer.stdout for name in COMMANDS)
    assert answer.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there(name: str) -> None:
    assert importlib.util.find_spec(COMMANDS[name].module) is not None


@pytest.mark.parametrize("name", ["up", "service", "config"])
def test_every_command_explains_itself(name: str) -> None:
    answer = CliRunner().invoke(tradewind, [name, "--help"])
    assert answer.exit_code == 0
    assert answer.output.startswith(f"Usage: tradewind {name}")


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["upp"], {}, "error: no such command 'upp'; there are: up, top, "),
        (
            ["service", "gateway"],
            {},
            "error: Invalid value for 'NAME': 'gateway' is not one of 'api-gateway'",
        ),
        (
            ["up", "--speed", "fast"],
            {},
            "error: Invalid value for '--speed': 'fast' is no speed; write for example 600x",
        ),
        (
            ["up"],
            {"TRADEWIND_GATEWAY_PROT": "1"},
            "error: TRADEWIND_GATEWAY_PROT: unknown variable; did you mean",
        ),
        (
            ["service", "order-service"],
            {"TRADEWIND_ORDER_PORT": "x"},
            "error: TRADEWIND_ORDER_PORT: 'x' is not allowed",
        ),
    ],
)
def test_an_error_is_one_line_that_says_the_mend(
    arguments: list[str], variables: dict[str, str], message: str
) -> None:
    answer = run(*arguments, **variables)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith(message)
    assert answer.stderr.count("\n") == 1


def test_a_second_up_on_the_same_folder_says_who_has_it(tmp_path: Path) -> None:
    with DataDirectory(tmp_path).locked():
        answer = run("up", "--data-dir", str(tmp_path))
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: another `tradewind up` (process {os.getpid()}) is using")
    assert answer.stderr.count("\n") == 1


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    variables = {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x", "REDIS_HOST": "127.0.0.1"}
    answer = run("up", "--data-dir", str(tmp_path), **variables)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: cannot reach PostgreSQL at 127.0.0.1:1 (")
    assert "check DATABASE_URL" in answer.stderr
    assert "secret" not in answer.stdout + answer.stderr
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize(("text", "speed"), [("600x", 600.0), ("1", 1.0), ("0.5x", 0.5)])
def test_speed(text: str, speed: float) -> None:
    assert Speed().convert(text, None, None) == speed


def test_what_the_user_set_himself_is_known() -> None:
    environment = {"TRADEWIND_GATEWAY_PORT": "1", "DATABASE_URL_FILE": "/x", "REDIS_HOST": ""}
    assert explicit_settings(environment) == {"gateway_port", "database_url"}


def test_the_generated_reference_is_current() -> None:
    mend = "run `tradewind config docs`"
    assert (CHECKOUT / ".env.example").read_text() == environment_example(), mend
    assert (CHECKOUT / "docs/reference/configuration.md").read_text() == reference_page(), mend


def test_every_variable_is_documented_with_its_default() -> None:
    for _, variable in described_settings().values():
        assert f"\n#{variable.name}=" in environment_example()
        assert f"| `{variable.name}` |" in reference_page()
