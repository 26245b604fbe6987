"""Whether an OME-Zarr store is what its metadata say.

Two judges: yaozarrs knows the specification (0.4 and 0.5), and our own checks compare
what it leaves open: levels with their scales, channels with the display settings, types
of the levels and of segmentations, what is listed with what is there, and files with
the arrays they belong to. Nothing is changed, and only `Options.pixels` reads pixels.

Examples
--------
>>> findings = validate("plate.ome.zarr")  # doctest: +SKIP
>>> [str(f) for f in findings]  # doctest: +SKIP
['error: A/1/0: channels of omero: expected 3, found 2']
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block, version_of
from napari_scope.formats.ngff.store import Store
from napari_scope.formats.ngff.validation.files import check_files, strangers
from napari_scope.formats.ngff.validation.images import Finding, ImageChecks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from os import PathLike

__all__ = ["Finding", "validate"]

_JUDGED = ("0.4", "0.5")
_MOST_LOOKED_AT = 10  # images of a collection, for its version
_MOST_NAMES = 100_000  # of a folder


def validate(
    path: str | PathLike[str],
    *,
    pixels: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Return what is wrong or odd in a store, place by place.

    Parameters
    ----------
    path : str or PathLike
        The store: a folder, a zip file or an address. Files are looked at in folders
        only.
    pixels : bool
        Read every chunk that is there.
    progress : callable, optional
        Called with the number of images that were looked at, and of all.

    Raises
    ------
    FormatError
        If there is no Zarr group at all.
    """
    store = Store(path)
    attributes = store.attributes()
    block = ome_block(attributes)
    version = _version(store, block)
    findings = list(_by_yaozarrs(str(path), version, demanded=block is not attributes))
    walk = _Walk(store, findings)
    walk.group(block)
    findings += strangers(store, "")
    if not walk.images and not findings:
        findings.append(Finding("error", "", "OME metadata", "an image", "none"))
    opened: set[str] = set()
    for number, (image, is_label) in enumerate(walk.images):
        if progress is not None:
            progress(number, len(walk.images))
        checks = ImageChecks(store, image, is_label=is_label)
        findings += checks.run()
        findings += strangers(store, image)
        for array in checks.arrays:
            findings += check_files(store, array, pixels=pixels, opened=opened)
        if not is_label:
            walk.labels(image)
    if progress is not None:
        progress(len(walk.images), len(walk.images))
    return _each_once(findings)


def _version(store: Store, block: Mapping[str, object]) -> str:
    """Return the version of a store; up to 0.4 a collection leaves it to its images."""
    version = version_of(block)
    if not version and "bioformats2raw.layout" in block:
        for number in range(_MOST_LOOKED_AT):
            with suppress(FormatError):
                return version_of(ome_block(store.attributes(str(number))))
    return version


def _each_once(findings: list[Finding]) -> list[Finding]:
    order = {"error": 0, "warning": 1}
    return sorted(dict.fromkeys(findings), key=lambda f: (order[f.severity], f.place))


# ------------------------------------------------------------------ yaozarrs


def _by_yaozarrs(path: str, version: str, *, demanded: bool) -> Iterator[Finding]:
    """Iterate over what yaozarrs finds; a version may be demanded."""
    if version not in _JUDGED:
        yield Finding(
            # Up to 0.4 it may be missing, later ones demand it.
            "warning" if version or not demanded else "error",
            "",
            "version of OME-Zarr",
            " or ".join(_JUDGED),
            f"{version or 'none'}, which only our own checks know",
        )
        return
    try:
        from yaozarrs import validate_zarr_store
    except ImportError:
        yield Finding("warning", "", "yaozarrs", "to be installed", "it is missing")
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            validate_zarr_store(path)
        except (
            ValueError,
            OSError,
            ImportError,
            NotImplementedError,
            KeyError,
        ) as error:
            yield from _told(error, "error")
    for warning in said:
        yield from _told(warning.message, "warning")


def _told(error: object, severity: Any) -> Iterator[Finding]:
    # Its errors and warnings list the places in methods of these names.
    details = getattr(error, "errors", None) or getattr(error, "warnings", None)
    entries = details() if callable(details) else details
    if not isinstance(entries, list):
        if severity == "error" or type(error).__module__.startswith("yaozarrs"):
            yield Finding(severity, "", "yaozarrs", "a valid store", _line(str(error)))
        return
    for entry in entries:
        place = ".".join(str(part) for part in entry.get("loc", ()))
        context = entry.get("ctx")
        expected = "a valid store"
        if isinstance(context, dict) and "expected" in context:
            expected = str(context["expected"])
        yield Finding(
            severity, place, "yaozarrs", expected, _line(entry.get("msg", ""))
        )


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


# ------------------------------------------------------------------ the groups


class _Walk:
    """Finds the images of a store, and what is listed but not there."""

    def __init__(self, store: Store, findings: list[Finding]) -> None:
        self._store = store
        self._findings = findings
        self.images: list[tuple[str, bool]] = []

    def _note(self, severity: Any, place: str, what: str, *pair: str) -> None:
        self._findings.append(Finding(severity, place, what, *pair))

    def group(self, block: Mapping[str, object]) -> None:
        """Go through the root."""
        plate, well = block.get("plate"), block.get("well")
        if isinstance(plate, dict):
            self._plate(plate)
        elif isinstance(well, dict):
            self._well("", well)
        elif "bioformats2raw.layout" in block:
            self._collection()
        elif "multiscales" in block:
            self.images.append(("", False))

    def _plate(self, plate: Mapping[str, object]) -> None:
        wells = plate.get("wells")
        listed: list[str] = []
        for entry in wells if isinstance(wells, list) else ():
            path = entry.get("path") if isinstance(entry, dict) else None
            if not isinstance(path, str):
                self._note("error", "", "a well of the plate", "a path", str(path))
                continue
            path = path.strip("/")
            listed.append(path)
            self._place_of_well(plate, entry, path)
            try:
                well = ome_block(self._store.attributes(path)).get("well")
            except FormatError as error:
                self._note("error", path, "well", "to be there", error.message)
                continue
            if isinstance(well, dict):
                self._well(path, well)
            else:
                self._note("error", path, "well metadata", "to be there", "none")
        for row in self._folders(""):
            for column in self._folders(row):
                if f"{row}/{column}" not in listed and self._has(
                    f"{row}/{column}", "well"
                ):
                    self._note(
                        "warning",
                        f"{row}/{column}",
                        "well",
                        "in the plate",
                        "not listed",
                    )

    def _place_of_well(
        self, plate: Mapping[str, object], well: Mapping[str, object], path: str
    ) -> None:
        """Compare where a well is said to lie with its path."""
        for key, index, name in zip(
            ("rows", "columns"),
            ("rowIndex", "columnIndex"),
            path.split("/")[:2],
            strict=False,
        ):
            names, number = plate.get(key), well.get(index)
            if not isinstance(names, list) or type(number) is not int:
                continue  # yaozarrs has words for that
            entry = names[number] if 0 <= number < len(names) else None
            stated = entry.get("name") if isinstance(entry, dict) else None
            if stated != name:
                self._note("error", path, f"{key}[{index}]", name, str(stated))

    def _has(self, path: str, key: str) -> bool:
        try:
            return key in ome_block(self._store.attributes(path))
        except FormatError:
            return False

    def _well(self, path: str, well: Mapping[str, object]) -> None:
        fields = well.get("images")
        listed = []
        for entry in fields if isinstance(fields, list) else ():
            name = entry.get("path") if isinstance(entry, dict) else None
            if isinstance(name, str):
                listed.append(name.strip("/"))
                self._listed(f"{path}/{listed[-1]}".strip("/"), "field")
        for name in self._folders(path):
            place = f"{path}/{name}".strip("/")
            if name not in listed and self._has(place, "multiscales"):
                self._note("warning", place, "field", "in the well", "not listed")

    def _collection(self) -> None:
        series: object = None
        if self._store.exists("OME"):
            series = self._block("OME").get("series")
        names = (
            [n for n in series if isinstance(n, str)]
            if isinstance(series, list)
            else []
        )
        if not names:
            while self._store.exists(str(len(names))):
                names.append(str(len(names)))
        for name in names:
            self._listed(name, "image of the collection")

    def labels(self, image: str) -> None:
        """Go through the segmentations of an image."""
        group = f"{image}/labels".strip("/")
        folders = self._folders(group)
        if not self._store.exists(group):
            if folders:
                self._note("error", group, "group of labels", "metadata", "none")
            return
        listed = self._block(group).get("labels")
        if not isinstance(listed, list):
            self._note("error", group, "list of labels", "in the attributes", "none")
            listed = []
        names = [name.strip("/") for name in listed if isinstance(name, str)]
        for name in names:
            self._listed(f"{group}/{name}", "labels", is_label=True)
        for name in folders:
            if name not in names and self._has(f"{group}/{name}", "multiscales"):
                self._note(
                    "error",
                    f"{group}/{name}",
                    "labels",
                    "in the list of labels",
                    "not listed",
                )

    def _listed(self, place: str, what: str, *, is_label: bool = False) -> None:
        """Note an image that is listed, or that it is not there."""
        try:
            found = "" if self._store.exists(place) else "none"
        except FormatError as error:  # it would be out of the store
            found = error.message
        if found:
            self._note("error", place, what, "to be there", found)
        else:
            self.images.append((place, is_label))

    def _block(self, path: str) -> Mapping[str, object]:
        """Return the OME metadata of a group; of one that is damaged none."""
        try:
            return ome_block(self._store.attributes(path))
        except FormatError as error:
            self._note("error", path, "metadata", "to be readable", error.message)
            return {}

    def _folders(self, path: str) -> list[str]:
        """Return the names of the folders in one of a local store."""
        if not self._store.local:
            return []
        try:
            entries = self._store.folder(path).iterdir()
            names = [e.name for e in islice(entries, _MOST_NAMES) if e.is_dir()]
        except (OSError, FormatError):
            return []
        return sorted(names)
