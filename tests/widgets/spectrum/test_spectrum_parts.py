"""Parts of the Spectra dock on their own: threads, long work, plot, files."""

from __future__ import annotations

import csv
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget
from tests.widgets.spectrum.msi_samples import DISC, RING, TwoScans, write_peaks

from napari_scope.errors import CancelledError, SettingsError
from napari_scope.formats.msi import Spectrum, open_msi
from napari_scope.layers.msi import MSILayer
from napari_scope.widgets.spectrum.drawn_region import drawing_of, polygon_mask
from napari_scope.widgets.spectrum.exports import (
    save_images_csv,
    save_images_tiff,
    save_images_zarr,
)
from napari_scope.widgets.spectrum.ion_choice import (
    IonChoice,
    ion_image,
    ion_images,
    mz_text,
)
from napari_scope.widgets.spectrum.ion_layers import IonLayers, ion_layers_of
from napari_scope.widgets.spectrum.long_work import LongWork
from napari_scope.widgets.spectrum.newest_reading import NewestReading
from napari_scope.widgets.spectrum.spectrum_plot import SpectrumPlot
from napari_scope.widgets.spectrum.tables_out import regions_csv, spectra_csv
from napari_scope.widgets.spectrum.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def owner_widget(qtbot: QtBot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


def never() -> bool:
    return False


def test_only_the_newest_is_read(
    owner_widget: QWidget, qtbot: QtBot, no_thread_is_left: None
) -> None:
    reading = NewestReading(owner_widget, "napari-scope test")
    held, made = threading.Event(), []
    got: list[Any] = []
    reading.finished.connect(lambda key, result: got.append((key, result)))
    reading.do(0, lambda: held.wait(20) and 0)
    for n in range(1, 6):
        reading.do(n, lambda n=n: made.append(n) or n)
    held.set()
    qtbot.waitUntil(lambda: not reading.busy)
    assert made[-1:] == [5] and len(made) <= 2
    assert got[-1] == (5, 5)
    reading.close()


def test_what_was_forgotten_is_not_delivered(
    owner_widget: QWidget, qtbot: QtBot, no_thread_is_left: None
) -> None:
    reading = NewestReading(owner_widget, "napari-scope test")
    begun, held = threading.Event(), threading.Event()
    got: list[Any] = []
    errors: list[Any] = []
    reading.finished.connect(lambda key, _: got.append(key))
    reading.failed.connect(lambda key, error: errors.append((key, str(error))))

    def slow() -> None:
        begun.set()
        held.wait(20)

    reading.do("old", slow)
    assert begun.wait(20)
    reading.forget()
    reading.do("new", lambda: 1)
    qtbot.waitUntil(lambda: got == ["new"])
    held.set()
    reading.do("bad", lambda: int("x"))
    qtbot.waitUntil(lambda: len(errors) == 1)
    assert got == ["new"] and errors[0][0] == "bad"
    reading.close()
    reading.do("late", lambda: 1)
    qtbot.wait(20)
    assert got == ["new"]


def test_long_work_is_measured_cancelled_and_followed_by_the_next(
    qtbot: QtBot, no_thread_is_left: None
) -> None:
    work = LongWork()
    qtbot.addWidget(work)
    got: list[Any] = []
    failed: list[str] = []
    work.failed.connect(lambda what, _: failed.append(what))

    def endless(
        cancelled: Callable[[], bool], progress: Callable[[float], None]
    ) -> Any:
        progress(0.25)
        while not cancelled():
            threading.Event().wait(0.005)
        raise CancelledError("ended")

    work.do("Endless", endless, got.append)
    work.do("Broken", lambda *_: int("x"), got.append)
    work.do("Quick", lambda *_: 7, got.append)
    qtbot.waitUntil(lambda: work.isVisible() and work.bar.value() == 250)
    assert work.label.text() == "Endless"
    work.cancel_button.click()
    qtbot.waitUntil(lambda: not work.busy)
    assert (got, failed) == ([7], ["Broken"])
    assert not work.isVisible()
    key = object()
    work.do("Endless", endless, got.append, key=key)
    work.do("Never", lambda *_: 8, got.append, key=key)
    work.cancel_about(key)
    qtbot.waitUntil(lambda: not work.busy)
    work.do("Endless", endless, got.append)
    work.close_work()
    assert got == [7]


@pytest.fixture
def plot(qtbot: QtBot) -> SpectrumPlot:
    made = SpectrumPlot()
    qtbot.addWidget(made)
    made.resize(700, 300)
    made.show()
    qtbot.waitExposed(made)
    return made


def painted(plot: SpectrumPlot) -> list[tuple[np.ndarray, np.ndarray]]:
    return [item.getData() for item in plot.curves.items]


def test_a_million_points_are_as_many_as_pixels(plot: SpectrumPlot) -> None:
    mz = np.linspace(100, 2000, 1_000_000)
    values = np.random.default_rng(1).random(1_000_000)
    values[123_456] = 1000.0
    for is_line in (False, True):
        trace = Trace.of("long", Spectrum(mz, values), is_profile=is_line)
        plot.show_traces([trace])
        x, y = painted(plot)[0]
        assert len(x) < 5 * 700
        assert y.max() == 1000.0
        assert mz[123_456] in x
    plot.show_range(mz[123_450], mz[123_460])
    plot.draw()
    assert 10 <= len(painted(plot)[0][0]) <= 13


def test_the_height_follows_what_is_in_sight(plot: SpectrumPlot) -> None:
    one = Trace.of("a", Spectrum(np.array([100.0, 200.0]), np.array([10.0, 1000.0])))
    other = Trace.of("b", Spectrum(np.array([100.0]), np.array([40.0])))
    plot.show_traces([one, other])
    assert 1000 < plot.box.viewRange()[1][1] < 1300
    plot.show_range(90, 110)
    plot.draw()
    assert 40 < plot.box.viewRange()[1][1] < 60
    plot.show_traces([other])  # what is in sight stays
    assert plot.shown_range == pytest.approx((90, 110))
    plot.show_all()
    plot.show_traces([one, other])
    plot.set_relative(True)
    assert [y.max() for _, y in painted(plot)] == [100.0, 100.0]
    plot.set_relative(False)
    plot.set_log(True)
    assert painted(plot)[0][1].max() == pytest.approx(3.0)
    assert np.isfinite(painted(plot)[0][1]).all()
    plot.forget()
    assert not plot.traces and plot.marker is None


def test_the_marker_is_dragged(plot: SpectrumPlot, qtbot: QtBot) -> None:
    plot.show_traces([Trace.of("a", Spectrum(np.array([100.0, 200]), np.ones(2)))])
    plot.set_marker(150.0, 2.0)
    assert plot._mark.window.getRegion() == (148.0, 152.0)
    with qtbot.waitSignal(plot.picked) as told:
        plot._mark.line.setValue(160.0)
        plot._mark.line.sigDragged.emit(plot._mark.line)
    assert told.args == [160.0]
    plot.show_range(100, 110)
    plot.bring_to_sight(180.0)
    assert plot.shown_range == pytest.approx((175, 185))


@pytest.mark.parametrize(
    ("mz", "text"), [(500, "500.00"), (885.5, "885.50"), (885.54961, "885.5496")]
)
def test_mz_as_people_read_it(mz: float, text: str) -> None:
    assert mz_text(mz) == text


@pytest.fixture
def layers(tmp_path: Path) -> Iterator[Any]:
    with open_msi(write_peaks(tmp_path / "a.imzML")) as reader:
        viewer: Any = ViewerModel()
        origin = MSILayer(reader)
        made = IonLayers(viewer)
        for mz in (DISC, RING):
            choice = IonChoice(mz)
            made.keep(origin, choice, ion_image(origin.data, choice))
        yield [layer.as_layer_data_tuple() for layer in ion_layers_of(viewer)]


def test_ion_images_are_saved(layers: Any, tmp_path: Path) -> None:
    path = save_images_tiff(tmp_path / "a.ome.tif", layers)
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(
            file.asarray(), np.stack([data for data, _, _ in layers])
        )
        assert 'PhysicalSizeX="20.0"' in file.ome_metadata
        assert "m/z 500.25" in file.ome_metadata
    path = save_images_csv(tmp_path / "a.csv", layers, never)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0][:2] == ["y", "x"]
    assert len(rows) == 1 + 8 * 12
    assert float(rows[1 + 12 + 5][2]) == pytest.approx(layers[0][0][1, 5], rel=1e-6)
    done: list[float] = []
    path = save_images_zarr(tmp_path / "a.ome.zarr", layers, never, done.append)
    assert (path / "zarr.json").exists()
    with pytest.raises(CancelledError):
        save_images_csv(tmp_path / "b.csv", layers, lambda: True)
    with pytest.raises(SettingsError, match="no ion image"):
        save_images_tiff(tmp_path / "c.tif", [])
    small = (np.zeros((2, 2), np.float32), {"name": "small"}, "image")
    with pytest.raises(SettingsError, match="small has"):
        save_images_tiff(tmp_path / "c.tif", [*layers, small])
    assert not (tmp_path / "c.tif").exists()


def test_spectra_and_regions_are_tables() -> None:
    one = Trace.of("a", Spectrum(np.array([1.0, 2.0]), np.array([10.0, 20.0])))
    other = Trace.of("b, c", Spectrum(np.array([2.0, 3.0]), np.array([5.0, 6.0])))
    assert spectra_csv([one, other]).splitlines() == [
        'mz,a,"b, c"', "1,10,", "2,20,5", "3,,6",
    ]  # fmt: skip
    assert regions_csv(TwoScans("x").whole(0)).splitlines()[:3] == [
        "spectrum,x,y,z,region,name", "0,0,0,0,0,left", "1,1,0,0,0,left",
    ]  # fmt: skip


def test_many_images_are_those_one_by_one() -> None:
    data = TwoScans("x").whole(0)
    choices = [IonChoice(mz, 1, "Da", log=True) for mz in (100.0, 200.0, 300.0)]
    for regions in (None, (1,)):
        found = ion_images(data, choices, regions)
        for choice, image in zip(choices, found, strict=True):
            np.testing.assert_array_equal(image, ion_image(data, choice, regions))
    assert found[1].tolist() == [pytest.approx([0, 0, np.log(4), np.log(5)])]


def test_shapes_of_another_scale_are_brought_to_the_pixels() -> None:
    viewer: Any = ViewerModel()
    image = viewer.add_image(np.zeros((8, 10)), scale=(2, 2), translate=(100, 50))
    # In the world the pixels 2..5 along y and 3..6 along x.
    box = np.array([[103, 55], [103, 63], [111, 63], [111, 55]]) / 0.5
    shapes = viewer.add_shapes([box], shape_type="ellipse", scale=(0.5, 0.5))
    drawing = drawing_of(shapes, image)
    mask = drawing.mask(8, 10)
    assert mask.sum() == 12  # a disc of 4 pixels has no corners
    assert mask[2:6, 3:7].sum() == 12
    assert not mask[2, 3]
    shapes.data = []
    assert drawing_of(shapes, image) is None
    shapes.add_lines([[[0, 0], [100, 100]]])
    assert drawing_of(shapes, image) is None
    assert drawing_of(image, image) is None


def test_a_polygon_beyond_the_image_is_cut() -> None:
    far = np.array([[-5.0, -5], [-5, 50], [50, 50], [50, -5]])
    assert polygon_mask([far], (3, 4)).all()
    assert not polygon_mask([far + 100], (3, 4)).any()
