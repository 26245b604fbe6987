"""Layers of the segmentations of images: lazy, in place, with colours and properties.

A segmentation lies in the frame of its image: where it has no t or z it counts for all
time points and planes of the image, where it has channels each is a layer. Its colours
become a plain mapping of labels to ``#RRGGBBAA``, its properties a table with the
column ``index`` that napari shows in the status bar. On a slider of images,
segmentations of the same name share a layer where they are alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import LazyArray
from napari_scope.layers.arrange import arranged_levels, stacked, with_coarse_level
from napari_scope.layers.describe import described

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.layers.describe import LayerData
    from napari_scope.layers.frame import Frame
    from napari_scope.model import Image, Labels, LevelArray

__all__ = ["labels_to_layers", "shared_labels"]

_UNLISTED = "#808080"
"""Colour of labels for which the file says none, where it says some."""

_SAVED = ("opacity", "blending", "visible")


def labels_to_layers(
    labels: Labels,
    frame: Frame,
    *,
    image: Image | None = None,
    name_prefix: str = "",
    metadata: Mapping[str, object] | None = None,
) -> list[LayerData]:
    """Return one layer for each channel of a segmentation, mostly one.

    Parameters
    ----------
    labels : Labels
        The segmentation.
    frame : Frame
        Axes and units of the layers of its image.
    image : Image, optional
        Its image. Along an axis that only the image has the segmentation is repeated,
        lazily.
    name_prefix : str
        Stands before the name of the segmentation, usually the name of the image.
    metadata : mapping, optional
        Added to the layers' own.
    """
    layers: list[LayerData] = []
    count = _n_channels(labels)
    for index in range(count):
        arguments = _look(labels) | {
            "name": _name(labels, index, name_prefix),
            "scale": _with_those_of(image, labels, frame.names, frame.scale),
            "translate": _with_those_of(image, labels, frame.names, frame.translation),
            "units": frame.units,
            "axis_labels": frame.names,
            "metadata": _facts(metadata, labels, index, frame.names),
        }
        affine = frame.affine(labels)
        if affine is not None:
            arguments["affine"] = [list(row) for row in affine]
        levels = with_coarse_level(_levels(labels, index, frame, image))
        layers.append(described(levels, arguments, "labels"))
    return layers


def shared_labels(
    images: Sequence[Image],
    frame: Frame,
    metadata: Mapping[str, object] | None = None,
) -> list[tuple[str, LayerData]]:
    """Return the name and the layer of segmentations along an axis ``p`` of images.

    One layer for each name. Segmentations that are not like the first of their name in
    height, width, type and levels are left out; the metadata of the layer name the
    images whose segmentations it has.

    Parameters
    ----------
    images : sequence of Image
        All images, in their order on the axis.
    frame : Frame
        Axes and units of the layers.
    metadata : mapping, optional
        Added to the layers' own.
    """
    found: dict[tuple[str, int], dict[int, Labels]] = {}
    for number, image in enumerate(images):
        for labels in image.labels:
            for index in range(_n_channels(labels)):
                # Alone, each segmentation has the name of its image.
                name = "" if image.only_labels else labels.name
                found.setdefault((name, index), {}).setdefault(number, labels)
    layers: list[tuple[str, LayerData]] = []
    names = ("p", *frame.names)
    for (_, index), members in found.items():
        arranged = {
            n: _levels(one, index, frame, images[n]) for n, one in members.items()
        }
        number, first = next(iter(members.items()))
        kind = _kind(arranged[number])
        alike = {n: a for n, a in arranged.items() if _kind(a) == kind}
        levels = stacked([alike.get(n) for n in range(len(images))])
        whole = all(members[n].colors == first.colors for n in alike)
        arguments = _look(first, whole=whole) | {
            "name": _name(first, index, ""),
            "scale": (
                1.0,
                *_with_those_of(images[number], first, frame.names, frame.scale),
            ),
            # Images lie on top of each other; what is left is the place in the image.
            "translate": (
                0.0,
                *(
                    own - of_image if name in first.axis_names else 0.0
                    for name, own, of_image in zip(
                        frame.names,
                        frame.translation(first),
                        frame.translation(images[number]),
                        strict=True,
                    )
                ),
            ),
            "units": ("pixel", *frame.units),
            "axis_labels": names,
            "metadata": _facts(
                metadata,
                first,
                index,
                names,
                images=[
                    image.name if n in alike else None for n, image in enumerate(images)
                ],
            ),
        }
        layer = described(with_coarse_level(levels), arguments, "labels")
        layers.append((first.name, layer))
    return layers


def _kind(levels: list[LevelArray]) -> object:
    return [level.shape[-2:] for level in levels], levels[0].dtype


def _n_channels(labels: Labels) -> int:
    if "c" not in labels.axis_names:
        return 1
    return labels.levels[0].shape[labels.axis_names.index("c")]


def _name(labels: Labels, index: int, prefix: str) -> str:
    own = labels.look.get("name") if not prefix else None
    name = own if isinstance(own, str) else labels.name
    more = f"Channel {index}" if _n_channels(labels) > 1 else ""
    return " - ".join(part for part in (prefix, name, more) if part) or "labels"


def _look(labels: Labels, *, whole: bool = True) -> dict[str, object]:
    """Return colours and properties; without ``whole`` the viewer chooses colours."""
    look: dict[str, object] = {
        key: labels.look[key] for key in _SAVED if key in labels.look
    }
    if labels.colors and whole:
        colormap: dict[int | None, str] = {
            label: "#{:02x}{:02x}{:02x}{:02x}".format(*rgba)
            for label, rgba in labels.colors.items()
        }
        colormap[None] = _UNLISTED
        look["colormap"] = colormap
    if labels.properties and whole:
        columns = dict.fromkeys(
            key for row in labels.properties.values() for key in row
        )
        look["features"] = {
            **{
                # napari looks the label up in this column.
                ("index (file)" if key == "index" else key): [
                    row.get(key) for row in labels.properties.values()
                ]
                for key in columns
            },
            "index": list(labels.properties),
        }
    return look


def _facts(
    given: Mapping[str, object] | None,
    labels: Labels,
    index: int,
    names: Sequence[str],
    **more: object,
) -> dict[str, object]:
    facts: dict[str, object] = {
        **(given or {}),
        **more,
        "labels": labels.name,
        "channel_index": index,
        "axes": list(names),
    }
    if labels.metadata:
        facts["about_labels"] = dict(labels.metadata)
    return {"napari_scope": facts}


def _with_those_of(
    image: Image | None,
    labels: Labels,
    names: Sequence[str],
    of: Callable[[Image | Labels], tuple[float, ...]],
) -> tuple[float, ...]:
    """Return numbers of a segmentation; on axes that it lacks those of its image."""
    own = of(labels)
    if image is None:
        return own
    return tuple(
        mine if name in labels.axis_names else other
        for name, mine, other in zip(names, own, of(image), strict=True)
    )


def _levels(
    labels: Labels, index: int, frame: Frame, image: Image | None
) -> list[LevelArray]:
    lengths = (
        {}
        if image is None
        else dict(zip(image.axis_names, image.levels[0].shape, strict=True))
    )
    levels = arranged_levels(labels, index, frame, lengths)
    if levels[0].dtype.kind != "b":
        return levels
    # napari makes numbers of truth values by a method that only numpy has.
    return [LazyArray(_NumbersSource(level)) for level in levels]


class _NumbersSource:
    """An array of truth values as 0 and 1.

    Parameters
    ----------
    level : LevelArray
        The array.
    """

    fresh = True

    def __init__(self, level: LevelArray) -> None:
        self._level = level
        self.dtype: np.dtype[np.generic] = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._level.shape

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Block size that is cheap to read."""
        chunks: tuple[int, ...] | None = getattr(self._level, "chunks", None)
        return chunks

    def read(self, block: tuple[slice, ...]) -> npt.NDArray[np.generic]:
        """Read one block."""
        return np.asarray(self._level[block]).astype(np.uint8)
