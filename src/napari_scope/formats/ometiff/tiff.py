"""One BigTIFF file while it is being written: appended to, linked, cut back.

The chain of image directories ends at the last complete frame at all times, because a
frame is written with the end mark and linked to its predecessor afterwards. The
OME-XML may be replaced: the new text goes to the end of the file, then 16 bytes of the
first directory, which lie in one sector, are changed to point to it.

The file knows nothing of images and their axes, nor what the XML says.
"""

from __future__ import annotations

import contextlib
import errno
import os
from array import array
from typing import TYPE_CHECKING, NamedTuple

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.ometiff.ifd import FIRST_LINK, HEADER_SIZE, encode_header
from napari_scope.formats.ometiff.layout import (
    ALIGNMENT,
    SECTOR,
    aligned,
)
from napari_scope.formats.ometiff.window import read_pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from napari_scope.formats.ometiff.chain import Chain
    from napari_scope.formats.ometiff.handles import Handles
    from napari_scope.formats.ometiff.layout import FrameLayout, Strip

__all__ = ["FIRST_TEXT", "GrowingTiff", "Mark", "text_pieces"]

_PIECE = 1 << 20

# The first text stands right behind the header, where a repair finds it even if there
# is no directory yet.
FIRST_TEXT = HEADER_SIZE


class Mark(NamedTuple):
    """What `GrowingTiff.cut` needs to return to a moment."""

    end: int
    link: int
    after: int
    frames: int
    description: tuple[int, int]
    describing: int


class GrowingTiff:
    """A file that frames are appended to; use `create` or `reopen`.

    Parameters
    ----------
    path : Path
        The file.
    handles : Handles
        What keeps files open.
    layout : FrameLayout
        Where the parts of a frame lie.
    """

    def __init__(self, path: Path, handles: Handles, layout: FrameLayout) -> None:
        self.path = path
        self._handles = handles
        self._layout = layout
        self._link = FIRST_LINK
        self.end = FIRST_TEXT
        self._description = (0, 0)
        self._describing = 0  # where length and place of the XML stand
        self._after = 0  # image that is no frame, which the next frame replaces
        # Of each frame: where its strip is, how long, and how long its facts behind.
        self._offsets = array("Q")
        self._lengths = array("Q")
        self._facts = array("I")

    @classmethod
    def create(
        cls, path: Path, handles: Handles, layout: FrameLayout, text: Iterable[str]
    ) -> GrowingTiff:
        """Make a new file that holds a header and OME-XML, ASCII, in pieces.

        Raises
        ------
        OSError
            The file exists, or cannot be made; nothing is left of it then.
        """
        tiff = cls(path, handles, layout)
        file = DataFile.create(path)
        with contextlib.ExitStack() as undo:
            undo.callback(tiff._unlink)
            undo.callback(file.close)
            file.write_at(0, encode_header())
            tiff._description = tiff._append_text(file, text)
            undo.pop_all()
        handles.add(file)
        return tiff

    @classmethod
    def reopen(
        cls, path: Path, handles: Handles, layout: FrameLayout, chain: Chain
    ) -> GrowingTiff:
        """Go on with a file that was closed; what is in it stays as it is.

        Parameters
        ----------
        chain : Chain
            What is in it.
        """
        tiff = cls(path, handles, layout)
        first = chain.first
        if first is not None:
            tiff._describing = first.describing
            tiff._description = first.description or (0, 0)
        tiff._link, tiff._after = chain.link, chain.blank
        tiff.end = chain.file_size
        tiff._offsets = chain.offsets
        tiff._lengths = chain.lengths
        tiff._facts = array("I", (length - 1 for length in chain.facts_lengths))
        for number, offset in enumerate(chain.facts_offsets):
            if offset != tiff._offsets[number] + tiff._lengths[number]:
                raise FormatError(
                    f"the facts on image {number} do not follow its pixels", path=path
                )
        return tiff

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._offsets)

    @property
    def mark(self) -> Mark:
        """What `cut` needs to return to this moment."""
        return Mark(
            self.end,
            self._link,
            self._after,
            len(self),
            self._description,
            self._describing,
        )

    def append(self, group: Sequence[Strip]) -> None:
        """Write some frames in one go, then link them to those before.

        Raises
        ------
        OSError
            The system refused; the caller cuts the file back.
        """
        # The 16 bytes that point to the XML must not lie across two sectors.
        start = aligned(self.end, ALIGNMENT if len(self) else SECTOR)
        description = None if len(self) else self._description
        laid = self._layout.lay_out(group, start, description)
        with self._handles.use(self.path) as file:
            file.write_at(start, *laid.buffers)
            file.write_at(self._link, start.to_bytes(8, "little"))
        if not len(self):
            self._describing = start + self._layout.first.description
        self.end, self._link, self._after = laid.end, laid.link, 0
        self._facts.extend([len(strip.facts) for strip in group])
        self._lengths.extend([strip.nbytes for strip in group])
        self._offsets.extend(laid.offsets)

    def append_blank(self, strip: Strip) -> None:
        """Write an image that is no frame, if there is none; the next replaces it.

        It stands for planes that never came; in a file without frames it has the XML,
        too.

        Parameters
        ----------
        strip : Strip
            A frame without facts.
        """
        if self._after:
            return
        start = aligned(self.end, SECTOR)
        alone = not len(self)
        with self._handles.use(self.path) as file:
            description = self._description if alone else None
            laid = self._layout.lay_out([strip], start, description)
            file.write_at(start, *laid.buffers)
            if alone:
                self._describing = start + self._layout.blank.description
            file.write_at(self._link, start.to_bytes(8, "little"))
        self.end, self._after = laid.end, start

    def describe(self, text: Iterable[str], *, durable: bool = False) -> None:
        """Replace the OME-XML.

        Parameters
        ----------
        text : iterable of str
            The new one, ASCII, in pieces.
        durable : bool
            Whether the text is on the medium before anything points to it.

        Raises
        ------
        OSError
            The system refused; the caller cuts the file back.
        """
        with self._handles.use(self.path) as file:
            self._description = self._append_text(file, text)
            if durable:
                file.sync()
            self._point(file)

    def _append_text(self, file: DataFile, text: Iterable[str]) -> tuple[int, int]:
        start = end = aligned(self.end)
        for piece in text_pieces(text):
            end += file.write_at(end, piece)
        self.end = end
        return end - start, start

    def _point(self, file: DataFile) -> None:
        if self._describing:
            length, offset = self._description
            words = length.to_bytes(8, "little") + offset.to_bytes(8, "little")
            file.write_at(self._describing, words)

    def cut(self, mark: Mark) -> None:
        """Forget what was written since ``mark``."""
        self.end, self._link, self._after = mark.end, mark.link, mark.after
        self._description, self._describing = mark.description, mark.describing
        for column in (self._offsets, self._lengths, self._facts):
            del column[mark.frames :]
        # Should the disk refuse even this, what is left is overwritten later.
        with contextlib.suppress(OSError), self._handles.use(self.path) as file:
            file.write_at(self._link, self._after.to_bytes(8, "little"))
            self._point(file)
            file.truncate(self.end)

    def check_there(self) -> None:
        """Raise OSError if another program has removed, moved or replaced the file.

        Where files that are open may be removed, writing to one goes on without error,
        and all is lost when it is closed.
        """
        with self._handles.use(self.path) as file:
            if not os.path.samestat(os.stat(self.path), os.fstat(file.fileno())):
                raise FileNotFoundError(errno.ENOENT, "the file was replaced")

    def read(self, number: int) -> bytearray:
        """Return the strip of a frame that was written; raises OSError."""
        strip = bytearray(self._lengths[number])
        with self._handles.use(self.path) as file:
            count = file.read_into(self._offsets[number], memoryview(strip))
        del strip[count:]
        return strip

    def read_facts(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """Iterate over the facts of some frames, in order; raises OSError."""
        pieces = (
            (self._offsets[number] + self._lengths[number], self._facts[number])
            for number in numbers
        )
        with self._handles.use(self.path) as file:
            yield from read_pieces(file, pieces)

    def remove(self) -> None:
        """Close and delete the file."""
        self._handles.drop(self.path)
        self._unlink()

    def _unlink(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()


def text_pieces(text: Iterable[str]) -> Iterable[bytes]:
    """Collect text to pieces worth a write; the last one ends with a zero."""
    pending: list[str] = []
    size = 0
    for part in text:
        pending.append(part)
        size += len(part)
        if size >= _PIECE:
            yield "".join(pending).encode("ascii")
            pending, size = [], 0
    yield "".join(pending).encode("ascii") + b"\0"
