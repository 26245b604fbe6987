"""The form for a conversion of mass-spectrometry images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt
from tests.formats.msi_folder import write_imzml

from napari_scope.errors import ScopeError
from napari_scope.formats.msi.convert import Ion
from napari_scope.widgets.browsing.msi_form import MSIForm, MSIWish, ions_in
from napari_scope.widgets.browsing.store_menu import StoreTarget

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


@pytest.fixture
def form(qtbot: QtBot) -> MSIForm:
    made = MSIForm()
    qtbot.addWidget(made, before_close_func=MSIForm.close_down)
    return made


def test_ions_are_typed(form: MSIForm, qtbot: QtBot, tmp_path: Path) -> None:
    source = write_imzml(tmp_path / "brain.imzML")
    form.show_targets([StoreTarget(str(source), "msi")], "ome-zarr")
    form.show()
    assert form.options.ions == () and not form.normalise_box.isEnabled()
    qtbot.keyClicks(form.ions_edit, "150.5 200,25;")
    form.tolerance_box.setValue(10)
    form.unit_box.setCurrentText("ppm")
    form.normalise_box.setCurrentIndex(form.normalise_box.findData("tic"))
    wishes: list[MSIWish] = []
    form.wanted.connect(wishes.append)
    qtbot.mouseClick(form.start_button, Qt.MouseButton.LeftButton)
    (wish,) = wishes
    assert wish.path == str(tmp_path / "brain.ome.zarr")
    assert wish.options.ions == (Ion(150.5, 10, "ppm"), Ion(200.25, 10, "ppm"))
    assert wish.options.normalise == "tic"


def test_what_is_no_number_is_told(form: MSIForm, tmp_path: Path) -> None:
    form.show_targets([StoreTarget(str(tmp_path / "a.imzML"), "msi")], "ome-zarr")
    form.show()
    form.ions_edit.setText("150 abc")
    assert not form.start_button.isEnabled() and form.problem_label.isVisible()
    form.ions_edit.setText("150")
    assert form.start_button.isEnabled() and not form.problem_label.isVisible()


def test_whole_spectra_need_no_ions(
    form: MSIForm, qtbot: QtBot, tmp_path: Path
) -> None:
    source = write_imzml(tmp_path / "brain.imzML")
    form.show_targets([StoreTarget(str(source), "msi")], "imzml")
    form.show()
    for hidden in (form.ions_edit, form.tolerance_box, form.normalise_box):
        assert not hidden.isVisible()
    # The plain name is taken: by the source.
    free = str(tmp_path / "brain_2.imzML")
    qtbot.waitUntil(lambda: form.target_edit.text() == free)
    form.compression_box.setCurrentText("zlib")
    assert form.options.compression == "zlib" and form.options.verify
    form.format_box.setCurrentIndex(form.format_box.findData("openmsi"))
    assert form.target_edit.text().endswith("brain.h5")
    assert form.compression_box.findText("gzip") >= 0


def test_a_list_of_ions_keeps_names_and_tolerances(
    form: MSIForm, qtbot: QtBot, tmp_path: Path
) -> None:
    table = tmp_path / "lipids.csv"
    table.write_text("name,mz,tolerance,unit\nPI,885.55,5,ppm\n")
    form.show_targets([StoreTarget(str(tmp_path / "a.imzML"), "msi")], "ome-zarr")
    form.read_list(str(table))
    qtbot.waitUntil(lambda: form.ions_edit.text() == "lipids.csv (1 ions)")
    assert form.options.ions == (Ion(885.55, 5, "ppm", "PI"),)
    form.ions_edit.setText("100")
    assert form.options.ions == (Ion(100.0),)
    form.read_list(str(tmp_path / "gone.csv"))
    qtbot.waitUntil(
        lambda: (
            "gone.csv" in form.problem_label.text() or bool(form.problem_label.text())
        )
    )


def test_several_get_names_beside_them(form: MSIForm, tmp_path: Path) -> None:
    targets = [StoreTarget(str(tmp_path / n), "msi") for n in ("a.imzML", "b.mzML")]
    form.show_targets(targets, "ome-zarr")
    form.show()
    assert not form.target_edit.isVisible() and form.start_button.isEnabled()
    wishes: list[MSIWish] = []
    form.wanted.connect(wishes.append)
    form.start_button.click()
    assert wishes[0].path == "" and len(wishes[0].targets) == 2


@pytest.mark.parametrize("text", ["x", "-5", "10 nan", "1e999"])
def test_ions_that_make_no_sense(text: str) -> None:
    with pytest.raises(ScopeError):
        ions_in(text)
