"""From a plan and a microscope to what a stream stores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import HardwareError, PlanError
from napari_scope.stream import ImageSpec, PlateSpec, StoreSpec
from napari_scope.stream.samples import row_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pymmcore_plus import CMMCorePlus

    from napari_scope.events import FieldLayout, Plan, PlateLayout

__all__ = ["CameraNames", "camera_frame", "check_channels", "store_spec"]


def camera_frame(core: CMMCorePlus) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Return shape and type of the next frame of the camera.

    Raises
    ------
    HardwareError
        If there is no camera, or its pixels are of a kind that is not known.
    """
    if not core.getCameraDevice():
        raise HardwareError(
            "there is no camera",
            hint="load a hardware configuration with a default camera",
        )
    height, width = core.getImageHeight(), core.getImageWidth()
    components = core.getNumberOfComponents()
    size = core.getBytesPerPixel()
    if components == 4:
        # Micro-Manager keeps colour as four bytes, or four words, a pixel.
        return (height, width, 3), np.dtype(f"u{size // 4}")
    if components != 1 or size not in (1, 2, 4):
        raise HardwareError(
            f"the camera has {components} components of {size} bytes in a pixel, "
            "which is not supported",
            hint="choose an 8, 16 bit or RGB pixel type",
        )
    # A four byte grey image is a float image ("32bit"); see Micro-Manager's PixelType.
    return (height, width), np.dtype("f4" if size == 4 else f"u{size}")


class CameraNames:
    """Frames of several cameras told apart: the camera becomes part of the channel.

    Micro-Manager names such channels the same way (``DAPI-Camera1``).

    Parameters
    ----------
    names : sequence of str
        The cameras; with a single one nothing changes.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    @classmethod
    def of(cls, core: CMMCorePlus) -> CameraNames:
        """Return the physical cameras behind the default camera."""
        count = core.getNumberOfCameraChannels()
        return cls(core.getPhysicalCameraDevice(i) for i in range(count))

    def axes(self, axes: Mapping[str, int | str]) -> dict[str, int | str]:
        """Return the axes of a frame without a camera axis."""
        result = dict(axes)
        if len(self.names) < 2:
            return result
        camera = result.pop("camera", 0)
        name = self.names[camera] if isinstance(camera, int) else camera
        result["channel"] = self._label(result.get("channel"), name)
        return result

    @staticmethod
    def _label(channel: int | str | None, camera: str) -> str:
        return camera if channel is None else f"{channel}-{camera}"

    def labels(self, channels: Iterable[int | str | None]) -> tuple[str, ...]:
        """Return the labels of all channels of all cameras."""
        return tuple(self._label(c, name) for c in channels for name in self.names)


def check_channels(core: CMMCorePlus, plan: Plan) -> None:
    """Refuse a plan with a channel that the microscope does not have.

    Raises
    ------
    PlanError
        Naming the channel and what there is.
    """
    groups = list(core.getAvailableConfigGroups())
    for group, config in sorted(plan.channels()):
        if group not in groups:
            raise PlanError(
                f"the microscope has no channel group {group!r}",
                hint=f"it has {', '.join(groups) or 'none'}",
            )
        presets = list(core.getAvailableConfigs(group))
        if config not in presets:
            raise PlanError(
                f"the channel group {group!r} has no preset {config!r}",
                hint=f"it has {', '.join(presets) or 'none'}",
            )


def store_spec(
    core: CMMCorePlus,
    plan: Plan,
    name: str,
    *,
    cameras: CameraNames,
    summary: Mapping[str, object],
) -> StoreSpec:
    """Return what a run will store; the hardware must be set up for it.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    plan : Plan
        The plan; its grids get the field of view of the camera.
    name : str
        Name of the run.
    cameras : CameraNames
        The cameras.
    summary : mapping
        Facts to store with it.
    """
    shape, dtype = camera_frame(core)
    pixel = core.getPixelSizeUm() or None
    spec = StoreSpec(
        name=name,
        frame_shape=shape,
        dtype=dtype,
        pixel_um=pixel,
        bit_depth=core.getImageBitDepth() or None if dtype.kind == "u" else None,
        growing=not plan.is_finite,
        summary=summary,
    )
    if not plan.is_finite:
        return spec
    if pixel is None and plan.needs_field_of_view:
        raise PlanError(
            "the plan lays out a grid in fields of view, but the size of a pixel is "
            "not known",
            hint="set the pixel size in the hardware configuration, or fov_width and "
            "fov_height in the plan",
        )
    plan.set_field_of_view(shape[1] * (pixel or 1.0), shape[0] * (pixel or 1.0))
    plan.set_focus(core.getPosition() if core.getFocusDevice() else None)
    layout = plan.layout()
    if layout.n_frames == 0:
        raise PlanError("the plan takes no frame", hint="add a channel or a time point")
    has_places = any(field.place for field in layout.fields)
    order = [*layout.order]
    labels = dict(layout.labels)
    factor = len(cameras.names)
    channels = 1
    if factor > 1:
        channels = max((f.sizes.get("channel", 1) for f in layout.fields), default=1)
        known: tuple[int | str | None, ...] = labels.get("channel") or (
            tuple(range(channels)) if "channel" in order else (None,)
        )
        labels["channel"] = cameras.labels(known)
        if "channel" not in order:
            order.append("channel")
    images = tuple(_image(field, factor, name) for field in layout.fields)
    return replace(
        spec,
        order=(*_place_names(layout.fields), *order) if has_places else tuple(order),
        images=images,
        labels=labels,
        z_um=layout.z_step_um,
        interval_s=layout.interval_s,
        n_frames=layout.n_frames * factor,
        plate=None if layout.plate is None else _plate(layout.plate, name),
    )


def _plate(plate: PlateLayout, run: str) -> PlateSpec:
    """Return a plate with the usual names: rows A, B, ...; columns 1, 2, and so on."""
    rows = tuple(map(row_name, range(plate.rows)))
    columns = tuple(str(number + 1) for number in range(plate.columns))
    return PlateSpec(plate.name or run, rows, columns)


def _well(well: tuple[int, int] | None) -> tuple[str, str] | None:
    return None if well is None else (row_name(well[0]), str(well[1] + 1))


def _place_names(fields: Iterable[FieldLayout]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for field in fields:
        names.update(dict.fromkeys(field.place))
    return tuple(names)


def _image(field: FieldLayout, cameras: int, run: str) -> ImageSpec:
    """Return the image of a field; one without a place has the name of the run."""
    sizes = dict(field.sizes)
    if cameras > 1:
        sizes["channel"] = sizes.get("channel", 1) * cameras
    return ImageSpec(
        name=field.name if field.place else run,
        place=dict(field.place),
        sizes=sizes,
        x_um=field.x_um,
        y_um=field.y_um,
        z_um=field.z_um,
        well=_well(field.well),
    )
