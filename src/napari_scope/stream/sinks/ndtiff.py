"""Frames into an NDTiff 3.3 store, with the metadata keys that Micro-Manager uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import SettingsError
from napari_scope.formats.ndtiff import NDTiffWriter
from napari_scope.stream.journal import JOURNAL_NAME, Journal, jsonable, plan_header
from napari_scope.stream.router import Address
from napari_scope.stream.sinks.base import FrameItem, Sink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    import numpy.typing as npt

    from napari_scope.formats.ndtiff import TiledNDTiffWriter
    from napari_scope.stream.resumption import Resumption
    from napari_scope.stream.spec import StoreSpec

__all__ = ["MICRO_MANAGER_KEYS", "NDTiffSink", "summary_facts"]

# Our keys -> those of Micro-Manager and pycro-manager, which readers look for.
MICRO_MANAGER_KEYS = {
    "elapsed_ms": "ElapsedTime-ms",
    "exposure_ms": "Exposure",
    "x_um": "XPositionUm",
    "y_um": "YPositionUm",
    "z_um": "ZPositionUm",
    "x_um_intended": "XPosition_um_Intended",
    "y_um_intended": "YPosition_um_Intended",
    "z_um_intended": "ZPosition_um_Intended",
    "camera": "Core-Camera",
    "position_name": "PositionName",
    "time": "ReceivedTime",
}


class NDTiffSink(Sink):
    """Write an NDTiff store.

    Parameters
    ----------
    path : str or PathLike
        Folder of the store; it must not exist.
    """

    format = "ndtiff"

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: Path = Path(path)
        self._writer: NDTiffWriter | TiledNDTiffWriter | None = None
        self._journal: Journal | None = None
        self._axes: dict[Address, dict[str, int | str]] = {}
        self._closed = False

    def check(self, spec: StoreSpec) -> None:
        """Refuse a path that exists and pixels that NDTiff has no type for."""
        super().check(spec)
        if spec.dtype not in ((np.uint8,) if spec.rgb else (np.uint8, np.uint16)):
            kind = "colour frames" if spec.rgb else "frames"
            raise SettingsError(
                f"{kind} of type {spec.dtype} cannot be stored as NDTiff, which holds "
                "8 and 16 bit grey and 8 bit colour",
                path=self.path,
                hint="choose another pixel type, or OME-Zarr for grey frames",
            )

    def open(self, spec: StoreSpec) -> None:
        """Create the folder, the first file and the journal."""
        self.check(spec)
        self._writer = NDTiffWriter(
            self.path,
            prefix=spec.name,
            summary=summary_facts(spec),
            channels=spec.display_channels(),
        )
        header = plan_header(spec, self.format)
        self._journal = Journal.create(self.path / JOURNAL_NAME, header)

    def resume(self, spec: StoreSpec, resumption: Resumption) -> None:
        """Go on in a new file, behind those that are there."""
        header = plan_header(spec, self.format)
        self._journal = Journal.reopen(
            resumption.journal, header, after=resumption.count
        )
        self._writer = NDTiffWriter(
            self.path, channels=spec.display_channels(), resume=True
        )
        self.know(resumption)

    def know(self, resumption: Resumption) -> None:
        """Take note of the frames that are there."""
        for line in resumption.lines:
            if line.status == "saved":
                self._axes[Address(line.image, line.index)] = dict(line.axes)

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        """Store a batch: pixels, index record, then the lines of the journal."""
        assert self._writer is not None  # opened before the first batch
        assert self._journal is not None
        for item in items:
            if item.frame is None:
                continue
            axes = dict(item.axes)
            self._writer.put(
                axes, item.frame, _metadata(item, spec), bit_depth=spec.bit_depth
            )
            self._axes[item.address] = axes
        self._journal.write(item.journal_entry() for item in items)

    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Read a committed frame."""
        axes = self._axes.get(address)
        if axes is None or self._writer is None:
            return None
        return self._writer.read_frame(axes)

    def sync(self) -> None:
        """Wait until pixels, index and journal survive a loss of power."""
        if self._writer is not None:
            self._writer.sync()
        if self._journal is not None:
            self._journal.sync()

    def close(self, spec: StoreSpec, totals: Mapping[str, object] | None) -> None:
        """Finish the files."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._writer is not None:
                if totals is not None and self.durable:
                    self.sync()
                self._writer.close()
        except BaseException:
            totals = None
            raise
        finally:
            if self._journal is not None:
                self._journal.close(totals)


def summary_facts(spec: StoreSpec) -> dict[str, Any]:
    """Return the summary metadata of a store."""
    height, width = spec.frame_shape[:2]
    summary: dict[str, Any] = {
        "Prefix": spec.name,
        "Width": width,
        "Height": height,
        "PixelType": _pixel_type(spec),
        "AxisOrder": list(spec.order),
    }
    if spec.pixel_um:
        summary["PixelSize_um"] = spec.pixel_um
    if spec.z_um:
        summary["z-step_um"] = spec.z_um
    if spec.interval_s:
        summary["Interval_ms"] = spec.interval_s * 1000
    names = spec.labels.get("channel")
    if names:
        summary["ChNames"] = list(names)
    if spec.summary:
        summary["napari_scope"] = jsonable(spec.summary)
    return summary


def _pixel_type(spec: StoreSpec) -> str:
    return "RGB32" if spec.rgb else f"GRAY{8 * spec.dtype.itemsize}"


def _metadata(item: FrameItem, spec: StoreSpec) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        MICRO_MANAGER_KEYS.get(key, key): value for key, value in item.metadata.items()
    }
    metadata["Axes"] = dict(item.axes)
    if spec.pixel_um:
        metadata["PixelSizeUm"] = spec.pixel_um
    if spec.bit_depth:
        metadata["BitDepth"] = spec.bit_depth
    channel = item.axes.get("channel")
    if isinstance(channel, str):
        metadata["Channel"] = channel
    try:
        json.dumps(metadata)
    except (TypeError, ValueError):
        metadata = jsonable(metadata)
    return metadata
