from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.gui

_SCRIPT = Path(__file__).with_name("open_and_quit.py")


def test_a_session_ends_without_a_crash() -> None:
    # In the middle of a run, the worst moment; the other two ways are for the hand.
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(_SCRIPT), "midrun"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "left 2 None"
    assert "Traceback" not in done.stderr
