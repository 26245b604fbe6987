"""One TIFF file while it is being written: appended to, linked, cut back.

The chain of image directories ends at the last complete frame at all times, because a
record is written with the end mark and linked to its predecessor afterwards. The file
knows nothing of the index nor of the files beside it.
"""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ndtiff.files import FrameLocation
from napari_scope.formats.ndtiff.record import (
    FIRST_LINK_FIELD,
    LINK_FIELD,
    encode_header,
    encode_ifd,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_scope.fileio import Buffer
    from napari_scope.formats.ndtiff.encoding import PendingFrame

__all__ = ["GrowingTiff"]

_END_OF_CHAIN = b"\0\0\0\0"


class GrowingTiff:
    """A new file that holds its header; frames are appended.

    Parameters
    ----------
    path : Path
        The file; it must not exist.
    summary : bytes
        Summary metadata, JSON.
    resolution : int
        Pixels per centimetre.
    """

    def __init__(self, path: Path, summary: bytes, resolution: int) -> None:
        self.path = path
        self._name = path.name
        self._resolution = resolution
        if path.exists():
            raise FileExistsError(errno.EEXIST, "the file exists already", str(path))
        header = encode_header(summary, first_ifd=0)
        # The file appears with its header: after a kill the reference library would
        # refuse the whole store because of an empty file.
        replace_file(path, header)
        try:
            self._file = DataFile.open(path, writable=True)
        except OSError:
            self._unlink()
            raise
        self.end = len(header)
        self._link = FIRST_LINK_FIELD

    @property
    def mark(self) -> tuple[int, int]:
        """What `cut` needs to return to this moment."""
        return self.end, self._link

    def append(self, group: Sequence[PendingFrame]) -> list[FrameLocation]:
        """Write some frames in one go, then link them to those before.

        Raises
        ------
        OSError
            The system refused; the caller cuts the file back.
        """
        buffers: list[Buffer] = []
        locations = []
        start = end = self.end
        link = self._link
        for number, item in enumerate(group, 1):
            height, width = item.pixels.shape[:2]
            size = item.nbytes
            head = encode_ifd(
                end,
                height,
                width,
                item.pixel_type,
                len(item.metadata),
                next_ifd=end + size if number < len(group) else 0,
                resolution=self._resolution,
            )
            pixels = end + len(head)
            metadata = pixels + item.pixels.nbytes
            buffers += (head, item.pixels, item.metadata)
            if metadata + len(item.metadata) != end + size:
                buffers.append(b"\0")
            locations.append(
                FrameLocation(
                    self._name,
                    pixels,
                    width,
                    height,
                    item.pixel_type.code,
                    metadata,
                    len(item.metadata),
                )
            )
            link = end + LINK_FIELD
            end += size
        self._file.write_at(start, *buffers)
        self._file.write_at(self._link, start.to_bytes(4, "little"))
        self.end, self._link = end, link
        return locations

    def cut(self, mark: tuple[int, int]) -> None:
        """Forget what was written since ``mark``."""
        self.end, self._link = mark
        # Should the disk refuse even this, the next frame overwrites what is left.
        with contextlib.suppress(OSError):
            self._file.write_at(self._link, _END_OF_CHAIN)
            self._file.truncate(self.end)

    def close(self) -> None:
        """Close the file; again is harmless."""
        self._file.close()

    def remove(self) -> None:
        """Close and delete the file."""
        self._file.close()
        self._unlink()

    def _unlink(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()
