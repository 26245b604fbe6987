"""What the dock saves is read by other programs; nothing is replaced unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtWidgets import QDialog
from tests.widgets.spectrum.msi_samples import DISC, RING, TwoScans, write_peaks

from napari_scope.errors import CancelledError
from napari_scope.formats.msi import Spectrum, open_msi
from napari_scope.layers.msi_build import reader_to_layers
from napari_scope.widgets.spectrum import saving
from napari_scope.widgets.spectrum.exports import save_images_tiff
from napari_scope.widgets.spectrum.saving import file_name, with_ending
from napari_scope.widgets.spectrum.spectrum_dock import SpectrumDock
from napari_scope.widgets.spectrum.tables_out import regions_csv, spectra_csv
from napari_scope.widgets.spectrum.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    words: list[str] = []
    monkeypatch.setattr(saving, "notify", lambda text, *_, **__: words.append(text))
    return words


@pytest.fixture
def dock(
    qtbot: QtBot, no_thread_is_left: None, tmp_path: Path, told: list[str]
) -> Iterator[SpectrumDock]:
    viewer: Any = ViewerModel()
    made = SpectrumDock(viewer)
    qtbot.addWidget(made)
    for one in reader_to_layers(open_msi(write_peaks(tmp_path / "a.imzML"))):
        viewer.add_layer(Layer.create(*one))
    qtbot.waitUntil(lambda: not made.busy)
    for mz in (DISC, RING):
        made.pages.form.set_mz(mz)
        qtbot.waitUntil(lambda: not made.busy)
        made.ions.add()
        qtbot.waitUntil(lambda: not made.busy)
    yield made
    made.shut_down()
    viewer.layers.clear()


def save(
    dock: SpectrumDock,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    entry: str,
    path: Path,
) -> Path:
    """Choose an entry of the menu and a path; return the path that was offered."""
    offered: list[Path] = []

    def ask(_: object, __: str, start: Path, ___: object, then: Any, *, save: bool):
        assert save
        offered.append(start)
        then(path)
        return QDialog()

    monkeypatch.setattr(saving, "ask_path", ask)
    action = next(a for a in dock.bar.export_menu.actions() if entry in a.text())
    action.trigger()
    qtbot.waitUntil(lambda: not dock.busy)
    return offered[0]


def test_spectra_that_are_not_drawn_are_not_saved(
    dock: SpectrumDock, qtbot: QtBot, tmp_path: Path, told: list[str]
) -> None:
    traces = dock.pages.traces
    mz = np.array([100.0, 200.0])
    for name in ("seen", "hidden"):
        traces.put(Trace(name, Spectrum(mz, mz), shown=name == "seen"))
    dock.saving.spectra(tmp_path / "a.csv")
    qtbot.waitUntil(lambda: not dock.busy)
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert "seen" in text and "hidden" not in text


def test_other_programs_read_what_is_saved(
    dock: SpectrumDock,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    told: list[str],
) -> None:
    images = [x.data for x in dock._viewer.layers if x.name.startswith("m/z")]

    start = save(dock, qtbot, monkeypatch, "OME-TIFF", tmp_path / "one v1.2")
    assert start.name == "a.ome.tif"
    with tifffile.TiffFile(tmp_path / "one v1.2.ome.tif") as file:
        np.testing.assert_array_equal(file.asarray(), images)
        assert 'PositionX="' in file.ome_metadata

    save(dock, qtbot, monkeypatch, "OME-Zarr", tmp_path / "one")
    (store,) = tmp_path.glob("one*.zarr")
    about = json.loads((store / "zarr.json").read_text())
    assert "ome" in about["attributes"]
    group = zarr.open(store, mode="r")
    stored = [np.asarray(a) for _, a in _arrays(group) if a.shape[-2:] == (8, 12)]
    for image in images:
        assert any((x.reshape(-1, 8, 12) == image).all((1, 2)).any() for x in stored)

    save(dock, qtbot, monkeypatch, "Ion images (CSV)", tmp_path / "images")
    table = pandas.read_csv(tmp_path / "images.csv")
    values = table.iloc[:, 2].to_numpy()
    np.testing.assert_allclose(values.reshape(8, 12), images[0], rtol=1e-6)

    save(dock, qtbot, monkeypatch, "Spectra (CSV)", tmp_path / "spectra.csv")
    table = pandas.read_csv(tmp_path / "spectra.csv")
    mean = dock.pages.traces.traces[0]
    np.testing.assert_allclose(table["mz"], mean.mz, rtol=1e-9)
    np.testing.assert_allclose(table["Mean"], mean.intensities, rtol=1e-8)

    save(dock, qtbot, monkeypatch, "Regions", tmp_path / "regions.csv")
    assert len(pandas.read_csv(tmp_path / "regions.csv")) == 96
    assert len(told) == 5 and all("Saved as" in words for words in told)


def _arrays(group: Any) -> Any:
    for name, one in group.members(max_depth=None):
        if hasattr(one, "shape"):
            yield name, one


def test_nothing_is_replaced_unasked(
    dock: SpectrumDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The dialog has asked about "x", not about what it becomes.
    for entry, name in (("OME-TIFF", "x.ome.tif"), ("Spectra (CSV)", "x.csv")):
        there = tmp_path / name
        there.write_text("mine")
        save(dock, qtbot, monkeypatch, entry, tmp_path / "x")
        assert there.read_text() == "mine"
        assert "exists" in dock.error_panel.text.text()
        dock.error_panel.clear()
        save(dock, qtbot, monkeypatch, entry, there)  # it was asked about that
        assert there.read_bytes() != b"mine"
        assert dock.error_panel.error is None
    folder = tmp_path / "mine.ome.zarr"
    folder.mkdir()
    (folder / "data").write_text("mine")
    save(dock, qtbot, monkeypatch, "OME-Zarr", folder)
    assert (folder / "data").read_text() == "mine"
    assert dock.error_panel.error is not None


def test_nothing_to_save_is_told(
    dock: SpectrumDock,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    told: list[str],
) -> None:
    dock.pages.traces.clear_traces()
    for layer in [x for x in dock._viewer.layers if "m/z" in x.name and "±" in x.name]:
        dock._viewer.layers.remove(layer)
    save(dock, qtbot, monkeypatch, "Spectra (CSV)", tmp_path / "s.csv")
    save(dock, qtbot, monkeypatch, "OME-TIFF", tmp_path / "s.ome.tif")
    assert [words.split()[0] for words in told] == ["Tick", "There"]
    assert not list(tmp_path.glob("s.*"))


def test_a_list_of_a_spreadsheet_is_opened(
    dock: SpectrumDock, qtbot: QtBot, tmp_path: Path, told: list[str]
) -> None:
    text = "Name;m/z [Da];Toleranz\nPhosphät;885,55;\nfalsch;x;\n"
    for number, encoding in enumerate(("cp1252", "utf-16", "utf-8-sig")):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.replace("885", f"88{number}").encode(encoding))
        dock.saving.open_list(path)
        qtbot.waitUntil(lambda: not dock.busy)
    found = [(t.name, t.mz) for t in dock.pages.table.targets]
    assert found == [("Phosphät", 880.55), ("Phosphät", 881.55), ("Phosphät", 882.55)]
    assert all("line 3: falsch" in words for words in told) and len(told) == 3
    dock.saving.open_list(tmp_path / "none.csv")
    qtbot.waitUntil(lambda: not dock.busy)
    assert "cannot be read" in dock.error_panel.text.text()
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(saving._MOST_BYTES + 1)
    dock.saving.open_list(tmp_path / "large.csv")
    qtbot.waitUntil(lambda: not dock.busy)
    assert "too large" in dock.error_panel.text.text()


def test_names_of_files() -> None:
    name = "run FTMS + p MALDI Full ms2 50/60:1 <a>|b* [100.00-200.00] "
    assert (
        file_name(name) == "run FTMS + p MALDI Full ms2 50-60-1 -a-b- [100.00-200.00]"
    )
    assert file_name("///") == "spectra"
    assert len(file_name("x" * 500)) == 120
    assert with_ending(Path("a.TIF"), ".ome.tif") == Path("a.TIF")
    assert with_ending(Path("a.tsv"), ".csv") == Path("a.tsv")
    assert with_ending(Path("d/a.b"), ".ome.zarr") == Path("d/a.b.ome.zarr")


def test_tables_are_cancelled_and_add_up() -> None:
    twice = Trace.of(
        "a", Spectrum(np.array([1.0, 1.0, 2.0]), np.array([3.0, 4.0, 5.0]))
    )
    assert spectra_csv([twice]).splitlines() == ["mz,a", "1,7", "2,5"]
    for call in (
        lambda: spectra_csv([twice], lambda: True),
        lambda: regions_csv(TwoScans("x").whole(0), lambda: True),
    ):
        with pytest.raises(CancelledError):
            call()


def test_a_volume_keeps_its_steps(tmp_path: Path) -> None:
    image = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arguments = {
        "name": "ion",
        "scale": (10.0, 2.0, 3.0),
        "translate": (5.0, 6.0, 7.0),
        "units": ("micrometer",) * 3,
    }
    path = save_images_tiff(tmp_path / "v.ome.tif", [(image, arguments, "image")] * 2)
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(file.asarray(), [image, image])
        told = file.ome_metadata
    for words in ('PhysicalSizeZ="10.0"', 'PhysicalSizeY="2.0"', 'PhysicalSizeX="3.0"'):
        assert words in told
    assert told.count('PositionZ="15.0"') == 2 == told.count('PositionZ="5.0"')
    assert told.count('PositionX="7.0"') == 4
