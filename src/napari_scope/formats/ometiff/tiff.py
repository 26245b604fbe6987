"""One BigTIFF file while it is being written: appended to, linked, cut back.

The chain of image directories ends at the last complete frame at all times, because a
frame is written with the end mark and linked to its predecessor afterwards. The
OME-XML may be replaced: the new text goes to the end of the file, then 16 bytes of the
first directory, which lie in one sector, are changed to point to it.

The file knows nothing of images and their axes, nor what the XML says.
"""

from __future__ import annotations

import contextlib
from array import array
from typing import TYPE_CHECKING, NamedTuple

from napari_scope.fileio import DataFile
from napari_scope.formats.ometiff.ifd import (
    FIRST_LINK,
    HEADER_SIZE,
    IfdTemplate,
    encode_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.fileio import Buffer
    from napari_scope.formats.ometiff.handles import Handles
    from napari_scope.formats.ometiff.packing import Codec

__all__ = ["FIRST_TEXT", "GrowingTiff", "Mark", "Strip", "text_pieces"]

_SECTOR = 512
_ALIGNMENT = 16  # of directories and pixels, so that they can be mapped
_PIECE = 1 << 20

# The first text stands right behind the header, where a repair finds it even if there
# is no directory yet.
FIRST_TEXT = HEADER_SIZE


class Strip(NamedTuple):
    """A frame ready to be written: the bytes of its strip and of its facts."""

    pixels: npt.NDArray[np.generic] | bytes
    nbytes: int
    facts: bytes


class Mark(NamedTuple):
    """What `GrowingTiff.cut` needs to return to a moment."""

    end: int
    link: int
    frames: int
    description: tuple[int, int]


class GrowingTiff:
    """A new file that holds a header and OME-XML; frames are appended.

    Parameters
    ----------
    path : Path
        The file; it must not exist.
    handles : Handles
        What keeps files open.
    text : iterable of str
        The OME-XML, ASCII, in pieces.
    shape, dtype
        Of the frames, as for `IfdTemplate`.
    codec : Codec, optional
        How frames are packed.
    pixel_um : float, optional
        Size of a pixel.

    Raises
    ------
    OSError
        The file exists, or cannot be made; nothing is left of it then.
    """

    def __init__(
        self,
        path: Path,
        handles: Handles,
        text: Iterable[str],
        shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        *,
        codec: Codec | None = None,
        pixel_um: float | None = None,
    ) -> None:
        self.path = path
        self._handles = handles

        def template(described: bool) -> IfdTemplate:
            return IfdTemplate(
                shape,
                dtype,
                compression=codec.compression if codec else 1,
                predictor=codec.predictor if codec else 1,
                pixel_um=pixel_um,
                described=described,
            )

        self._first, self._other = template(True), template(False)
        self._link = FIRST_LINK
        self.end = FIRST_TEXT
        self._description = (0, 0)
        self._first_ifd = 0
        # Of each frame: where its strip is, how long, and how long its facts behind.
        self._offsets = array("Q")
        self._lengths = array("Q")
        self._facts = array("I")
        file = DataFile.create(path)
        with contextlib.ExitStack() as undo:
            undo.callback(self._unlink)
            undo.callback(file.close)
            file.write_at(0, encode_header())
            self._description = self._append_text(file, text)
            undo.pop_all()
        handles.add(file)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._offsets)

    @property
    def mark(self) -> Mark:
        """What `cut` needs to return to this moment."""
        return Mark(self.end, self._link, len(self), self._description)

    def append(self, group: Sequence[Strip]) -> None:
        """Write some frames in one go, then link them to those before.

        Raises
        ------
        OSError
            The system refused; the caller cuts the file back.
        """
        buffers: list[Buffer] = []
        offsets = []
        # The 16 bytes that point to the XML must not lie across two sectors.
        start = _up(self.end, _ALIGNMENT if len(self) else _SECTOR)
        end, link, first_link = start, self._link, self._link
        for number, strip in enumerate(group):
            template = self._other if len(self) or number else self._first
            pixels = _up(end + template.nbytes, _ALIGNMENT)
            facts = pixels + strip.nbytes
            # The text ends with a zero, as TIFF wants it.
            behind = facts + len(strip.facts) + 1
            after = _up(behind, _ALIGNMENT)
            ifd = template.fill(
                pixels=pixels,
                nbytes=strip.nbytes,
                facts=facts,
                facts_length=len(strip.facts) + 1,
                description=self._description,
                next_ifd=after if number + 1 < len(group) else 0,
            )
            ifd += bytes(pixels - end - template.nbytes)
            buffers += (ifd, strip.pixels, strip.facts + bytes(after - behind + 1))
            offsets.append(pixels)
            link = end + template.link
            end = after
        with self._handles.use(self.path) as file:
            file.write_at(start, *buffers)
            file.write_at(first_link, start.to_bytes(8, "little"))
        if not len(self):
            self._first_ifd = start
        self.end, self._link = end, link
        self._facts.extend([len(strip.facts) for strip in group])
        self._lengths.extend([strip.nbytes for strip in group])
        self._offsets.extend(offsets)

    def append_blank(self) -> None:
        """Write the directory of an image without pixels, so that the XML is found."""
        start = _up(self.end, _SECTOR)
        facts = start + self._first.nbytes
        ifd = self._first.fill(
            pixels=0,
            nbytes=0,
            facts=facts,
            facts_length=1,
            description=self._description,
        )
        with self._handles.use(self.path) as file:
            file.write_at(start, ifd, b"\0")
            file.write_at(FIRST_LINK, start.to_bytes(8, "little"))
        self.end, self._first_ifd = facts + 1, start

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
        start = end = _up(self.end, _ALIGNMENT)
        for piece in text_pieces(text):
            end += file.write_at(end, piece)
        self.end = end
        return end - start, start

    def _point(self, file: DataFile) -> None:
        if self._first_ifd:
            length, offset = self._description
            words = length.to_bytes(8, "little") + offset.to_bytes(8, "little")
            file.write_at(self._first_ifd + self._first.description, words)

    def cut(self, mark: Mark) -> None:
        """Forget what was written since ``mark``."""
        self.end, self._link = mark.end, mark.link
        self._description = mark.description
        for column in (self._offsets, self._lengths, self._facts):
            del column[mark.frames :]
        # Should the disk refuse even this, what is left is overwritten later.
        with contextlib.suppress(OSError), self._handles.use(self.path) as file:
            file.write_at(self._link, bytes(8))
            if mark.frames:
                self._point(file)
            file.truncate(self.end)
        if not mark.frames:
            self._first_ifd = 0

    def read(self, number: int) -> bytearray:
        """Return the strip of a frame that was written; raises OSError."""
        strip = bytearray(self._lengths[number])
        with self._handles.use(self.path) as file:
            count = file.read_into(self._offsets[number], memoryview(strip))
        del strip[count:]
        return strip

    def read_facts(self) -> Iterator[bytes]:
        """Iterate over the facts of all frames; raises OSError."""
        with self._handles.use(self.path) as file:
            for number, length in enumerate(self._facts):
                yield file.read_at(
                    self._offsets[number] + self._lengths[number], length
                )

    def remove(self) -> None:
        """Close and delete the file."""
        self._handles.drop(self.path)
        self._unlink()

    def _unlink(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()


def _up(offset: int, step: int) -> int:
    return -(-offset // step) * step


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
