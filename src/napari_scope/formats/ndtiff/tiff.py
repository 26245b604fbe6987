"""One TIFF file while it is being written: appended to, linked, cut back.

The chain of image directories ends at a complete frame at all times: records are
written first and linked to the chain afterwards, so a program that knows plain TIFF
opens the file as a stack, also after a kill. Small frames are linked in groups, because
a link takes a tenth of the time of such a frame: up to `LAZY_FRAMES` of them, and none
longer than `LAZY_SECONDS` once another follows, may be in the file and in the index but
not yet in the chain. Their records point to each other already, so linking a group is
two small writes. `GrowingTiff.flush` brings the chain up to date.

The file knows nothing of the index nor of the files beside it.
"""

from __future__ import annotations

import contextlib
import errno
import math
import time
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ndtiff.files import FrameLocation
from napari_scope.formats.ndtiff.index import encode_record
from napari_scope.formats.ndtiff.record import (
    FIRST_LINK_FIELD,
    LINK_FIELD,
    IfdTemplate,
    encode_header,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_scope.fileio import Buffer
    from napari_scope.formats.ndtiff.encoding import FrameLayout, PendingFrame

__all__ = ["LAZY_BYTES", "LAZY_FRAMES", "LAZY_SECONDS", "GrowingTiff", "TiffMark"]

LAZY_BYTES = 64 * 1024
"""A group of frames of more bytes than this is linked at once."""

LAZY_FRAMES = 64
"""So many frames at most are waiting for their link."""

LAZY_SECONDS = 0.005
"""A frame that comes so long after the last link is linked at once."""

TiffMark: TypeAlias = tuple[int, int, int, int]
"""A moment in the life of a file, for `GrowingTiff.cut`: where it ends, the field that
links to what follows the last record, that of the last record in the chain, and where
the record after that starts."""

# The class itself would do the same, after another call.
_new_tuple = tuple.__new__

# Filling an IFD; bytes from its start to pixels and metadata; width, height, code.
_Form: TypeAlias = "tuple[Callable[[int, int, int], bytes], int, int, int, int, int]"

_template = lru_cache(maxsize=64)(IfdTemplate)


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
        self.name = path.name
        self._name = path.name.encode()
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
        self._last = self._linked = FIRST_LINK_FIELD
        self._waiting = 0
        # What the link of the last record holds on disk; None: not known.
        self._after: int | None = 0
        self._unlinked = 0
        # The first frame is linked at once: an empty chain is no TIFF for anybody.
        self._linked_at = -math.inf
        self._layout: FrameLayout | None = None
        self._form: _Form
        self._open = True

    @property
    def mark(self) -> TiffMark:
        """What `cut` needs to return to this moment."""
        return self.end, self._last, self._linked, self._waiting

    def append(
        self, group: Sequence[PendingFrame], records: list[bytes]
    ) -> list[FrameLocation]:
        """Write some frames in one go; they are linked at once or with later ones.

        Parameters
        ----------
        group : sequence of PendingFrame
            The frames.
        records : list of bytes
            Takes the record of each frame for the index.

        Raises
        ------
        OSError
            The system refused; the caller cuts the file back.
        """
        start = stop = end = self.end
        for item in group:
            stop += item.nbytes
        linking = (
            self._unlinked + len(group) > LAZY_FRAMES
            or stop - start > LAZY_BYTES
            or time.monotonic() - self._linked_at > LAZY_SECONDS
        )
        after = 0 if linking else stop
        buffers: list[Buffer] = []
        locations = []
        last = self._last
        for axes, _, image, layout, about, nbytes in group:
            if layout is not self._layout:
                self._prepare(layout)
            fill, to_pixels, to_metadata, width, height, code = self._form
            pixels = end + to_pixels
            metadata = end + to_metadata
            size = len(about)
            last = end + LINK_FIELD
            next_end = end + nbytes
            ifd = fill(end, size, next_end if next_end != stop else after)
            buffers += (ifd, image, about)
            if metadata + size != next_end:
                buffers.append(b"\0")
            place = (self.name, pixels, width, height, code, metadata, size)
            locations.append(_new_tuple(FrameLocation, place))
            records.append(
                encode_record(
                    axes, self._name, pixels, width, height, code, metadata, size
                )
            )
            end = next_end
        if self._linked == self._last:
            self._waiting = start
        # Where frames wait for their link, they must point to each other; where none
        # does, the chain must end until this group is whole.
        before = 0 if self._linked == self._last else start
        if self._after != before:
            self._write_link(self._last, before)
        if stop - start <= LAZY_BYTES:
            # Copying so little takes less time than handing over many pieces.
            self._file.write_at(start, b"".join(buffers))  # type: ignore[arg-type]
        else:
            self._file.write_at(start, *buffers)
        self.end, self._last, self._after = end, last, after
        self._unlinked += len(group)
        if linking:
            self.flush()
        return locations

    def _prepare(self, layout: FrameLayout) -> None:
        """Work out what all frames of one layout share."""
        height, width = layout.height, layout.width
        kind = layout.pixel_type
        ifd = _template(height, width, kind, resolution=self._resolution)
        self._form = ifd.fill, ifd.nbytes, layout.nbytes, width, height, kind.code
        self._layout = layout

    @property
    def is_empty(self) -> bool:
        """Whether there is no frame."""
        return self._last == FIRST_LINK_FIELD

    def flush(self) -> None:
        """Link all frames, so that the chain ends at the last one.

        Raises
        ------
        OSError
            The system refused; the chain is as long as before, or whole.
        """
        if self._after != 0:
            self._write_link(self._last, 0)
            self._after = 0
        if self._linked != self._last:
            self._write_link(self._linked, self._waiting)
            self._linked = self._last
        self._unlinked = 0
        self._linked_at = time.monotonic()

    def _write_link(self, field: int, start: int) -> None:
        self._file.write_at(field, start.to_bytes(4, "little"))

    def overwrite(self, offset: int, data: Buffer) -> None:
        """Replace bytes of a frame that was written.

        Raises
        ------
        OSError
            The system refused.
        """
        self._file.write_at(offset, data)

    def cut(self, mark: TiffMark) -> None:
        """Forget what was written since ``mark``."""
        self.end, self._last, self._linked, self._waiting = mark
        self._after = None
        # Should the disk refuse even this, the next frame overwrites what is left.
        with contextlib.suppress(OSError):
            self.flush()
            self._file.truncate(self.end)

    def close(self) -> None:
        """Link all frames and close the file; again is harmless.

        Raises
        ------
        OSError
            The last links could not be written.
        """
        if not self._open:
            return
        self._open = False
        try:
            self.flush()
        finally:
            self._file.close()

    def reopen(self, folder: Path) -> None:
        """Open the file again after `close`, in the folder where it is now.

        Raises
        ------
        OSError
            The system refused.
        """
        self.path = folder / self.name
        self._file = DataFile.open(self.path, writable=True)
        self._open = True

    def remove(self) -> None:
        """Close and delete the file."""
        self._open = False
        self._file.close()
        self._unlink()

    def _unlink(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()
