"""A file of ours that is there already: its chain of images and its OME-XML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.ometiff.chain import read_chain
from napari_scope.formats.ometiff.frames import FrameKind
from napari_scope.formats.ometiff.gaps import with_gaps
from napari_scope.formats.ometiff.packing import codec_of
from napari_scope.formats.ometiff.reading import decode_document
from napari_scope.formats.ometiff.tiff import FIRST_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ometiff.document import OmeDocument
    from napari_scope.formats.ometiff.facts import Place, Plane

__all__ = ["WrittenFile"]

_MAX_TEXT_BYTES = 1 << 30
_TEXT_STEP = 1 << 16


class WrittenFile:
    """A file that was written before; open until `close`.

    Parameters
    ----------
    path : Path
        The file.
    writable : bool
        Whether it may be changed.

    Attributes
    ----------
    file : DataFile
        Its bytes.
    chain : Chain
        Its images, as far as the chain of them is whole.
    document : OmeDocument
        What its OME-XML says.

    Raises
    ------
    FormatError
        It is no file of ours.
    OSError
        It cannot be opened or read.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path = path
        self.file = DataFile.open(path, writable=writable)
        try:
            try:
                self.chain = read_chain(self.file)
                self.document = self._read_document()
            except FormatError as error:
                if error.path is not None:
                    raise
                raise FormatError(error.message, path=path, hint=error.hint) from error
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> WrittenFile:
        """Return the file itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; again is harmless."""
        self.file.close()

    def planes(self, image: int, brief: bool = False) -> Iterator[Plane]:
        """Iterate over the planes of an image; ``brief`` leaves out the facts."""
        if brief:
            return self.chain.planes(image)
        return self.chain.planes_with_facts(self.file, image)

    def all_planes(self, image: int, brief: bool) -> Iterator[Plane]:
        """Iterate as `planes` does; ``brief`` adds those that never came."""
        known = self.planes(image, brief)
        if not brief:
            return known
        return with_gaps(known, self.document.images[image], len(self.chain))

    @property
    def kind(self) -> FrameKind:
        """What its frames have in common, as the first one says.

        Raises
        ------
        FormatError
            They are packed in a way that is not read.
        """
        first, image = self.chain.first, self.document.images[0]
        dtype = np.dtype(image.dtype)
        if first is None:
            return FrameKind(image.frame_shape, dtype)
        codec = codec_of(first.compression, first.predictor, dtype)
        return FrameKind(image.frame_shape, dtype, codec, 1 + len(first.levels))

    def read_frame(self, image: int, place: Place) -> npt.NDArray[np.generic]:
        """Return a frame that is there.

        Raises
        ------
        FormatError
            Its pixels are damaged.
        OSError
            They cannot be read.
        """
        number = self.chain.numbers[image, place]
        offset, size = self.chain.offsets[number], self.chain.lengths[number]
        return self.kind.unpack(self.file.read_at(offset, size))

    def _read_document(self) -> OmeDocument:
        """Read the XML that the first image points to, or else the first one."""
        texts = []
        first = self.chain.first
        if first is not None and first.description is not None:
            texts.append(first.description)
        texts.append((0, FIRST_TEXT))
        problem: FormatError | None = None
        for length, offset in texts:
            try:
                document = decode_document(self.read_text(offset, length))
                if not document.images:
                    raise FormatError("the OME-XML has no image")
            except FormatError as error:
                problem = problem or error
            else:
                return document
        assert problem is not None
        raise FormatError(
            problem.message,
            path=self.path,
            hint="only files that napari-scope wrote can be repaired",
        ) from problem

    def read_text(self, offset: int, length: int = 0) -> bytes:
        """Read text of a length, or up to its zero where the length is 0."""
        if length > _MAX_TEXT_BYTES:
            raise FormatError(f"the OME-XML takes {length} bytes: too many")
        if length:
            return self.file.read_at(offset, length).rstrip(b"\0")
        text = bytearray()
        while b"\0" not in text and len(text) < _MAX_TEXT_BYTES:
            piece = self.file.read_at(offset + len(text), _TEXT_STEP)
            if not piece:
                break
            text += piece
        return bytes(text).partition(b"\0")[0]

    def check_frames(self) -> None:
        """Raise FormatError where images and XML contradict each other."""
        first, image = self.chain.first, self.document.images[0]
        if first is None:
            return
        if (first.shape, first.dtype.newbyteorder("=")) != (
            image.frame_shape,
            np.dtype(image.dtype),
        ):
            raise FormatError(
                f"the images are of shape {first.shape} and type {first.dtype}, the "
                f"OME-XML says {image.frame_shape} and {image.dtype}",
                path=self.path,
            )
