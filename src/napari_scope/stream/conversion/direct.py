"""Conversions to OME-Zarr that write whole arrays, on threads or on a cluster.

Everything is written to a hidden folder beside the target, which gets its name when all
is there: a conversion that is cancelled, fails or is killed leaves no half of a store
under the name of the target.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_scope.errors import (
    CancelledError,
    DiskSpaceError,
    FormatError,
    OutputExistsError,
    StreamError,
)
from napari_scope.fileio import free_bytes, sync_folder
from napari_scope.formats.ngff.metadata import NGFF_VERSIONS, encode, group_documents
from napari_scope.formats.replacing import (
    name_aside,
    remove_aside,
    remove_leftovers,
    sync_tree,
)
from napari_scope.stream.conversion.blocks import (
    BlockTarget,
    Bounds,
    block_shape,
    blocks,
    compare_block,
    copy_block,
    create_array,
)
from napari_scope.stream.conversion.layout import is_full_resolution
from napari_scope.stream.conversion.report import (
    ConversionProgress,
    ConversionReport,
    UnreadFrame,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_scope.stream.conversion.layout import Layout, Options, PlannedArray
    from napari_scope.stream.conversion.report import Progress
    from napari_scope.stream.conversion.tasks import TaskRunner

__all__ = ["DirectConversion"]

_Phase = Literal["converting", "verifying"]


class _Cancelled(Exception):
    """The callback has returned False."""


class DirectConversion:
    """The steps of one conversion.

    Parameters
    ----------
    target : Path
        What to make.
    layout : Layout
        What it holds.
    options : Options
        How its arrays are written.
    runner : TaskRunner
        Who copies.
    on_error, progress
        See `napari_scope.stream.convert.convert`.
    notes : list of str
        Notes so far; gets more.
    """

    def __init__(
        self,
        target: Path,
        layout: Layout,
        options: Options,
        runner: TaskRunner,
        on_error: Literal["stop", "skip"],
        progress: Progress | None,
        notes: list[str],
    ) -> None:
        self._target = target
        self._layout = layout
        self._options = options
        self._runner = runner
        self._skip_unread = on_error == "skip"
        self._progress = progress
        self._notes = notes
        self._unread: dict[tuple[str, tuple[int, ...]], UnreadFrame] = {}
        self._lost = 0  # of these, of full resolution
        self._bytes = 0
        self._arrays: list[tuple[PlannedArray, BlockTarget, list[Bounds]]] = []

    def run(self, source: Path | str, *, verify: bool) -> ConversionReport:
        """Write, compare if that is wanted, and report.

        Raises as `napari_scope.stream.convert.convert` does.
        """
        start = time.perf_counter()
        planes = self._layout.planes
        state: Literal["finished", "cancelled"] = "finished"
        verified: int | None = None
        wrong: tuple[str, ...] = ()
        duration = 0.0
        try:
            self._report("converting", 0, planes)
            self._check_room()
            with self._folder() as folder:
                self._write(folder, planes)
                duration = time.perf_counter() - start
                if verify:
                    wrong = tuple(self._compare(planes))
                    verified = 0 if wrong else planes - self._lost
                self._finish(folder)
        except _Cancelled:
            state = "cancelled"
            duration = duration or time.perf_counter() - start
        written = planes - self._lost if state == "finished" else 0
        return ConversionReport(
            source=source,
            target=self._target,
            format="ome-zarr",
            state=state,
            images=self._layout.images,
            frames=planes,
            written=written,
            missing=0,
            unread=tuple(self._unread[key] for key in sorted(self._unread)),
            written_bytes=self._bytes,
            duration_s=duration,
            verified=verified,
            wrong=wrong,
            notes=tuple(dict.fromkeys(self._notes)),
        )

    # ------------------------------------------------------------- the folder

    def _check_room(self) -> None:
        """Refuse what does not fit on the disk; what compression saves is not known."""
        needed = sum(
            math.prod(array.source.shape) * np.dtype(array.source.dtype).itemsize
            for array in self._layout.arrays
            if array.compression is None
        )
        try:
            free = free_bytes(self._target)
        except OSError:
            return  # writing tells
        if needed > free:
            raise DiskSpaceError(
                f"the target takes up to {needed / 1e9:.1f} GB, the disk has "
                f"{free / 1e9:.1f} GB",
                path=self._target,
                hint="make room, choose another disk, or compress the pixels",
            )

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        """Make the folder to write to, and remove what is left of it."""
        target = self._target.absolute()
        folder = name_aside(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(target)
            folder.mkdir()
        except OSError as error:
            raise StreamError(
                f"the target cannot be created, {error.strerror or error}",
                path=self._target,
                hint="choose a folder that you may write to",
            ) from error
        try:
            try:
                yield folder / "store"
            except BaseException:
                remove_aside(folder)
                raise
        except OSError as error:
            if isinstance(error, StreamError | OutputExistsError):
                raise
            raise StreamError(
                f"the target cannot be written, {error.strerror or error}",
                path=self._target,
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _finish(self, folder: Path) -> None:
        """Give the store its name, once it is on the medium.

        Who has converted may delete the source.
        """
        sync_tree(folder)
        if os.path.lexists(self._target):
            raise OutputExistsError(
                "the target was made by somebody else meanwhile",
                path=self._target,
                hint="choose another name; nothing is ever overwritten",
            )
        folder.rename(self._target)
        sync_folder(self._target.absolute().parent)

    # ------------------------------------------------------------- writing

    def _write(self, folder: Path, planes: int) -> None:
        version = self._options.version
        for path, attributes in {"": {}, **self._layout.groups}.items():
            place = folder / path
            place.mkdir(parents=True, exist_ok=True)
            for name, document in group_documents(attributes, version):
                (place / name).write_bytes(encode(document))
        for path, data in self._layout.files.items():
            (folder / path).write_bytes(data)
        for array in self._layout.arrays:
            target = _target(array, folder / array.path, version)
            create_array(target, array.names)
            self._arrays.append((array, target, blocks(target.shape, target.block)))
        total = sum(len(bounds) for _, _, bounds in self._arrays)
        done = 0
        # Closed in any case: nobody writes any more when the folder is removed.
        jobs = self._jobs(copy_block, self._skip_unread)
        with contextlib.closing(self._runner.run(jobs)) as results:
            for (array, bounds), unread in results:
                sizes = [b - a for a, b in bounds]
                planes_read = math.prod(sizes[:-2]) - len(unread)
                self._bytes += (
                    planes_read
                    * math.prod(sizes[-2:])
                    * np.dtype(array.source.dtype).itemsize
                )
                for index, reason in unread:
                    self._note_unread(array, index, reason)
                done += 1
                self._report("converting", done * planes // total, planes)
        self._make_pyramids(folder, planes)

    def _jobs(self, function: Callable[..., Any], *more: object) -> Iterator[Any]:
        for array, target, all_bounds in self._arrays:
            for bounds in all_bounds:
                yield (array, bounds), function, (array.source, target, bounds, *more)

    def _note_unread(
        self, array: PlannedArray, index: tuple[int, ...], reason: str
    ) -> None:
        if not self._skip_unread:
            raise FormatError(
                f"a block of {array.path} cannot be read, {reason}; nothing is left of "
                "the target",
                hint="on_error='skip' (--on-error skip) leaves such frames black",
            )
        # A large plane is several blocks.
        if (array.path, index) in self._unread:
            return
        self._lost += is_full_resolution(array)
        place = dict(zip(array.names, index, strict=False))
        axes: dict[str, int | str] = {"array": array.path, **place}
        self._unread[array.path, index] = UnreadFrame(axes, reason)

    def _make_pyramids(self, folder: Path, planes: int) -> None:
        if not self._layout.pyramids:
            return
        from napari_scope.formats.ngff.pyramid.build import build_pyramid

        def cancelled() -> bool:
            try:
                self._report("converting", planes, planes)
            except _Cancelled:
                return True
            return False

        for pyramid in self._layout.pyramids:
            try:
                build_pyramid(
                    folder / pyramid.path,
                    levels=pyramid.levels,
                    method=pyramid.method,
                    client=self._runner.client,
                    cancelled=cancelled,
                )
            except CancelledError as error:
                raise _Cancelled from error
            self._report("converting", planes, planes)

    # ------------------------------------------------------------- comparing

    def _compare(self, planes: int) -> Iterator[str]:
        total = sum(len(bounds) for _, _, bounds in self._arrays)
        done = 0
        with contextlib.closing(self._runner.run(self._jobs(compare_block))) as results:
            for (array, bounds), same in results:
                if not same:
                    where = ", ".join(
                        f"{name}={start}"
                        for name, (start, _) in zip(array.names, bounds, strict=True)
                    )
                    yield f"{array.path} from {where}"
                done += 1
                self._report("verifying", done * planes // total, planes)

    def _report(self, phase: _Phase, done: int, total: int) -> None:
        if self._progress is None:
            return
        progress = ConversionProgress(phase, done, total, len(self._unread))
        if self._progress(progress) is False:
            raise _Cancelled


def _target(array: PlannedArray, folder: Path, version: str) -> BlockTarget:
    dtype = np.dtype(array.source.dtype)
    shape = array.source.shape
    return BlockTarget(
        str(folder.absolute()),
        shape,
        array.chunk,
        block_shape(shape, array.chunk, dtype.itemsize),
        dtype.name,
        array.compression,
        NGFF_VERSIONS[version],
    )
