"""The pictures of mass spectra in the Browse dock, from the real program.

The data are those of the pages on mass spectra: two sections, and both in one file.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import stage
from msi import write_tissue
from spectrum import write_section

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["pictures"]


def pictures(folder: Path) -> list[Path]:
    """List acquisitions, open one of two in a file, and fill the form of a job."""
    from napari_scope.formats.msi.convert import convert_msi

    data = stage.keep_away() / "imaging"
    both = data / "both"
    both.mkdir(parents=True)
    write_tissue(both / "brain.imzML")
    write_section(both / "section.imzML")
    convert_msi(both, data / "both sections.h5")
    for file in list(both.iterdir()):
        shutil.move(file, data / file.name)
    both.rmdir()
    with stage.window() as viewer:
        from napari_scope.widgets.browsing.browse_dock import BrowseDock
        from napari_scope.widgets.browsing.store_menu import StoreTarget, StoreWish

        dock = stage.docked(viewer, BrowseDock(viewer), "Browse data")
        dock.show_folder(str(data))
        page = dock.folder_page
        stage.until(lambda: page.model.count == 3)
        stage.until(lambda: all(r.looked is not None for r in page.model.rows))
        _open(viewer, dock, data / "section.imzML")
        dock.tabs.setCurrentWidget(page)
        page.view.icon_view.setCurrentIndex(page.model.index(1, 0))
        stage.rest(1)
        page.place_field.box.setEditText("/imaging")
        listed = stage.shoot(viewer, folder / "browse-msi.png")
        wish = StoreWish(
            "convert", (StoreTarget(str(data / "section.imzML"), "msi"),), "ome-zarr"
        )
        dock.activity.do(wish)
        dock.tabs.setCurrentWidget(dock.activity)
        form = dock.activity.msi_form
        form.ions_edit.setText("766.539 885.550 888.624")
        form.unit_box.setCurrentText("ppm")
        form.tolerance_box.setValue(10)
        stage.rest(1)
        form.target_edit.setText("/imaging/section.ome.zarr")
        asked = stage.shoot(
            viewer,
            folder / "browse-msi-convert-light.png",
            theme="light",
            size=stage.SMALL,
        )
    return [listed, asked]


def _open(viewer: Any, dock: Any, path: Path) -> None:
    dock.open_path(str(path))
    stage.until(lambda: bool(viewer.layers) and not dock._care.busy)
    viewer.layers.selection.active = viewer.layers[0]
    stage.rest(1)
    dock.path_edit.setText(f"/imaging/{path.name}")
