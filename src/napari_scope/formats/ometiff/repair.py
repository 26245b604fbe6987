"""Completing what a killed process left: the chain of images, the XML, the companion.

Nothing is guessed. Every image directory has a line of facts that says which plane it
holds, so the final XML follows from the file alone. A repaired file equals one that
was closed, but that its slowest axis ends where the frames do.

A file that is still being written must not be repaired; no file tells that it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError, ScopeError
from napari_scope.fileio import replace_file
from napari_scope.formats.ometiff.document import FileRef, OmeDocument, OmeImage
from napari_scope.formats.ometiff.failure import disk_failure
from napari_scope.formats.ometiff.frames import blank_strip
from napari_scope.formats.ometiff.ifd import FIRST_LINK
from napari_scope.formats.ometiff.layout import SECTOR, aligned
from napari_scope.formats.ometiff.names import companion_of, tiff_files
from napari_scope.formats.ometiff.omexml import document_pieces
from napari_scope.formats.ometiff.reading import decode_document
from napari_scope.formats.ometiff.tiff import FIRST_TEXT, text_pieces
from napari_scope.formats.ometiff.written import WrittenFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from napari_scope.formats.ometiff.facts import Plane

__all__ = ["repair_tiff"]


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
    DiskSpaceError, StreamError
        The disk is full or failed.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            with WrittenFile(path, writable=True) as file:
                return _repair(file)
        return _repair_folder(path)
    except OSError as error:
        if isinstance(error, ScopeError):
            raise
        raise disk_failure(error, path, "repaired") from error


def _repair_folder(folder: Path) -> list[str]:
    companion = companion_of(folder)
    old = None
    if companion.is_file():
        try:
            old = decode_document(companion.read_bytes())
        except FormatError:
            old = None  # it is made anew
    paths = tiff_files(folder)
    if not paths:
        raise FormatError("the folder holds no OME-TIFF", path=folder)
    done = []
    files: list[WrittenFile] = []
    try:
        for path in paths:
            file = WrittenFile(path, writable=True)
            files.append(file)
            done += [f"{path.name}: {sentence}" for sentence in _repair(file)]
        if done or old is None or old.growing:
            _write_companion(companion, old, files)
            done.append(f"{companion.name}: written anew")
    finally:
        for file in files:
            file.close()
    return done


def _write_companion(
    companion: Path, old: OmeDocument | None, files: list[WrittenFile]
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
        return files[number].all_planes(0, brief)

    text = "".join(document_pieces(document, planes))
    replace_file(companion, text.encode("ascii"))


def _repair(killed: WrittenFile) -> list[str]:
    """Complete one file; returns what was done."""
    chain, document = killed.chain, killed.document
    if not document.growing:
        if chain.problem:
            raise FormatError(
                f"the file was closed and is damaged since: {chain.problem}",
                path=killed.path,
            )
        return []
    killed.check_frames()
    done = []
    end = chain.end
    if chain.first is not None:
        if chain.first.description is None:
            raise FormatError(
                "the first image does not point to the OME-XML", path=killed.path
            )
        end = max(end, sum(chain.first.description))
    if chain.problem:
        done.append(f"the chain of images ends where they do ({chain.problem})")
        killed.file.write_at(chain.link, bytes(8))
    if chain.first is None:
        end = FIRST_TEXT + len(killed.read_text(FIRST_TEXT)) + 1
    end = aligned(end)  # what follows begins there
    if chain.file_size > end:
        done.append(f"{chain.file_size - end} bytes behind the last frame were dropped")
        killed.file.truncate(end)
    images = tuple(
        _fitted(image, killed, number) for number, image in enumerate(document.images)
    )
    killed.document = replace(document, images=images, growing=False)
    _describe(killed, end)
    done.append(f"the OME-XML now lists its {len(chain.numbers)} frames")
    return done


def _fitted(image: OmeImage, killed: WrittenFile, number: int) -> OmeImage:
    """Return the image with a slowest axis that ends where the frames do."""
    found = [0, 0, 0]
    for _, (t, c, z) in killed.chain.frames(number):
        found = [max(found[0], t + 1), max(found[1], c + 1), max(found[2], z + 1)]
    if not any(found):
        return image
    slowest = "TCZ".index(image.order[-1])
    t, c, z = (
        found[axis] if axis == slowest else max(found[axis], size)
        for axis, size in enumerate(image.sizes)
    )
    return replace(image, sizes=(t, c, z))


def _describe(killed: WrittenFile, end: int) -> None:
    """Write the final XML behind the frames, then point to it."""
    file, chain, image = killed.file, killed.chain, killed.document.images[0]
    first, blank = chain.first, 0
    starts = (
        (n, (0, 0, 0)) in chain.numbers for n in range(len(killed.document.images))
    )
    if first is not None and not chain.blank and not all(starts):
        # As `OmeTiffFile.finish` does: readers want to find the first plane.
        layout = killed.kind.layout(image.pixel_um)
        laid = layout.lay_out([blank_strip(killed.kind)], end, None)
        blank, position = end, end + file.write_at(end, *laid.buffers)
        end = aligned(position)
    position = end
    for piece in text_pieces(document_pieces(killed.document, killed.all_planes)):
        position += file.write_at(position, piece)
    file.sync()
    description = position - end, end
    if blank:
        file.write_at(chain.link, blank.to_bytes(8, "little"))
    if first is not None:
        words = b"".join(n.to_bytes(8, "little") for n in description)
        file.write_at(first.describing, words)
    else:
        place = aligned(position, SECTOR)
        layout = killed.kind.layout(image.pixel_um)
        laid = layout.lay_out([blank_strip(killed.kind)], place, description)
        file.write_at(place, *laid.buffers)
        file.write_at(FIRST_LINK, place.to_bytes(8, "little"))
    file.sync()
