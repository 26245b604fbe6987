from __future__ import annotations

import gc
import os
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.layers.msi_readers import held, memory_reader, over_one_axis

from napari_scope._reader import read
from napari_scope.formats.msi.imzml.writer import ImzMLWriter
from napari_scope.layers.msi import msi_of
from napari_scope.layers.msi_build import reader_to_layers
from napari_scope.widgets.browsing.msi_painter import stack_of
from napari_scope.widgets.browsing.mz_slider import MzSlider, mz_slider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    return make_napari_viewer()


def _add(viewer: Any, layers: Any) -> Any:
    for data, arguments, kind in layers:
        viewer._add_layer_from_data(data, arguments, kind)
    return viewer.layers


def _label(viewer: Any) -> str:
    return str(viewer.window._qt_viewer.dims.slider_widgets[0].axis_label.text())


def _raw(layer: Any) -> Any:
    return np.asarray(layer._slice.image.raw)


def test_the_slider_shows_m_z_and_brings_the_stack(viewer: Any, qtbot: QtBot) -> None:
    tic, stack, _ = _add(viewer, reader_to_layers(memory_reader(over_one_axis())))
    slider = mz_slider(viewer)
    assert slider is mz_slider(viewer)
    assert slider is not None
    qtbot.waitUntil(lambda: _label(viewer).startswith("m/z 10"))
    assert not stack.visible
    viewer.window._qt_viewer.dims.slider_widgets[0].slider.setValue(3)
    assert _label(viewer) == "m/z 110.0000"
    assert stack.visible, "whoever moves the slider wants to see what it shows"
    assert _raw(stack).tolist() == [[4, 8, 12], [16, 0, 20]]
    assert stack.contrast_limits[1] == pytest.approx(20, rel=0.1)
    # Once: who hides it again wants to see something else.
    stack.visible = False
    slider.show_mz(100.6)
    assert (_label(viewer), slider.mz) == ("m/z 100.5000", 100.5)
    assert not stack.visible
    stack.visible = True
    assert stack.contrast_limits[1] == pytest.approx(18, rel=0.1)
    viewer.layers.remove(tic)
    # napari writes the names of the axes anew with every change of the layers.
    qtbot.waitUntil(lambda: _label(viewer) == "m/z 100.5000")


def test_the_slider_speaks_of_the_data_set_that_is_seen(viewer: Any) -> None:
    second = over_one_axis(np.array([300.0, 301.0, 305.0, 306.0]))
    layers = _add(viewer, reader_to_layers(memory_reader(over_one_axis(), second)))
    slider = mz_slider(viewer)
    assert slider is not None
    tics, stacks = layers[:2], layers[2:4]
    assert viewer.layers.selection.active not in tics, "napari takes the last one"
    assert slider.layer is stacks[0]
    slider._settle()
    viewer.dims.set_current_step(0, 3)
    assert [stack.visible for stack in stacks] == [True, False]
    stacks[0].visible = False
    for layer in layers:
        layer.visible = layer is tics[1]
    assert slider.layer is stacks[1]
    stacks[0].visible = stacks[1].visible = True
    assert slider.layer is stacks[1]
    viewer.layers.selection.active = stacks[0]
    assert slider.layer is stacks[0]
    assert _label(viewer) == "m/z 110.0000"


def test_a_stack_is_shown_by_who_moves_the_slider_alone(
    viewer: Any, qtbot: QtBot
) -> None:
    slider = mz_slider(viewer)
    assert slider is not None
    even = over_one_axis([50.0, 52.0, 54.0])
    _, first, _ = _add(viewer, reader_to_layers(memory_reader(even)))
    slider._settle()
    slider.show_mz(54)
    assert (_label(viewer), first.visible) == ("m/z 54.0000", False)
    # napari moves the slider when a layer with more channels comes.
    more = over_one_axis(np.arange(900) / 9 + 20)
    _add(viewer, reader_to_layers(memory_reader(more)))
    assert not any(stack_of(layer) and layer.visible for layer in viewer.layers)
    qtbot.waitUntil(lambda: viewer.dims.range[0].stop > 100)
    qtbot.waitUntil(lambda: not slider._settled.isActive())
    slider.show_mz(50)
    assert not first.visible
    viewer.layers.selection.active = first
    viewer.dims.set_point(0, 52)
    assert any(stack_of(layer) and layer.visible for layer in viewer.layers)


def test_the_slider_begins_where_the_first_data_set_has_channels(
    viewer: Any, qtbot: QtBot
) -> None:
    long = over_one_axis(np.arange(100) ** 2 + 20.0)
    layers = _add(viewer, reader_to_layers(memory_reader(over_one_axis(), long)))
    viewer.dims.set_current_step(0, 50)  # where napari puts it: in the longest one
    slider = mz_slider(viewer)
    assert slider is not None
    qtbot.waitUntil(lambda: _label(viewer) == "m/z 102.0000")
    first, second = layers[2:4]
    second.visible = True
    viewer.dims.set_current_step(0, 50)
    assert _label(viewer) == "m/z 2520.0000"
    first.visible = True
    viewer.layers.selection.active = first
    assert (_label(viewer), slider.mz) == ("m/z -", None)
    first.visible = False
    assert _label(viewer) == "m/z 2520.0000"


def test_without_a_slider_the_axis_has_its_plain_name(viewer: Any) -> None:
    _add(viewer, reader_to_layers(memory_reader(over_one_axis())))
    slider = mz_slider(viewer)
    assert slider is not None
    slider._settle()
    viewer.dims.ndisplay = 3
    assert viewer.dims.axis_labels[0] == "m/z"
    viewer.dims.ndisplay = 2
    assert viewer.dims.axis_labels[0] == "m/z 100.0000"


def test_duplicates_share_their_channels(viewer: Any, qtbot: QtBot) -> None:
    spectra = held()
    mz_slider(viewer)
    spectra.totals = np.ones(5)
    _, stack, _ = _add(viewer, reader_to_layers(memory_reader(spectra), wait=False))
    data, arguments, kind = stack.as_layer_data_tuple()
    copy = viewer._add_layer_from_data(data, {**arguments, "name": "copy"}, kind)[0]
    assert stack_of(copy) is stack_of(stack)
    stack.visible = copy.visible = True
    viewer.dims.set_current_step(0, 59)
    assert not _raw(stack).any()
    spectra.let(100)
    qtbot.waitUntil(lambda: bool(_raw(stack).any()) and bool(_raw(copy).any()))
    viewer.layers.remove(copy)
    while spectra.gate.acquire(blocking=False):
        pass
    viewer.dims.set_current_step(0, 1)  # the window would wait for ever
    spectra.let(100)
    value = spectra.spectrum(0).intensities[1]
    qtbot.waitUntil(lambda: _raw(stack)[0, 0] == value)


def test_the_contrast_follows_until_the_user_sets_it(viewer: Any) -> None:
    _, stack, _ = _add(viewer, reader_to_layers(memory_reader(over_one_axis())))
    mz_slider(viewer)
    stack.visible = True
    viewer.dims.set_current_step(0, 0)
    first = tuple(stack.contrast_limits)
    viewer.dims.set_current_step(0, 3)
    assert tuple(stack.contrast_limits) != first
    stack.contrast_limits = (0, 7)
    viewer.dims.set_current_step(0, 1)
    assert tuple(stack.contrast_limits) == (0, 7)


def test_what_takes_its_time_is_painted_when_it_is_there(
    viewer: Any, qtbot: QtBot
) -> None:
    spectra = held()
    mz_slider(viewer)
    tic, stack, _ = _add(viewer, reader_to_layers(memory_reader(spectra), wait=False))
    assert not _raw(tic).any()
    spectra.let(2)
    qtbot.waitUntil(lambda: np.count_nonzero(_raw(tic)) == 2)
    assert tic.contrast_limits[1] > 1
    spectra.let(3)
    qtbot.waitUntil(lambda: np.count_nonzero(_raw(tic)) == 5)
    qtbot.waitUntil(lambda: tic.metadata["msi"].totals.done)
    stack.visible = True
    viewer.dims.set_current_step(0, 59)
    assert not _raw(stack).any()
    qtbot.waitUntil(lambda: _label(viewer) == "m/z 259.0000 …")
    spectra.let(100)
    qtbot.waitUntil(lambda: bool(_raw(stack).any()))
    assert _raw(stack)[0, 0] == spectra.spectrum(0).intensities[59]
    qtbot.waitUntil(lambda: _label(viewer) == "m/z 259.0000")
    assert stack.contrast_limits[1] > 1
    qtbot.waitUntil(lambda: not mz_slider(viewer).painter._timer.isActive())  # type: ignore[union-attr]


def test_the_status_bar_says_m_z(viewer: Any) -> None:
    _, stack, _ = _add(viewer, reader_to_layers(memory_reader(over_one_axis())))
    mz_slider(viewer)
    viewer.mouse_over_canvas = True
    stack.visible = True
    viewer.dims.set_current_step(0, 2)
    viewer.cursor.position = (2, 7, 5)
    window = viewer.window._qt_window
    window.set_status_and_tooltip(viewer._calc_status_from_cursor())
    assert viewer.status["coordinates"].startswith("m/z 102.0000  ·  [")
    stack.visible = False
    window.set_status_and_tooltip(viewer._calc_status_from_cursor())
    assert "m/z" not in str(viewer.status)


def test_a_window_opens_it_and_lets_go_of_its_files(
    viewer: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "a.imzML"
    with ImzMLWriter(path) as writer:  # without a common axis: peaks are sorted
        for x in range(6):
            mz = np.sort(random.uniform(100, 101, 30))
            writer.write(x, 0, mz, random.uniform(1, 9, 30))
    tic, stack = _add(viewer, read(str(path)))
    slider = mz_slider(viewer)
    assert slider is not None
    assert read(str(path.with_suffix(".ibd"))) == [(None,)]
    stack.visible = True
    slider.show_mz(100.5)
    # As if this channel had been waited for: then the peaks are sorted.
    source = stack_of(stack)
    assert source is not None
    slider.painter._sort_peaks(stack, source)
    origin = msi_of(tic.metadata)
    assert origin is not None
    qtbot.waitUntil(lambda: origin.data.index_ready)  # type: ignore[union-attr]
    kept = weakref.ref(origin.reader)
    origin = source = None
    del tic, stack
    assert _is_open(path)
    viewer.layers.clear()

    def is_gone() -> bool:
        gc.collect()
        return kept() is None

    qtbot.waitUntil(is_gone)
    assert not _is_open(path)


def _is_open(path: Path) -> bool:
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        pytest.skip("open files cannot be listed here")
    names = []
    for number in os.listdir(folder):
        try:
            names.append(os.readlink(f"{folder}/{number}"))
        except OSError:
            continue
    return str(path.with_suffix(".ibd")) in names


def test_a_stopped_slider_leaves_the_viewer_alone(viewer: Any) -> None:
    _, stack, _ = _add(viewer, reader_to_layers(memory_reader(over_one_axis())))
    slider = mz_slider(viewer)
    assert isinstance(slider, MzSlider)
    for _ in range(2):
        slider.stop()
    viewer.dims.set_current_step(0, 3)
    assert not stack.visible
    assert slider.mz is None
