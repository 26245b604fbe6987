"""Reading a file from front to back in blocks, whatever small pieces are asked for.

Examples
--------
>>> import tempfile, pathlib
>>> from napari_scope.fileio import DataFile
>>> path = pathlib.Path(tempfile.mkdtemp()) / "data.bin"
>>> _ = path.write_bytes(bytes(range(100)))
>>> with DataFile.open(path) as file:
...     window = Window(file)
...     window.read(65, 3), window.read(98, 10)
(b'ABC', b'bc')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.fileio import DataFile

__all__ = ["Window", "read_pieces"]

_LEAST, _MOST = 1 << 12, 1 << 20


class Window:
    """The part of a file that was read last.

    Large frames lie far apart, and only what is asked for is read; where pieces are
    near each other the block grows, as the system's own reading ahead does.

    Parameters
    ----------
    file : DataFile
        The file; nothing may change what was read.
    """

    def __init__(self, file: DataFile) -> None:
        self._file = file
        self._data = b""
        self._start = 0
        self._size = file.size()
        self._step = _LEAST

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of the file; fewer at its end. Raises OSError."""
        if offset >= self._size:
            return b""  # whatever number a damaged file holds
        place = offset - self._start
        end = place + size
        if place < 0 or end > len(self._data):
            near = 0 <= place <= len(self._data) + self._step
            self._step = min(2 * self._step, _MOST) if near else _LEAST
            self._data = self._file.read_at(offset, max(size, self._step))
            self._start, place, end = offset, 0, size
        return self._data[place:end]


def read_pieces(file: DataFile, pieces: Iterator[tuple[int, int]]) -> Iterator[bytes]:
    """Iterate over the bytes at some offsets, of some lengths. Raises OSError."""
    window = Window(file)
    for offset, size in pieces:
        yield window.read(offset, size)
