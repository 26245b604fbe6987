"""Where in the .ibd file the arrays of each spectrum lie, checked against its size.

Wild files are met as they are: offsets that a program wrote with 32 bits, lengths that
are left out, files that were not copied whole. What can be told apart is put right and
told in words; a spectrum whose arrays do not lie in the file is empty, the others open.
Spectra whose arrays are stored in another way than those of the others (another type,
packed or not) are a part of their own.

Examples
--------
>>> layout = lay_out(document, size_of_ibd, "brain.imzML")  # doctest: +SKIP
>>> layout.parts[0].mz.offset[:2]  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml.arrays import Arrays, check_arrays
from napari_scope.formats.msi.imzml.entry import MISSING
from napari_scope.formats.msi.imzml.wrapped import unwrapped
from napari_scope.formats.msi.pixels import PixelTable

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.arrays import CheckedArrays
    from napari_scope.formats.msi.imzml.document import Document
    from napari_scope.formats.msi.imzml.entry import ArrayForm

    Integers = npt.NDArray[np.int64]

__all__ = ["Layout", "Part", "lay_out"]


@dataclass(frozen=True, eq=False)
class Part:
    """Spectra whose arrays are stored in one way.

    Parameters
    ----------
    numbers : ndarray of int64, (spectra of the part,)
        Which spectra of the data set they are.
    mz, intensity : Arrays
        Where their values lie in the file.
    """

    numbers: Integers
    mz: Arrays
    intensity: Arrays


@dataclass(frozen=True, eq=False)
class Layout:
    """All spectra that can be read.

    Parameters
    ----------
    pixels : PixelTable
        Where they lie in the image.
    parts : tuple of Part
        Where their values lie in the file; one part of nearly all files.
    total : ndarray of float64, (spectra,)
        Sums of all intensities as the file has them; NaN where it does not.
    form : ndarray of int64, (spectra,)
        Numbers of their forms.
    problems : tuple of str
        What was wrong, in words.
    """

    pixels: PixelTable
    parts: tuple[Part, ...]
    total: npt.NDArray[np.float64]
    form: Integers
    problems: tuple[str, ...]


def lay_out(document: Document, ibd_size: int, path: str | os.PathLike[str]) -> Layout:
    """Say where the arrays lie.

    Parameters
    ----------
    document : Document
        What the XML says.
    ibd_size : int
        Bytes of the .ibd file.
    path : str or PathLike
        What error messages name.

    Raises
    ------
    FormatError
        If no spectrum has a place and arrays of a known type.
    """
    problems: list[str] = []
    placed = (document.columns["x"] != MISSING) & (document.columns["y"] != MISSING)
    if not placed.all():
        problems.append(
            f"{_count(~placed)} of {len(placed)} spectra have no position and are left "
            f"out, the first is number {int(np.flatnonzero(~placed)[0])}"
        )
    if not placed.any():
        raise FormatError(
            f"none of the {len(placed)} spectra has a position (IMS:1000050, "
            "IMS:1000051)",
            path=path,
            hint="a file of mzML that is no image has none; it is opened as .mzML",
        )
    columns = {name: values[placed] for name, values in document.columns.items()}
    form = document.form[placed]
    for number in np.unique(form).tolist():
        problems += document.forms[number].oddities
    columns = unwrapped(columns, document, form, ibd_size, problems)
    mz = check_arrays("mz", columns, document, form, ibd_size, problems, path)
    intensity = check_arrays(
        "intensity", columns, document, form, ibd_size, problems, path
    )
    parts = _parts(mz, intensity, problems)
    z = np.where(columns["z"] == MISSING, 1, columns["z"])
    pixels = _pixels(columns["x"], columns["y"], z, path)
    if pixels.duplicates:
        problems.append(
            f"{pixels.duplicates} pixels have several spectra: the last one is shown"
        )
    said_once = tuple(dict.fromkeys(problems))
    return Layout(pixels, parts, columns["total"], form, said_once)


def _pixels(
    x: Integers, y: Integers, z: Integers, path: str | os.PathLike[str]
) -> PixelTable:
    try:
        return PixelTable.of(x - 1, y - 1, z - 1)  # positions count from 1
    except FormatError as error:
        # Which spectrum is to blame: the one that lies farthest from the middle.
        middle = [float(np.median(column)) for column in (x, y, z)]
        away = sum(
            np.abs(column - m) for column, m in zip((x, y, z), middle, strict=True)
        )
        far = int(np.argmax(away))
        raise FormatError(
            f"{error.message}; spectrum {far} lies at ({x[far]}, {y[far]}, {z[far]})",
            path=path,
            hint=error.hint,
        ) from error


def _parts(
    mz: CheckedArrays, intensity: CheckedArrays, problems: list[str]
) -> tuple[Part, ...]:
    """Return the spectra by how their arrays are stored; empty ones join any part."""
    empty = (mz.length == 0) | (intensity.length == 0)
    pair = mz.kind * len(intensity.kinds) + intensity.kind
    used = np.unique(pair[~empty]) if not empty.all() else pair[:1]
    pair = np.where(empty, used[0], pair)
    parts = []
    unequal: list[tuple[int, int, int]] = []
    for one in used.tolist():
        numbers = np.flatnonzero(pair == one)
        of_mz, of_intensity = divmod(one, len(intensity.kinds))
        part = Part(
            numbers,
            _arrays_of(mz, numbers, mz.kinds[of_mz]),
            _arrays_of(intensity, numbers, intensity.kinds[of_intensity]),
        )
        parts.append(_same_length(part, unequal))
    if unequal:
        first, values, intensities = min(unequal)
        problems.append(
            f"{len(unequal)} spectra have more of one array than of the other; "
            f"spectrum {first} has {values} m/z values and {intensities} intensities"
        )
    return tuple(parts)


def _arrays_of(checked: CheckedArrays, numbers: Integers, stored: ArrayForm) -> Arrays:
    # Where all spectra are empty, their type may not be told.
    return Arrays(
        checked.offset[numbers],
        checked.size[numbers],
        checked.length[numbers],
        np.dtype("<f4") if stored.dtype is None else stored.dtype,
        "zlib" if stored.compression == "zlib" else "none",
    )


def _same_length(part: Part, unequal: list[tuple[int, int, int]]) -> Part:
    """Return a part in which no spectrum has more of one array than of the other.

    Shared m/z values stay whole: spectra may have fewer intensities than they.
    """
    mz, intensity = part.mz, part.intensity
    odd = mz.length != intensity.length
    if not odd.any():
        return part
    shortest = np.minimum(mz.length, intensity.length)
    for row in np.flatnonzero(odd & (shortest > 0)).tolist():
        lengths = int(mz.length[row]), int(intensity.length[row])
        unequal.append((int(part.numbers[row]), *lengths))
    if mz.shared is None:
        mz = _cut(mz, shortest)
    return Part(part.numbers, mz, _cut(intensity, shortest))


def _cut(arrays: Arrays, length: Integers) -> Arrays:
    """Return arrays with fewer values; packed ones are cut when they are unpacked."""
    if arrays.compression == "none":
        size = length * arrays.dtype.itemsize
    else:
        length = np.where(length == 0, 0, arrays.length)
        size = np.where(length == 0, 0, arrays.size)
    return Arrays(arrays.offset, size, length, arrays.dtype, arrays.compression)


def _count(flags: npt.NDArray[np.bool_]) -> int:
    return int(flags.sum())
