"""Frames in memory: for looking at a run that is not saved.

The limit is part of the promise: a run that is not saved must not take the memory of
the machine. When it is reached the run stops with an error, or, if that is allowed,
further frames go to a temporary file, which nobody else sees and which is gone with the
last reader. Memory and file together are one store for those who look.

Examples
--------
>>> import numpy as np
>>> from napari_scope.stream import ImageSpec, StoreSpec, Stream
>>> images = (ImageSpec("a", sizes={"time": 3}),)
>>> spec = StoreSpec("a", (4, 4), np.dtype("u2"), order=("time",), images=images)
>>> sink = MemorySink(32, spill=True)  # a single frame
>>> with Stream(spec, [sink]) as stream:
...     for number in range(3):
...         stream.append(np.full((4, 4), number, "u2"))
>>> sink.spilled_bytes, np.asarray(stream.view().images[0].levels[0])[:, 0, 0].tolist()
(64, [0, 1, 2])
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import uuid
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import StreamError
from napari_scope.fileio import DataFile
from napari_scope.stream.ring import default_ring_bytes
from napari_scope.stream.sinks.base import FrameItem, Sink
from napari_scope.stream.sinks.kept_records import KeptRecords

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.stream.router import Address
    from napari_scope.stream.spec import StoreSpec

__all__ = ["MemorySink"]


class MemorySink(Sink):
    """Keep frames in memory.

    Parameters
    ----------
    limit_bytes : int, optional
        Most memory to take; four times the default buffer (at most 2 GiB) if not
        given.
    spill : bool
        Whether frames beyond the limit go to a temporary file.
    folder : Path, optional
        Where that file is made; by default the system's folder for such files.

    Attributes
    ----------
    spilled_bytes : int
        Size of the temporary file.
    records : KeptRecords
        What is known of each frame.
    """

    format = "memory"
    path: Path | None = None

    def __init__(
        self,
        limit_bytes: int | None = None,
        *,
        spill: bool = False,
        folder: Path | None = None,
    ) -> None:
        self._limit = 4 * default_ring_bytes() if limit_bytes is None else limit_bytes
        self._spills = spill
        self._folder = folder
        self._frames: dict[Address, npt.NDArray[np.generic]] = {}
        self._bytes = 0
        self._file: DataFile | None = None
        self._places: dict[Address, int] = {}
        self.records = KeptRecords()
        self._shape: tuple[int, ...] = ()
        self._dtype: np.dtype[np.generic] = np.dtype("u1")
        self.spilled_bytes = 0

    @property
    def place(self) -> Path | None:
        """Where the temporary file is, None as long as there is none."""
        return self.path if self._file is None else self._spill_folder()

    def overflow(self, spec: StoreSpec) -> tuple[Path | None, int]:
        """Return where frames will go that are known not to fit, and their bytes."""
        more = (spec.n_frames or 0) * spec.frame_bytes - self._limit
        if not self._spills or more <= 0:
            return None, 0
        return self._spill_folder(), more

    def _spill_folder(self) -> Path:
        return self._folder or Path(tempfile.gettempdir())

    def open(self, spec: StoreSpec) -> None:
        """Refuse a plan that is known not to fit."""
        self.records.names = spec.index_axes
        self._shape, self._dtype = spec.frame_shape, spec.dtype
        too_many = spec.n_frames and spec.n_frames * spec.frame_bytes > self._limit
        if too_many and not self._spills:
            raise StreamError(
                f"{spec.n_frames} frames of {spec.frame_bytes} bytes do not fit into "
                f"the {self._limit // 2**20} MiB set aside for runs that are not saved",
                hint="save the run to disk, or take fewer frames",
            )

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        """Keep copies of the frames."""
        for item in items:
            self.records.add(item)
            if item.frame is None:
                continue
            if self._bytes + item.frame.nbytes <= self._limit:
                self._frames[item.address] = item.frame.copy()
                self._bytes += item.frame.nbytes
            elif self._spills:
                self._spill(item.address, item.frame)
            else:
                raise StreamError(
                    f"the {self._limit // 2**20} MiB set aside for runs that are not "
                    "saved are full",
                    hint="save the run to disk",
                )

    def _spill(self, address: Address, frame: npt.NDArray[np.generic]) -> None:
        if self._file is None:
            self._file = self._temporary_file()
        self._file.write_at(self.spilled_bytes, frame)
        self._places[address] = self.spilled_bytes
        self.spilled_bytes += frame.nbytes

    def _temporary_file(self) -> DataFile:
        path = self._spill_folder() / f"napari-scope-{uuid.uuid4().hex}.frames"
        file = DataFile.create(path)
        if sys.platform == "win32":  # pragma: no cover - Windows only
            weakref.finalize(self, _remove, file)
        else:
            # Without a name it goes with the process, however that ends.
            os.unlink(path)
            weakref.finalize(self, file.close)
        return file

    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Return a frame; one in memory is the frame itself, which nobody writes."""
        frame = self._frames.get(address)
        place = self._places.get(address)
        if frame is not None or place is None or self._file is None:
            return frame
        target = np.empty(self._shape, self._dtype)
        view = target.data.cast("B")
        if self._file.read_into(place, view) != target.nbytes:
            raise StreamError(
                "the temporary file of frames that are not saved was cut",
                path=self._file.path,
            )
        return target

    def sync(self) -> None:
        """Do nothing: memory does not survive a loss of power."""

    def close(self, spec: StoreSpec, totals: Mapping[str, object] | None) -> None:
        """Keep the frames; they go with the last reader."""


def _remove(file: DataFile) -> None:  # pragma: no cover - Windows only
    file.close()
    with contextlib.suppress(OSError):
        file.path.unlink()
