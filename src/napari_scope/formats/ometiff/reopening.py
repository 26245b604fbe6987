"""Whether a file that was closed can be gone on with, and what is in it.

Nothing is written here, and no file stays open.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError, ScopeError, SettingsError
from napari_scope.fileio import DataFile
from napari_scope.formats.ometiff.chain import first_levels
from napari_scope.formats.ometiff.failure import disk_failure
from napari_scope.formats.ometiff.names import tiff_files

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.formats.ometiff.document import OmeImage
    from napari_scope.formats.ometiff.frames import FrameKind
    from napari_scope.formats.ometiff.written import WrittenFile

__all__ = ["check_file", "reaching", "stored_levels"]


def stored_levels(path: Path) -> int:
    """Return how many levels the frames of a file or folder have.

    Raises
    ------
    FormatError
        The files are not ours, or damaged.
    StreamError
        They cannot be read.
    """
    try:
        paths = tiff_files(path) if path.is_dir() else [path]
        for name in paths:
            with DataFile.open(name) as file:
                levels = first_levels(file)
            if levels is not None:
                return levels
    except OSError as error:
        if isinstance(error, ScopeError):
            raise
        raise disk_failure(error, path, "read") from error
    return 1


def check_file(written: WrittenFile, kind: FrameKind) -> None:
    """Refuse a file that is not whole, or whose frames are of another kind.

    Raises
    ------
    FormatError
        It was not closed, or is damaged.
    SettingsError
        Its frames are not of this kind.
    """
    chain, path = written.chain, written.path
    if written.document.growing or chain.problem or chain.first is None:
        raise FormatError(
            "the file was not closed, or is damaged",
            path=path,
            hint="`napari-scope recover` completes it, if a process was killed",
        )
    written.check_frames()
    first = chain.first
    codec = kind.codec
    packing = (1, 1) if codec is None else (codec.compression, codec.predictor)
    for what, there, planned in (
        ("frames of shape", first.shape, kind.shape),
        ("pixels of type", first.dtype.newbyteorder("="), kind.dtype),
        ("TIFF compression and predictor", first[3:5], packing),
        ("coarse levels", len(first.levels), kind.coarse),
    ):
        if there != planned and (len(chain) or what != "coarse levels"):
            raise SettingsError(
                f"the file has {what} {there}, now {planned} are planned",
                path=path,
                hint="go on as the run was begun, or save the rest as its own run",
            )


def reaching(
    images: tuple[OmeImage, ...], written: WrittenFile, *, growing: bool
) -> tuple[OmeImage, ...]:
    """Return the images, as long as the frames in a file reach.

    Raises
    ------
    SettingsError
        They reach further than was planned, and nothing may grow.
    FormatError
        A frame is of an image that the file does not have.
    """
    sizes = [list(image.sizes) for image in images]
    for number, place in written.chain.numbers:
        if number >= len(images):
            raise FormatError(
                f"a frame is of image {number}, which the file does not have",
                path=written.path,
            )
        for axis, index in enumerate(place):
            if index < sizes[number][axis]:
                continue
            if not growing:
                raise SettingsError(
                    f"the plane (t, c, z) = {place} is there, which is not planned",
                    path=written.path,
                )
            sizes[number][axis] = index + 1
    return tuple(
        replace(image, sizes=(t, c, z))
        for image, (t, c, z) in zip(images, sizes, strict=True)
    )
