"""An OME-TIFF run that was interrupted: its files are completed, its frames checked.

Each image of a file says itself which plane it holds, so `repair_tiff` needs no
journal. What is left to find out is whether the pixels of every line are there. In a
folder they are looked for in all files, by place and checksum: no file says which
number its image has in the journal.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ometiff import stem_of
from napari_scope.formats.ometiff.names import SUFFIXES, tiff_files
from napari_scope.formats.ometiff.repair import repair_tiff
from napari_scope.formats.ometiff.written import WrittenFile
from napari_scope.stream.journal import JOURNAL_NAME
from napari_scope.stream.recovery_frames import FrameSteps
from napari_scope.stream.sinks.base import checksum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_scope.formats.ometiff.facts import Place
    from napari_scope.stream.recovery_frames import FrameKey, Progress, Reason
    from napari_scope.stream.recovery_plan import FrameLine, RunRecord

    Found: TypeAlias = tuple[int | None, Place, int]

__all__ = ["recover_tiff"]

_AXES = ("time", "channel", "z")


def recover_tiff(
    journal: Path, run: RunRecord, progress: Progress | None = None
) -> tuple[dict[FrameKey, Reason], list[str]]:
    """Complete the files of a run and check its frames.

    Parameters
    ----------
    journal : Path
        Its journal: in the folder of the files, or beside the only one.
    run : RunRecord
        What it says.
    progress : callable, optional
        Told how many frames of the files were checked, and of how many.

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
    folder = target.is_dir()
    files = [WrittenFile(p) for p in (tiff_files(target) if folder else [target])]
    try:
        found = Counter(_frames(files, folder=folder, progress=progress))
    finally:
        for file in files:
            file.close()
    lost: dict[FrameKey, Reason] = {}
    for line in run.lines:
        if line.status != "saved" or line.crc32c is None:
            continue
        key = None if folder else line.image, _place(line, run.names), line.crc32c
        if found[key]:
            found[key] -= 1
        else:
            lost[line.image, line.index] = "its pixels are in no file"
    return lost, notes


def _target(journal: Path) -> Path:
    """Return the folder or the file that a journal belongs to."""
    if journal.name == JOURNAL_NAME:
        return journal.parent
    stem = journal.name.removesuffix(f".{JOURNAL_NAME}")
    for path in sorted(journal.parent.iterdir()):
        ours = path.name == stem or path.name.lower().endswith(SUFFIXES)
        if ours and stem_of(path) == stem and path.is_file():
            return path
    raise FormatError(f"the file of the run is not there: {stem}", path=journal.parent)


def _place(line: FrameLine, names: Sequence[str]) -> Place:
    """Return time, channel and z of a frame."""
    index = dict(zip(names, line.index, strict=True))
    t, c, z = (index.get(name, 0) for name in _AXES)
    return t, c, z


def _frames(
    files: Sequence[WrittenFile], *, folder: bool, progress: Progress | None
) -> Iterator[Found]:
    """Iterate over image (if one file has all), place and checksum of all frames."""
    step = FrameSteps(sum(len(file.chain.numbers) for file in files), progress)
    for file in files:
        for image, place in file.chain.numbers:
            try:
                frame = np.ascontiguousarray(file.read_frame(image, place))
            except FormatError:
                continue  # a loss of power may have taken the pixels
            finally:
                step()
            yield None if folder else image, place, checksum(frame)
