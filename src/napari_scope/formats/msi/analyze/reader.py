"""Opens Analyze 7.5 with mass spectra: .hdr says the shape, .t2m the m/z axis.

Examples
--------
>>> with AnalyzeReader("sample.hdr") as reader:  # doctest: +SKIP
...     reader[1, 1, :], reader[:, :, 500]
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.msi.analyze.bins import bins_of
from napari_scope.formats.msi.analyze.files import AnalyzeFiles, find_files, stems_in
from napari_scope.formats.msi.analyze.header import (
    LEAST_BYTES,
    AnalyzeHeader,
    order_of,
)
from napari_scope.formats.msi.analyze.spectra import AnalyzeSpectra
from napari_scope.formats.msi.reader import MSIReader
from napari_scope.formats.msi.resting_file import OneRestingFile, RestingFile
from napari_scope.formats.msi.spectra import MetadataValue, PixelSize

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from napari_scope.formats.msi.blocks import Values
    from napari_scope.formats.msi.spectra import Spectra

    PathLike = str | os.PathLike[str]

__all__ = ["AnalyzeReader"]

_HEADER: Final = 4096  # bytes that are read of a header
_MOST_AXIS: Final = 256 << 20


class AnalyzeReader(OneRestingFile, MSIReader):
    """Reads spectra over a plane from Analyze files.

    x and y are those of the file, dim[2] and dim[3] of the header: the cube is
    (x, y, m/z), images are (y, x). Without a .t2m file the numbers of the bins stand
    for the m/z axis; such files open when this format is asked for, they are never
    claimed.

    Parameters
    ----------
    hdr_filename, t2m_filename, img_filename : str or PathLike, optional
        All three files, instead of the basename.
    basename : str or PathLike
        One of the files, their common name without a suffix, or a folder (the first
        one by name, if it has several). May also be the first and only argument.
    requires_slicing : bool
        See `MSIReader`.

    Attributes
    ----------
    files : AnalyzeFiles
        The files.
    header : AnalyzeHeader
        What the header says.

    Raises
    ------
    ValueError
        If both the basename and files are given, or not all of the files.
    FormatError
        If a file is missing or they are no spectra.
    """

    name: ClassVar[str] = "analyze"

    def __init__(
        self,
        hdr_filename: PathLike | None = None,
        t2m_filename: PathLike | None = None,
        img_filename: PathLike | None = None,
        basename: PathLike | None = None,
        requires_slicing: bool = True,
    ) -> None:
        names = (hdr_filename, t2m_filename, img_filename)
        given = [name for name in names if name is not None]
        # A reader is made from a path alone, and that is the first argument.
        if len(given) == 1 and hdr_filename is not None and basename is None:
            basename, given = hdr_filename, []
        if basename is not None and given:
            raise ValueError("either a basename or three files are to be given")
        if basename is None and len(given) != 3:
            raise ValueError(
                f"a basename or three files were expected, {len(given)} are given"
            )
        self._given: AnalyzeFiles | None = None
        if basename is None:
            hdr, t2m, img = (Path(name) for name in given)
            self._given = AnalyzeFiles(hdr, img, t2m)
            basename = hdr.with_suffix("")
        super().__init__(basename, requires_slicing)

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """Return whether a path stands for a header, an image and an m/z axis.

        Many other programs have .hdr and .img files: without a .t2m file they are not
        claimed.
        """
        found = find_files(name)
        if found is None or found.t2m is None:
            return False
        try:
            with found.hdr.open("rb") as file:
                data = file.read(LEAST_BYTES)
            size = found.hdr.stat().st_size
        except OSError:
            return False
        return len(data) == LEAST_BYTES and order_of(data, size) is not None

    @classmethod
    def size(cls, name: PathLike) -> int | None:
        """Return the bytes of the .img file."""
        found = find_files(name)
        try:
            return None if found is None else found.img.stat().st_size
        except OSError:
            return None

    @classmethod
    def get_files_from_dir(cls, dirname: PathLike) -> list[str]:
        """Return the common names of the files in a folder, with the folder."""
        return [str(Path(dirname) / stem) for stem in stems_in(Path(dirname))]

    def _open(self) -> Sequence[Spectra]:
        files = self._given or find_files(self.basename)
        if files is None:
            raise FormatError(
                "the files .hdr and .img of one name were not found", path=self.basename
            )
        self.files = files
        data, size = _head_of(files.hdr, _HEADER)
        header = AnalyzeHeader.parse(data, files.hdr, size)
        self.header = header
        try:
            self._file = RestingFile(files.img)
        except OSError as error:
            raise _unreadable(files.img, error) from error
        mz = self._axis(files, header, self._file.size())
        return (
            AnalyzeSpectra(
                self._file,
                header,
                mz,
                metadata=_said_of(header),
                pixel_size=_pixel_size(header),
            ),
        )

    def _axis(self, files: AnalyzeFiles, header: AnalyzeHeader, size: int) -> Values:
        """Return the m/z axis; what was wrong goes to the problems."""
        values: Values | None = None
        if files.t2m is not None:
            data, whole = _head_of(files.t2m, _MOST_AXIS)
            if whole > _MOST_AXIS:
                raise FormatError(
                    f"an m/z axis of {whole:,} bytes is not read", path=files.t2m
                )
            values = np.frombuffer(data[: len(data) // 4 * 4], header.order + "f4")
        there = max(0, size - header.offset)
        room, left = divmod(there, header.pixels * header.dtype.itemsize)
        count = None if values is None else len(values)
        bins, problems = bins_of(stated=header.bins, room=room, values=count, left=left)
        if bins is None:
            axis = "no m/z axis" if count is None else f"an m/z axis of {count} values"
            raise FormatError(
                f"the header says {header.width} x {header.height} pixels of "
                f"{header.bins} bins, the image of {size:,} bytes has room for {room}, "
                f"there is {axis}",
                path=files.img,
                hint="a file was probably not copied whole",
            )
        if values is None:
            problems.append(
                "there is no m/z axis (.t2m): the numbers of the bins stand for it"
            )
            mz: Values = np.arange(bins, dtype=np.float64)
        else:
            mz = values[:bins]
            if not np.isfinite(mz).all():
                raise FormatError("the m/z axis is not of numbers", path=files.t2m)
            if np.any(np.diff(mz) < 0):
                problems.append(
                    "the m/z values do not ascend; they are used as they are"
                )
        self.problems = tuple(problems)
        return mz


def _head_of(path: Path, most: int) -> tuple[bytes, int]:
    """Return the first bytes of a file, and how many it has."""
    try:
        with DataFile.open(path) as file:
            size = file.size()
            return file.read_at(0, min(size, most)), size
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> FormatError:
    return FormatError(f"the file cannot be read: {error.strerror}", path=path)


def _said_of(header: AnalyzeHeader) -> dict[str, MetadataValue]:
    """Return what a header says, without what it leaves empty."""
    width, height = header.pixel_size
    said = {
        "description": MetadataValue(header.description),
        "pixel width": MetadataValue(width, "mm"),
        "pixel height": MetadataValue(height, "mm"),
    }
    return {key: one for key, one in said.items() if one.value}


def _pixel_size(header: AnalyzeHeader) -> PixelSize | None:
    """Return the size of a pixel; 1 mm is what programs write that do not know it."""
    width, height = header.pixel_size
    good = all(np.isfinite(one) and one > 0 for one in (width, height))
    if not good or (width, height) == (1.0, 1.0):
        return None
    return PixelSize(1e3 * width, 1e3 * height)
