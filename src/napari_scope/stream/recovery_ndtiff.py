"""An NDTiff store of an interrupted run: its index is checked, its frames too.

The files of NDTiff need no end: a killed writer leaves a whole store. After a loss of
power the index may lack records of frames whose pixels exist; a new one takes its place
then. Half a record at the end of the index, which a failing disk leaves, is
cut off: other programs do not open a store that has one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index
from napari_scope.formats.ndtiff.recovery import recover
from napari_scope.stream.recovery_frames import check_frames

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ndtiff.files import FrameLocation
    from napari_scope.stream.recovery_frames import FrameKey, Reason
    from napari_scope.stream.recovery_plan import FrameLine, RunRecord

__all__ = ["recover_ndtiff"]

_MAX_INDEX = 2**31
_MAX_RECORD = 1 << 16


def recover_ndtiff(
    root: Path, run: RunRecord
) -> tuple[dict[FrameKey, Reason], list[str]]:
    """Check a store and write a whole index where the old one is not.

    Raises
    ------
    FormatError
        If there is no frame to be found.
    """
    cut = _cut_torn_record(root / INDEX_NAME)
    report = recover(root)
    level = report.levels[0]
    index = root / INDEX_NAME
    notes = ["the torn end of the index was cut off"] if cut else []
    if level.written is not None:
        # It has every record of the old one whose frame exists.
        with DataFile.open(level.written, writable=True) as file:
            file.sync()
        os.replace(level.written, index)
        notes.append(
            f"the index was written anew: {level.recovered} frames that it did not "
            f"know, {level.dropped} without pixels left out"
        )
    table = parse_index(index.read_bytes())
    places = {_key(table.axes(row)): table.location(row) for row in range(len(table))}
    pool = FilePool(root)

    def read(line: FrameLine) -> npt.NDArray[np.generic] | None:
        place: FrameLocation | None = places.get(_key(dict(line.axes)))
        return None if place is None else pool.read_frame(place)

    try:
        lines = [line for line in run.lines if line.status == "saved"]
        return check_frames(lines, read), notes
    finally:
        pool.close()


def _cut_torn_record(index: Path) -> bool:
    """Cut off what follows the last whole record, if it is less than one."""
    if not index.is_file() or index.stat().st_size > _MAX_INDEX:
        return False
    data = index.read_bytes()
    whole = parse_index(data).consumed
    rest = data[whole:]
    if not rest or len(rest) > _MAX_RECORD or not _is_torn(rest):
        return False
    with DataFile.open(index, writable=True) as file:
        file.truncate(whole)
        file.sync()
    return True


def _is_torn(rest: bytes) -> bool:
    """Return whether bytes are the beginning of a record that is longer than they.

    A record is the length of the axes, the axes (JSON), the length of the name of the
    file, the name, and eight numbers, of four bytes each.
    """
    if len(rest) < 4:
        return True
    axes = int.from_bytes(rest[:4], "little")
    if axes > _MAX_RECORD or len(rest) < 4 + axes + 4:
        return axes <= _MAX_RECORD and rest[4:5] in (b"", b"{")
    name = int.from_bytes(rest[4 + axes : 8 + axes], "little")
    return name <= _MAX_RECORD and len(rest) < 8 + axes + name + 32


def _key(axes: dict[str, int | str]) -> tuple[tuple[str, int | str], ...]:
    try:
        return tuple(sorted(axes.items()))
    except TypeError as error:
        raise FormatError(f"the axes {axes} make no sense") from error
