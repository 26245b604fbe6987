"""Completing what a killed process left: the chain of images, the XML, the companion.

Nothing is guessed. Every image directory has a line of facts that says which plane it
holds, so the final XML follows from the file alone. A repaired file equals one that
was closed, but that its slowest axis ends where the frames do.

A file that is still being written must not be repaired; no file tells that it is.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError, ScopeError, StreamError
from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ometiff.document import FileRef, OmeDocument, OmeImage
from napari_scope.formats.ometiff.facts import MAX_FACTS_BYTES, Plane, decode_facts
from napari_scope.formats.ometiff.ifd import (
    FIRST_LINK,
    HEADER_SIZE,
    IfdTemplate,
    Page,
    read_first_link,
    read_page,
)
from napari_scope.formats.ometiff.omexml import document_pieces
from napari_scope.formats.ometiff.reading import decode_document
from napari_scope.formats.ometiff.tiff import FIRST_TEXT, text_pieces
from napari_scope.formats.ometiff.writer import COMPANION_SUFFIX, SUFFIXES, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

__all__ = ["repair_tiff"]

_IFD_BYTES = 1024  # ours have less than twenty entries
_MAX_TEXT_BYTES = 1 << 30
_TEXT_STEP = 1 << 16
_SECTOR, _ALIGNMENT = 512, 16  # of the first directory, of everything else


def repair_tiff(path: str | PathLike[str]) -> list[str]:
    """Complete an OME-TIFF of ours that was not closed.

    Parameters
    ----------
    path : str or PathLike
        The file, or the folder of a run with several images.

    Returns
    -------
    list of str
        What was done, a sentence each; empty where nothing had to be.

    Raises
    ------
    FormatError
        It is no OME-TIFF of ours, or is damaged in a way that no kill leaves.
    StreamError
        The disk failed.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            with _KilledFile(path) as file:
                return file.repair()
        return _repair_folder(path)
    except OSError as error:
        if isinstance(error, ScopeError):
            raise
        raise StreamError(
            f"could not be repaired: {error.strerror or error}", path=path
        ) from error


def _repair_folder(folder: Path) -> list[str]:
    companion = folder / f"{stem_of(folder)}{COMPANION_SUFFIX}"
    old = None
    if companion.is_file():
        try:
            old = decode_document(companion.read_bytes())
        except FormatError:
            old = None  # it is made anew
    paths = sorted(
        entry
        for entry in folder.iterdir()
        if entry.name.lower().endswith(SUFFIXES) and entry.is_file()
    )
    if not paths:
        raise FormatError("the folder holds no OME-TIFF", path=folder)
    done = []
    files = []
    try:
        for path in paths:
            file = _KilledFile(path)
            files.append(file)
            done += [f"{path.name}: {sentence}" for sentence in file.repair()]
        if done or old is None or old.growing:
            _write_companion(companion, old, files)
            done.append(f"{companion.name}: written anew")
    finally:
        for file in files:
            file.close()
    return done


def _write_companion(
    companion: Path, old: OmeDocument | None, files: list[_KilledFile]
) -> None:
    if old is not None:
        place = {image.name: number for number, image in enumerate(old.images)}
        last = len(place)
        files = sorted(files, key=lambda f: place.get(f.document.images[0].name, last))
    first = files[0].document
    images = tuple(
        replace(
            file.document.images[0], file=FileRef(file.path.name, file.document.uuid)
        )
        for file in files
    )
    plates = [file.document.plate for file in files if file.document.plate is not None]
    document = replace(
        old or first,
        images=images,
        plate=plates[0] if plates else None,
        growing=False,
    )

    def planes(number: int, brief: bool) -> Iterable[Plane]:
        return files[number].planes(0)

    text = "".join(document_pieces(document, planes))
    replace_file(companion, text.encode("ascii"))


@dataclass(frozen=True, slots=True)
class _Chain:
    """What the image directories say; ``problem`` is why the chain could not go on."""

    first: Page | None
    last: Page | None
    end: int
    problem: str


class _KilledFile:
    """One file, opened for repair."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = DataFile.open(path, writable=True)
        try:
            self._size = self._file.size()
            self._facts = array("Q")  # offset, length of each
            self._chain = self._walk()
            self.document = self._read_document()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> _KilledFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # ------------------------------------------------------------- reading

    def _walk(self) -> _Chain:
        """Follow the chain as far as it is whole."""
        try:
            following = read_first_link(self._file.read_at(0, HEADER_SIZE))
        except FormatError as error:
            raise FormatError(error.message, path=self.path) from error
        first: Page | None = None
        last: Page | None = None
        end, problem = HEADER_SIZE, ""
        seen: set[tuple[int, tuple[int, int, int]]] = set()
        while following:
            try:
                # Directories follow one another in the file, so there is no loop.
                if following < end:
                    raise FormatError(f"the chain turns back to byte {following}")
                data = self._file.read_at(following, _IFD_BYTES)
                page = read_page(data, following, self._size)
                if first is not None and (page.shape, page.dtype) != (
                    first.shape,
                    first.dtype,
                ):
                    raise FormatError("the images of the file differ")
                blank = page.facts is not None and page.facts[0] <= 1
                plane = None if blank else self._read_facts(page)
                if plane is not None:
                    if (plane.image, plane.place) in seen:
                        raise FormatError(f"the plane {plane.place} is there twice")
                    seen.add((plane.image, plane.place))
            except FormatError as error:
                problem = error.message
                break
            if page.facts is not None:
                self._facts.extend((page.facts[1], page.facts[0]))
            first, last = first or page, page
            end, following = page.end, page.next_ifd
        return _Chain(first, last, end, problem)

    def _read_facts(self, page: Page) -> Plane:
        if page.facts is None or page.facts[0] > MAX_FACTS_BYTES:
            raise FormatError("an image does not say which plane it holds")
        length, offset = page.facts
        line = self._file.read_at(offset, length).rstrip(b"\0")
        return decode_facts(line, len(self._facts) // 2)

    def planes(self, image: int) -> Iterator[Plane]:
        """Iterate over the planes of an image."""
        facts = self._facts
        for ifd in range(len(facts) // 2):
            offset, length = facts[2 * ifd], facts[2 * ifd + 1]
            if length > 1:  # not the blank image of a file without frames
                line = self._file.read_at(offset, length).rstrip(b"\0")
                plane = decode_facts(line, ifd)
                if plane.image == image:
                    yield plane

    def _read_document(self) -> OmeDocument:
        """Read the XML that the first image points to, or else the first one."""
        texts = []
        first = self._chain.first
        if first is not None and first.description is not None:
            texts.append(first.description)
        texts.append((0, FIRST_TEXT))
        problem: FormatError | None = None
        for length, offset in texts:
            try:
                document = decode_document(self._read_text(offset, length))
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

    def _read_text(self, offset: int, length: int) -> bytes:
        """Read text of a length, or up to its zero where the length is 0."""
        if length > _MAX_TEXT_BYTES:
            raise FormatError(f"the OME-XML takes {length} bytes: too many")
        if length:
            return self._file.read_at(offset, length).rstrip(b"\0")
        text = bytearray()
        while b"\0" not in text and len(text) < _MAX_TEXT_BYTES:
            piece = self._file.read_at(offset + len(text), _TEXT_STEP)
            if not piece:
                break
            text += piece
        return bytes(text).partition(b"\0")[0]

    # ------------------------------------------------------------- writing

    def repair(self) -> list[str]:
        """Complete the file; returns what was done."""
        chain, document = self._chain, self.document
        if not document.growing:
            if chain.problem:
                raise FormatError(
                    f"the file was closed and is damaged since: {chain.problem}",
                    path=self.path,
                )
            return []
        self._check(document)
        done = []
        end = chain.end
        if chain.first is not None and chain.first.description is not None:
            end = max(end, sum(chain.first.description))
        if chain.problem:
            done.append(f"the chain of images ends where they do ({chain.problem})")
            link = chain.last.link if chain.last is not None else FIRST_LINK
            self._file.write_at(link, bytes(8))
        if chain.first is None:
            end = FIRST_TEXT + len(self._read_text(FIRST_TEXT, 0)) + 1
        end = -(-end // _ALIGNMENT) * _ALIGNMENT  # what follows begins there
        if self._size > end:
            done.append(f"{self._size - end} bytes behind the last frame were dropped")
            self._file.truncate(end)
        images = tuple(
            self._fitted(image, number) for number, image in enumerate(document.images)
        )
        self.document = replace(document, images=images, growing=False)
        self._describe(end)
        frames = sum(1 for n in range(len(images)) for _ in self.planes(n))
        done.append(f"the OME-XML now lists its {frames} frames")
        self._size = self._file.size()
        return done

    def _check(self, document: OmeDocument) -> None:
        first = self._chain.first
        image = document.images[0]
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

    def _fitted(self, image: OmeImage, number: int) -> OmeImage:
        """Return the image with a slowest axis that ends where the frames do."""
        found = [0, 0, 0]
        for plane in self.planes(number):
            found = [max(n, i + 1) for n, i in zip(found, plane.place, strict=True)]
        if not any(found):
            return image
        slowest = "TCZ".index(image.order[-1])
        t, c, z = (
            found[axis] if axis == slowest else max(found[axis], size)
            for axis, size in enumerate(image.sizes)
        )
        return replace(image, sizes=(t, c, z))

    def _describe(self, end: int) -> None:
        """Write the final XML behind the frames, then point to it."""
        start = position = end

        def planes(number: int, brief: bool) -> Iterable[Plane]:
            return self.planes(number)

        for piece in text_pieces(document_pieces(self.document, planes)):
            position += self._file.write_at(position, piece)
        self._file.sync()
        description = position - start, start
        first = self._chain.first
        if first is not None:
            words = b"".join(n.to_bytes(8, "little") for n in description)
            self._file.write_at(first.describing, words)
        else:
            image = self.document.images[0]
            template = IfdTemplate(
                image.frame_shape,
                np.dtype(image.dtype),
                pixel_um=image.pixel_um,
                described=True,
            )
            place = -(-position // _SECTOR) * _SECTOR
            ifd = template.fill(
                pixels=0,
                nbytes=0,
                facts=place + template.nbytes,
                facts_length=1,
                description=description,
            )
            self._file.write_at(place, ifd, b"\0")
            self._file.write_at(FIRST_LINK, place.to_bytes(8, "little"))
        self._file.sync()
