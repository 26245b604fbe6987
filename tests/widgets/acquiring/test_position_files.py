from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
import useq
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_scope.errors import PlanError
from napari_scope.widgets.acquiring import position_files
from napari_scope.widgets.acquiring.position_files import PositionFiles
from napari_scope.widgets.acquiring.script_tab import ScriptTab
from napari_scope.widgets.common import small_files

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

_PLACES = [useq.Position(x=1, y=2.5, z=3, name="a"), useq.Position(x=-4, y=5)]


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is told to the user."""
    told: list[str] = []
    monkeypatch.setattr(position_files, "notify", lambda text, **_: told.append(text))
    return told


def test_positions_go_round(
    qtbot: QtBot, tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = QWidget()
    qtbot.addWidget(table)
    files = PositionFiles(table)
    path = tmp_path / "places"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    files.save(_PLACES)
    qtbot.waitUntil(lambda: bool(notes))
    assert "places.json" in notes[0]
    with qtbot.waitSignal(files.loaded) as caught:
        files.load(path.with_suffix(".json"))
    assert caught.args == [_PLACES]
    files.close_down()


@pytest.mark.parametrize("text", ["{", "{}", '[{"x": "here"}]', "[" * 100_000])
def test_what_holds_no_positions_is_told(
    qtbot: QtBot, tmp_path: Path, text: str
) -> None:
    table = QWidget()
    qtbot.addWidget(table)
    files = PositionFiles(table)
    path = tmp_path / "bad.json"
    path.write_text(text)
    with qtbot.waitSignal(files.failed) as caught:
        files.load(path)
    assert isinstance(caught.args[0], PlanError)
    assert "cannot be loaded" in caught.args[0].message


def test_a_script_that_cannot_be_saved_can_still_be_run(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    tab = ScriptTab()
    qtbot.addWidget(tab)
    tab.set_text("events = [{'axes': {'z': 0}}]")
    tab.check()
    qtbot.waitUntil(lambda: tab.script is not None)
    monkeypatch.setattr(small_files, "replace_file", refuse)
    tab.save(tmp_path / "mine.py")
    qtbot.waitUntil(lambda: "cannot be saved" in tab.status.text())
    assert "make room" in tab.status.text()
    assert tab.script is not None and tab.path is None
    assert len(list(tab.plan())) == 1  # type: ignore[arg-type]
    tab.close_down()
