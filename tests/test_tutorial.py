"""The tutorial is done from start to end, as its page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "docs" / "pictures" / "tutorial.py"


@pytest.mark.gui
@pytest.mark.slow
def test_the_tutorial_works_as_it_says(tmp_path: Path) -> None:
    """The program of the page presses its buttons, and asserts what it states."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path)],
        env={**os.environ, "HOME": str(tmp_path), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    saved = {path.name for path in tmp_path.iterdir()}
    assert {"beads_001.ome.zarr", "beads.csv", "frames.csv"} <= saved
