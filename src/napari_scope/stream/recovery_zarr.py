"""An OME-Zarr store of an interrupted run: what `close` would have done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_scope.arrays import halve
from napari_scope.errors import FormatError
from napari_scope.fileio import replace_file
from napari_scope.formats.ngff.writing import repair
from napari_scope.formats.ngff.writing.frame_array import FrameArray
from napari_scope.model import short
from napari_scope.stream.recovery_frames import FrameSteps, check_frames
from napari_scope.stream.sinks.contrast import display_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.stream.recovery_frames import FrameKey, Progress, Reason
    from napari_scope.stream.recovery_plan import FrameLine, RunRecord

__all__ = ["recover_zarr"]

# Coarse frames are collected until their file is complete, but not more than this.
_MOST_BYTES = 256 * 1024 * 1024


def recover_zarr(
    root: Path,
    run: RunRecord,
    summary: Mapping[str, object],
    progress: Progress | None = None,
) -> tuple[dict[FrameKey, Reason], list[str]]:
    """Finish a store.

    Parameters
    ----------
    root : Path
        The store.
    run : RunRecord
        What its journal says.
    summary : mapping
        For the attributes of the group ``acquisition``.
    progress : callable, optional
        Told how many frames were checked, and of how many.

    Returns
    -------
    (dict, list of str)
        Frames that are lost, and what was done.

    Raises
    ------
    FormatError
        If the store is not one that this writer makes; or its metadata are damaged.
    """
    notes = []
    if count := repair.remove_leftovers(root):
        notes.append(f"{count} files that were being made were removed")
    images = _in_order(repair.stored_images(root), run)
    sealed = sum(repair.seal_shards(level) for i in images for level in i.levels)
    if sealed:
        notes.append(f"the index of {sealed} shards is at their end now")
    if _shapes(images, run):
        notes.append("the arrays are as long as the run was")
    lost: dict[FrameKey, Reason] = {}
    step = FrameSteps(sum(x.status == "saved" for x in run.lines), progress)
    try:
        for number, image in enumerate(images):
            lines = [x for x in run.lines if (x.image, x.status) == (number, "saved")]
            worker = _ImageWorker(image, run)
            lost.update(worker.check(lines, step))
            if repair.list_levels(image, worker.windows) and len(image.levels) > 1:
                notes.append(f"levels completed: {image.folder.relative_to(root)}")
        _fix_xml(root, images)
        _write_summary(root, summary)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise FormatError(
            f"the metadata are not those of this writer ({error!r})", path=root
        ) from error
    return lost, notes


def _in_order(
    images: list[repair.StoredImage], run: RunRecord
) -> list[repair.StoredImage]:
    """Return the images by their numbers in the journal."""
    by_place = {_key(image.place): image for image in images}
    result = []
    for number, image in enumerate(images):
        place = run.place(number)
        result.append(by_place.get(_key(place), image) if place else image)
    return result


def _key(place: Mapping[str, int | str]) -> tuple[tuple[str, int | str], ...]:
    return tuple(sorted(place.items()))


def _shapes(images: Sequence[repair.StoredImage], run: RunRecord) -> bool:
    """Make arrays that have grown ahead of the frames as long as the run."""
    changed = False
    for number, image in enumerate(images):
        reached = {short(name): n for name, n in run.reached(number).items()}
        for level in image.levels:
            before = repair.shape_of(level)
            lead = [
                reached.get(name, n)
                for name, n in zip(image.names[:-2], before[:-2], strict=True)
            ]
            changed |= repair.set_shape(level, lead)
    return changed


class _ImageWorker:
    """Reads the frames of an image once: checks them, makes the levels, the ranges."""

    def __init__(self, image: repair.StoredImage, run: RunRecord) -> None:
        order = run.storage_order(image.names[:-2])
        if order is None:
            raise FormatError(
                f"it has the axes {', '.join(image.names)}, its journal "
                f"{', '.join(run.names)}",
                path=image.folder,
            )
        self._order = order
        self._arrays = [FrameArray(level) for level in image.levels]
        self._pending: list[list[tuple[tuple[int, ...], npt.NDArray[np.generic]]]] = [
            [] for _ in self._arrays
        ]
        self._channel = image.names.index("c") if "c" in image.names[:-2] else None
        self.windows: dict[int, tuple[float, float]] = {}

    def check(
        self, lines: Sequence[FrameLine], step: FrameSteps
    ) -> dict[FrameKey, Reason]:
        """Check all frames and complete the levels."""
        # Levels are made anew: a loss of power may have taken any part of them.
        for array in self._arrays[1:]:
            array.clear()
        files = self._arrays[1 if len(self._arrays) > 1 else 0]
        ordered = sorted(lines, key=lambda x: (files.file_of(self._stored(x)), x.index))
        lost = check_frames(ordered, self._read, self._good, step)
        for level in range(1, len(self._arrays)):
            self._flush(level)
            self._arrays[level].sync()
        bad = [self._stored(x) for x in ordered if (x.image, x.index) in lost]
        self._erase([*bad, *self._unreadable({self._stored(x) for x in ordered})])
        return lost

    def _unreadable(self, known: set[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
        for index in self._arrays[0].suspects(known):
            try:
                self._arrays[0].read(index)
            except FormatError:
                yield index

    def _erase(self, broken: Sequence[tuple[int, ...]]) -> None:
        """Make frames that are broken empty, so that nobody stumbles over them."""
        for index in broken:
            self._arrays[0].erase(index)
        if broken:
            self._arrays[0].sync()

    def _stored(self, line: FrameLine) -> tuple[int, ...]:
        return tuple(line.index[axis] for axis in self._order)

    def _read(self, line: FrameLine) -> npt.NDArray[np.generic]:
        return self._arrays[0].read(self._stored(line))

    def _good(self, line: FrameLine, frame: npt.NDArray[np.generic]) -> None:
        index = self._stored(line)
        channel = index[self._channel] if self._channel is not None else 0
        if channel not in self.windows:
            found = display_range(frame)
            if found is not None:
                self.windows[channel] = found
        for level in range(1, len(self._arrays)):
            pending, array = self._pending[level], self._arrays[level]
            another = pending and array.file_of(pending[0][0]) != array.file_of(index)
            if another or len(pending) * frame.nbytes // 4 > _MOST_BYTES:
                self._flush(level)
                pending = self._pending[level]
            frame = halve(frame)
            pending.append((index, frame))

    def _flush(self, level: int) -> None:
        self._arrays[level].write(self._pending[level])
        self._pending[level] = []


def _fix_xml(root: Path, images: Sequence[repair.StoredImage]) -> None:
    sizes = []
    for image in images:
        shape = repair.shape_of(image.levels[0])
        lead = zip(image.names[:-2], shape[:-2], strict=True)
        sizes.append({name: n for name, n in lead if name in ("t", "c", "z")})
    repair.fix_sizes_in_xml(root, sizes)


def _write_summary(root: Path, summary: Mapping[str, object]) -> None:
    """Note in the group of the journal what its lines say."""
    for name in ("zarr.json", ".zattrs"):
        path = root / "acquisition" / name
        if not path.is_file():
            continue
        document: dict[str, Any] = json.loads(path.read_bytes())
        attributes = (
            document.setdefault("attributes", {}) if name[0] != "." else document
        )
        before = attributes.get("frames")
        kept = before.get("resumed") if isinstance(before, dict) else None
        attributes["frames"] = {**summary, **({"resumed": kept} if kept else {})}
        replace_file(path, json.dumps(document, indent=2).encode())
        return
