"""From a reader of mass-spectrometry images to napari's layers.

Each data set gets the image of the sums of all intensities (TIC), a lazy stack of all
channels, and, where it has several regions, these as labels with their names. At first
the TIC of the first data set is seen, and the outlines of its regions; a stack costs
nothing before it is looked at.

All layers lie where the file says: micrometers if it knows the size of a pixel, pixels
otherwise, with the file's own origin. The axis of the channels is m/z itself where its
steps are even in all data sets; else it counts channels, and the name of the slider has
to tell the m/z.

Examples
--------
>>> with_layers = reader_to_layers(open_msi("brain.imzML"))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.arrays import LazyArray
from napari_scope.layers.msi import MSI_KEY, MSILayer
from napari_scope.layers.msi_stack import MzStack
from napari_scope.layers.msi_totals import Totals
from napari_scope.layers.notices import warn

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi import MSIData, MSIReader
    from napari_scope.layers.describe import LayerData, Limits

__all__ = [
    "MOST_DATA_SETS",
    "MZ",
    "bright_limits",
    "frame_of",
    "ion_layer",
    "reader_to_layers",
]

MZ: Final = "m/z"

MOST_DATA_SETS: Final = 24
"""How many data sets of one file or folder get layers."""

_EVEN: Final = 1e-3  # of a step: what even steps may differ
_BRIGHT: Final = 99.5  # percentile of what is above 0 that white is put to
_MOST_LOOKED_AT: Final = 1 << 16


def reader_to_layers(reader: MSIReader, *, wait: bool = True) -> list[LayerData]:
    """Return the layers of all data sets of a reader, the lowest first.

    Parameters
    ----------
    reader : MSIReader
        The reader; the layers keep it open.
    wait : bool
        Whether sums that the file does not tell are computed before this returns. If
        not they are computed in a thread and the arrays fill; somebody has to refresh
        the layers (`MSILayer.totals`).

    Raises
    ------
    ScopeError
        If the spectra cannot be read.
    """
    origins = [MSILayer(reader, n) for n in range(len(reader.data_sets))]
    filled = [origin for origin in origins if len(origin.data)]
    if len(filled) > MOST_DATA_SETS:
        warn(
            f"{reader.basename} has {len(filled)} data sets: the first "
            f"{MOST_DATA_SETS} are shown; the Spectra dock reaches all of them"
        )
        del filled[MOST_DATA_SETS:]
    even = all(_step(origin.data.axis.mz) is not None for origin in filled)
    layers: list[LayerData] = []
    for origin in filled:
        first = origin is filled[0]
        name = _name(origin, alone=len(origins) == 1)
        layers.append(_tic(origin, name, first, wait))
        layers.append(_stack(origin, name, even))
        if len(origin.data.pixels.regions) > 1:
            layers.append(_regions(origin, name, first))
    # Stacks above images, regions above all; sorting is stable.
    order = {"tic": 0, "stack": 1, "regions": 2}
    layers.sort(key=lambda layer: order[layer[1]["metadata"][MSI_KEY].kind])  # type: ignore[index]
    return layers


def frame_of(data: MSIData) -> dict[str, object]:
    """Return scale, translation, units and axis labels of an image of a data set.

    For images of the whole box around its pixels, (y, x) or (z, y, x).
    """
    size = data.spectra.pixel_size
    x, y, z = data.pixels.origin
    if size is None:
        scale, corner = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
    else:
        scale = (size.z_um, size.y_um, size.x_um)
        corner = (size.front_um, size.top_um, size.left_um)
    places = zip(corner, (z, y, x), scale, strict=True)
    translate = tuple(start + first * step for start, first, step in places)
    n = 3 if data.pixels.is_volume else 2
    unit = "pixel" if size is None else "micrometer"
    return {
        "scale": scale[-n:],
        "translate": translate[-n:],
        "units": (unit,) * n,
        "axis_labels": ("z", "y", "x")[-n:],
    }


def ion_layer(
    origin: MSILayer, image: npt.NDArray[np.float32], name: str, **look: object
) -> LayerData:
    """Return an image of a data set as a layer that lies on its others.

    Parameters
    ----------
    origin : MSILayer
        What the image is; it goes into the metadata.
    image : ndarray, (y, x) or (z, y, x)
        The image, of the whole box around the pixels.
    name : str
        Name of the layer.
    **look : object
        Colours and whatever else the layer is to get; its contrast is that of the
        image if none is given.
    """
    arguments: dict[str, object] = {
        "name": name,
        "contrast_limits": bright_limits(image),
        **frame_of(origin.data),
        **look,
        "metadata": {MSI_KEY: origin},
    }
    return image, arguments, "image"


def bright_limits(image: npt.NDArray[np.float32]) -> Limits | None:
    """Return 0 and what is to be white; few very bright pixels do not decide on it.

    None if there is nothing above 0.
    """
    values = image.reshape(-1)
    values = values[:: max(1, len(values) // _MOST_LOOKED_AT)]
    above = values[(values > 0) & np.isfinite(values)]
    if not len(above):
        return None
    high = float(np.percentile(above, _BRIGHT))
    return (0.0, high) if np.isfinite(high) and high > 0 else None


def _tic(origin: MSILayer, name: str, visible: bool, wait: bool) -> LayerData:
    totals = Totals(origin.data.spectra)
    if wait:
        totals.compute()
    elif not totals.done:
        totals.start()
        origin = MSILayer(origin.reader, origin.dataset, totals=totals)
    return ion_layer(
        origin,
        totals.image,
        f"{name} TIC",
        contrast_limits=bright_limits(totals.image) or (0.0, 1.0),
        colormap="viridis",
        visible=visible,
    )


def _stack(origin: MSILayer, name: str, even: bool) -> LayerData:
    stack = MzStack(origin.for_("stack"))
    arguments = frame_of(origin.data)
    step = _step(origin.data.axis.mz) if even else None
    first = float(stack.mz[0]) if step is not None and len(stack.mz) else 0.0
    leading: dict[str, object] = {
        "scale": step or 1.0,
        "translate": first,
        "units": "pixel",
        "axis_labels": MZ,
    }
    for key, value in leading.items():
        arguments[key] = (value, *arguments[key])  # type: ignore[misc]
    arguments |= {
        "name": f"{name} {MZ}",
        "contrast_limits": (0.0, 1.0),
        "colormap": "viridis",
        "visible": False,
        "metadata": {MSI_KEY: stack.origin},
    }
    return LazyArray(stack), arguments, "image"


def _regions(origin: MSILayer, name: str, visible: bool) -> LayerData:
    table = origin.data.pixels
    labels = table.image((table.region + 1).astype(np.int32))
    found = table.regions
    features = {
        "index": [0, *(region.index + 1 for region in found)],
        "region": ["", *(region.name for region in found)],
        "spectra": [0, *(region.count for region in found)],
    }
    arguments = {
        "name": f"{name} regions",
        **frame_of(origin.data),
        "features": features,
        "opacity": 0.6,
        "visible": visible,
        "metadata": {MSI_KEY: origin.for_("regions")},
    }
    return labels, arguments, "labels"


def _name(origin: MSILayer, *, alone: bool) -> str:
    title = origin.reader.title
    data_set = "" if alone else origin.data.spectra.name or str(origin.dataset)
    return f"{title} - {data_set}" if data_set else title


def _step(mz: npt.NDArray[Any]) -> float | None:
    """Return the step of an even axis; None of another one."""
    if len(mz) < 2:
        return None
    step = (float(mz[-1]) - float(mz[0])) / (len(mz) - 1)
    even = np.linspace(float(mz[0]), float(mz[-1]), len(mz))
    if step <= 0 or float(np.abs(mz - even).max()) > _EVEN * step:
        return None
    return step
