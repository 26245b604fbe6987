"""The pictures of the page on mass-spectrometry images.

The data are made up: an ellipse of tissue with five lipids, written as imzML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import stage

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["pictures", "write_tissue"]

_WIDTH, _HEIGHT = 120, 80
_LIPIDS: Final = (  # m/z, place and extent of a blob, in parts of the image
    (734.5694, 0.30, 0.50, 0.20, 0.30),
    (760.5851, 0.60, 0.40, 0.15, 0.20),
    (788.6164, 0.75, 0.60, 0.12, 0.30),
    (850.6437, 0.50, 0.25, 0.40, 0.08),
    (885.5499, 0.50, 0.55, 0.35, 0.12),
)


def pictures(folder: Path) -> list[Path]:
    """Make the pictures of the page on mass-spectrometry images."""
    data = stage.keep_away() / "data"
    data.mkdir(exist_ok=True)
    path = write_tissue(data / "brain.imzML")
    with stage.window(size=stage.SMALL) as viewer:
        viewer.open(str(path), plugin="napari-scope")
        from napari_scope.widgets.browsing.mz_slider import mz_slider

        slider = mz_slider(viewer)
        assert slider is not None
        stage.until(lambda: slider.mz is not None)
        tic = stage.shoot(viewer, folder / "msi-tic.png")
        slider.layer.visible = True
        slider.show_mz(885.5499)
        channel = stage.shoot(viewer, folder / "msi-channel.png")
    return [tic, channel]


def write_tissue(path: Path) -> Path:
    """Write an image of tissue, continuous, with pixels of 50 micrometers."""
    from napari_scope.formats.msi.imzml.writer import ImzMLWriter

    random = np.random.default_rng(7)
    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    u, v = x / _WIDTH, y / _HEIGHT
    tissue = ((u - 0.5) / 0.47) ** 2 + ((v - 0.5) / 0.45) ** 2 < 1
    grain = random.gamma(12, 1 / 12, tissue.shape)
    axis = np.linspace(700.0, 900.0, 4001)
    lipids = []
    for mz, left, top, wide, high in _LIPIDS:
        blob = np.exp(-(((u - left) / wide) ** 2) - ((v - top) / high) ** 2)
        lipids.append((_peak(axis, mz), blob * tissue * grain * 1000))
    with ImzMLWriter(
        path, mz=axis, pixel_um=(50, 50), origin_um=(2000, 1500), is_profile=True
    ) as writer:
        for row in range(_HEIGHT):
            for column in range(_WIDTH):
                values = random.gamma(1, 0.4, len(axis))
                values *= 1 + 2 * tissue[row, column]
                for peak, image in lipids:
                    values += peak * image[row, column]
                writer.write(column, row, None, values)
    return path


def _peak(axis: npt.NDArray[np.float64], mz: float) -> npt.NDArray[np.float64]:
    peak: npt.NDArray[np.float64] = np.exp(-(((axis - mz) / 0.06) ** 2))
    return peak
