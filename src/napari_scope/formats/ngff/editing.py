"""Changing what an OME-Zarr store on disk says: scales and names of channels.

Only JSON documents change, each by one atomic replacement; pixels stay as they are.
Versions 0.4 and 0.5. Copies of the attributes that a store keeps at its root
(consolidated metadata) are brought up to date, too.

Moving a well is `napari_scope.formats.ngff.nodes.renaming.rename_well`.

Examples
--------
>>> set_scale("cells.ome.zarr", {"z": 0.5})  # doctest: +SKIP
>>> rename_channel("plate.ome.zarr", "GFP", "EGFP")  # doctest: +SKIP
96
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError, SettingsError
from napari_scope.formats.ngff.consolidated import refresh_consolidated
from napari_scope.formats.ngff.documents import read_document, replace_document
from napari_scope.formats.ngff.images import ome_block, version_of
from napari_scope.formats.ngff.label_images import labels_listed
from napari_scope.formats.ngff.layouts import (
    collection_images,
    plate_images,
    well_images,
)
from napari_scope.formats.ngff.metadata import NGFF_VERSIONS
from napari_scope.formats.ngff.store import Store
from napari_scope.formats.ngff.transforms import compose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

__all__ = ["image_paths", "rename_channel", "set_scale"]


def image_paths(path: str | PathLike[str]) -> list[str]:
    """Return the paths of all images of a store; an empty path is the store itself.

    Raises
    ------
    FormatError
        If there is no OME-Zarr.
    """
    store = Store(path)
    block = ome_block(store.attributes())
    problems: list[str] = []
    plate, well = block.get("plate"), block.get("well")
    if isinstance(plate, dict):
        listing = plate_images(store, plate, problems)
    elif isinstance(well, dict):
        listing = well_images(well, problems)
    elif "bioformats2raw.layout" in block:
        listing = collection_images(store, problems)
    else:
        listing = [("", "")]
    if problems:
        raise FormatError(problems[0], path=store.place())
    return [image for image, _ in listing]


def set_scale(
    root: str | PathLike[str],
    scales: Mapping[str, float],
    images: Sequence[str] | None = None,
) -> int:
    """Set the distance of samples of full resolution on some axes.

    Coarse levels keep how often theirs is that, and where their first pixel lies within
    the first of full resolution. Segmentations follow their image.

    Parameters
    ----------
    root : str or PathLike
        The store.
    scales : mapping
        Name of an axis, in capitals or not, to the distance of its samples in its unit.
    images : sequence of str, optional
        Paths of images in the store; all by default.

    Returns
    -------
    int
        Number of images that were changed.

    Raises
    ------
    SettingsError
        For an axis that an image does not have, or a distance that is not above 0;
        nothing is changed.
    FormatError
        If an image cannot be read, or is of a version before 0.4.
    """
    if not scales:
        raise SettingsError("no scale was given", hint="give an axis, such as z=0.5")
    for name, value in scales.items():
        if not (math.isfinite(value) and value > 0):
            raise SettingsError(f"the scale of {name} is {value}, expected above 0")
    wanted = {name.lower(): value for name, value in scales.items()}
    edit = _Edit(root)
    chosen = image_paths(root) if images is None else list(images)
    for image in chosen:
        block = edit.block(image)
        before = _full_scale(block, edit.place(image))
        missing = [name for name in scales if name.lower() not in before]
        if missing:
            raise SettingsError(
                f"the image {image or 'at the root'} has no axis {missing[0]!r}",
                path=edit.place(image),
                hint=f"it has {', '.join(before)}",
            )
        factors = {name: value / before[name] for name, value in wanted.items()}
        _rescale(block, factors, wanted)
        for label in edit.labels(image):
            _rescale(edit.block(label), factors, {})
    edit.write()
    return len(chosen)


def rename_channel(
    root: str | PathLike[str],
    old: str,
    new: str,
    images: Sequence[str] | None = None,
) -> int:
    """Give a channel another name.

    Parameters
    ----------
    root : str or PathLike
        The store.
    old, new : str
        The names.
    images : sequence of str, optional
        Paths of images in the store; all by default.

    Returns
    -------
    int
        Number of images that were changed.

    Raises
    ------
    SettingsError
        If an image has no such channel, several of that name, or one of the new name
        already; nothing is changed.
    FormatError
        If an image cannot be read, or is of a version before 0.4.
    """
    if not new.strip():
        raise SettingsError("the new name of the channel is empty")
    edit = _Edit(root)
    chosen = image_paths(root) if images is None else list(images)
    for image in chosen:
        omero = edit.block(image).get("omero")
        entries = omero.get("channels") if isinstance(omero, dict) else None
        channels = [c for c in entries if isinstance(c, dict)] if entries else []
        names = [channel.get("label") for channel in channels]
        where = f"the image {image or 'at the root'}"
        if names.count(old) != 1:
            found = ", ".join(repr(name) for name in names) or "none with a name"
            raise SettingsError(
                f"{where} has {names.count(old) or 'no'} channel {old!r}",
                path=edit.place(image),
                hint=f"it has {found}",
            )
        if new in names and new != old:
            raise SettingsError(
                f"{where} has a channel {new!r} already", path=edit.place(image)
            )
        channels[names.index(old)]["label"] = new
    edit.write()
    return len(chosen)


class _Edit:
    """Documents of a store that are changed together: all are checked, then written."""

    def __init__(self, root: str | PathLike[str]) -> None:
        self._store = Store(root)
        self._root = self._store.root  # refuses what is not local
        self._documents: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def place(self, path: str) -> str:
        return self._store.place(path)

    def block(self, path: str) -> dict[str, Any]:
        """Return the OME part of the attributes of a group, to be changed."""
        if path not in self._documents:
            self._store.attributes(path)  # refuses links that leave the store
            folder = self._store.folder(path)
            before = read_document(folder)
            document = copy.deepcopy(before)
            attributes = document
            if (folder / "zarr.json").is_file():
                attributes = document.setdefault("attributes", {})
            block = ome_block(attributes)
            if "multiscales" not in block:
                raise FormatError("no OME-Zarr image", path=folder)
            version = version_of(block)
            if version not in NGFF_VERSIONS:
                raise FormatError(
                    f"it is OME-Zarr {version or 'without a version'}, which is not "
                    "changed",
                    path=folder,
                    hint="convert it first",
                )
            self._documents[path] = before, document
        document = self._documents[path][1]
        attributes = document.get("attributes", document)
        return ome_block(attributes)  # type: ignore[return-value]

    def labels(self, image: str) -> list[str]:
        """Return the paths of the segmentations of an image."""
        found = labels_listed(self._store, image, [], self._store.attributes(image))
        paths = [f"{image}/{label}".strip("/") for label in found]
        return [path for path in paths if self._store.exists(path)]

    def write(self) -> None:
        """Replace the documents that have changed."""
        changed = {
            path: document
            for path, (before, document) in self._documents.items()
            if document != before
        }
        for path, document in changed.items():
            replace_document(self._store.folder(path), document)
        if changed:
            refresh_consolidated(self._root, changed)


# ------------------------------------------------------------------ scales


def _names(multiscale: Mapping[str, Any]) -> list[str]:
    axes = multiscale.get("axes")
    names = [
        axis.get("name") if isinstance(axis, dict) else axis
        for axis in (axes if isinstance(axes, list) else ())
    ]
    # Some writers have them in capitals; no image has an axis "z" and another "Z".
    return [str(name).lower() for name in names]


def _full_scale(block: Mapping[str, Any], place: str) -> dict[str, float]:
    """Return the scale of full resolution of each axis."""
    try:
        multiscale = block["multiscales"][0]
        names = _names(multiscale)
        transforms = multiscale["datasets"][0].get("coordinateTransformations")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise FormatError("its multiscales are damaged", path=place) from error
    placed = compose(
        len(names), transforms, multiscale.get("coordinateTransformations")
    )
    if placed.problems or not names:
        raise FormatError(
            f"its transformations are not changed: {'; '.join(placed.problems)}",
            path=place,
        )
    return {n: s if s > 0 else 1.0 for n, s in zip(names, placed.scale, strict=True)}


def _rescale(
    block: Mapping[str, Any], factors: Mapping[str, float], exact: Mapping[str, float]
) -> None:
    """Multiply the scales of all levels; those of full resolution become ``exact``."""
    for multiscale in block["multiscales"]:
        names = _names(multiscale)
        whole = compose(
            len(names), multiscale.get("coordinateTransformations") or []
        ).scale
        first: list[float] | None = None
        for number, dataset in enumerate(multiscale.get("datasets", ())):
            placed = compose(len(names), dataset.get("coordinateTransformations") or [])
            scale, origin = list(placed.scale), list(placed.translation)
            first = first or list(origin)
            for axis, name in enumerate(names):
                factor = factors.get(name)
                if factor is None:
                    continue
                scale[axis] *= factor
                if number == 0 and name in exact:
                    scale[axis] = exact[name] / whole[axis]
                origin[axis] = first[axis] + (origin[axis] - first[axis]) * factor
            told: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
            if any(origin) or len(dataset.get("coordinateTransformations") or []) > 1:
                told.append({"type": "translation", "translation": origin})
            dataset["coordinateTransformations"] = told
