"""Frames in memory: for looking at a run that is not saved.

The limit is part of the promise: a run that is not saved must not take the memory of
the machine, so it stops with an error when the limit is reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import StreamError
from napari_scope.stream.ring import default_ring_bytes
from napari_scope.stream.sinks.base import FrameItem, Sink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
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
    """

    format = "memory"
    path: Path | None = None

    def __init__(self, limit_bytes: int | None = None) -> None:
        self._limit = 4 * default_ring_bytes() if limit_bytes is None else limit_bytes
        self._frames: dict[Address, npt.NDArray[np.generic]] = {}
        self._bytes = 0

    def open(self, spec: StoreSpec) -> None:
        """Refuse a plan that is known not to fit."""
        if spec.n_frames and spec.n_frames * spec.frame_bytes > self._limit:
            raise StreamError(
                f"{spec.n_frames} frames of {spec.frame_bytes} bytes do not fit into "
                f"the {self._limit // 2**20} MiB set aside for runs that are not saved",
                hint="save the run to disk, or take fewer frames",
            )

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        """Keep copies of the frames."""
        for item in items:
            if item.frame is None:
                continue
            if self._bytes + item.frame.nbytes > self._limit:
                raise StreamError(
                    f"the {self._limit // 2**20} MiB set aside for runs that are not "
                    "saved are full",
                    hint="save the run to disk",
                )
            self._frames[item.address] = item.frame.copy()
            self._bytes += item.frame.nbytes

    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Return the frame itself, which nobody writes any more."""
        return self._frames.get(address)

    def sync(self) -> None:
        """Do nothing: memory does not survive a loss of power."""

    def close(self, spec: StoreSpec, totals: Mapping[str, object] | None) -> None:
        """Keep the frames; they go with the last reader."""
