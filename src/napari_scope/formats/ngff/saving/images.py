"""Images and segmentations are written as an OME-Zarr store: 0.5, or 0.4 on request.

A single image is the root of the store; several are a collection (bioformats2raw layout
with the groups ``0``, ``1``, ...). A segmentation lies in the group ``labels`` of its
image, or is a member by itself if it has none.

The store is made beside its target and takes the name when it is complete
(`napari_scope.formats.replacing`), so the target has never half a store. Nothing is
known of viewers here: what is to be saved comes as values, its pixels as a
`PixelSource` that is read block by block.

Examples
--------
>>> save_store(
...     "cells.ome.zarr", [SavedImage("cells", axes, pixels, channels)]
... )  # doctest: +SKIP
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.errors import CancelledError, ScopeError, SettingsError
from napari_scope.fileio import replace_file
from napari_scope.formats.ngff.disk_errors import disk_error
from napari_scope.formats.ngff.label_metadata import (
    LABELS_GROUP,
    label_attributes,
    list_label,
)
from napari_scope.formats.ngff.metadata import (
    NGFF_VERSION,
    NGFF_VERSIONS,
    LevelInfo,
    collection_attributes,
    encode,
    group_documents,
    image_attributes,
    series_attributes,
)
from napari_scope.formats.ngff.pyramid.build import build_pyramid
from napari_scope.formats.ngff.saving.arrays import write_array
from napari_scope.formats.replacing import made_aside

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from napari_scope.formats.ngff.saving.arrays import PixelSource
    from napari_scope.model import Axis, Channel

    Progress = Callable[[int, int], object]

__all__ = ["SavedImage", "SavedLabels", "save_store"]

# What some system does not take in a name, or some reader for a pattern.
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|\[\]\x00-\x1f]')
# Names of documents of Zarr, and of devices of Windows.
_TAKEN = re.compile(
    r"zarr\.json|\.?z(array|attrs|group|metadata)"
    r"|(con|prn|aux|nul|com\d|lpt\d)(\..*)?",
    re.IGNORECASE,
)
_PYRAMID = 3  # full resolution is so many times the work of the levels below it


@dataclass(frozen=True, slots=True)
class SavedLabels:
    """A segmentation to save.

    Parameters
    ----------
    name : str
        Its name.
    axes : tuple of Axis
        One entry for each axis of the pixels, in the order that OME-NGFF demands.
    pixels : PixelSource
        Its labels, integers.
    colors, properties : mapping
        As in `napari_scope.model.Labels`.
    own : mapping
        Our own attributes of its group.
    """

    name: str
    axes: tuple[Axis, ...]
    pixels: PixelSource
    colors: Mapping[int, tuple[int, int, int, int]] = field(default_factory=dict)
    properties: Mapping[int, Mapping[str, object]] = field(default_factory=dict)
    own: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image to save.

    Parameters
    ----------
    name : str
        Its name.
    axes : tuple of Axis
        One entry for each axis of the pixels, in the order that OME-NGFF demands.
    pixels : PixelSource
        Full resolution.
    channels : tuple of Channel
        One for each sample of the axis ``c``, or a single one.
    labels : tuple of SavedLabels
        Its segmentations.
    own : mapping
        Our own attributes of its group.
    """

    name: str
    axes: tuple[Axis, ...]
    pixels: PixelSource
    channels: tuple[Channel, ...] = ()
    labels: tuple[SavedLabels, ...] = ()
    own: Mapping[str, object] = field(default_factory=dict)


def save_store(
    path: str | os.PathLike[str],
    members: Sequence[SavedImage | SavedLabels],
    *,
    version: str = NGFF_VERSION,
    overwrite: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Write a store.

    Parameters
    ----------
    path : str or PathLike
        The folder to make.
    members : sequence of SavedImage or SavedLabels
        At least one.
    version : {"0.5", "0.4"}
        Version of OME-Zarr.
    overwrite : bool
        Whether an OME-Zarr store at the path is replaced, once the new one is complete.
    progress : callable, optional
        Is told now and then how much was done, of how much.
    cancelled : callable, optional
        Is asked now and then; if it says True the work ends and nothing is left of it.

    Raises
    ------
    SettingsError
        If OME-Zarr cannot hold a member; nothing was written.
    OutputExistsError
        If the path is taken.
    DiskSpaceError, StreamError
        If the disk is full or failed; what was at the path is there still.
    CancelledError
        If ``cancelled`` said so.
    """
    if version not in NGFF_VERSIONS:
        raise SettingsError(
            f"OME-Zarr {version!r} is not written",
            hint=f"use one of {', '.join(sorted(NGFF_VERSIONS))}",
        )
    # Before anything is written: what cannot be described cannot be saved.
    for member in members:
        for part in _parts(member):
            _attributes(part, None, version)
    target = Path(path)
    work = _Work(
        version,
        sum(_bytes(part) for member in members for part in _parts(member)),
        progress,
        cancelled or (lambda: False),
    )
    with made_aside(target, overwrite=overwrite) as folder:
        try:
            work.report(0)
            work.write(folder, members)
        except CancelledError as error:
            raise CancelledError(
                "saving was cancelled; nothing was changed", path=target
            ) from error
        except OSError as error:
            if isinstance(error, ScopeError):
                raise
            raise disk_error(error, target) from error
    work.finish()


def _parts(member: SavedImage | SavedLabels) -> list[SavedImage | SavedLabels]:
    return [member, *(member.labels if isinstance(member, SavedImage) else ())]


def _bytes(part: SavedImage | SavedLabels) -> int:
    return math.prod(part.pixels.shape) * part.pixels.dtype.itemsize


def _attributes(
    part: SavedImage | SavedLabels, source: str | None, version: str = NGFF_VERSION
) -> dict[str, Any]:
    """Return the attributes of a group with full resolution only."""
    levels = [LevelInfo("0", 1)]
    if isinstance(part, SavedLabels):
        return image_attributes(
            part.name,
            part.axes,
            levels,
            extra=part.own,
            method="mode",
            image_label=label_attributes(source, part.colors, part.properties, version),
        )
    return image_attributes(
        part.name,
        part.axes,
        levels,
        part.channels,
        dtype=part.pixels.dtype.name,
        default_z=_middle(part),
        extra=part.own,
    )


def _middle(part: SavedImage) -> int:
    names = [axis.name for axis in part.axes]
    return part.pixels.shape[names.index("z")] // 2 if "z" in names else 0


@dataclass(slots=True)
class _Work:
    """A store that is being written, and how far it is."""

    version: str
    total: int
    progress: Progress | None
    cancelled: Callable[[], bool]
    done: int = 0

    def write(self, root: Path, members: Sequence[SavedImage | SavedLabels]) -> None:
        if len(members) == 1:
            self._member(root, members[0])
            return
        names = [str(number) for number in range(len(members))]
        self._group(root, collection_attributes())
        for name, member in zip(names, members, strict=True):
            self._member(root / name, member)
        self._group(root / "OME", series_attributes(names))

    def report(self, more: int) -> None:
        """Note what was done; end the work if that is wanted."""
        self.done += more
        if self.progress is not None:
            self.progress(self.done, self._whole())
        self.check()

    def check(self) -> None:
        if self.cancelled():
            raise CancelledError("cancelled")

    def finish(self) -> None:
        """Say that all is done; it cannot be cancelled any more."""
        if self.progress is not None:
            self.progress(self._whole(), self._whole())

    def _whole(self) -> int:
        return self.total + self.total // _PYRAMID

    def _member(self, folder: Path, member: SavedImage | SavedLabels) -> None:
        levels = self._part(folder, member, None)
        if not isinstance(member, SavedImage):
            return
        taken: set[str] = set()
        for labels in member.labels:
            name = _folder_name(labels.name, taken)
            taken.add(name.lower())
            # Validators want as many levels as the image has, whatever the size.
            self._part(folder / LABELS_GROUP / name, labels, "../../", levels)
            list_label(folder, name)

    def _group(self, folder: Path, attributes: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in group_documents(attributes, self.version):
            replace_file(folder / name, encode(document))

    def _part(
        self,
        folder: Path,
        part: SavedImage | SavedLabels,
        source: str | None,
        levels: int | None = None,
    ) -> int:
        """Write an image or a segmentation; returns the number of its levels."""
        self._group(folder, _attributes(part, source, self.version))
        names = [axis.name for axis in part.axes]
        write_array(
            folder / "0", part.pixels, names, version=self.version, wrote=self.report
        )
        start, share = self.done, _bytes(part) // _PYRAMID

        def of_levels(done: int, count: int) -> None:
            self.done = start + share * done // max(1, count)
            self.report(0)

        is_image = isinstance(part, SavedImage)
        made = build_pyramid(
            folder,
            levels=levels,
            method="mean" if is_image else "mode",
            progress=of_levels,
            cancelled=self.cancelled,
        )
        self.check()
        self.done = start + share
        return len(made)


def _folder_name(name: str, taken: set[str]) -> str:
    """Return a name that every system takes for a folder, and that is not taken."""
    base = _NOT_IN_NAMES.sub("_", name).strip(" .")[:100] or "labels"
    if _TAKEN.fullmatch(base):
        base = f"_{base}"
    found, number = base, 1
    while found.lower() in taken:
        number += 1
        found = f"{base} {number}"
    return found
