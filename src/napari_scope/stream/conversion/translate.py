"""An OME-Zarr store of any version, told again in another: nothing changes its place.

Plates stay plates with their wells, fields and acquisitions, collections stay
collections, segmentations go with their images, coarse levels are copied as they are,
and so is the journal of a run. Only what is said changes its words.

Nothing is written here, and no pixel is read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError, SettingsError
from napari_scope.formats.ngff.images import ome_block, read_image
from napari_scope.formats.ngff.label_images import labels_listed
from napari_scope.formats.ngff.layouts import collection_images
from napari_scope.formats.ngff.metadata import NGFF_VERSION
from napari_scope.stream.conversion.layout import (
    Layout,
    Options,
    image_group,
)
from napari_scope.stream.conversion.words import (
    is_compressed,
    level_axes,
    others,
    plate_words,
    well_paths,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from napari_scope.formats.ngff.images import ReadImage
    from napari_scope.formats.ngff.store import Store

    Json = Mapping[str, Any]

__all__ = ["translate"]

_JOURNAL = "acquisition"
_MAX_JOURNAL = 2**31
_XML = "METADATA.ome.xml"


def translate(
    store: Store,
    chosen: Collection[str] | None,
    options: Options,
    notes: list[str],
) -> Layout:
    """Return what the target will hold.

    Parameters
    ----------
    store : Store
        The source.
    chosen : collection of str, optional
        Paths of the images to take; all by default. A single one becomes the whole
        target.
    options : Options
        How arrays are written.
    notes : list of str
        Gets what is left out.

    Raises
    ------
    FormatError
        If an image that was chosen cannot be read; without a choice it is left out.
    SettingsError
        If the version has no form for an image.
    """
    layout = Layout()
    block: Json = ome_block(store.attributes())
    teller = _Teller(store, layout, chosen, options, notes)
    if chosen is not None and len(chosen) == 1:
        (path,) = chosen
        teller.image(path, "")
    elif isinstance(block.get("plate"), dict):
        teller.plate(block["plate"])
    elif isinstance(block.get("well"), dict):
        teller.well("", block["well"])
    elif "bioformats2raw.layout" in block:
        teller.collection()
    else:
        teller.image("", "")
    if layout.images == 0:
        raise FormatError("no image can be converted", path=store.place())
    if chosen is None:
        teller.journal()
    return layout


class _Teller:
    """Goes through a store and fills a layout."""

    def __init__(
        self,
        store: Store,
        layout: Layout,
        chosen: Collection[str] | None,
        options: Options,
        notes: list[str],
    ) -> None:
        self._store = store
        self._layout = layout
        self._chosen = chosen
        self._options = options
        self._notes = notes

    def _wanted(self, path: str) -> bool:
        return self._chosen is None or path in self._chosen

    def _group(self, path: str, ome: Json, attributes: Json) -> None:
        document = {"ome": {"version": NGFF_VERSION, **ome}, **others(attributes)}
        self._layout.groups[path] = document

    # ------------------------------------------------------------- groups

    def plate(self, plate: Json) -> None:
        """Tell a plate and all below it."""
        attributes = self._store.attributes()
        wells: list[tuple[str, list[dict[str, Any]]]] = []
        for path in well_paths(plate):
            try:
                found = ome_block(self._store.attributes(path)).get("well")
                if not isinstance(found, dict):
                    raise FormatError("it has no well metadata", path=path)
                fields = self.well(path, found)
            except FormatError as error:
                self._leave_out(f"the well {path}", error)
                continue
            if fields:
                wells.append((path, fields))
        told = plate_words(plate, wells)
        self._group("", {"plate": told}, attributes)
        for path, _ in wells:
            self._layout.groups.setdefault(path.partition("/")[0], {})

    def well(self, path: str, well: Json) -> list[dict[str, Any]]:
        """Tell a well; returns its fields that are there."""
        fields: list[dict[str, Any]] = []
        entries = well.get("images")
        for entry in entries if isinstance(entries, list) else ():
            name = entry.get("path") if isinstance(entry, dict) else None
            if not isinstance(name, str):
                continue
            name = name.strip("/")
            place = f"{path}/{name}" if path else name
            if self._wanted(place) and self._try_image(place):
                field: dict[str, Any] = {"path": name}
                if type(entry.get("acquisition")) is int:
                    field["acquisition"] = entry["acquisition"]
                fields.append(field)
        if fields:
            self._group(
                path, {"well": {"images": fields}}, self._store.attributes(path)
            )
        return fields

    def collection(self) -> None:
        """Tell a collection of images."""
        listing = collection_images(self._store, [])
        paths = [
            path for path, _ in listing if self._wanted(path) and self._try_image(path)
        ]
        self._group("", {"bioformats2raw.layout": 3}, self._store.attributes())
        own: Json = {}
        if self._store.exists("OME"):
            own = self._store.attributes("OME")
        self._group("OME", {"series": paths}, own)
        xml = self._store.document("OME", _XML)
        if xml is not None and len(paths) == len(listing):
            self._layout.files[f"OME/{_XML}"] = xml
        elif xml is not None:
            self._notes.append("the OME-XML lists images that are left out; it is too")

    def journal(self) -> None:
        """Take the journal of the run that wrote the store along."""
        if not self._store.exists(_JOURNAL):
            return
        attributes = self._store.attributes(_JOURNAL)
        data = self._store.document(_JOURNAL, "frames.jsonl", _MAX_JOURNAL)
        if data is not None:
            self._layout.groups[_JOURNAL] = dict(attributes)
            self._layout.files[f"{_JOURNAL}/frames.jsonl"] = data

    def _leave_out(self, what: str, error: FormatError) -> None:
        if self._chosen is not None:
            raise error
        self._notes.append(f"{what} is left out: {error}")

    # ------------------------------------------------------------- images

    def _try_image(self, path: str) -> bool:
        try:
            self.image(path, path)
        except FormatError as error:
            self._leave_out(f"the image {path}", error)
            return False
        return True

    def image(self, path: str, target: str) -> None:
        """Tell an image and its segmentations."""
        attributes = self._store.attributes(path)
        block = ome_block(attributes)
        if "image-label" in block:
            self._label(path, target)
            self._layout.images += 1
            return
        own = attributes.get("napari_scope")
        own = own if isinstance(own, dict) else None
        # Colours of a layer are channels in the file, and stay that.
        plain = {key: v for key, v in (own or {}).items() if key != "rgb"}
        found = read_image(
            self._store, path, attributes={**attributes, "napari_scope": plain}
        )
        self._notes += [p for p in found.problems if p not in self._notes]
        if found.image.affine is not None:
            self._notes.append(
                f"{path or 'the image'}: its affine has no form in "
                f"{self._options.version} and is left out"
            )
        if isinstance(many := block.get("multiscales"), list) and len(many) > 1:
            self._notes.append(
                f"{path or 'the image'}: only the first multiscale is taken"
            )
        omero = block.get("omero")
        rdefs = omero.get("rdefs") if isinstance(omero, dict) else None
        levels, axes = list(found.image.levels), level_axes(found)
        image_group(
            self._layout,
            target,
            found.image.name,
            levels,
            axes,
            found.image.channels if isinstance(omero, dict) else (),
            self._packed(path, found),
            bit_depth=found.image.bit_depth,
            rdefs=rdefs if isinstance(rdefs, dict) else None,
            extra=own,
        )
        self._layout.groups[target] |= {
            key: value
            for key, value in others(attributes).items()
            if key != "napari_scope"
        }
        problems: list[str] = []
        names = []
        for label in labels_listed(self._store, path, problems, attributes):
            name = label.removeprefix("labels/")
            try:
                self._label(
                    f"{path}/{label}".strip("/"),
                    f"{target}/labels/{name}".strip("/"),
                    len(levels),
                )
            except (FormatError, SettingsError) as error:
                self._notes.append(f"the labels {label} are left out: {error}")
                continue
            names.append(name)
        self._notes += problems
        if names:
            place = f"{target}/labels".strip("/")
            self._layout.groups[place] = {
                "ome": {"version": NGFF_VERSION, "labels": names}
            }

    def _label(self, path: str, target: str, count: int | None = None) -> None:
        """Tell a segmentation of an image with so many levels in the source.

        Validators want as many levels as those of the image, viewers do not. Without
        a count it stands for itself.
        """
        found = read_image(self._store, path)
        block = ome_block(self._store.attributes(path))
        words = block.get("image-label")
        told = (
            {k: v for k, v in words.items() if k != "version"}
            if isinstance(words, dict)
            else {}
        )
        if count is not None:
            told.setdefault("source", {"image": "../../"})
        levels = found.image.levels
        options = self._packed(path, found)
        if options.levels is None and 1 < (count or 1) != len(levels):
            options = replace(options, levels=count)
        image_group(
            self._layout,
            target,
            found.image.name or path.rpartition("/")[2],
            levels,
            level_axes(found),
            (),
            options,
            is_label=True,
            image_label={"version": NGFF_VERSION, **told},
        )
        self._layout.groups[target] |= others(self._store.attributes(path))
        self._notes += [p for p in found.problems if p not in self._notes]

    def _packed(self, path: str, found: ReadImage) -> Options:
        """Return the options with a codec: what was compressed stays compressed."""
        options = self._options
        if options.compression is None and is_compressed(self._store, path):
            return replace(options, compression="blosc-zstd")
        if options.compression == "none":
            return replace(options, compression=None)
        return options
