"""`napari-scope open` opens napari with the docks and a configuration, or with data."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.formats.msi_folder import write_imzml
from typer.testing import CliRunner

from napari_scope.cli import window
from napari_scope.cli.commands import app
from napari_scope.errors import ConfigurationError, FormatError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

# Ends the program as a user does, by closing the window, once the devices are there.
SCRIPT = """
import sys
from unittest.mock import patch
import napari
from qtpy.QtCore import QTimer
from napari_scope.cli import main
from napari_scope.widgets.common.microscope import Microscope

def run():
    microscope = Microscope.shared()
    viewer = napari.current_viewer()
    def look():
        if microscope.is_loading or not microscope.owner.has_devices:
            return
        timer.stop()
        docks = [n for n in viewer.window._wrapped_dock_widgets if "scope" in n]
        print(microscope.owner.config, len(docks), flush=True)
        viewer.close()
    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    original(gui_exceptions=False)

original = napari.run
sys.argv = ["napari-scope", "open", "demo"]
with patch.object(napari, "run", run):
    main()
"""


@pytest.mark.gui
def test_the_docks_open_with_a_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        # What the docks remember stays away from the user's own settings.
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["demo", "5"]


def test_what_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        window.open_window(["none.cfg"])
    monkeypatch.setattr(window, "has_display", lambda: False)
    with pytest.raises(SettingsError, match="needs a display"):
        window.open_window(["demo"])


def test_it_is_a_command() -> None:
    done = CliRunner().invoke(app, ["open", "--help"])
    assert done.exit_code == 0 and "docks of the microscope" in done.stdout


# Ends the program once the layers are there.
DATA_SCRIPT = """
import sys
from unittest.mock import patch
import napari
from qtpy.QtCore import QTimer
from napari_scope.cli import main

def run():
    viewer = napari.current_viewer()
    (dock,) = viewer.window.dock_widgets.values()
    page = dock.folder_page
    def look():
        if not viewer.layers or not page.model.count or dock._care.busy:
            return
        timer.stop()
        print([layer.name for layer in viewer.layers], page.model.count, flush=True)
        viewer.close()
    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    original(gui_exceptions=False)

original = napari.run
sys.argv = ["napari-scope", "open", "brain.imzML", "."]
with patch.object(napari, "run", run):
    main()
"""


@pytest.mark.gui
def test_data_and_folders_open(tmp_path: Path) -> None:
    write_imzml(tmp_path / "brain.imzML")
    done = subprocess.run(
        [sys.executable, "-c", DATA_SCRIPT],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "XDG_CONFIG_HOME": str(tmp_path),
            "NAPARI_SCOPE_CONFIG_DIR": str(tmp_path / "settings"),
            "NAPARI_SCOPE_CACHE_DIR": str(tmp_path / "cache"),
        },
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['brain TIC', 'brain m/z'] 1"


def test_what_is_no_data_is_told_before_a_window_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FormatError, match="OME-Zarr"):
        window.open_window([str(tmp_path / "notes.txt")])
    with pytest.raises(FormatError, match="no such file"):
        window.open_window([str(tmp_path), str(tmp_path / "gone")])
    monkeypatch.setattr(window, "has_display", lambda: False)
    with pytest.raises(SettingsError, match="needs a display"):
        window.open_window([str(tmp_path)])
