"""How the benchmarks of mass-spectrometry images open files, and compare images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "NAME",
    "data_in",
    "imzy_reader",
    "open_imzy",
    "open_ours",
    "open_pyimzml",
    "pyimzml_reader",
    "same",
]

NAME = "data.imzML"
"""The file in the folder that all cases share."""


def open_ours(path: Path) -> int:
    """Open a file; returns the number of spectra."""
    from napari_scope.formats.msi import open_msi

    with open_msi(path) as reader:
        assert len(reader.data.pixels.grid)
        return len(reader.data)


def open_pyimzml(path: Path) -> int:
    """Open a file with pyimzML; returns the number of spectra."""
    with pyimzml_reader(path) as parser:
        return len(parser.coordinates)


def open_imzy(path: Path) -> int:
    """Open a file with imzy; returns the number of spectra."""
    # It leaves a file of its own behind, from which it would open the second time.
    path.with_suffix(".icache").unlink(missing_ok=True)
    return int(imzy_reader(path).n_pixels)


def data_in(folder: Path) -> Any:
    """Return the data set of the file in a folder."""
    from napari_scope.formats.msi import open_msi

    return open_msi(folder / NAME).data


def pyimzml_reader(path: Path) -> Any:
    """Return pyimzML's reader of a file."""
    from pyimzml.ImzMLParser import ImzMLParser

    # Of the two that it can use, whatever else is installed, this one is the faster.
    return ImzMLParser(str(path), parse_lib="ElementTree")


def imzy_reader(path: Path) -> Any:
    """Return imzy's reader of a file."""
    from imzy import get_reader

    return get_reader(path)


def same(expected: Callable[[], Any]) -> Callable[[object], None]:
    """Return what raises unless an image is the expected one."""
    kept: list[Any] = []

    def verify(found: Any) -> None:
        if not kept:
            kept.append(expected())
            if not kept[0].any():
                raise ValueError("the window lies between two values of the m/z axis")
        image = np.nan_to_num(np.asarray(found, np.float32))
        if image.shape != kept[0].shape or not np.allclose(image, kept[0], rtol=1e-4):
            raise ValueError("this is not the image that was stored")

    return verify
