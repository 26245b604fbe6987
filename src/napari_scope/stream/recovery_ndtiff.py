"""An NDTiff store of an interrupted run: its index is checked, its frames too.

The files of NDTiff need no end: a killed writer leaves a whole store. After a loss of
power the index may lack records of frames whose pixels exist; a new one takes its place
then. Half a record at the end of the index, which a failing disk leaves, is
cut off: other programs do not open a store that has one.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index
from napari_scope.formats.ndtiff.layout import WRITING_NAME
from napari_scope.formats.ndtiff.recovery import recover
from napari_scope.stream.recovery_frames import FrameSteps, check_frames
from napari_scope.stream.sinks.ndtiff import MICRO_MANAGER_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ndtiff.files import FrameLocation
    from napari_scope.stream.recovery_frames import FrameKey, Progress, Reason
    from napari_scope.stream.recovery_plan import FrameLine, RunRecord

__all__ = ["recover_ndtiff"]

_Key: TypeAlias = tuple[tuple[str, int | str], ...]

_MAX_INDEX = 2**31
_MAX_RECORD = 1 << 16


def recover_ndtiff(
    root: Path, run: RunRecord, progress: Progress | None = None
) -> tuple[dict[FrameKey, Reason], list[str]]:
    """Check a store and write a whole index where the old one is not.

    ``progress`` is told how many frames were checked, and of how many.

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
        step = FrameSteps(len(lines), progress)
        facts = _Facts(root, pool, places)
        lost = check_frames(lines, read, facts.check, step=step)
        if count := facts.mend():
            notes.append(f"the metadata of {count} frames were written anew")
        # Nobody writes: the journal is locked. Readers take the mark for a writer's.
        (root / WRITING_NAME).unlink(missing_ok=True)
        return lost, notes
    finally:
        pool.close()


class _Facts:
    """The metadata of frames in the files, which the journal has, too.

    A loss of power may take them and leave the pixels. They are written anew into the
    room that they had.
    """

    def __init__(
        self, root: Path, pool: FilePool, places: Mapping[_Key, FrameLocation]
    ) -> None:
        self._root = root
        self._pool = pool
        self._places = places
        self._broken: list[tuple[FrameLocation, bytes]] = []

    def check(self, line: FrameLine, _: object) -> None:
        """Look at the metadata of a frame that is there."""
        place = self._places[_key(dict(line.axes))]
        size = place.metadata_length
        try:
            text = self._pool.read_bytes(
                place.file, place.metadata_offset, size, "metadata of a frame"
            )
            if isinstance(json.loads(text), dict):
                return
        except (FormatError, ValueError, RecursionError):
            pass
        axes = {"Axes": dict(line.axes)}
        known = {MICRO_MANAGER_KEYS.get(k, k): v for k, v in line.metadata.items()}
        for facts in {**known, **axes}, axes:
            new = json.dumps(facts, separators=(",", ":")).encode()
            if len(new) <= size:
                self._broken.append((place, new.ljust(size)))
                return

    def mend(self) -> int:
        """Write those that are broken; returns how many."""
        for name in {place.file for place, _ in self._broken}:
            with DataFile.open(self._root / name, writable=True) as file:
                for place, text in self._broken:
                    if place.file == name:
                        file.write_at(place.metadata_offset, text)
                file.sync()
        return len(self._broken)


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


def _key(axes: dict[str, int | str]) -> _Key:
    try:
        return tuple(sorted(axes.items()))
    except TypeError as error:
        raise FormatError(f"the axes {axes} make no sense") from error
