"""Layers are added one by one; the GUI is alive between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QObject, QTimer
from tests.formats.msi_folder import write_imzml

from napari_scope.formats.ngff.nodes import open_ome_zarr
from napari_scope.widgets.browsing.first_view import select_what_is_seen
from napari_scope.widgets.browsing.store_opener import StoreOpener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

CHANNELS = ["DAPI", "FITC", "Cy5", "Cy7"]


@pytest.fixture
def store(tmp_path: Path) -> str:
    path = tmp_path / "four.ome.zarr"
    with open_ome_zarr(path, layout="fov", mode="w-", channel_names=CHANNELS) as made:
        made.create_image("0", np.ones((1, 4, 1, 8, 8), "u2"))
    return str(path)


@pytest.fixture
def opener(qapp: object) -> Iterator[StoreOpener]:
    parent = QObject()
    made = StoreOpener(ViewerModel(), parent)  # type: ignore[arg-type]
    yield made
    made.close()


def test_there_is_time_between_two_layers(
    opener: StoreOpener, store: str, qtbot: QtBot
) -> None:
    viewer: Any = opener._viewer
    seen: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: seen.append(len(viewer.layers)))
    timer.start(0)
    with qtbot.waitSignal(opener.opened):
        opener.open(store, "auto")
        assert opener.busy
    timer.stop()
    assert not opener.busy
    assert [layer.name for layer in viewer.layers] == CHANNELS
    assert {1, 2, 3} <= set(seen)


def test_closed_in_between_no_more_layers_come(
    opener: StoreOpener, store: str, qtbot: QtBot
) -> None:
    viewer: Any = opener._viewer
    told: list[object] = []
    opener.opened.connect(told.append)
    viewer.layers.events.inserted.connect(lambda _: opener.close())
    opener.open(store, "auto")
    qtbot.waitUntil(lambda: len(viewer.layers) > 0)
    qtbot.wait(50)
    assert len(viewer.layers) == 1
    assert not told and not opener.busy


def test_layers_that_are_removed_while_others_come_are_no_trouble(
    opener: StoreOpener, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer: Any = opener._viewer
    failed: list[object] = []
    opener.failed.connect(failed.append)

    def remove(event: Any) -> None:
        if event.value.visible:
            QTimer.singleShot(0, lambda: viewer.layers.remove(event.value))

    viewer.layers.events.inserted.connect(remove)
    source = write_imzml(tmp_path / "brain.imzML")
    with qtbot.waitSignal(opener.opened):
        opener.open(str(source), "auto")
    qtbot.waitUntil(lambda: [one.name for one in viewer.layers] == ["brain m/z"])
    assert not failed and not opener.busy


def test_of_layers_that_are_added_hidden_one_that_is_seen_is_selected() -> None:
    viewer = ViewerModel()
    seen = viewer.add_image(np.zeros((2, 2)))
    hidden = viewer.add_image(np.zeros((2, 2)), visible=False)
    assert viewer.layers.selection.active is hidden
    select_what_is_seen(viewer)
    assert viewer.layers.selection.active is seen
    seen.visible = False
    viewer.layers.selection.active = hidden
    select_what_is_seen(viewer)
    assert viewer.layers.selection.active is hidden


def test_a_layer_that_napari_refuses_is_said(
    opener: StoreOpener, store: str, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = opener._add

    def refuse(layer: Any) -> Any:
        if layer[1]["name"] == "Cy5":
            raise ValueError("no such colour")
        return add(layer)

    monkeypatch.setattr(opener, "_add", refuse)
    with qtbot.waitSignal(opener.failed) as failed:
        opener.open(store, "auto")
    assert "no such colour" in str(failed.args[0])
    assert not opener.busy
