"""The pages of TIFF files, read in windows: only the strips or tiles that are needed.

tifffile parses directories and decodes; this keeps few files open, reads from many
threads, and refuses what would take memory or time without end. A page that is not in
the file (yet) is None.

It knows nothing of OME-XML.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt
    from tifffile import TiffFile, TiffPage

    Pixels = npt.NDArray[np.generic]

__all__ = ["PageFacts", "TiffPages"]

_MOST_OPEN = 32
_MAX_SEGMENT = 2**30  # bytes of a strip or tile after decoding
_MAX_LEVELS = 32

# What tifffile raises for damaged files; its decoders add errors of their own kinds.
_DAMAGED = (
    OSError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    NotImplementedError,
    OverflowError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
)


class PageFacts:
    """What is known of a page without its pixels.

    Parameters
    ----------
    page : TiffPage
        As tifffile parsed it.
    """

    def __init__(self, page: Any) -> None:
        self.samples = int(page.samplesperpixel)
        self.shape = int(page.imagelength), int(page.imagewidth)
        self.dtype = np.dtype(page.dtype) if page.dtype is not None else None
        if page.is_tiled:
            tile = (
                min(page.tilelength, self.shape[0]),
                min(page.tilewidth, self.shape[1]),
            )
            self.chunk = max(1, tile[0]), max(1, tile[1])
        else:
            self.chunk = self.shape


class _OpenFile:
    """One open file, with the lock of all that moves in it."""

    def __init__(self, path: Path) -> None:
        from tifffile import TiffFile

        self.lock = threading.RLock()
        self.size = os.stat(path).st_size
        # Names are taken as they are: no page of another file, no memory map.
        self.tiff: TiffFile = TiffFile(path, _multifile=False)
        self.pages: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def page(self, ifd: int, level: int) -> Any:
        """Return a page, None if the file ends before."""
        known = self.pages.get((ifd, level))
        if known is None:
            try:
                page: Any = self.tiff.pages[ifd]
            except IndexError:
                return None
            if level:
                below = page.pages
                if below is None or level > len(below):
                    return None
                page = below[level - 1]
            known = self.pages[ifd, level] = page
            while len(self.pages) > 64:
                self.pages.popitem(last=False)
        return known


class TiffPages:
    """The files of a data set; they are opened when they are needed.

    Parameters
    ----------
    paths : sequence of Path
        The files.
    """

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths
        self._lock = threading.Lock()
        self._open: OrderedDict[int, _OpenFile] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        """Leave open files behind: another process opens its own."""
        return {"paths": self.paths}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin with no file open."""
        self.__init__(state["paths"])  # type: ignore[misc]

    def text(self, file: int) -> bytes:
        """Return the description of the first page.

        Raises
        ------
        FormatError
            The file cannot be read.
        """
        found = self._file(file)
        try:
            with found.lock:
                tag = found.tiff.pages.first.tags.get(270)
                value = "" if tag is None else tag.value
        except _DAMAGED as error:
            raise self._damaged(file, error) from error
        return value if isinstance(value, bytes) else str(value).encode()

    def facts(self, file: int, ifd: int, level: int = 0) -> PageFacts | None:
        """Return what is known of a page, None if the file has no such page.

        Raises
        ------
        FormatError
            The file cannot be read, or the page is damaged.
        """
        found = self._file(file)
        try:
            with found.lock:
                page = found.page(ifd, level)
                return None if page is None else PageFacts(page)
        except _DAMAGED as error:
            raise self._damaged(file, error) from error

    def levels(self, file: int, ifd: int) -> int:
        """Return the number of levels of a page, itself included."""
        found = self._file(file)
        try:
            with found.lock:
                page = found.page(ifd, 0)
                below = None if page is None else page.pages
                return 1 + (min(len(below), _MAX_LEVELS) if below is not None else 0)
        except _DAMAGED:
            return 1  # coarse levels only save time

    def has(self, file: int, ifd: int) -> bool:
        """Return whether a file has a page."""
        try:
            return self.facts(file, ifd) is not None
        except FormatError:
            return False

    def read(
        self, file: int, ifd: int, level: int, rows: slice, columns: slice
    ) -> Pixels | None:
        """Read a window of a page.

        Parameters
        ----------
        file : int
            Number of the file.
        ifd : int
            Number of the page.
        level : int
            0 for the page itself, otherwise the number of its coarse level.
        rows, columns : slice
            The window, with start and stop within the page.

        Returns
        -------
        ndarray or None
            (height, width, samples); None if the file has no such page.

        Raises
        ------
        FormatError
            The file cannot be read, or the page is damaged.
        """
        found = self._file(file)
        try:
            with found.lock:
                page = found.page(ifd, level)
            if page is None and os.stat(self.paths[file]).st_size > found.size:
                found = self._file(file, anew=True)  # it has grown
                with found.lock:
                    page = found.page(ifd, level)
            return None if page is None else _window(found, page, rows, columns)
        except _DAMAGED as error:
            with self._lock:
                in_use = self._open.get(file) is found
            if not in_use:  # closed meanwhile, because many others were opened
                return self.read(file, ifd, level, rows, columns)
            raise self._damaged(file, error) from error

    def close(self) -> None:
        """Close all files; they are opened again when they are needed."""
        with self._lock:
            for found in self._open.values():
                with found.lock:
                    found.tiff.close()
            self._open.clear()

    def __del__(self) -> None:
        """Close what is open."""
        if hasattr(self, "_open"):
            self.close()

    def _file(self, number: int, *, anew: bool = False) -> _OpenFile:
        from tifffile import TiffFileError

        with self._lock:
            known = self._open.get(number)
            if known is not None and not anew:
                self._open.move_to_end(number)
                return known
            try:
                opened = _OpenFile(self.paths[number])
            except (TiffFileError, *_DAMAGED) as error:
                raise self._damaged(number, error) from error
            self._open[number] = opened
            while len(self._open) > _MOST_OPEN:
                # Readers in other threads may hold it: its lock is waited for.
                _, old = self._open.popitem(last=False)
                with old.lock:
                    old.tiff.close()
            return opened

    def _damaged(self, file: int, error: BaseException) -> FormatError:
        if isinstance(error, FormatError):
            return error
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return FormatError(
            f"the TIFF file cannot be read: {str(reason)[:200]}", path=self.paths[file]
        )


def _window(found: _OpenFile, page: TiffPage, rows: slice, columns: slice) -> Pixels:
    """Read a window of a page: the segments that it touches."""
    height, width = int(page.imagelength), int(page.imagewidth)
    samples = int(page.samplesperpixel)
    if page.dtype is None or page.imagedepth != 1:
        raise ValueError("pixels of an unknown type")
    dtype = np.dtype(page.dtype).newbyteorder("=")
    planar = page.planarconfig == 2 and samples > 1
    if rows.stop > height or columns.stop > width:
        raise ValueError(f"the page has {height} x {width} pixels, fewer than declared")
    out = np.zeros(
        (rows.stop - rows.start, columns.stop - columns.start, samples), dtype
    )
    if page.is_contiguous and not planar and page.bitspersample == 8 * dtype.itemsize:
        _read_rows(found, page, rows, columns, out)
        return out
    arguments: dict[str, Any] = {"_fullsize": page.is_tiled}
    if page.compression in {6, 7, 34892, 33007}:  # JPEG
        arguments |= {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
    decode: Any = page.decode
    for index, offset, size in _segments(page, rows, columns, planar):
        if size == 0:
            continue  # a tile without bytes is empty
        if not 0 <= offset <= found.size or size > found.size:
            raise ValueError(f"the segment {index} lies outside of the file")
        with found.lock:
            found.tiff.filehandle.seek(offset)
            data = found.tiff.filehandle.read(size)
        if len(data) < size:
            raise ValueError(f"the segment {index} is cut off")
        pixels, place, _ = decode(data, index, **arguments)
        if pixels is not None:
            _put(out, pixels, place, rows, columns, planar=planar)
    return out


def _read_rows(
    found: _OpenFile, page: TiffPage, rows: slice, columns: slice, out: Pixels
) -> None:
    """Read rows of pixels that are stored as they are, one after the other."""
    width, samples = int(page.imagewidth), out.shape[2]
    stored = out.dtype.newbyteorder(page.parent.byteorder)
    row = width * samples * stored.itemsize
    start = int(page.dataoffsets[0]) + rows.start * row
    size = (rows.stop - rows.start) * row
    if not 0 <= start <= found.size - size:
        raise ValueError("the page is cut off")
    with found.lock:
        found.tiff.filehandle.seek(start)
        data = found.tiff.filehandle.read(size)
    pixels = np.frombuffer(data, stored).reshape(-1, width, samples)
    out[...] = pixels[:, columns]


def _segments(
    page: TiffPage, rows: slice, columns: slice, planar: bool
) -> Iterator[tuple[int, int, int]]:
    """Iterate over the strips or tiles of a window: index, offset and size."""
    height, width = int(page.imagelength), int(page.imagewidth)
    if page.is_tiled:
        tall, wide = int(page.tilelength), int(page.tilewidth)
    else:
        tall, wide = min(int(page.rowsperstrip), height), width
    if tall < 1 or wide < 1:
        raise ValueError("its strips or tiles have no size")
    contiguous = 1 if planar else int(page.samplesperpixel)
    if tall * wide * contiguous * np.dtype(page.dtype).itemsize > _MAX_SEGMENT:
        raise ValueError(f"a segment of {tall} x {wide} pixels is too large")
    across, down = -(-width // wide), -(-height // tall)
    offsets, sizes = page.dataoffsets, page.databytecounts
    for sample in range(int(page.samplesperpixel) if planar else 1):
        for y in range(rows.start // tall, -(-rows.stop // tall)):
            for x in range(columns.start // wide, -(-columns.stop // wide)):
                index = (sample * down + y) * across + x
                if index >= min(len(offsets), len(sizes)):
                    raise ValueError(f"the segment {index} is missing")
                yield index, int(offsets[index]), int(sizes[index])


def _put(
    out: Pixels,
    pixels: Pixels,
    place: Any,
    rows: slice,
    columns: slice,
    *,
    planar: bool,
) -> None:
    """Copy the part of a decoded segment that lies in the window."""
    sample, _, top, left, _ = (int(n) for n in place)
    segment = pixels[0] if pixels.ndim == 4 else pixels
    y0, x0 = max(top, rows.start), max(left, columns.start)
    y1 = min(top + segment.shape[0], rows.stop)
    x1 = min(left + segment.shape[1], columns.stop)
    if y0 >= y1 or x0 >= x1:
        return
    part = segment[y0 - top : y1 - top, x0 - left : x1 - left]
    window = out[
        y0 - rows.start : y1 - rows.start, x0 - columns.start : x1 - columns.start
    ]
    if planar:
        window[..., sample] = part[..., 0]
    else:
        window[...] = part
