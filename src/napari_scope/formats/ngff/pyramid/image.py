"""What the document of an image says of its levels, and how it is changed.

Knows the ``multiscales`` of OME-Zarr 0.1 to 0.5, in groups of either version of Zarr.
Pixels are not known here.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.consolidated import refresh_consolidated
from napari_scope.formats.ngff.documents import read_document, replace_document
from napari_scope.formats.ngff.pyramid.plan import MAX_LEVELS
from napari_scope.formats.ngff.store import Store, read_bounded, safe_path
from napari_scope.formats.ngff.transforms import compose

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_scope.formats.ngff.pyramid.plan import LevelPlan

__all__ = ["ImageDocument"]

_OLD_AXES = "tczyx"  # versions 0.1 and 0.2 do not name them
_METHOD_NAMES = {"stride": "nearest"}


@dataclass(frozen=True, slots=True)
class ImageDocument:
    """The group of an image, as its document was when it was read.

    Parameters
    ----------
    group : Path
        Folder of the group.
    document : dict
        Its ``zarr.json`` or ``.zattrs``.
    axis_names : tuple of str
        Names of the axes, in lower case.
    scale, translation : tuple of float
        What the first level says of itself.
    paths : tuple of str
        Paths of the levels, full resolution first.
    """

    group: Path
    document: dict[str, Any]
    axis_names: tuple[str, ...]
    scale: tuple[float, ...]
    translation: tuple[float, ...]
    paths: tuple[str, ...]

    @classmethod
    def read(cls, group: Path) -> ImageDocument:
        """Read the document of a group.

        Raises
        ------
        FormatError
            If it is no image of OME-Zarr 0.1 to 0.5 in a local folder.
        """
        document = _group_document(group)
        multiscale = _multiscale(document, group)
        datasets = multiscale.get("datasets")
        entries = datasets if isinstance(datasets, list) else []
        paths = tuple(e["path"] for e in entries if _has_path(e))
        if not 0 < len(paths) == len(entries) <= MAX_LEVELS or _overlap(paths, group):
            raise FormatError(
                f"multiscales does not list 1 to {MAX_LEVELS} levels, each once",
                path=group,
            )
        if "coordinateSystems" in multiscale and "axes" not in multiscale:
            raise FormatError(
                "OME-Zarr with coordinate systems (0.6) is not changed",
                path=group,
                hint="versions up to 0.5 are",
            )
        ndim = len(Store(group).array(paths[0]).shape)
        names = _axis_names(multiscale.get("axes"), ndim, group)
        scale, translation = _placement(entries[0], ndim, group)
        return cls(group, document, names, scale, translation, paths)

    @property
    def has_transformations(self) -> bool:
        """Whether levels say where they lie; before 0.4 they did not."""
        multiscale = _multiscale(self.document, self.group)
        axes = multiscale.get("axes")
        named = isinstance(axes, list) and all(isinstance(a, dict) for a in axes)
        return named or "coordinateTransformations" in multiscale["datasets"][0]

    @property
    def is_labels(self) -> bool:
        """Whether the pixels are labels, and no intensities."""
        return "image-label" in _ome(self.document)

    def folder(self, path: str) -> Path:
        """Return the folder of a level.

        Raises
        ------
        FormatError
            If it would be outside of the group, also by a link.
        """
        parts = safe_path(path, self.group)
        folder = self.group.joinpath(*parts)
        if not parts or not folder.resolve().is_relative_to(self.group.resolve()):
            raise FormatError(
                f"the level {path!r} is not within the image", path=folder
            )
        return folder

    def write(self, plans: Sequence[LevelPlan], method: str | None = None) -> None:
        """List levels; readers see the old list or the new one.

        Parameters
        ----------
        plans : sequence of LevelPlan
            The levels to list, full resolution first. Its entry stays as it is, and so
            do those of levels without a scale.
        method : str, optional
            How they were made, for those who want to know.
        """
        # It may have got another name, contrast or array while pixels were computed.
        document = _group_document(self.group)
        multiscale = _multiscale(document, self.group)
        listed = [e for e in multiscale["datasets"] if _has_path(e)]
        first = _multiscale(self.document, self.group)["datasets"]
        known = {entry["path"]: entry for entry in (*first, *listed)}
        paths = {*self.paths, *(plan.path for plan in plans)}
        multiscale["datasets"] = [
            *(self._entry(plan, known.get(plan.path)) for plan in plans),
            *(entry for entry in listed if entry["path"] not in paths),
        ]
        if method is not None and len(plans) > 1:
            multiscale["type"] = _METHOD_NAMES.get(method, method)
        replace_document(self.group, document)
        refresh_consolidated(self.group, [""])

    def _entry(self, plan: LevelPlan, known: dict[str, Any] | None) -> dict[str, Any]:
        if known is not None and (plan.path == self.paths[0] or not plan.scale):
            return known
        entry: dict[str, Any] = {"path": plan.path}
        if self.has_transformations:
            entry["coordinateTransformations"] = [
                {"type": "scale", "scale": list(plan.scale)},
                {"type": "translation", "translation": list(plan.translation)},
            ]
        return entry


def _group_document(group: Path) -> dict[str, Any]:
    """Return the document that holds the attributes of a group."""
    if read_bounded(group / "zarr.json") is None and not (group / ".zattrs").is_file():
        raise FormatError("no image: it has no attributes", path=group)
    return read_document(group)


def _ome(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a document that is OME-Zarr's."""
    attributes = document
    if "zarr_format" in document and isinstance(document.get("attributes"), dict):
        attributes = document["attributes"]
    block = attributes.get("ome")
    return block if isinstance(block, dict) else attributes


def _multiscale(document: dict[str, Any], group: Path) -> dict[str, Any]:
    multiscales = _ome(document).get("multiscales")
    first = multiscales[0] if isinstance(multiscales, list) and multiscales else None
    if not isinstance(first, dict):
        raise FormatError("no image: the attributes have no multiscales", path=group)
    return first


def _has_path(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("path"), str)


def _overlap(paths: Sequence[str], group: Path) -> bool:
    """Return whether a path occurs twice, or leads into another one."""
    parts = sorted(safe_path(path, group) for path in paths)
    return any(b[: len(a)] == a for a, b in itertools.pairwise(parts))


def _axis_names(entries: object, ndim: int, group: Path) -> tuple[str, ...]:
    if entries is None and ndim <= len(_OLD_AXES):
        return tuple(_OLD_AXES[-ndim:])
    axes = entries if isinstance(entries, list) else []
    names = [a.get("name") if isinstance(a, dict) else a for a in axes]
    if len(names) != ndim or not all(isinstance(n, str) for n in names):
        raise FormatError(
            f"the axes {str(entries)[:80]} do not fit an array of {ndim} axes",
            path=group,
        )
    return tuple(str(n).lower() for n in names)


def _placement(
    entry: dict[str, Any], ndim: int, group: Path
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return scale and translation of full resolution."""
    found = compose(ndim, entry.get("coordinateTransformations"))
    if found.problems:
        raise FormatError(found.problems[0], path=group)
    return found.scale, found.translation
