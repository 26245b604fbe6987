"""Label images of an image: made, listed and read as nodes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import FormatError, OutputExistsError
from napari_scope.formats.ngff import label_metadata
from napari_scope.formats.ngff.nodes import multiscale
from napari_scope.formats.ngff.nodes.failures import ArgumentError, MissingNodeError
from napari_scope.formats.ngff.nodes.hierarchy import Place, join
from napari_scope.formats.ngff.nodes.image_node import ImageNode
from napari_scope.formats.ngff.nodes.levels import PyramidMethods
from napari_scope.formats.ngff.nodes.node import NGFFNode, log
from napari_scope.formats.ngff.nodes.placed import PlacedImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.formats.ngff.nodes.meta import AxisMeta, TransformationMeta

__all__ = ["LabelMethods", "PositionLabel"]

GROUP = label_metadata.LABELS_GROUP


class PositionLabel(PyramidMethods, PlacedImage):
    """The group of one label image: integers that name objects, 0 for none.

    Its arrays are those of an image, with the axes of the image that it belongs to. A
    pyramid is made by "mode" or one of the others that invent no labels.
    """

    _methods = ("mode", "min", "max", "stride", "nearest")

    @property
    def colors(self) -> dict[int, tuple[int, ...]]:
        """Colours by label: red, green, blue and alpha from 0 to 255."""
        return {
            entry["label-value"]: tuple(entry["rgba"])
            for entry in self._entries("colors")
            if isinstance(entry.get("rgba"), list)
        }

    @property
    def properties(self) -> dict[int, dict[str, Any]]:
        """What is known of single labels, by label."""
        return {
            entry["label-value"]: {k: v for k, v in entry.items() if k != "label-value"}
            for entry in self._entries("properties")
        }

    def _entries(self, key: str) -> list[dict[str, Any]]:
        block = self._ome.get("image-label")
        entries = block.get(key) if isinstance(block, dict) else None
        return [
            entry
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and type(entry.get("label-value")) is int
        ]

    def compute_pyramid(
        self, levels: int | None = None, method: str = "mode", *args: Any, **kwargs: Any
    ) -> None:
        """Compute the pyramid as that of an image, by default by mode."""
        super().compute_pyramid(levels, method, *args, **kwargs)

    def _describes_itself(
        self, dtype: np.dtype[np.generic], version: str
    ) -> dict[str, Any]:
        return {"image-label": label_metadata.label_attributes(version=version)}

    def _check_shape(self, shape: Sequence[int]) -> None:
        if len(shape) != len(self.axes):
            raise ArgumentError(
                f"labels of {len(shape)} dimensions for an image of {len(self.axes)}",
                path=self.folder,
            )


class LabelMethods(ImageNode):
    """What an image node does with its label images."""

    def label_names(self) -> list[str]:
        """Return the names of the label images, as the group ``labels`` lists them."""
        try:
            return label_metadata.listed_labels(self.folder)
        except FormatError as error:
            log.warning("the labels are left out: %s", error)
            return []

    def labels(self) -> Iterator[tuple[str, PositionLabel]]:
        """Iterate over names and nodes of the label images.

        Yields
        ------
        tuple[str, PositionLabel]
            Name and label image; what is listed and missing is left out.
        """
        for name in self.label_names():
            try:
                yield name, self.get_label(name)
            except FormatError as error:
                log.warning("the labels %s are left out: %s", name, error)

    def get_label(self, name: str) -> PositionLabel:
        """Return a label image by its name.

        Raises
        ------
        MissingNodeError
            If there is none of that name (a KeyError).
        """
        path = join(self._path, GROUP, name)
        if not name or not self._tree.has(path):
            raise MissingNodeError(
                f"there are no labels {name!r}",
                path=self.folder,
                hint=f"there are {', '.join(self.label_names()) or 'none'}",
            )
        return self._label_node(path)

    def create_label(
        self,
        name: str,
        data: npt.NDArray[Any],
        chunks: tuple[int, ...] | None = None,
        shards_ratio: tuple[int, ...] | None = None,
        transform: list[TransformationMeta] | None = None,
        *,
        axes: Sequence[AxisMeta] | None = None,
        colors: Mapping[int, Sequence[int]] | None = None,
        properties: Mapping[int, Mapping[str, object]] | None = None,
        levels: int | None = None,
        method: str = "mode",
    ) -> PositionLabel:
        """Create a label image of this image.

        Parameters
        ----------
        name : str
            Name of the new labels: letters, digits, ``_``, ``-`` and ``.``.
        data : NDArray
            Integers, 0 for the background; with the axes of the image, or without its
            channel axis. A lazy array is written block by block.
        chunks, shards_ratio : tuple of int, optional
            As for `create_image`.
        transform : list of TransformationMeta, optional
            Where the labels are, by default where the first level of the image is.
        axes : list of AxisMeta, optional
            Axes of the labels, by default as said for ``data``.
        colors : mapping of int to (int, int, int, int), optional
            Red, green, blue and alpha, 0 to 255, of single labels.
        properties : mapping of int to mapping, optional
            What is known of single labels.
        levels : int, optional
            Levels of its pyramid, by default as many as the image has.
        method : str
            How coarser levels are made: "mode", "stride" ("nearest"), "min" or "max".

        Returns
        -------
        PositionLabel

        Raises
        ------
        ArgumentError
            If the data are no integers or do not fit the image (a ValueError).
        OutputExistsError
            If there are labels of that name (a FileExistsError).
        """
        if not hasattr(data, "shape") or not hasattr(data, "dtype"):
            data = np.asarray(data)
        if np.dtype(data.dtype).kind not in "ui":
            raise ArgumentError(
                f"labels of {data.dtype}; they are integers", path=self.folder
            )
        self._tree.check_writable()
        own = self.axes
        chosen = list(axes) if axes is not None else own
        if axes is None and len(data.shape) == len(own) - 1:
            chosen = [axis for axis in own if axis.type != "channel"]
        if len(chosen) != len(data.shape):
            raise ArgumentError(
                f"labels of {len(data.shape)} dimensions for an image of {len(own)}",
                path=self.folder,
            )
        if transform is None and multiscale.find_multiscale(self._ome) is not None:
            transform = self._inherited(own, chosen)
        path = join(self._path, GROUP, name)
        if not fits_as_name(name):
            raise ArgumentError(f"{name!r} is no name of labels", path=self.folder)
        if self._tree.has(path):
            if not self._overwrite:
                raise OutputExistsError(
                    "there are labels already", path=self._tree.folder(path)
                )
            label_metadata.unlist_label(self.folder, name)
            self._tree.remove(path)
        self._tree.make_group(path, self._write_version)
        node = self._label_node(path, chosen)
        node.create_image("0", data, chunks, shards_ratio, transform)
        if colors or properties:
            block = label_metadata.label_attributes(
                colors=colors, properties=properties, version=self._write_version
            )
            node._change(lambda ome: ome.update({"image-label": block}))
        there = max(1, len(multiscale.level_paths(self._ome)))
        wanted = there if levels is None else levels
        if wanted > 1:
            node.compute_pyramid(wanted, method, self._reduced(node))
        # Listed when all of it is there: readers find it whole, or not at all.
        label_metadata.list_label(self.folder, name)
        return node

    def delete_label(self, name: str) -> None:
        """Delete a label image and take it from the list.

        With the last one goes the group ``labels``: an empty list is not valid.
        """
        self._tree.check_writable()
        self.get_label(name)
        label_metadata.unlist_label(self.folder, name)
        self._tree.remove(join(self._path, GROUP, name))
        group = join(self._path, GROUP)
        ome = self._tree.attributes(group)
        ome = {**ome, **ome.get("ome", {})}
        told = {k for k in ome if k not in ("ome", "version", GROUP)} or ome.get(GROUP)
        members = [*self._tree.children(group, "group")]
        if not (told or members or self._tree.children(group, "array")):
            self._tree.remove(group)

    def _reduced(self, label: PositionLabel) -> list[str] | None:
        """Return the axes that the pyramid of the image reduces, None without one."""
        paths = multiscale.level_paths(self._ome)
        if len(paths) < 2:
            return None
        count = len(self.axes)
        fine, coarse = (multiscale.placement(self._ome, p, count) for p in paths[:2])
        pairs = zip(self.axis_names, fine.scale, coarse.scale, strict=True)
        names = [name for name, one, other in pairs if other > one * 1.5]
        return [name for name in names if name in label.axis_names] or None

    def _inherited(
        self, own: Sequence[AxisMeta], chosen: Sequence[AxisMeta]
    ) -> list[TransformationMeta] | None:
        """Return where labels of some of the axes of the image are."""
        from napari_scope.formats.ngff.nodes.meta import TransformationMeta

        paths = multiscale.level_paths(self._ome)
        names = [axis.name for axis in own]
        if not paths or not {axis.name for axis in chosen} <= set(names):
            return None
        found = multiscale.placement(self._ome, paths[0], len(own))
        places = [names.index(axis.name) for axis in chosen]
        return [
            TransformationMeta("scale", scale=[found.scale[p] or 1.0 for p in places]),
            TransformationMeta(
                "translation", translation=[found.translation[p] for p in places]
            ),
        ]

    def _label_node(
        self, path: str, axes: Sequence[AxisMeta] | None = None
    ) -> PositionLabel:
        handed = {**self._handed_down(), "axes": axes or self.axes}
        return PositionLabel(Place(self._tree, path), **handed)

    def _as_image(self, node: NGFFNode) -> NGFFNode:
        if "image-label" in node.metadata:
            return self._label_node(node.path)
        return super()._as_image(node)


def fits_as_name(name: str) -> bool:
    """Return whether a name can be that of a group in a store, on every system."""
    return (
        isinstance(name, str)
        and bool(name)
        and name not in (".", "..")
        and all(letter.isalnum() or letter in "_-." for letter in name)
        and not name.startswith("__")
    )
