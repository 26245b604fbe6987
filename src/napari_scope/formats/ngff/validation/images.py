"""The metadata of one image of OME-Zarr beside the arrays they speak of.

Pure comparisons of JSON documents; no pixel is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block
from napari_scope.formats.ngff.transforms import compose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.ngff.place.array_info import ArrayInfo
    from napari_scope.formats.ngff.store import Store

__all__ = ["Finding", "ImageChecks", "Severity"]

Severity = Literal["error", "warning"]

_MAX_LEVELS = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong or odd.

    Parameters
    ----------
    severity : {"error", "warning"}
        Errors are against the specification, or make data unreadable.
    place : str
        Path in the store; empty for its root.
    what : str
        What was looked at.
    expected, found : str
        What it should be and what it is.
    """

    severity: Severity
    place: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Return one line."""
        where = self.place or "."
        return (
            f"{self.severity}: {where}: {self.what}: expected {self.expected}, "
            f"found {self.found}"
        )


class ImageChecks:
    """The checks of one image or segmentation.

    Parameters
    ----------
    store : Store
        The hierarchy.
    path : str
        Path of the group.
    is_label : bool
        Whether it is a segmentation.

    Attributes
    ----------
    arrays : list of str
        Paths of the levels that are there, after `run`.
    """

    def __init__(self, store: Store, path: str, *, is_label: bool) -> None:
        self._store = store
        self._path = path
        self._is_label = is_label
        self._findings: list[Finding] = []
        self.arrays: list[str] = []

    def _note(
        self, severity: Severity, what: str, expected: object, found: object
    ) -> None:
        self._findings.append(
            Finding(severity, self._path, what, str(expected), str(found)[:200])
        )

    def run(self) -> list[Finding]:
        """Return what was found."""
        try:
            block = ome_block(self._store.attributes(self._path))
        except FormatError as error:
            self._note("error", "metadata", "to be readable", error.message)
            return self._findings
        multiscales = block.get("multiscales")
        if not isinstance(multiscales, list) or not multiscales:
            self._note("error", "multiscales", "a list", multiscales)
            return self._findings
        for number, multiscale in enumerate(multiscales[:_MAX_LEVELS]):
            if isinstance(multiscale, dict):
                self._multiscale(multiscale, block if number == 0 else {})
            else:
                self._note("error", f"multiscale {number}", "an object", multiscale)
        return self._findings

    def _multiscale(
        self, multiscale: Mapping[str, Any], block: Mapping[str, Any]
    ) -> None:
        levels: list[tuple[str, ArrayInfo, object]] = []
        datasets = multiscale.get("datasets")
        for entry in (datasets if isinstance(datasets, list) else [])[:_MAX_LEVELS]:
            path = entry.get("path") if isinstance(entry, dict) else None
            if not isinstance(path, str):
                self._note("error", "a level", "a path", entry)
                continue
            place = f"{self._path}/{path}".strip("/")
            try:
                info = self._store.array(place)
            except FormatError as error:
                self._note("error", f"level {path}", "an array", error.message)
                continue
            self.arrays.append(place)
            levels.append((path, info, entry.get("coordinateTransformations")))
        if not levels:
            self._note("error", "levels", "one or more", "none that can be read")
            return
        axes = multiscale.get("axes")
        ndim = len(levels[0][1].shape)
        if isinstance(axes, list) and len(axes) != ndim:
            self._note("error", "axes", f"{ndim}, as the array has", len(axes))
        self._types(levels)
        self._shapes(levels, multiscale.get("coordinateTransformations"))
        self._channels(block.get("omero"), axes, levels[0][1].shape)
        if self._is_label:
            if "image-label" not in block and block:
                self._note("warning", "image-label", "in the attributes", "none")
            if levels[0][1].dtype.kind not in "ui":
                self._note(
                    "error", "type of the labels", "integers", levels[0][1].dtype
                )

    def _types(self, levels: list[tuple[str, ArrayInfo, object]]) -> None:
        first = levels[0][1]
        for path, info, _ in levels[1:]:
            if info.dtype != first.dtype:
                self._note("error", f"type of level {path}", first.dtype, info.dtype)
            if len(info.shape) != len(first.shape):
                self._note(
                    "error", f"axes of level {path}", len(first.shape), len(info.shape)
                )

    def _shapes(
        self, levels: list[tuple[str, ArrayInfo, object]], whole: object
    ) -> None:
        """Compare how far levels are reduced with their scales."""
        full = levels[0][1].shape
        first = compose(len(full), levels[0][2], whole)
        before = full
        for path, info, transforms in levels[1:]:
            if len(info.shape) != len(full):
                continue
            if any(now > then for now, then in zip(info.shape, before, strict=True)):
                self._note(
                    "error", f"shape of level {path}", f"at most {before}", info.shape
                )
            before = info.shape
            if not transforms:
                continue
            placed = compose(len(full), transforms, whole)
            for axis, (scale, own) in enumerate(
                zip(first.scale, placed.scale, strict=True)
            ):
                if not (scale > 0 and own > 0):
                    if scale != own or scale < 0:
                        self._note("error", f"scale of level {path}", "above 0", own)
                    continue
                factor = own / scale
                expected = full[axis] / factor
                # Levels are rounded up or down, and may be again at each level.
                if abs(expected - info.shape[axis]) >= 1.5 and not math.isclose(
                    expected, info.shape[axis], rel_tol=0.02
                ):
                    self._note(
                        "error",
                        f"axis {axis} of level {path}, whose scale is {factor:g} times "
                        "that of full resolution",
                        f"about {expected:.0f} pixels",
                        info.shape[axis],
                    )

    def _channels(self, omero: object, axes: object, shape: tuple[int, ...]) -> None:
        channels = omero.get("channels") if isinstance(omero, dict) else None
        if not isinstance(channels, list):
            return
        count = 1
        for place, axis in enumerate(axes if isinstance(axes, list) else ()):
            kind = axis.get("type") if isinstance(axis, dict) else None
            name = axis.get("name") if isinstance(axis, dict) else axis
            if (kind == "channel" or name == "c") and place < len(shape):
                count = shape[place]
        if axes is None and len(shape) == 5:
            count = shape[1]
        if len(channels) != count:
            self._note("error", "channels of omero", count, len(channels))
