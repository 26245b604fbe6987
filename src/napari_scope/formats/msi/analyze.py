"""Analyze 7.5 with mass spectra: .hdr says the shape, .t2m the m/z axis, .img the rest.

The .img file has m/z fastest, then x, then y. Programs write headers that other readers
refuse: longer than 348 bytes, with more m/z values beside them than the image has, with
a count of bins in 16 bits that was once too small. What the sizes of the files can tell
is used; where they contradict the header, the header counts as long as the image is
large enough for it.

Header fields and the way that they are used here: CardinalIO's description of the
format (a table of offsets), and measured samples.

Examples
--------
>>> with AnalyzeReader("sample.hdr") as reader:  # doctest: +SKIP
...     reader[1, 1, :], reader[:, :, 500]
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np

from napari_scope.errors import DatasetClosedError, FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.msi.blocks import (
    CommonBlock,
    Spectrum,
    columns_in,
    reduce_columns,
)
from napari_scope.formats.msi.pixels import PixelTable
from napari_scope.formats.msi.reader import MSIReader
from napari_scope.formats.msi.spectra import (
    BLOCK_BYTES,
    MetadataValue,
    PixelSize,
    Spectra,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.msi.blocks import Block, Floats, How, Numbers, Values

    PathLike = str | os.PathLike[str]
    Order = Literal["<", ">"]

__all__ = ["AnalyzeHeader", "AnalyzeReader"]

_SUFFIXES: Final = (".hdr", ".img", ".t2m")
_LEAST: Final = 148  # bytes of a header that has all that is needed
_TYPES: Final = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8"}


@dataclass(frozen=True, slots=True)
class AnalyzeHeader:
    """What a header says.

    Parameters
    ----------
    order : {"<", ">"}
        Byte order of all files, little or big endian.
    bins, width, height : int
        Shape of the image.
    dtype : dtype
        Type of the intensities.
    offset : int
        First byte of the intensities in the .img file.
    pixel_size : tuple of float
        Width and height of a pixel as the header has them; without a unit.
    description : str
        Text of the header.
    """

    order: Order
    bins: int
    width: int
    height: int
    dtype: np.dtype[Any]
    offset: int
    pixel_size: tuple[float, float]
    description: str

    @classmethod
    def parse(cls, data: bytes, path: PathLike) -> AnalyzeHeader:
        """Read the bytes of a header.

        Raises
        ------
        FormatError
            If it is none, or one of something else than spectra over a plane.
        """
        if len(data) < _LEAST:
            raise FormatError(
                f"the header has {len(data)} bytes, at least {_LEAST} were expected",
                path=path,
            )
        order = _order(data)
        if order is None:
            raise FormatError(
                "this is no Analyze header: its first number is neither its size nor "
                "is its number of axes from 1 to 7",
                path=path,
            )
        # Counts of bins go beyond what a sign leaves of 16 bits.
        axes = struct.unpack_from(order + "8H", data, 40)
        (code,) = struct.unpack_from(order + "h", data, 70)
        pixdim = struct.unpack_from(order + "8f", data, 76)
        (offset,) = struct.unpack_from(order + "f", data, 108)
        if code not in _TYPES:
            raise FormatError(
                f"values of type {code} are not read", path=path,
                hint=f"the types of Analyze that are: {sorted(_TYPES)}",
            )  # fmt: skip
        if axes[4] > 1 and axes[0] > 3:
            raise FormatError(
                f"the image has a fourth axis of {axes[4]}", path=path,
                hint="spectra over a plane have m/z, x and y only",
            )  # fmt: skip
        return cls(
            order,
            axes[1],
            max(1, axes[2]),
            max(1, axes[3]) if axes[0] > 2 else 1,
            np.dtype(order + _TYPES[code]),
            int(offset) if np.isfinite(offset) and offset > 0 else 0,
            (float(pixdim[2]), float(pixdim[3])),
            data[148:228].split(b"\0")[0].decode("latin-1").strip(),
        )


def _order(data: bytes) -> Order | None:
    """Return the byte order of a header, or None if it is none."""
    orders: tuple[Order, Order] = ("<", ">")
    for order in orders:
        (size,) = struct.unpack_from(order + "i", data, 0)
        if size in (348, len(data)):
            return order
    for order in orders:
        (axes,) = struct.unpack_from(order + "h", data, 40)
        if 1 <= axes <= 7:
            return order
    return None


class AnalyzeReader(MSIReader):
    """Reads spectra over a plane from Analyze files.

    Parameters
    ----------
    hdr_filename, t2m_filename, img_filename : str or PathLike, optional
        All three files, instead of the basename.
    basename : str or PathLike, optional
        One of the files, their common name without a suffix, or a folder (the first
        one by name, if it has several).
    requires_slicing : bool
        See `MSIReader`.

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
        self._file: DataFile | None = None
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
        self._three: tuple[Path, Path, Path] | None = None
        if basename is None:
            hdr, t2m, img = (Path(name) for name in given)
            self._three = (hdr, img, t2m)
            basename = hdr.with_suffix("")
        super().__init__(basename, requires_slicing)

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """Return whether a path stands for a header, an image and an m/z axis.

        Many other programs have .hdr and .img files: without a .t2m file they are not
        claimed.
        """
        found = _find(name)
        if found is None:
            return False
        try:
            with found[0].open("rb") as file:
                data = file.read(_LEAST)
        except OSError:
            return False
        return len(data) == _LEAST and _order(data) is not None

    @classmethod
    def size(cls, name: PathLike) -> int | None:
        """Return the bytes of the .img file."""
        found = _find(name)
        return None if found is None else found[1].stat().st_size

    @classmethod
    def get_files_from_dir(cls, dirname: PathLike) -> list[str]:
        """Return the common names of the files in a folder, with the folder."""
        return [str(Path(dirname) / stem) for stem in _stems_in(Path(dirname))]

    def _open(self) -> Sequence[Spectra]:
        found = self._three or _find(self.basename)
        if found is None:
            raise FormatError(
                "the three files .hdr, .img and .t2m of one name were not found",
                path=self.basename,
            )
        hdr, img, t2m = found
        for path in found:
            if not path.is_file():
                raise FormatError("no such file", path=path)
        header = AnalyzeHeader.parse(hdr.read_bytes(), hdr)
        self.header = header
        axis = np.frombuffer(
            t2m.read_bytes()[: t2m.stat().st_size // 4 * 4], header.order + "f4"
        )
        self._file = DataFile.open(img)
        bins, problems = _bins(header, len(axis), self._file.size(), img)
        mz = np.zeros(bins, axis.dtype)
        mz[: min(bins, len(axis))] = axis[:bins]
        if len(axis) < bins:
            raise FormatError(
                f"the m/z axis has {len(axis)} values, the image has {bins} bins",
                path=t2m,
            )
        if np.any(np.diff(mz) < 0):
            problems.append("the m/z values do not ascend; they are used as they are")
        self.problems = tuple(problems)
        size = header.pixel_size
        good = all(np.isfinite(one) and one > 0 for one in size)
        metadata = {
            "description": MetadataValue(header.description),
            "pixel width": MetadataValue(size[0]),
            "pixel height": MetadataValue(size[1]),
        }
        return (
            _AnalyzeSpectra(
                self._file,
                header,
                mz,
                metadata=metadata,
                # Analyze states sizes in millimeters.
                pixel_size=PixelSize(1e3 * size[0], 1e3 * size[1]) if good else None,
            ),
        )

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()


def _bins(
    header: AnalyzeHeader, values: int, size: int, img: Path
) -> tuple[int, list[str]]:
    """Return the number of bins, and what was wrong.

    Parameters
    ----------
    header : AnalyzeHeader
        The header.
    values : int
        Values of the m/z axis.
    size : int
        Bytes of the .img file.
    img : Path
        That file.
    """
    pixels = header.width * header.height
    width = header.dtype.itemsize
    room = max(0, size - header.offset) // (pixels * width)
    problems: list[str] = []
    bins = header.bins
    if bins == 0 or bins > room:
        # More bins than 16 bits can say, or an image that was cut.
        if values and values <= room:
            problems.append(
                f"the header says {bins} bins, the m/z axis has {values}; that counts"
            )
            bins = values
        elif bins and values >= bins:
            whole = header.offset + pixels * bins * width
            problems.append(
                f"the image has {size:,} bytes, {whole:,} were expected; what is "
                "missing is 0"
            )
        else:
            raise FormatError(
                f"the header says {header.width} x {header.height} pixels of {bins} "
                f"bins, the image of {size:,} bytes has room for {room} bins",
                path=img,
                hint="it was probably not copied whole",
            )
    elif values != bins:
        problems.append(
            f"the header says {bins} bins, the m/z axis has {values} values; the first "
            f"{bins} are used"
        )
    if bins < room and not problems:
        problems.append(
            f"the image has room for {room} bins, the header says {bins}; the rest is "
            "passed over"
        )
    return bins, problems


def _find(name: PathLike) -> tuple[Path, Path, Path] | None:
    """Return the three files (.hdr, .img, .t2m) that a path stands for."""
    path = Path(name)
    try:
        if path.is_dir():
            stem = next(iter(_stems_in(path)), None)
            return None if stem is None else _three_of(path, stem)
        if path.suffix.lower() in _SUFFIXES:
            found = _three_of(path.parent, path.name[: -len(path.suffix)])
            if found is not None:
                return found
        return _three_of(path.parent, path.name)
    except (OSError, ValueError):
        return None


def _three_of(folder: Path, stem: str) -> tuple[Path, Path, Path] | None:
    wanted = {(stem + suffix).lower(): suffix for suffix in _SUFFIXES}
    plain = [folder / (stem + suffix) for suffix in _SUFFIXES]
    if all(path.is_file() for path in plain):
        return plain[0], plain[1], plain[2]
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            suffix = wanted.get(entry.name.lower())
            if suffix is not None and entry.name.startswith(stem):
                found[suffix] = Path(entry.path)
    if len(found) < 3:
        return None
    return found[".hdr"], found[".img"], found[".t2m"]


def _stems_in(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    stems = sorted({name[:-4] for name in names if name.lower().endswith(".t2m")})
    return [stem for stem in stems if _three_of(folder, stem) is not None]


class _AnalyzeSpectra(Spectra):
    """The spectra of an .img file, read at positions."""

    def __init__(
        self, file: DataFile, header: AnalyzeHeader, mz: Values, **known: Any
    ) -> None:
        y, x = np.divmod(np.arange(header.width * header.height), header.width)
        super().__init__(
            "", PixelTable.of(x, y), header.dtype, mz.dtype, common_mz=mz, **known
        )
        self._file = file
        self._offset = header.offset
        self._width = len(mz) * header.dtype.itemsize

    def spectrum(self, number: int) -> Spectrum:
        assert self.common_mz is not None
        return Spectrum(self.common_mz, self._rows(number, number + 1)[0])

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        assert self.common_mz is not None
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        step = max(1, BLOCK_BYTES // max(1, self._width))
        for begin in range(0, len(wanted), step):
            part = wanted[begin : begin + step]
            first, last = int(part.min()), int(part.max())
            if last - first < 2 * len(part):
                rows = self._rows(first, last + 1)[part - first]
            else:
                rows = np.stack([self._rows(n, n + 1)[0] for n in part.tolist()])
            yield CommonBlock(part, self.common_mz, rows)

    def window(
        self,
        low: float,
        high: float,
        how: How = "sum",
        numbers: Numbers | None = None,
    ) -> Floats:
        assert self.common_mz is not None
        bins = np.arange(len(self.common_mz))[columns_in(self.common_mz, low, high)]
        n = len(self) if numbers is None else len(numbers)
        if len(bins) * n * self.intensity_dtype.itemsize > BLOCK_BYTES:
            return super().window(low, high, how, numbers)
        return reduce_columns(self.columns(bins, numbers), how)

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Values:
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        if not len(bins) or not len(wanted):
            return np.zeros((len(wanted), len(bins)), self.intensity_dtype)
        first, last = int(bins.min()), int(bins.max())
        width = self.intensity_dtype.itemsize
        size = (last + 1 - first) * width
        # One read a spectrum costs about as much as copying 4 kB more.
        if size > self._width - 4096:
            return super().columns(bins, numbers)
        offsets = self._offset + wanted * self._width + first * width
        try:
            pieces = self._file.read_pieces(offsets.tolist(), size)
        except ValueError as error:
            raise self._closed() from error
        data = b"".join(piece.ljust(size, b"\0") for piece in pieces)
        found = np.frombuffer(data, self.intensity_dtype)
        return found.reshape(len(wanted), -1)[:, bins - first]

    def mz_range(self) -> tuple[float, float]:
        mz = self.common_mz
        assert mz is not None
        return (float(mz.min()), float(mz.max())) if len(mz) else (0.0, 0.0)

    def _rows(self, begin: int, end: int) -> Values:
        """Return some spectra; what an image that was cut does not have is 0."""
        size = (end - begin) * self._width
        try:
            data = self._file.read_at(self._offset + begin * self._width, size)
        except ValueError as error:
            raise self._closed() from error
        values = np.frombuffer(data.ljust(size, b"\0"), self.intensity_dtype)
        return values.reshape(end - begin, -1)

    def _closed(self) -> DatasetClosedError:
        return DatasetClosedError("the reader is closed", path=self._file.path)
