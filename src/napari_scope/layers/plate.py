"""From a plate to napari's layers: one multiscale mosaic for each channel.

The mosaic is an image like others (`napari_scope.formats.ngff.plate.view`), so layers
are made of it as of others. What is particular: where the file says nothing of the
contrast, the coarsest level of a few fields is looked at, never the mosaic, which would
read the whole plate; acquisitions after the first are switched off, as they lie at the
same places, and so are labels, which from afar hide everything; and names of rows and
columns stand beside the plate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.layers.arrange import arranged_levels
from napari_scope.layers.build import MAX_LAYERS, dataset_to_layers
from napari_scope.layers.contrast import full_range, known_limits, sampled_limits
from napari_scope.layers.describe import channel_of, n_channels
from napari_scope.layers.frame import shared_frame

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari_scope.formats.ngff.plate.mosaic import PlateMosaic
    from napari_scope.formats.ngff.plate.view import PlateView
    from napari_scope.layers.describe import LayerData, Limits
    from napari_scope.model import Channel, Image

__all__ = ["plate_to_layers"]

_TEXT = 0.22  # height of the names, in heights of a well
_MOST_NAMES = 512


def plate_to_layers(
    view: PlateView,
    acquisition: int | None = None,
    wells: Collection[tuple[str, str]] | None = None,
    *,
    names: bool = True,
) -> list[LayerData]:
    """Return the layers of a plate.

    Parameters
    ----------
    view : PlateView
        The plate.
    acquisition : int, optional
        Identity of the only acquisition wanted (`PlateView.acquisitions`). By default
        there are layers for each, of which those of the first are visible; where that
        would be more than `MAX_LAYERS`, there is only the first.
    wells : collection of (str, str), optional
        Names of row and column of the wells wanted; by default the whole plate.
    names : bool
        Whether a layer of points carries the names of rows and columns.

    Returns
    -------
    list of LayerData
        The names first, as they lie lowest; then acquisition by acquisition, channel
        by channel, with the labels behind the channels.

    Raises
    ------
    KeyError
        If the plate has no such acquisition or wells.
    FormatError
        If not one field can be read.
    """
    mosaics = view.mosaics(acquisition, wells)
    if sum(n_channels(mosaic.image) for mosaic in mosaics) > MAX_LAYERS:
        mosaics = mosaics[:1]
    images = tuple(_with_limits(view, mosaic) for mosaic in mosaics)
    dataset = replace(view.dataset(acquisition, wells), images=images)
    made = dataset_to_layers(dataset, "tiles")
    count = len(made) // len(images) if images else 0
    layers: list[LayerData] = []
    for number, (data, arguments, kind) in enumerate(made):
        metadata = arguments["metadata"]
        assert isinstance(metadata, dict)
        facts = metadata["napari_scope"]
        mosaic = mosaics[min(_image_of(facts, number, count), len(mosaics) - 1)]
        plate = _facts(view, mosaic)
        if mosaic is not mosaics[0] or kind == "labels":
            arguments["visible"] = False
        arguments["metadata"] = {**metadata, "napari_scope": {**facts, "plate": plate}}
        layers.append((data, arguments, kind))
    written = _names(mosaics[0], images[0]) if names else None
    return layers if written is None else [written, *layers]


def _image_of(facts: dict[str, object], number: int, count: int) -> int:
    index = facts.get("image_index")
    return index if isinstance(index, int) else number // max(1, count)


def _with_limits(view: PlateView, mosaic: PlateMosaic) -> Image:
    """Return the mosaic with a contrast for each of its channels."""
    image = mosaic.image
    channels: list[Channel] = []
    fields: list[Image] | None = None
    for index in range(n_channels(image)):
        channel = channel_of(image, index)
        if known_limits(image, index) is None:
            if fields is None:
                fields = _few_fields(view, mosaic)
            limits = _limits_of(fields, channel.name, index)
            # Without any the layers would look at the mosaic.
            found = limits or full_range(image.levels[0].dtype)
            channel = replace(channel, contrast_limits=found)
        channels.append(channel)
    return replace(image, channels=tuple(channels))


def _few_fields(view: PlateView, mosaic: PlateMosaic) -> list[Image]:
    """Return the first field of the first, the middle and the last well."""
    wells = mosaic.wells
    found: list[Image] = [mosaic.first.image]
    for number in sorted({len(wells) // 2, len(wells) - 1} - {0}):
        well = wells[number]
        for one in mosaic.fields_of([well])[0][:1]:
            try:
                found.append(view.field_image(well.row, well.column, one.path))
            except FormatError:
                continue  # it is reported when it is shown
    return found


def _limits_of(fields: Sequence[Image], name: str, index: int) -> Limits | None:
    found: list[Limits] = []
    for image in fields:
        if image.rgb:
            continue
        own = [channel.name for channel in image.channels]
        place = own.index(name) if name in own else index
        if place < n_channels(image):
            level = arranged_levels(image, place, shared_frame((image,)))[-1]
            sample = sampled_limits(level)
            if sample is not None:
                found.append(sample)
    if not found:
        return None
    return min(low for low, _ in found), max(high for _, high in found)


def _facts(view: PlateView, mosaic: PlateMosaic) -> dict[str, object]:
    """Return what the metadata of a layer say of the plate, fit for JSON."""
    facts: dict[str, object] = {
        "name": view.name,
        "rows": list(mosaic.rows),
        "columns": list(mosaic.columns),
        "wells": [well.path for well in mosaic.wells],
        "layout": dict(mosaic.layout_facts),
    }
    if mosaic.acquisition is not None:
        facts["acquisition"] = {
            "id": mosaic.acquisition.id,
            "name": mosaic.acquisition.name,
        }
    return facts


def _names(mosaic: PlateMosaic, image: Image) -> LayerData | None:
    """Return a layer with the names of rows and columns beside the plate."""
    rows, columns = mosaic.rows, mosaic.columns
    if rows == ("",) or len(rows) + len(columns) > _MOST_NAMES:
        return None
    frame = shared_frame((image,))
    scale = frame.scale(image)[-2:]
    height, width = mosaic.plane.cell.shape
    # Beside the plate by as much as half of the text, which stands around its point.
    away = min(height, width) * _TEXT
    points: list[tuple[float, float]] = []
    for number in range(len(rows)):
        y, x = mosaic.plane.origin(number, 0)
        points.append((y + height / 2, x - away))
    for number in range(len(columns)):
        y, x = mosaic.plane.origin(0, number)
        points.append((y - away, x + width / 2))
    return (
        points,
        {
            "name": "rows and columns",
            "text": {
                "string": [*rows, *columns],
                "anchor": "center",
                "color": "gray",
                "size": 14,
            },
            "size": 0.01,
            "face_color": "transparent",
            "border_color": "transparent",
            "scale": scale,
            "units": frame.units[-2:],
            "axis_labels": frame.names[-2:],
            "metadata": {"napari_scope": {"plate": {"name": mosaic.image.name}}},
        },
        "points",
    )
