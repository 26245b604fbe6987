"""The tree of an OME-Zarr store: plates, wells, fields, images, levels and labels.

Rows and wells come out of the plate's own document, so a plate of 384 wells costs one
read. A well reads its document when it is opened; a field, image or label reads its
own and those of its levels. How arrays are stored is read level by level, when
somebody looks at a level.

It knows how OME-Zarr nests groups; what a single image says is the business of
`napari_scope.formats.ngff.images`.

Examples
--------
>>> plate = ngff_tree("plate.zarr")  # doctest: +SKIP
>>> [row.name for row in plate.children()]  # doctest: +SKIP
['A', 'B']
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.array_words import storage_of
from napari_scope.formats.ngff.group_images import GroupImages, read_group
from napari_scope.formats.ngff.images import ome_block, read_image, version_of
from napari_scope.formats.ngff.label_images import names_in
from napari_scope.formats.ngff.layouts import collection_images
from napari_scope.formats.ngff.plate.listing import (
    PlateWell,
    read_listing,
    read_well,
)
from napari_scope.formats.ngff.reader import open_ngff
from napari_scope.formats.ngff.scenes import scene_images
from napari_scope.formats.ngff.store import ArrayInfo, Store
from napari_scope.formats.tree_node import (
    MAX_CHILDREN,
    Facts,
    Node,
    bounded,
    image_facts,
    joined,
)
from napari_scope.model import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_scope.formats.ngff.plate.listing import PlateListing, WellField
    from napari_scope.model import Image, Labels

    Json = Mapping[str, object]

__all__ = ["ngff_tree"]

_SUFFIXES = (".ome.zarr", ".zarr", ".ozx", ".zip")
_MOST_LEVELS = 64
_MOST_PROBLEMS = 5


def ngff_tree(place: str) -> Node:
    """Return the root of the tree of a store, or of a group within one.

    Parameters
    ----------
    place : str
        The folder, packed file or address.

    Raises
    ------
    FormatError
        If there is no OME-Zarr group.
    """
    return _Tree(place).root()


class _Tree:
    """Makes the nodes of one store.

    Parameters
    ----------
    place : str
        The folder, packed file or address.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._store = Store(place)
        self._title = self._store.title
        for suffix in _SUFFIXES:
            if self._title.lower().endswith(suffix) and len(self._title) > len(suffix):
                self._title = self._title[: -len(suffix)]
                break
        self._version = ""
        self._only_labels = False

    def root(self) -> Node:
        block = ome_block(self._store.attributes())
        self._version = version_of(block)
        facts = Facts(version=f"OME-Zarr {self._version}".strip())
        if isinstance(block.get("plate"), dict) and (listing := read_listing(block)):
            return self._plate(listing, facts)
        if isinstance(block.get("well"), dict):
            well = self._well(PlateWell("", "", 0, 0, ""), {}).described()
            facts = replace(facts, count=well.facts.count)
            return replace(well, name=self._title, facts=facts)
        if "bioformats2raw.layout" in block:
            return self._collection(facts)
        if "multiscales" in block:
            return self._image("image", self._title, "")
        if isinstance(scene := block.get("scene"), dict):
            return self._scene(scene, facts)
        if isinstance(block.get("labels"), list):
            return self._labels_alone(block["labels"], facts)
        raise FormatError(
            "no OME-Zarr: multiscales, plate, well, labels, scene or "
            "bioformats2raw.layout was expected in the attributes",
            path=self._store.place(),
        )

    def _collection(self, facts: Facts) -> Node:
        problems: list[str] = []
        listing = collection_images(self._store, problems)
        return Node(
            "collection",
            self._title,
            facts=replace(facts, count=len(listing)),
            problem="; ".join(problems),
            place=self._place,
            known=bounded(
                self._image("image", name or path, path) for path, name in listing
            ),
            load=partial(open_ngff, self._place),
        )

    def _scene(self, scene: Json, facts: Facts) -> Node:
        problems: list[str] = []
        paths = list(scene_images(scene, problems))

        def alone(path: str) -> Dataset:
            """Open one image where the scene puts it."""
            whole = open_ngff(self._place)
            images = [i for i in whole.images if i.metadata.get("path") == path]
            if not images:
                raise FormatError("the image cannot be read", path=self._join(path))
            return replace(whole, images=tuple(images))

        return Node(
            "collection",
            self._title,
            facts=replace(facts, count=len(paths)),
            problem="; ".join(problems[:_MOST_PROBLEMS]),
            place=self._place,
            known=bounded(
                replace(self._image("image", path, path), load=partial(alone, path))
                for path in paths
            ),
            load=partial(open_ngff, self._place),
        )

    def _labels_alone(self, listed: object, facts: Facts) -> Node:
        """Return a group of segmentations whose image is not below it."""
        problems: list[str] = []
        names = names_in(listed, "the group", problems)
        self._only_labels = True
        return Node(
            "labels",
            self._title,
            facts=replace(facts, count=len(names)),
            problem="; ".join(problems[:_MOST_PROBLEMS]),
            place=self._place,
            known=bounded(
                self._image("label", name, name)
                for name in (one.removeprefix("labels/") for one in names)
            ),
            load=partial(open_ngff, self._place),
        )

    # ---- plates

    def _plate(self, listing: PlateListing, facts: Facts) -> Node:
        self._title = listing.name or self._title
        acquisitions = {one.id: one.name for one in listing.acquisitions}
        problems = list(listing.problems)
        if len(listing.wells) > MAX_CHILDREN:
            left = len(listing.wells) - MAX_CHILDREN
            problems.append(f"{left:,} wells are too many to be listed")
        rows: dict[int, list[PlateWell]] = {}
        for well in listing.wells[:MAX_CHILDREN]:
            rows.setdefault(well.row_index, []).append(well)
        return Node(
            "plate",
            self._title,
            facts=replace(
                facts,
                count=len(listing.wells),
                rows=listing.rows,
                columns=listing.columns,
                acquisitions=tuple(acquisitions.items()),
            ),
            problem="; ".join(problems[:_MOST_PROBLEMS]),
            place=self._place,
            known=tuple(
                self._row(rows[number], acquisitions) for number in sorted(rows)
            ),
            load=partial(open_ngff, self._place),
        )

    def _row(self, wells: list[PlateWell], acquisitions: Mapping[int, str]) -> Node:
        wells = sorted(wells, key=lambda well: well.column_index)
        name = wells[0].row
        return Node(
            "row",
            name,
            name,
            Facts(count=len(wells)),
            place=self._place,
            known=tuple(self._well(well, acquisitions) for well in wells),
            title=f"{self._title} {name}",
            wells=tuple((well.row, well.column) for well in wells),
        )

    def _well(self, well: PlateWell, acquisitions: Mapping[int, str]) -> Node:
        def describe(node: Node) -> Node:
            fields = read_well(ome_block(self._store.attributes(well.path)))
            if fields is None:
                raise FormatError(
                    "no metadata of a well", path=self._store.place(node.path)
                )
            known = bounded(self._field(well, one, acquisitions) for one in fields)
            return replace(node, known=known, facts=Facts(count=len(fields)))

        return Node(
            "well",
            f"{well.row}{well.column}",
            well.path,
            place=self._place,
            describe=describe,
            load=partial(open_ngff, self._join(well.path)),
            title=f"{self._title} {well.path}" if well.path else "",
            wells=((well.row, well.column),),
        )

    def _field(
        self, well: PlateWell, field: WellField, acquisitions: Mapping[int, str]
    ) -> Node:
        number = field.acquisition
        name = "" if number is None else acquisitions.get(number, f"{number}")
        path = f"{well.path}/{field.path}" if well.path else field.path
        return self._image("field", field.path, path, Facts(acquisition=name))

    # ---- images

    def _image(
        self,
        kind: Literal["field", "image", "label"],
        name: str,
        path: str,
        facts: Facts | None = None,
    ) -> Node:
        title = f"{self._title} {path}" if kind == "field" else name if path else ""
        node = Node(kind, name, path, facts or Facts(), place=self._place, title=title)
        return replace(
            node,
            describe=self._describe_image,
            load=partial(self._open_images, node),
        )

    def _images(self, node: Node) -> GroupImages:
        """Read the images of a group under the names that their layers get."""
        group = read_group(self._store, node.path, only_labels=self._only_labels)
        name = node.title or node.name
        if len(group.images) == 1:
            return replace(group, images=(replace(group.images[0], name=name),))
        named = (
            replace(image, name=f"{name} {image.name or number}")
            for number, image in enumerate(group.images)
        )
        return replace(group, images=tuple(named))

    def _describe_image(self, node: Node) -> Node:
        group = self._images(node)
        version = f"OME-Zarr {group.version or self._version}".strip()
        facts = image_facts(group.images[0], version)
        if len(group.images) > 1:
            facts = Facts(version=version, count=len(group.images))
        alone = group.images[0].only_labels
        return replace(
            node,
            kind="label" if alone and node.kind == "image" else node.kind,
            facts=replace(facts, acquisition=node.facts.acquisition),
            problem="; ".join(group.problems[:_MOST_PROBLEMS]),
            list_children=partial(self._below_image, node, group.images),
        )

    def _open_images(self, node: Node) -> Dataset:
        group = self._images(node)
        return self._dataset(node.path, group.images, group.problems)

    def _below_image(self, node: Node, images: Sequence[Image]) -> Iterator[Node]:
        if len(images) == 1:
            yield from self._levels(node.path)
        else:
            for image in images:
                yield self._one_of_several(node, image)
        labels = images[0].labels
        if not labels or images[0].only_labels:
            return
        path = f"{node.path}/labels" if node.path else "labels"
        known = tuple(self._label(node, path, one) for one in labels)
        facts = Facts(count=len(known))
        yield Node("labels", "labels", path, facts, place=self._place, known=known)

    def _one_of_several(self, node: Node, image: Image) -> Node:
        """Return one of the multiscale images that a group lists."""
        number = image.metadata.get("multiscale", 0)
        assert isinstance(number, int)
        return Node(
            "image",
            image.name,
            node.path,
            image_facts(image),
            place=self._place,
            list_children=partial(self._levels, node.path, number),
            load=lambda: self._dataset(node.path, [image], ()),
            title=image.name,
        )

    def _label(self, node: Node, folder: str, label: Labels) -> Node:
        path = f"{folder}/{label.name}"
        return Node(
            "label",
            label.name,
            path,
            image_facts(label),
            place=self._place,
            list_children=partial(self._levels, path),
            load=partial(self._open_label, node, label.name),
            title=node.title,
        )

    def _open_label(self, node: Node, name: str) -> Dataset:
        """Open an image with one of its labels only."""
        group = self._images(node)
        image = group.images[0]
        chosen = tuple(one for one in image.labels if one.name == name)
        if not chosen:
            raise FormatError(
                f"the labels {name!r} cannot be read", path=self._store.place(node.path)
            )
        return self._dataset(node.path, [replace(image, labels=chosen)], group.problems)

    # ---- levels

    def _levels(self, path: str, number: int = 0) -> Iterator[Node]:
        block = ome_block(self._store.attributes(path))
        for place, level in enumerate(_level_names(block, number)):
            if level is None:
                yield Node("level", f"{place}", path, problem="the level has no path")
                continue
            node = Node("level", level, f"{path}/{level}" if path else level)
            yield replace(
                node,
                place=self._place,
                describe=self._describe_level,
                load=partial(self._open_level, path, number, place),
                title=f"{self._title} {node.path}",
            )

    def _describe_level(self, node: Node) -> Node:
        info = self._store.array(node.path)
        storage = storage_of(self._store.node(node.path))
        facts = Facts(
            shape=info.shape,
            dtype=str(info.dtype),
            chunks=storage.chunks,
            shards=storage.shards,
            codecs=storage.codecs,
            nbytes=math.prod(info.shape) * info.dtype.itemsize,
            version=f"Zarr v{info.zarr_format}",
        )
        return replace(node, facts=facts)

    def _open_level(self, path: str, number: int, place: int) -> Dataset:
        """Open one level as an image of its own, at the place of the others."""
        found = read_image(self._store, path, number)
        names = _level_names(ome_block(found.attributes), number)
        whole = [f"{path}/{name}" if path and name else name or "" for name in names]
        info = self._store.array(whole[place])
        # Levels before it that cannot be read are not among those of the image.
        usable = [isinstance(one, ArrayInfo) for one in self._store.arrays(whole)]
        at = sum(usable[:place])
        levels = found.image.levels
        if at >= len(levels) or sorted(levels[at].shape) != sorted(info.shape):
            raise FormatError(
                "the level does not fit the others",
                path=self._store.place(whole[place]),
            )
        axes = {axis.name: axis for axis in found.level_axes[at]}
        image = replace(
            found.image,
            name=f"{self._title} {whole[place]}",
            axes=tuple(axes.get(axis.name, axis) for axis in found.image.axes),
            levels=(levels[at],),
        )
        return self._dataset(whole[place], [image], ())

    # ---- what all need

    def _join(self, path: str) -> str:
        return joined(self._place, path)

    def _dataset(
        self, path: str, images: Sequence[Image], problems: Sequence[str]
    ) -> Dataset:
        return Dataset(
            path=self._join(path),
            format="ome-zarr",
            format_version=self._version,
            images=tuple(images),
            problems=tuple(problems),
        )


def _level_names(block: Json, number: int) -> list[str | None]:
    """Return the paths of the levels that a multiscale image lists."""
    multiscales = block.get("multiscales")
    listed = multiscales if isinstance(multiscales, list) else []
    entry = listed[number] if number < len(listed) else None
    datasets = entry.get("datasets") if isinstance(entry, dict) else None
    paths = (
        level.get("path") if isinstance(level, dict) else None
        for level in (datasets[:_MOST_LEVELS] if isinstance(datasets, list) else ())
    )
    return [path if isinstance(path, str) else None for path in paths]
