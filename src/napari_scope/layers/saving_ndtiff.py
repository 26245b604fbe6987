"""Image layers are saved as an NDTiff data set: frames with axes, one image.

Layers on one grid become channels, the axes before y and x become axes of the frames.
NDTiff knows one pixel size for y and x, steps of z and time, and the place of the
middle of a frame; what it does not know is refused before anything is written, so that
nothing is lost without a word.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import CancelledError, ScopeError, SettingsError
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.formats.ngff.disk_errors import disk_error
from napari_scope.formats.ngff.saving.blocks import block_shape, blocks
from napari_scope.formats.replacing import made_aside
from napari_scope.layers.saving_looks import channel_of_layer
from napari_scope.layers.saving_pixels import LayerPixels
from napari_scope.layers.saving_plan import grouped
from napari_scope.model import Axis, canonical
from napari_scope.model.units import unit_factor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.layers.saving_plan import ImageLayer

    Pixels = npt.NDArray[np.generic]

__all__ = ["save_ndtiff"]

_HINT = "save as OME-Zarr, which holds it"
_TOLERANCE = 1e-6  # of a step


def save_ndtiff(
    target: Path,
    layers: Sequence[ImageLayer],
    *,
    progress: Callable[[int, int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Write image layers; a folder that exists is never replaced.

    Parameters
    ----------
    target : Path
        The folder to make.
    layers : sequence of ImageLayer
        Layers on one grid, as `napari_scope.layers.saving_plan` reads them.
    progress, cancelled
        See `napari_scope.layers.saving.save_layers`.

    Raises
    ------
    SettingsError
        If NDTiff cannot hold the layers; nothing was written.
    OutputExistsError
        If the path is taken.
    DiskSpaceError, StreamError
        If the disk is full or failed; nothing is left of it.
    CancelledError
        If ``cancelled`` said so; nothing is left of it.
    """
    plan = _Plan(layers)
    total = sum(math.prod(layer.data.shape) for layer in layers) * plan.itemsize
    done = 0
    with made_aside(target) as folder:
        try:
            with NDTiffWriter(
                folder,
                prefix=target.name.removesuffix(".ndtiff"),
                summary=plan.summary(),
                channels=[channel_of_layer(n, g.arguments) for n, g in plan.channels],
            ) as writer:
                for axes, frame in plan.frames():
                    if cancelled is not None and cancelled():
                        raise CancelledError(
                            "saving was cancelled; nothing was changed"
                        )
                    writer.put(axes, frame, plan.facts(axes))
                    done += frame.nbytes
                    if progress is not None:
                        progress(done, total)
                writer.sync()
        except OSError as error:
            if isinstance(error, ScopeError):
                raise
            raise disk_error(error, target) from error


class _Plan:
    """What is stored of the layers, checked."""

    def __init__(self, layers: Sequence[ImageLayer]) -> None:
        for layer in layers:
            if layer.kind != "image":
                raise SettingsError(
                    f"layer {layer.name!r} cannot be saved: NDTiff has no place for "
                    f"{layer.kind}",
                    hint="select image layers only, or save as OME-Zarr",
                )
        groups = grouped(layers)
        if len(groups) != 1:
            raise SettingsError(
                "NDTiff holds one image; these layers lie on "
                f"{len(groups)} grids ({groups[0][0].name!r} and "
                f"{groups[1][0].name!r} differ)",
                hint="save them one by one, or together as OME-Zarr",
            )
        self._layers = groups[0]
        first = self._first = self._layers[0]
        dtype = np.dtype(first.data.dtype)
        if dtype not in ((np.uint8,) if first.rgb else (np.uint8, np.uint16)):
            raise self._refused(
                f"NDTiff holds 8 and 16 bit grey and 8 bit colour, not {dtype}"
            )
        if first.rgb and first.data.shape[-1] != 3:
            raise self._refused("NDTiff has no place for transparency (alpha)")
        self.itemsize = dtype.itemsize
        self.channels = list(zip(_unique(self._layers), self._layers, strict=True))
        self._lead = first.axes.axes[:-2]
        self._pixel_um, self._middle = self._frame_place(*first.axes.axes[-2:])
        self._steps = {axis.name: self._step(axis) for axis in self._lead}

    def _refused(self, why: str) -> SettingsError:
        return SettingsError(
            f"layer {self._first.name!r} cannot be saved: {why}", hint=_HINT
        )

    def _frame_place(
        self, y: Axis, x: Axis
    ) -> tuple[float | None, tuple[float, float] | None]:
        """Return the size of a pixel and the middle of the frame (x, y)."""
        if y.unit is None and x.unit is None:
            if (y.scale, x.scale, y.translation, x.translation) != (1, 1, 0, 0):
                raise self._refused("NDTiff needs a unit of length for its scale")
            return None, None
        size_y, size_x = self._um(y), self._um(x)
        if not math.isclose(size_y, size_x, rel_tol=_TOLERANCE):
            raise self._refused(
                f"NDTiff has square pixels, these are {size_y:g} x {size_x:g} um"
            )
        height, width = self._first.shape[-2:]
        per_y, per_x = size_y / y.scale, size_x / x.scale
        return size_x, (
            x.translation * per_x + (width - 1) / 2 * size_x,
            y.translation * per_y + (height - 1) / 2 * size_y,
        )

    def _um(self, axis: Axis) -> float:
        if axis.unit is None:
            raise self._refused(f"axis {axis.name!r} has no unit, the other one has")
        return axis.scale * unit_factor(axis.unit)

    def _step(self, axis: Axis) -> tuple[float | None, int]:
        """Return the step in micrometers or seconds, and the number of the first."""
        if axis.name not in ("t", "z") or axis.unit is None:
            if (axis.scale, axis.translation) != (1, 0):
                raise self._refused(
                    f"NDTiff knows no scale and place of the axis {axis.name!r} "
                    "without a unit"
                )
            return None, 0
        first = axis.translation / axis.scale
        if abs(first - round(first)) > _TOLERANCE:
            raise self._refused(
                f"axis {axis.name!r} begins at {axis.translation:g}, NDTiff counts "
                f"steps of {axis.scale:g}"
            )
        return axis.scale * unit_factor(axis.unit), round(first)

    def summary(self) -> dict[str, object]:
        """Return the summary metadata."""
        height, width = self._first.shape[-2:]
        kind = "RGB32" if self._first.rgb else f"GRAY{8 * self.itemsize}"
        summary: dict[str, object] = {
            "Width": width,
            "Height": height,
            "PixelType": kind,
        }
        if "c" not in self._steps:
            summary["ChNames"] = [name for name, _ in self.channels]
        if self._pixel_um is not None:
            summary["PixelSize_um"] = self._pixel_um
        z, t = self._steps.get("z"), self._steps.get("t")
        if z is not None and z[0] is not None:
            summary["z-step_um"] = z[0]
        if t is not None and t[0] is not None:
            summary["Interval_ms"] = t[0] * 1000
        return summary

    def facts(self, axes: Mapping[str, int | str]) -> dict[str, object]:
        """Return the metadata of a frame."""
        facts: dict[str, object] = {"Axes": dict(axes)}
        if "channel" in axes:
            facts["Channel"] = axes["channel"]
        if self._pixel_um is not None and self._middle is not None:
            facts["PixelSizeUm"] = self._pixel_um
            facts["XPositionUm"], facts["YPositionUm"] = self._middle
        step, _ = self._steps.get("z", (None, 0))
        if step is not None:
            facts["ZPositionUm"] = int(axes["z"]) * step
        return facts

    def frames(self) -> Iterator[tuple[dict[str, int | str], Pixels]]:
        """Yield axes and pixels of each frame, channel by channel."""
        for name, layer in self.channels:
            order = list(layer.axes.order) + ([len(layer.axes.order)] * layer.rgb)
            pixels = LayerPixels([layer.data], order)
            frame_ndim = 2 + layer.rgb
            frame = (1,) * len(self._lead) + pixels.shape[-frame_ndim:]
            step = block_shape(pixels.shape, frame, pixels.chunks, self.itemsize)
            for block in blocks(pixels.shape, step):
                part = pixels.read(block)
                for index in np.ndindex(*part.shape[: len(self._lead)]):
                    at = [n + b.start for n, b in zip(index, block, strict=False)]
                    yield self._frame_axes(name, at), np.ascontiguousarray(part[index])

    def _frame_axes(self, name: str, at: Sequence[int]) -> dict[str, int | str]:
        axes: dict[str, int | str] = {}
        for axis, number in zip(self._lead, at, strict=True):
            axes[canonical(axis.name)] = number + self._steps[axis.name][1]
        # A layer that has channels itself gives them numbers.
        own = axes.get("channel")
        axes["channel"] = name if own is None else f"{name} {own}"
        return axes


def _unique(layers: Sequence[ImageLayer]) -> list[str]:
    names: list[str] = []
    for layer in layers:
        name, number = layer.name, 1
        while name in names:
            number += 1
            name = f"{layer.name} [{number}]"
        names.append(name)
    return names
