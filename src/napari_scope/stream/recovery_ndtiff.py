"""An NDTiff store of an interrupted run: its index is checked, its frames too.

The files of NDTiff need no end: a killed writer leaves a whole store. After a loss of
power the index may lack records of frames whose pixels exist; a new one takes its place
then. Half a record at the end of the index, which a failing disk leaves, is
cut off: other programs do not open a store that has one. Each resolution of a tiled
store has an index; its levels are brought up to date, tile by tile.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.errors import FormatError, FrameError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index
from napari_scope.formats.ndtiff.layout import WRITING_NAME, find_store
from napari_scope.formats.ndtiff.level_repair import LevelRepair
from napari_scope.formats.ndtiff.record import PIXEL_TYPES
from napari_scope.formats.ndtiff.recovery import recover
from napari_scope.stream.recovery_frames import FrameSteps, check_frames
from napari_scope.stream.sinks.ndtiff import MICRO_MANAGER_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
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
    layout = find_store(root)
    folders = tuple(layout.levels.values())
    cut = [folder for folder in folders if _cut_torn_record(folder / INDEX_NAME)]
    notes = ["the torn end of the index was cut off"] if cut else []
    for level in recover(root).levels:
        if level.written is None:
            continue
        # It has every record of the old one whose frame exists.
        with DataFile.open(level.written, writable=True) as file:
            file.sync()
        os.replace(level.written, level.folder / INDEX_NAME)
        name = "" if level.folder == root else f" of {level.folder.name!r}"
        notes.append(
            f"the index{name} was written anew: {level.recovered} frames that it did "
            f"not know, {level.dropped} without pixels left out"
        )
    full = folders[0]
    table = parse_index((full / INDEX_NAME).read_bytes())
    places = {_key(table.axes(row)): table.location(row) for row in range(len(table))}
    pool = FilePool(full)

    def read(line: FrameLine) -> npt.NDArray[np.generic] | None:
        place: FrameLocation | None = places.get(_key(dict(line.axes)))
        return None if place is None else pool.read_frame(place)

    try:
        lines = [line for line in run.lines if line.status == "saved"]
        step = FrameSteps(len(lines), progress)
        facts = _Facts(full, pool, places)
        tiled = layout.has_level_folders
        with _Levels(root, pool, places, tiled=tiled) as levels:

            def good(line: FrameLine, frame: npt.NDArray[np.generic]) -> None:
                facts.check(line, frame)
                levels.add(line, frame)

            lost = check_frames(lines, read, good, step=step)
            levels.add_others(lines)
        notes += levels.notes
        if count := facts.mend():
            notes.append(f"the metadata of {count} frames were written anew")
        # Nobody writes: the journal is locked. Readers take the mark for a writer's.
        (root / WRITING_NAME).unlink(missing_ok=True)
        return lost, notes
    finally:
        pool.close()


class _Levels:
    """Carries the frames of a tiled store into its levels once more.

    A level that is damaged is no reason to leave the frames: it is told in ``notes``.
    A store without levels has nothing to be done.
    """

    def __init__(
        self,
        root: Path,
        pool: FilePool,
        places: Mapping[_Key, FrameLocation],
        *,
        tiled: bool,
    ) -> None:
        self._pool = pool
        self._places = places
        self.notes: list[str] = []
        self._repair: LevelRepair | None = None
        if tiled:
            with self._told():
                self._repair = LevelRepair(root)
                if self._repair.unfinished:
                    self.notes.append("a level that was being made was deleted")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (FormatError, FrameError) as error:
            self.notes.append(f"the levels could not be brought up to date: {error}")
            self.close()

    def add(self, line: FrameLine, frame: npt.NDArray[np.generic]) -> None:
        """Carry on a frame that has a line."""
        key = _key(dict(line.axes))
        self._add(key, self._places[key], frame, _known(line))

    def add_others(self, lines: Iterable[FrameLine]) -> None:
        """Carry on the frames that were stored before they had a line."""
        known = {_key(dict(line.axes)) for line in lines}
        for key, place in self._places.items():
            if key not in known and self._repair is not None:
                with self._told():
                    self._add(key, place, self._pool.read_frame(place), {})

    def _add(
        self,
        key: _Key,
        place: FrameLocation,
        frame: npt.NDArray[np.generic],
        metadata: Mapping[str, object],
    ) -> None:
        if self._repair is None:
            return
        kind = PIXEL_TYPES[place.pixel_type]
        depth = kind.bits if kind.dtype.itemsize > 1 else None
        with self._told():
            self._repair.add(dict(key), frame, metadata, bit_depth=depth)

    def close(self) -> None:
        """Close the levels."""
        repair, self._repair = self._repair, None
        if repair is not None:
            repair.close()

    def __enter__(self) -> _Levels:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _known(line: FrameLine) -> dict[str, object]:
    """Return what the journal knows of a frame, under the names of Micro-Manager."""
    return {MICRO_MANAGER_KEYS.get(k, k): v for k, v in line.metadata.items()}


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
        for facts in {**_known(line), **axes}, axes:
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
