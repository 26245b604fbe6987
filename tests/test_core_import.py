"""Importing pymmcore-plus: nobody's log but its own becomes louder."""

from __future__ import annotations

import subprocess
import sys

# The docks that import it at the top of a module; each must come after `acquire`.
_CODE = """
import logging
logging.basicConfig(level=logging.WARNING)  # as napari does when it is started
import napari_scope.widgets.devices.devices_dock
import pymmcore_plus
print(logging.getLogger().level, logging.getLogger("pymmcore-plus").level)
logging.getLogger("napari.layers").debug("a record of another library")
"""


def test_the_root_logger_keeps_its_level() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "30 10\n", done.stderr
    assert "another library" not in done.stderr
