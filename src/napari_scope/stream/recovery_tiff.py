"""An OME-TIFF run that was interrupted: its files are completed, its frames checked.

Each image of a file says itself which plane it holds, so `repair_tiff` needs no
journal. What is left to find out is whether the pixels of every line are there: they
are looked for by their checksums, whatever their order in the files.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ometiff.packing import codec_of
from napari_scope.formats.ometiff.repair import repair_tiff
from napari_scope.formats.ometiff.writer import SUFFIXES, stem_of
from napari_scope.stream.journal import JOURNAL_NAME
from napari_scope.stream.sinks.base import checksum

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt
    import tifffile

    from napari_scope.stream.recovery_frames import FrameKey, Reason
    from napari_scope.stream.recovery_plan import RunRecord

__all__ = ["recover_tiff"]


def recover_tiff(
    journal: Path, run: RunRecord
) -> tuple[dict[FrameKey, Reason], list[str]]:
    """Complete the files of a run and check its frames.

    Parameters
    ----------
    journal : Path
        Its journal: in the folder of the files, or beside the only one.
    run : RunRecord
        What it says.

    Returns
    -------
    (dict, list of str)
        Frames that are lost, and what was done.

    Raises
    ------
    FormatError
        If there is no file, or one is damaged in a way that no kill leaves.
    """
    target = _target(journal)
    notes = repair_tiff(target)
    found = Counter(_checksums(target))
    lost: dict[FrameKey, Reason] = {}
    for line in run.lines:
        if line.status != "saved" or line.crc32c is None:
            continue
        if found[line.crc32c]:
            found[line.crc32c] -= 1
        else:
            lost[line.image, line.index] = "its pixels are in no file"
    return lost, notes


def _target(journal: Path) -> Path:
    """Return the folder or the file that a journal belongs to."""
    if journal.name == JOURNAL_NAME:
        return journal.parent
    stem = journal.name.removesuffix(f".{JOURNAL_NAME}")
    for path in sorted(journal.parent.iterdir()):
        if path.name.lower().endswith(SUFFIXES) and stem_of(path) == stem:
            return path
    raise FormatError(f"the file of the run is not there: {stem}", path=journal.parent)


def _checksums(target: Path) -> Iterator[int]:
    """Iterate over the checksums of the frames in one file, or in those of a folder."""
    from tifffile import TiffFile, TiffFileError

    paths = [target]
    if target.is_dir():
        paths = [p for p in sorted(target.iterdir()) if p.name.endswith(SUFFIXES)]
    for path in paths:
        try:
            with TiffFile(path) as file:
                for page in file.pages:
                    # A loss of power may have taken the pixels.
                    with contextlib.suppress(ValueError, RuntimeError, FormatError):
                        yield checksum(np.ascontiguousarray(_pixels(page)))
        except TiffFileError as error:
            raise FormatError(
                f"its frames cannot be read: {error}", path=path
            ) from error


def _pixels(page: tifffile.TiffPage | tifffile.TiffFrame) -> npt.NDArray[np.generic]:
    """Return the pixels of an image; tifffile alone does not unpack LZW."""
    page = page.aspage()
    if page.dtype is None:
        raise FormatError("an image of a type that is not known")
    codec = codec_of(int(page.compression), int(page.predictor), page.dtype)
    if codec is None:
        return np.asarray(page.asarray())
    source = page.parent.filehandle
    source.seek(page.dataoffsets[0])
    return codec.unpack(source.read(page.databytecounts[0]), page.shape)
