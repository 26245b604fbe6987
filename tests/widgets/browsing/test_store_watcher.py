from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QMainWindow
from tests.layers.stores import make_dataset, make_image
from tests.threads import Thread

from napari_scope._reader import read
from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.layers import dataset_to_layers, origin_of
from napari_scope.layers.preferences import (
    CONFIG_VARIABLE,
    BrowsePreferences,
    save_preferences,
)
from napari_scope.widgets.browsing.store_watcher import StoreWatcher, watchers_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.model import Dataset, Image

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]

THREAD = "napari-scope store watcher"


@pytest.fixture(autouse=True)
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "preferences"))


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", messages.append)
    return messages


class Store:
    """A store by hand: it grows when the test says so."""

    def __init__(self, *images: Image) -> None:
        self.next: Dataset | BaseException | None = None
        self.reloads = 0
        self.now = self._dataset(images)

    def _dataset(self, images: tuple[Image, ...], finished: bool = False) -> Dataset:
        return make_dataset(*images, finished=finished, reload=self._reload)

    def grow(self, *images: Image, finished: bool = False) -> None:
        self.next = self._dataset(images, finished)

    def _reload(self) -> Dataset | None:
        assert threading.current_thread().name == THREAD
        self.reloads += 1
        found, self.next = self.next, None
        if isinstance(found, BaseException):
            raise found
        return found


class Bench:
    """A viewer without a display, its window, and a watcher that the test drives."""

    def __init__(self, qtbot: QtBot) -> None:
        self.viewer = ViewerModel()
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.qtbot = qtbot
        self.reasons: list[str] = []

    def show(self, store: Store, positions: Any = "auto", **more: Any) -> StoreWatcher:
        self.store = store
        for data, arguments, _ in dataset_to_layers(store.now, positions):
            self.viewer.add_image(data, **arguments)
        viewer: Any = self.viewer
        self.watcher = StoreWatcher(viewer, store.now, self.window, **more)
        self.watcher.ended.connect(self.reasons.append)
        return self.watcher

    def look(self) -> None:
        """Look once and wait until what was found is shown."""
        done: list[object] = []
        before = self.store.reloads
        self.watcher.grown.connect(done.append)
        self.watcher.look()
        self.qtbot.waitUntil(
            lambda: (
                bool(done or self.reasons)
                or (
                    (self.store.reloads > before and not self.watcher._call.busy)
                    and not self.watcher._pending
                )
            ),
            timeout=30_000,
        )

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [np.shape(layer.data) for layer in self.viewer.layers]

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(self.viewer.dims.current_step[:-2])


@pytest.fixture
def bench(qtbot: QtBot) -> Iterator[Bench]:
    made = Bench(qtbot)
    yield made
    for watcher in watchers_in(made.window):
        watcher.stop()


def cells(t: int, *channels: str, name: str = "cells", **more: Any) -> Image:
    channels = channels or ("DAPI",)
    return make_image(name, "tcyx", (t, len(channels), 8, 9), channels=channels, **more)


def test_layers_grow_and_keep_how_they_look(bench: Bench) -> None:
    bench.show(Store(cells(3, "DAPI", "FITC")))
    layer = bench.viewer.layers[0]
    layer.contrast_limits, layer.colormap = (3, 40), "magma"
    layer.name, layer.gamma, layer.visible = "mine", 0.5, False
    bench.viewer.dims.set_current_step(0, 1)
    bench.store.grow(cells(5, "DAPI", "FITC"))
    bench.look()
    assert bench.shapes == [(5, 1, 8, 9)] * 2
    assert bench.viewer.dims.nsteps[0] == 5
    assert bench.steps[0] == 1  # it did not stand at the newest time
    assert bench.viewer.layers[0] is layer
    assert tuple(layer.contrast_limits) == (3, 40)
    assert layer.colormap.name == "magma"
    assert (layer.name, layer.gamma, layer.visible) == ("mine", 0.5, False)
    found = origin_of(layer.metadata)
    assert found is not None and found.dataset is bench.watcher.dataset
    # And again: the layers are found under their new data set.
    bench.store.grow(cells(6, "DAPI", "FITC"))
    bench.look()
    assert bench.shapes == [(6, 1, 8, 9)] * 2


def test_nothing_new_draws_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.show(Store(cells(3)))
    bench.viewer.layers[0].events.data.connect(lambda: pytest.fail("drawn again"))
    bench.look()
    same = bench.store.now.images
    bench.store.grow(*same, finished=True)
    bench.look()
    assert bench.reasons == [""]


def test_the_time_slider_goes_on_from_the_newest_time(bench: Bench) -> None:
    bench.show(Store(cells(3)))
    bench.viewer.dims.set_current_step(0, 2)
    bench.store.grow(cells(5))
    bench.look()
    assert bench.steps[0] == 4
    shown: Any = bench.viewer.layers[0]
    assert shown._data_view[0, 0] == 41


def test_a_time_that_is_not_complete_is_not_shown_yet(bench: Bench) -> None:
    def half(t: int, of: int = 1) -> Image:
        """Return an image whose last time has only its first channels."""
        return cells(
            t, "DAPI", "FITC", missing=lambda i: i["t"] == t - 1 and i["c"] >= of
        )

    bench.show(Store(half(3)))
    bench.viewer.dims.set_current_step(0, 1)
    bench.store.grow(half(4))
    bench.look()
    assert bench.steps[0] == 2
    bench.store.grow(half(4, of=2))
    bench.look()
    assert bench.steps[0] == 3
    # Of a channel that is hidden nobody misses anything.
    bench.viewer.layers[1].visible = False
    bench.store.grow(half(5))
    bench.look()
    assert bench.steps[0] == 4


def test_a_second_channel_and_position_come_later(bench: Bench) -> None:
    bench.show(Store(cells(1, name="Pos0")))
    assert bench.names == ["DAPI"]
    first = bench.viewer.layers[0]
    assert first.colormap.name == "gray"
    first.contrast_limits = (2, 50)
    bench.store.grow(cells(1, "DAPI", "FITC", name="Pos0"))
    bench.look()
    assert bench.names == ["DAPI", "FITC"]
    assert str(first.blending) == "translucent_no_depth"
    assert first.colormap.name != "gray"
    bench.viewer.layers.selection.active = first
    place = {"y": 100.0}
    bench.store.grow(
        cells(2, "DAPI", "FITC", name="Pos0"),
        cells(1, "DAPI", name="Pos1", translation=place),
    )
    bench.look()
    assert bench.names == ["Pos0 - DAPI", "Pos0 - FITC", "Pos1 - DAPI"]
    new = bench.viewer.layers[2]
    assert tuple(new.translate) == (0, 0, 100, 0)
    # The same channel looks the same everywhere; what was selected still is.
    assert tuple(new.contrast_limits) == (2, 50)
    np.testing.assert_array_equal(new.colormap.colors, first.colormap.colors)
    assert bench.viewer.layers.selection.active is first


def test_a_removed_layer_stays_away(bench: Bench) -> None:
    bench.show(Store(cells(1, "DAPI", "FITC")))
    bench.viewer.layers.remove("DAPI")
    bench.store.grow(cells(2, "DAPI", "FITC"))
    bench.look()
    assert bench.names == ["FITC"]


def test_scale_and_place_follow_the_file_but_not_against_the_user(
    bench: Bench,
) -> None:
    bench.show(Store(cells(3, translation={"x": 10.0})))
    layer = bench.viewer.layers[0]
    bench.viewer.dims.set_current_step(0, 2)
    layer.translate = (0, 0, 7, 10)
    bench.store.grow(cells(3, translation={"x": -20.0}, scale={"t": 2.5}))
    bench.look()
    assert tuple(layer.translate) == (0, 0, 7, -20)
    assert layer.scale[0] == 2.5
    assert bench.steps[0] == 2  # the same plane, though the scale is another


def test_a_mosaic_that_outgrows_its_layer_gets_another_one(bench: Bench) -> None:
    def mosaic(rows: int, **more: Any) -> Image:
        return make_image("map", "tyx", (2, rows, 700), **more)

    bench.show(Store(mosaic(300)))
    other = bench.viewer.add_image(np.zeros((4, 4)), name="other")
    layer = bench.viewer.layers[0]
    layer.contrast_limits, layer.opacity = (4, 44), 0.25
    bench.viewer.layers.selection.active = layer
    bench.viewer.dims.set_current_step(0, 0)
    bench.store.grow(mosaic(1200, levels=2))
    bench.look()
    assert bench.names == ["map", "other"]
    grown = bench.viewer.layers[0]
    assert grown.multiscale and not layer.multiscale
    assert [np.shape(level) for level in grown.data] == [
        (2, 1, 1200, 700), (2, 1, 600, 350),
    ]  # fmt: skip
    assert (tuple(grown.contrast_limits), grown.opacity) == ((4, 44), 0.25)
    assert bench.viewer.layers.selection.active is grown
    assert bench.viewer.layers[1] is other
    assert bench.steps[0] == 0
    bench.store.grow(mosaic(1400, levels=2))
    bench.look()
    assert bench.viewer.layers[0] is grown
    assert grown.data[0].shape == (2, 1, 1400, 700)


def test_a_new_axis_makes_a_new_layer(bench: Bench) -> None:
    bench.show(Store(make_image("cells", "yx", (8, 9))))
    bench.store.grow(make_image("cells", "tzyx", (3, 2, 8, 9)))
    bench.look()
    assert bench.names == ["cells"] and bench.shapes == [(3, 2, 8, 9)]
    assert bench.viewer.dims.axis_labels == ("t", "z", "y", "x")


def test_positions_on_a_slider_grow(bench: Bench) -> None:
    bench.show(Store(cells(2, name="Pos0"), cells(1, name="Pos1")), "slider")
    bench.store.grow(*(cells(3, name=f"Pos{i}") for i in range(3)))
    bench.look()
    assert bench.shapes == [(3, 3, 1, 8, 9)]


def test_it_ends_with_the_store(bench: Bench) -> None:
    watcher = bench.show(Store(cells(2)))
    bench.store.grow(cells(3), finished=True)
    bench.look()
    assert bench.reasons == [""] and not watcher.active
    assert bench.shapes == [(3, 1, 8, 9)]
    watcher.look()
    watcher.stop()
    assert bench.reasons == [""] and watchers_in(bench.window) == []


def test_it_ends_when_its_layers_are_gone(bench: Bench) -> None:
    bench.show(Store(cells(2)))
    bench.look()
    bench.viewer.layers.clear()
    bench.watcher.look()
    assert bench.reasons == [""]


def test_it_waits_for_its_layers_but_not_for_ever(bench: Bench) -> None:
    store = Store(cells(2))
    watcher = bench.show(store)
    layers = list(bench.viewer.layers)
    bench.viewer.layers.clear()
    watcher.look()
    assert watcher.active and store.reloads == 0
    bench.viewer.layers.extend(layers)
    bench.look()
    assert store.reloads == 1
    watcher.stop()
    bench.viewer.layers.clear()
    bench.reasons.clear()
    never = bench.show(Store(cells(2)))
    bench.viewer.layers.clear()
    for _ in range(100):
        never.look()
    assert bench.reasons == [""]


@pytest.mark.parametrize(
    "error",
    [
        FormatError("the index is gone", path="/data/run", hint="look for it"),
        FileNotFoundError(2, "No such file or directory", "/data/run"),
        ValueError("a surprise"),
    ],
)
def test_a_store_that_is_gone_is_told_once(
    bench: Bench, warned: list[str], error: Exception
) -> None:
    watcher = bench.show(Store(cells(2)), interval_ms=5)
    bench.store.next = error
    watcher.start()
    bench.qtbot.waitUntil(lambda: not watcher.active)
    bench.qtbot.wait(50)
    (message,) = warned
    assert "/data/run is not followed any more" in message
    assert bench.reasons[0] in message and bench.reasons[0]
    assert bench.store.reloads == 1
    assert bench.shapes == [(2, 1, 8, 9)]


def test_it_looks_less_often_while_nothing_comes(bench: Bench) -> None:
    watcher = bench.show(Store(cells(2)), interval_ms=1000)
    intervals = []
    for _ in range(8):
        bench.look()
        intervals.append(watcher._timer.interval())
    assert intervals == [1500, 2250, 3375, 5000, 5000, 5000, 5000, 5000]
    bench.store.grow(cells(3))
    bench.look()
    assert watcher._timer.interval() == 1000


def test_too_many_positions_are_said_once(bench: Bench, warned: list[str]) -> None:
    bench.show(Store(cells(1, name="Pos0")))
    for count in (35, 40):
        bench.store.grow(*(cells(1, name=f"Pos{i}") for i in range(count)))
        bench.look()
    assert len(bench.names) == 32
    (message,) = warned
    assert message.startswith("3 more layers")


def test_once_looks_at_a_finished_store_too(bench: Bench) -> None:
    store = Store(cells(2))
    store.now = replace(store.now, finished=True)
    watcher = bench.show(store, once=True)
    store.grow(cells(4), finished=True)
    watcher.start()
    bench.qtbot.waitUntil(lambda: bench.reasons == [""])
    assert bench.shapes == [(4, 1, 8, 9)]


def test_stopping_waits_for_the_look_and_drops_it(bench: Bench) -> None:
    gate = threading.Event()
    store = Store(cells(2))
    reload = store._reload

    def slow() -> Dataset | None:
        gate.wait(30)
        return reload()

    store.now = replace(store.now, reload=slow)
    watcher = bench.show(store)
    store.grow(cells(4))
    watcher.look()
    Thread(gate.set).start()
    watcher.stop()
    assert store.reloads == 1
    bench.qtbot.wait(50)
    assert bench.shapes == [(2, 1, 8, 9)]


def test_what_was_found_is_shown_before_following_ends(bench: Bench) -> None:
    gate = threading.Event()
    store = Store(cells(2))
    reload = store._reload

    def slow() -> Dataset | None:
        gate.wait(30)
        return reload()

    store.now = replace(store.now, reload=slow)
    watcher = bench.show(store)
    store.grow(cells(4))
    watcher.look()
    watcher.set_following(False)
    assert watcher.active and watcher.once
    gate.set()
    bench.qtbot.waitUntil(lambda: bench.reasons == [""])
    assert bench.shapes == [(4, 1, 8, 9)]
    watcher.set_following(True)  # too late
    assert not watcher.active
    idle = bench.show(Store(cells(2)))
    idle.set_following(True)
    assert idle.active and not idle.once
    idle.set_following(False)
    assert not idle.active


def test_closing_the_window_ends_it(bench: Bench) -> None:
    watcher = bench.show(Store(cells(2)))
    watcher.start()
    bench.window.close()
    assert bench.reasons == [""]
    again = bench.show(Store(cells(2)))
    bench.window.show()
    again.start()
    bench.window.close()
    bench.qtbot.waitUntil(lambda: bench.reasons == ["", ""])


# ---- real stores


def frame(value: int) -> Any:
    return np.full((32, 32), value, "u2")


def test_a_store_grows_in_the_viewer_while_it_is_written(
    make_napari_viewer: Callable[..., napari.Viewer],
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    """Write in a thread, as another program would, and look at what the viewer has."""
    viewer = make_napari_viewer()
    folder = tmp_path / "run"
    writer = NDTiffWriter(folder)
    writer.put({"time": 0, "channel": "DAPI"}, frame(1))
    go_on = threading.Event()

    def write() -> None:
        writer.put({"time": 0, "channel": "FITC"}, frame(2))
        for t in range(1, 10):
            for c, channel in enumerate(("DAPI", "FITC")):
                writer.put({"time": t, "channel": channel}, frame(10 * t + c + 1))
        assert go_on.wait(60)
        writer.close()

    for data, arguments, _ in read(str(folder)):
        viewer.add_image(data, **arguments)
    (watcher,) = watchers_in(viewer.window.main_menu.window())
    assert [layer.data.shape for layer in viewer.layers] == [(1, 1, 32, 32)]
    thread = Thread(write)
    thread.start()
    qtbot.waitUntil(
        lambda: (
            [layer.data.shape for layer in viewer.layers] == [(10, 1, 32, 32)] * 2
            and watcher._growth is None
        ),
        timeout=20_000,
    )
    assert [layer.name for layer in viewer.layers] == ["DAPI", "FITC"]
    # The slider stood at the only time, which was the newest.
    assert viewer.dims.current_step[0] == 9
    assert [int(layer._data_view[0, 0]) for layer in viewer.layers] == [91, 92]
    go_on.set()
    thread.join()
    qtbot.waitUntil(lambda: not watcher.active, timeout=20_000)
    first = origin_of(viewer.layers[0].metadata)
    assert first is not None and first.dataset.finished
    assert np.asarray(viewer.layers[0].data)[:, 0, 0, 0].tolist() == [
        1, *range(11, 101, 10),
    ][:10]  # fmt: skip


def test_a_store_that_is_deleted_under_the_viewer(
    make_napari_viewer: Callable[..., napari.Viewer],
    qtbot: QtBot,
    tmp_path: Path,
    warned: list[str],
) -> None:
    viewer = make_napari_viewer()
    folder = tmp_path / "run"
    writer = NDTiffWriter(folder)
    writer.put({"time": 0}, frame(1))
    for data, arguments, _ in read(str(folder)):
        viewer.add_image(data, **arguments)
    (watcher,) = watchers_in(viewer.window.main_menu.window())
    writer.close()
    shutil.rmtree(folder)
    qtbot.waitUntil(lambda: not watcher.active, timeout=20_000)
    assert len(warned) == 1 and str(folder) in warned[0]


def test_who_does_not_want_it_is_not_followed(
    make_napari_viewer: Callable[..., napari.Viewer], tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    window = viewer.window.main_menu.window()
    save_preferences(BrowsePreferences(follow=False))
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, frame(1))
        assert len(read(tmp_path / "run")) == 1
        assert watchers_in(window) == []
        save_preferences(BrowsePreferences(follow=True))
        read(tmp_path / "run")
        (watcher,) = watchers_in(window)
        watcher.stop()
    read(tmp_path / "run")  # finished
    assert watchers_in(window) == []
    assert watchers_in(None) == []


def test_closing_the_viewer_ends_it(
    make_napari_viewer: Callable[..., napari.Viewer], qtbot: QtBot, tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, frame(1))
        for data, arguments, _ in read(tmp_path / "run"):
            viewer.add_image(data, **arguments)
        (watcher,) = watchers_in(viewer.window.main_menu.window())
        ended: list[str] = []
        watcher.ended.connect(ended.append)
        viewer.close()
        assert ended == [""]
