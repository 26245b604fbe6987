"""The pictures of the page of the Spectra dock, from the real program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import stage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["pictures", "write_section"]

_IONS = (
    ("PE 38:4", 766.539, 0.32, 0.42, 0.16, 600.0),
    ("PI 38:4", 885.550, 0.62, 0.55, 0.20, 900.0),
    ("ST 24:1", 888.624, 0.50, 0.30, 0.10, 700.0),
    ("PS 40:6", 834.529, 0.72, 0.72, 0.12, 450.0),
)


def pictures(folder: Path) -> list[Path]:
    """Look at a made-up section: a peak, several ions, a region, an error."""
    made: list[Path] = []
    with stage.window() as viewer:
        from napari_scope.widgets.spectrum.spectrum_dock import SpectrumDock

        path = write_section(stage.keep_away() / "section.imzML")
        dock = SpectrumDock(viewer)
        viewer.window.add_dock_widget(dock, name="Spectra", area="bottom")
        stage.rest(0.3)
        viewer.open(str(path), plugin="napari-scope")
        _settle(dock)
        viewer.layers.selection.active = viewer.layers[0]
        dock.plot.picked.emit(885.550)
        _settle(dock)
        made.append(stage.shoot(viewer, folder / "spectra-dock.png"))

        dock.spectra.watch.clicked.emit((62, 41, 0), False)
        for _, mz, *_ in _IONS[:3]:
            dock.pages.form.set_mz(mz)
            _settle(dock)
            dock.ions.add()
            _settle(dock)
        _draw_region(viewer)
        dock.spectra.show_drawn()
        _settle(dock)
        dock.pages.setCurrentIndex(1)
        dock.plot.show_range(740, 920)
        made.append(stage.shoot(viewer, folder / "spectra-dock-overlay.png"))

        _fill_list(dock)
        dock.pages.setCurrentIndex(2)
        light = folder / "spectra-dock-list-light.png"
        made.append(stage.shoot(viewer, light, theme="light", size=stage.SMALL))

        with path.with_suffix(".ibd").open("r+b") as file:
            file.truncate(200_000)
        dock.spectra.watch.clicked.emit((75, 50, 0), False)
        _settle(dock)
        error = folder / "spectra-dock-error.png"
        made.append(stage.shoot(viewer, error, theme="dark", size=stage.SMALL))
    return made


def _settle(dock: Any) -> None:
    stage.until(lambda: not dock.busy)
    stage.rest(0.3)
    stage.until(lambda: not dock.busy)


def _draw_region(viewer: Any) -> None:
    tic = viewer.layers[0]
    corners = [tic.data_to_world(p) for p in ((30, 48), (30, 72), (52, 72), (52, 48))]
    viewer.add_shapes(
        [corners],
        shape_type="polygon",
        name="tumour",
        face_color="transparent",
        edge_color="white",
        edge_width=30,
        units=("micrometer", "micrometer"),
    )


def _fill_list(dock: Any) -> None:
    from napari_scope.widgets.spectrum.mz_targets import MzTarget

    dock.pages.table.add(MzTarget(name, mz, 10.0, "ppm") for name, mz, *_ in _IONS)


def write_section(path: Path) -> Path:
    """Write a section of lipids with a border, a core and noise."""
    import numpy as np

    from napari_scope.formats.msi.imzml.writer import ImzMLWriter

    rng = np.random.default_rng(8)
    width, height = 110, 75
    with ImzMLWriter(path, pixel_um=(50, 50), polarity="negative") as writer:
        for y in range(height):
            for x in range(width):
                u, v = x / width, y / height
                tissue = ((u - 0.5) / 0.46) ** 2 + ((v - 0.5) / 0.44) ** 2
                if tissue > 1 + 0.06 * np.sin(9 * np.arctan2(v - 0.5, u - 0.5)):
                    continue
                mz, heights = [], []
                for _, at, a, b, wide, high in _IONS:
                    near = np.exp(-((u - a) ** 2 + (v - b) ** 2) / (2 * wide**2))
                    for isotope, part in enumerate((1.0, 0.5, 0.15)):
                        mz.append(at + 1.00335 * isotope)
                        heights.append(high * part * near * rng.gamma(8, 1 / 8))
                mz = np.array([*mz, *rng.uniform(600, 1000, 60)])
                heights = np.array([*heights, *rng.gamma(1.0, 6.0, 60)])
                order = np.argsort(mz)
                writer.write(x, y, mz[order], heights[order])
    return path
