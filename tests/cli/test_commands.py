"""What every command has in common: help that is quick, and errors of one line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer.main
from typer.testing import CliRunner

from napari_scope.cli import app

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_the_commands() -> None:
    assert set(COMMANDS) == {
        "acquire",
        "convert",
        "demo",
        "info",
        "pyramid",
        "recover",
        "frames",
        "open",
        "positions",
        "rename-channel",
        "rename-well",
        "set-scale",
        "validate",
    }


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_and_option_says_what_it_does(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0
    assert COMMANDS[name].help
    for parameter in COMMANDS[name].params:
        assert parameter.help, parameter.name


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, json\n"
        "from napari_scope.cli import app\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(json.dumps([n for n in sys.modules if '.' not in n]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    heavy = {"dask", "napari", "numpy", "pymmcore_plus", "qtpy", "useq", "zarr"}
    assert not loaded & heavy
