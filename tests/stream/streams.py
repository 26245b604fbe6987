"""Small streams, frames that tell which they are, and sinks that misbehave."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.stream import (
    ImageSpec,
    MemorySink,
    NDTiffSink,
    OmeZarrSink,
    StoreSpec,
    Stream,
)
from napari_scope.stream.recovery_journal import find_journal
from napari_scope.stream.sinks.ometiff import OmeTiffSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.stream import Sink
    from napari_scope.stream.sinks import FrameItem

FORMATS = ["ome-zarr", "ndtiff", "ome-tiff"]


def make_spec(
    sizes: Mapping[str, int] | None = None,
    *,
    frame: tuple[int, ...] = (16, 24),
    dtype: str = "u2",
    **more: Any,
) -> StoreSpec:
    """Return the description of a single image, by default five time points."""
    sizes = {"time": 5} if sizes is None else sizes
    return StoreSpec(
        **{
            "name": "run",
            "frame_shape": frame,
            "dtype": np.dtype(dtype),
            "order": tuple(sizes),
            "images": (ImageSpec("run", sizes=dict(sizes)),),
            **more,
        }
    )


def growing_spec(**more: Any) -> StoreSpec:
    """Return the description of a run of which nothing is known before."""
    return StoreSpec(
        **{
            "name": "run",
            "frame_shape": (16, 24),
            "dtype": np.dtype("u2"),
            "growing": True,
            **more,
        }
    )


def frame_of(
    number: int, shape: tuple[int, ...] = (16, 24), dtype: str = "u2"
) -> npt.NDArray[Any]:
    """Return a frame that no other number has, without any zero."""
    pixels = np.arange(1, np.prod(shape) + 1, dtype="u8").reshape(shape)
    return (pixels * 7 % 251 + 1 + number * 3 % 1000).astype(dtype)


def make_sink(format: str, path: Path, **more: Any) -> Sink:
    if format == "ome-zarr":
        return OmeZarrSink(path, **more)
    if format == "ome-tiff":
        return OmeTiffSink(path, **more)
    return NDTiffSink(path) if format == "ndtiff" else MemorySink(**more)


def journal_of(path: Path) -> Path:
    """Return the journal of a store: in its folder, or beside its file."""
    journal = find_journal(path)
    assert journal is not None
    return journal


class GatedSink(MemorySink):
    """Writes only while its gate is open: a disk as slow as a test wants."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(1 << 30)
        self.path = path
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.order: list[int] = []
        self.totals: Mapping[str, object] | None = None
        self.closed = 0
        self.synced = 0

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        self.entered.set()
        assert self.gate.wait(30)
        super().write(items, spec)
        self.order += [item.number for item in items]

    def sync(self) -> None:
        self.synced += 1

    def close(self, spec: StoreSpec, totals: Mapping[str, object] | None) -> None:
        self.totals = totals
        self.closed += 1


class FailingSink(GatedSink):
    """Fails at a frame, once its gate is open."""

    def __init__(self, at: int, error: BaseException | None = None) -> None:
        super().__init__()
        self.at = at
        self.error = error or OSError(5, "Input/output error")
        self.gate.set()
        self.calls_after = 0
        self.failed = threading.Event()

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        self.calls_after += self.failed.is_set()
        for item in items:
            if item.number >= self.at:
                assert self.gate.wait(30)
                self.failed.set()
                raise self.error
            super().write([item], spec)


def all_images(stream: Stream) -> list[npt.NDArray[Any]]:
    return [np.asarray(image.levels[0]) for image in stream.view().images]


def writer_threads() -> Iterator[threading.Thread]:
    return (t for t in threading.enumerate() if t.name.startswith("napari-scope"))
