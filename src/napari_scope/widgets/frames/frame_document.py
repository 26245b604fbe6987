"""What is known of the frame under the sliders, sorted into sections to be read.

Whatever a format calls things, the sections are the same: the axes, the frame itself
(time, exposure, place of the stage), the event that took it, the camera, the device
properties, and the rest. A layer of anything else has what napari knows of it.

No widget and no viewer here: a report can be made in a thread. What a store can tell is
never an exception.

Examples
--------
>>> sorted_facts({"exposure_ms": 5.0, "min_start_time_s": 1, "Camera-Gain": "2"})
{'Frame': {'exposure_ms': 5.0}, 'Event': {'min_start_time_s': 1}, \
'Properties': {'Camera': {'Gain': '2'}}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from napari_scope.errors import ScopeError
from napari_scope.formats.frame_records import KNOWN_FACTS, FrameRecord, cells
from napari_scope.widgets.common.error_panel import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.layers import LayerOrigin
    from napari_scope.layers.origin import Place

__all__ = [
    "LAYER_SECTION",
    "FrameDocument",
    "frame_document",
    "layer_document",
    "sorted_facts",
]

LAYER_SECTION: Final = "Layer"

_EVENT: Final = {
    "min_start_time_s",
    "properties_set",
    "keep_shutter_open",
    "hardware_triggered",
    "channel_group",
    "channel_config",
    "event_metadata",
    "x_um_intended",
    "y_um_intended",
    "z_um_intended",
}
_CAMERA: Final = frozenset(
    "roi binning pixel_size_um camera_tags PixelSizeUm BitDepth ROI PixelType Width "
    "Height Binning bit_depth".split()
)
_INTENDED: Final = re.compile(r"[XYZ]Position_um_Intended")
_PROPERTY: Final = re.compile(r"([^-]+)-(.+)", re.DOTALL)
_ORIGINS: Final = ("napari_scope_origin", "napari_scope_run")
_MOST_SHAPES: Final = 20


@dataclass(frozen=True, slots=True)
class FrameDocument:
    """What is shown of a frame or a layer.

    Parameters
    ----------
    title : str
        What it is, in a few words.
    document : mapping
        The sections.
    facts : mapping
        What was saved with the frame, as it was saved: for copying.
    why_empty : str
        Why nothing is known of the frame, where nothing is.
    place : Place, optional
        Where the frame is in its data set.
    is_there : bool
        Whether the frame was found; one of a run that goes on may come.
    """

    title: str = ""
    document: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    why_empty: str = ""
    place: Place | None = None
    is_there: bool = False


def frame_document(
    origin: LayerOrigin,
    position: Sequence[float],
    layer: Mapping[str, object] | None = None,
) -> FrameDocument:
    """Return what is known of the frame at a point of a layer; it reads files.

    Parameters
    ----------
    origin : LayerOrigin
        Where the layer comes from.
    position : sequence of float
        Point in data coordinates of the layer.
    layer : mapping, optional
        What napari knows of the layer: the last section.
    """
    layer_section = {LAYER_SECTION: layer} if layer else {}
    try:
        place = origin.find(position)
    except ValueError:
        place = None  # the layer has other axes by now
    if place is None:
        words = "No frame of this layer is here."
        return FrameDocument("No frame here", layer_section, {}, words)
    image = origin.dataset.images[place.image]
    facts: Mapping[str, object] | None = None
    why = ""
    try:
        facts = origin.frame_metadata(position)
        saved = origin.frame_exists(position)
        known = origin.frame_axes(position)
    except (ScopeError, OSError) as error:
        words = explain(error).message
        why, saved, known = f"What was saved cannot be read: {words}", True, None
    axes = _axes(origin, place, known)
    if not why and image.frames is None:
        why = "This format keeps no facts on single frames."
    elif not why and not saved:
        running = origin.dataset.format == "run"
        why = "not there yet" if running else "was not saved; it is shown black"
        why = f"This frame is {why}." if running else f"This frame {why}."
    elif not why and not facts:
        why = "Nothing was saved with this frame."
    sections: dict[str, object] = {"Axes": axes}
    if why:
        sections = {"Axes": axes, "Note": {"frame": why}}
    sections.update(sorted_facts(facts or {}))
    if origin.label:
        sections["Labels"] = {"segmentation": origin.label}
    return FrameDocument(
        _title(axes),
        {**sections, **layer_section},
        facts or {},
        why,
        place,
        is_there=bool(facts),
    )


def _axes(
    origin: LayerOrigin, place: Place, known: Mapping[str, int | str] | None
) -> dict[str, object]:
    """Return the identity of a frame, with the names that numbers have."""
    image = origin.dataset.images[place.image]
    axes: dict[str, object] = dict(known) if known else {}
    if not axes:
        axes = {n: v for n, v in place.index.items() if n not in ("y", "x")}
    channel = axes.get("channel", axes.get("c"))
    if isinstance(channel, int) and origin.channel < len(image.channels):
        name = image.channels[origin.channel].name
        if name and str(channel) != name:
            axes["channel"] = f"{channel} ({name})"
            axes.pop("c", None)
    if len(origin.dataset.images) > 1:
        axes["image"] = image.name
    return axes


def _title(axes: Mapping[str, object]) -> str:
    return " · ".join(f"{name} {value}" for name, value in axes.items()) or "one frame"


def sorted_facts(facts: Mapping[str, object]) -> dict[str, object]:
    """Return the facts on a frame in sections; nothing is left out."""
    flat = {k: v for k, v in facts.items() if not isinstance(v, (Mapping, list))}
    row = cells(FrameRecord(0, {}, flat))
    frame = {name: row[name] for name in KNOWN_FACTS if name in row}
    sections: dict[str, dict[str, Any]] = {
        name: {} for name in ("Event", "Camera", "Properties", "More")
    }
    translated = set(frame)
    for name, value in facts.items():
        if name == "Axes":
            continue
        given = next(iter(cells(FrameRecord(0, {}, {name: value}))), name)
        match = _PROPERTY.fullmatch(name)
        if given in translated and not isinstance(value, (Mapping, list)):
            continue
        if name in _EVENT or given in _EVENT or _INTENDED.fullmatch(name):
            sections["Event"][given if given in _EVENT else name] = value
        elif name in _CAMERA:
            sections["Camera"][name] = value
        elif name == "properties" and _are_settings(value):
            for device, prop, setting in value:  # type: ignore[attr-defined]
                sections["Properties"].setdefault(device, {})[prop] = setting
        elif match is not None and isinstance(value, str):
            device, prop = match.groups()
            sections["Properties"].setdefault(device, {})[prop] = value
        else:
            sections["More"][name] = value
    found: dict[str, object] = {"Frame": frame} if frame else {}
    found.update((name, section) for name, section in sections.items() if section)
    return found


def _are_settings(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, (list, tuple))
        and len(item) == 3
        and isinstance(item[0], str)
        and isinstance(item[1], str)
        for item in value
    )


def layer_document(layer: Any) -> dict[str, object]:
    """Return what napari knows of a layer; quick, no pixel is touched."""
    found: dict[str, object] = {
        "name": str(layer.name),
        # Not type(layer): a dock of napari's menu sees layers through a proxy.
        "kind": layer.__class__.__name__,
    }
    data = layer.data
    if getattr(layer, "multiscale", False):
        shapes = [" x ".join(map(str, level.shape)) for level in data]
        found["levels"] = shapes[:_MOST_SHAPES]
        data = data[0]
    shape = getattr(data, "shape", None)
    if shape is not None:
        found["shape"] = " x ".join(map(str, shape))
    if getattr(data, "dtype", None) is not None:
        found["type"] = str(data.dtype)
    if shape is None and hasattr(data, "__len__"):
        found["items"] = len(data)
    scale = [float(s) for s in layer.scale]
    units = [str(unit) for unit in getattr(layer, "units", ())]
    names = [str(name) for name in getattr(layer, "axis_labels", ())]
    if len(units) != len(scale):
        units = [""] * len(scale)
    found["scale"] = ", ".join(
        f"{s:.6g} {u}".strip() for s, u in zip(scale, units, strict=True)
    )
    found["translate"] = ", ".join(f"{float(t):.6g}" for t in layer.translate)
    if names:
        found["axes"] = ", ".join(names)
    limits = getattr(layer, "contrast_limits", None)
    if limits is not None:
        found["contrast limits"] = " to ".join(f"{float(v):g}" for v in limits)
    source: Any = getattr(layer, "source", None)
    if getattr(source, "path", None):
        found["path"] = str(source.path)
    if getattr(source, "reader_plugin", None):
        found["opened by"] = str(source.reader_plugin)
    metadata = {k: v for k, v in dict(layer.metadata).items() if k not in _ORIGINS}
    if metadata:
        found["metadata"] = metadata
    return found
