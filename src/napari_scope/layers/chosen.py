"""From what somebody chooses in the tree of a data set to layers.

A plate becomes its mosaic, and so do rows and wells; a field, an image or a level
becomes layers of its own, with names that say where they come from
(``"plate A/1/0 - DAPI"``). A label image comes with the image that it belongs to.
Mass-spectrometry images are opened as `napari_scope.layers.msi_chosen` says.

It reads files: call it outside of a GUI thread. It knows neither viewer nor widgets.

Examples
--------
>>> from napari_scope.formats.tree import open_tree
>>> plate = open_tree("plate.zarr")  # doctest: +SKIP
>>> well = plate.children()[0].children()[0]  # doctest: +SKIP
>>> (chosen,) = nodes_to_layers(well.children()[:1])  # doctest: +SKIP
>>> [layer[1]["name"] for layer in chosen.layers]  # doctest: +SKIP
['plate A/1/0 - DAPI', 'plate A/1/0 - FITC']
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from napari_scope.errors import FormatError
from napari_scope.formats.image_parts import Parts, dataset_parts
from napari_scope.layers.build import dataset_to_layers
from napari_scope.layers.origin import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_scope.formats.ngff.plate.view import PlateView
    from napari_scope.formats.tree_node import Node
    from napari_scope.layers.describe import LayerData
    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Axis, Dataset, Image

__all__ = ["ChosenLayers", "nodes_to_layers", "side_by_side"]

_IMAGES: Final = ("plate", "well", "field", "image", "level")


@dataclass(frozen=True, slots=True)
class ChosenLayers:
    """The layers of a node of the tree.

    Parameters
    ----------
    nodes : tuple of Node
        What was opened.
    layers : list of LayerData
        What the viewer adds, in order.
    dataset : Dataset, optional
        The data set behind the layers; none behind mass-spectrometry images.
    problems : tuple of str
        What could not be read; the rest is in the layers.
    view : PlateView, optional
        The plate, where the layers are mosaics of its wells.
    """

    nodes: tuple[Node, ...]
    layers: list[LayerData]
    dataset: Dataset | None = None
    problems: tuple[str, ...] = ()
    view: PlateView | None = None


def nodes_to_layers(
    nodes: Sequence[Node],
    positions: Positions = "auto",
    acquisition: int | None = None,
    *,
    mosaics: bool = True,
    open_view: Callable[[str], PlateView] | None = None,
    parts: Parts | None = None,
    wait: bool = True,
) -> list[ChosenLayers]:
    """Return the layers of nodes of trees; no pixel of a plate is read.

    Wells and rows of one plate share a mosaic, and fields, images and levels of one
    store are laid side by side or share a slider, as the images of a data set do.

    Parameters
    ----------
    nodes : sequence of Node
        Nodes that can be opened (`Node.can_open`).
    positions : {"auto", "tiles", "slider"}
        How several images are shown (see `dataset_to_layers`).
    acquisition : int, optional
        Of plates only the fields of this acquisition.
    mosaics : bool
        Whether plates and wells become mosaics. If not, their fields are images like
        others.
    open_view : callable, optional
        Opens a plate by its path; by default `open_plate`.
    parts : Parts, optional
        Which channels, time points and planes; all by default. Of a mosaic channels
        only.

    Raises
    ------
    ScopeError
        If one of them cannot be read or opened.
    """
    wanted = parts or Parts()
    groups: dict[tuple[str, str], list[Node]] = {}
    for node in nodes:
        groups.setdefault((_manner(node, mosaics), node.place), []).append(node)
    chosen: list[ChosenLayers] = []
    for (manner, _), members in groups.items():
        if manner == "mosaic":
            chosen.append(_mosaic(members, acquisition, open_view, wanted))
        elif manner == "images" and len(members) > 1:
            chosen.append(_together(members, positions, wanted))
        elif manner == "msi":
            chosen.append(_msi(members, wait))
        else:
            chosen += [_alone(node, positions, wanted) for node in members]
    return chosen


def _manner(node: Node, mosaics: bool) -> str:
    """Return how a node is opened: nodes of one manner and place go together."""
    if node.msi is not None:
        return "msi"
    if (node.kind == "plate" or node.wells) and (mosaics or node.load is None):
        return "mosaic"
    return "images" if node.kind in _IMAGES else "alone"


def _alone(node: Node, positions: Positions, parts: Parts) -> ChosenLayers:
    dataset = dataset_parts(_loaded(node), parts)
    layers = dataset_to_layers(dataset, positions)
    if len(dataset.images) == 1 and node.title:
        layers = [_under(node.title, layer) for layer in layers]
    return ChosenLayers((node,), layers, dataset, dataset.problems)


def _together(
    nodes: Sequence[Node], positions: Positions, parts: Parts
) -> ChosenLayers:
    """Return images of one store as the images of one data set."""
    datasets = [dataset_parts(_loaded(node), parts) for node in nodes]
    images = tuple(image for dataset in datasets for image in dataset.images)
    whole = replace(
        datasets[0],
        path=nodes[0].place,
        images=side_by_side(images) if positions != "slider" else images,
        problems=tuple(problem for one in datasets for problem in one.problems),
        reload=None,
    )
    layers = dataset_to_layers(whole, positions)
    return ChosenLayers(tuple(nodes), layers, whole, whole.problems)


def _mosaic(
    nodes: Sequence[Node],
    acquisition: int | None,
    open_view: Callable[[str], PlateView] | None,
    parts: Parts,
) -> ChosenLayers:
    from napari_scope.formats.ngff.plate.view import open_plate
    from napari_scope.layers.plate import plate_to_layers

    view = (open_view or open_plate)(nodes[0].place)
    whole = any(node.kind == "plate" for node in nodes)
    wells = [well for node in nodes for well in node.wells]
    layers = plate_to_layers(view, acquisition, None if whole else wells)
    if parts.channels is not None:
        layers = [layer for layer in layers if _is_of(layer, parts.channels)]
    origins = (origin_of(_metadata(layer)) for layer in layers)
    dataset = next((origin.dataset for origin in origins if origin is not None), None)
    if len(nodes) == 1 and nodes[0].title:
        layers = [_under(nodes[0].title, layer, view.name) for layer in layers]
    return ChosenLayers(tuple(nodes), layers, dataset, tuple(view.problems), view)


def _msi(nodes: Sequence[Node], wait: bool) -> ChosenLayers:
    from napari_scope.layers.msi_chosen import msi_parts

    parts = [node.msi for node in nodes if node.msi is not None]
    opened = msi_parts(parts, wait=wait)
    return ChosenLayers(tuple(nodes), opened.layers, problems=opened.problems)


def _is_of(layer: LayerData, channels: Sequence[int]) -> bool:
    """Return whether a layer shows one of some channels, or no channel at all."""
    facts = _metadata(layer).get("napari_scope")
    if layer[2] != "image" or not isinstance(facts, dict):
        return True
    return facts.get("channel_index", channels[0]) in channels


def _loaded(node: Node) -> Dataset:
    if node.load is None:
        raise FormatError(f"a {node.kind} cannot be opened", path=node.place or None)
    return node.load()


def _metadata(layer: LayerData) -> Mapping[str, object]:
    metadata = layer[1].get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _under(title: str, layer: LayerData, instead_of: str = "") -> LayerData:
    """Return a layer whose name begins with what was chosen."""
    data, arguments, kind = layer
    name = str(arguments["name"])
    if instead_of and name.startswith(instead_of):
        name = name[len(instead_of) :].removeprefix(" - ")
    if not name.startswith(title):
        name = f"{title} - {name}" if name else title
    return data, {**arguments, "name": name}, kind


def side_by_side(images: Sequence[Image]) -> tuple[Image, ...]:
    """Return images that do not cover each other.

    Where their files give them places of their own they stay there; else they are put
    in a square, row by row, in their order.
    """
    places = {_corner(image) for image in images}
    if len(places) == len(images):
        return tuple(images)
    columns = math.ceil(math.sqrt(len(images)))
    height = max(_extent(image, "y") for image in images)
    width = max(_extent(image, "x") for image in images)
    return tuple(
        _moved(image, {"y": row * height, "x": column * width})
        for number, image in enumerate(images)
        for row, column in [divmod(number, columns)]
    )


def _corner(image: Image) -> tuple[float, float]:
    offsets = {axis.name: axis.translation for axis in image.axes}
    return offsets["y"], offsets["x"]


def _extent(image: Image, name: str) -> float:
    place = image.axis_names.index(name)
    return image.axes[place].scale * image.levels[0].shape[place]


def _moved(image: Image, by: Mapping[str, float]) -> Image:
    labels = tuple(replace(one, axes=_shifted(one.axes, by)) for one in image.labels)
    return replace(image, axes=_shifted(image.axes, by), labels=labels)


def _shifted(axes: Sequence[Axis], by: Mapping[str, float]) -> tuple[Axis, ...]:
    return tuple(
        replace(axis, translation=axis.translation + by.get(axis.name, 0.0))
        for axis in axes
    )
