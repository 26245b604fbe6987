from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from napari_scope.errors import OutputExistsError
from napari_scope.formats.ndtiff.display import SETTINGS_NAME
from napari_scope.formats.ndtiff.layout import WRITING_NAME
from napari_scope.formats.ndtiff.store_root import StoreRoot
from napari_scope.model import Channel

if TYPE_CHECKING:
    from pathlib import Path


def test_a_root_is_marked_until_it_is_finished(tmp_path: Path) -> None:
    root = StoreRoot(tmp_path / "deep" / "run", [Channel("DAPI")])
    mark = json.loads((root.folder / WRITING_NAME).read_text())
    assert mark["pid"] == os.getpid()
    first = (root.folder / SETTINGS_NAME).read_bytes()
    root.finish(16)
    assert (root.folder / SETTINGS_NAME).read_bytes() == first
    assert [path.name for path in root.folder.iterdir()] == [SETTINGS_NAME]
    again = StoreRoot(tmp_path / "other", [Channel("DAPI")])
    again.finish(12)
    assert (again.folder / SETTINGS_NAME).read_bytes() != first


@pytest.mark.parametrize("made", [True, False])
def test_what_was_made_is_removed_and_nothing_else(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "run"
    if not made:
        folder.mkdir()
    StoreRoot(folder, [Channel("DAPI")]).remove()
    assert folder.exists() is not made
    assert made or list(folder.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path, tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputExistsError, match="exists already"):
            StoreRoot(taken)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_another_program_made_in_the_same_moment_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = StoreRoot._mark

    def late(root: StoreRoot) -> None:
        (root.folder / WRITING_NAME).write_text("the other")
        (root.folder / SETTINGS_NAME).write_text("its settings")
        mark(root)

    monkeypatch.setattr(StoreRoot, "_mark", late)
    with pytest.raises(OutputExistsError, match="exists already"):
        StoreRoot(tmp_path / "run")
    assert (tmp_path / "run" / WRITING_NAME).read_text() == "the other"
    assert (tmp_path / "run" / SETTINGS_NAME).read_text() == "its settings"
