"""Pyramids of images and labels that are there: made, filled anew, and removed.

Coarser levels are made from full resolution in a hidden folder beside it. They take
their names when all are complete, and the document of the image lists them last: who
kills the process at any moment leaves an image that lists complete levels only, and
what was left over goes with the next pyramid. Where levels are made anew, the old ones
are unlisted before the new ones take their place. Who cancels finds the store as it
was. Segmentations of an image follow: they get as many levels as it has.

Of two processes that make the pyramid of one image at the same time, the first one
fails, and the image gets the levels of the other.

Examples
--------
>>> build_pyramid(Path("run.ome.zarr"), levels=4)  # doctest: +SKIP
['0', '1', '2', '3']
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.arrays.reduce import check_method
from napari_scope.errors import (
    FormatError,
    OutputExistsError,
    SettingsError,
)
from napari_scope.formats.ngff.consolidated import refresh_consolidated
from napari_scope.formats.ngff.documents import read_document
from napari_scope.formats.ngff.metadata import group_documents
from napari_scope.formats.ngff.pyramid.arrays import level_document, write_level
from napari_scope.formats.ngff.pyramid.fill import MEMORY, fill_levels
from napari_scope.formats.ngff.pyramid.image import ImageDocument
from napari_scope.formats.ngff.pyramid.labels import labels_behind, reduced_dims
from napari_scope.formats.ngff.pyramid.plan import LevelPlan, plan_levels
from napari_scope.formats.ngff.store import Store, read_bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "LevelPlan",
    "build_pyramid",
    "delete_pyramid",
    "fill_levels",
    "initialize_pyramid",
    "plan_levels",
]

_WORK = ".pyramid.partial"
_OURS = "levels.json"  # in it: the paths that the new levels take


def build_pyramid(
    group: Path,
    *,
    levels: int | None = None,
    method: str = "mean",
    dims: Sequence[str] = ("y", "x"),
    replace: bool = False,
    labels: bool = True,
    client: object | None = None,
    workers: int | None = None,
    memory: int = MEMORY,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[str]:
    """Compute the coarser levels of a local image or label image.

    Parameters
    ----------
    group : Path
        Folder of the image.
    levels : int, optional
        Number of levels, full resolution counted. By default those that are listed are
        computed anew; if there is only one, levels are added until y and x are not
        longer than 512.
    method : str
        ``mean``, ``median``, ``mode``, ``min``, ``max``, ``stride`` or ``nearest``;
        see `napari_scope.arrays.reduce`.
    dims : sequence of str
        Axes to reduce, of z, y and x, for levels that are not there yet.
    replace : bool
        Put new levels in the place of those that are there, however many and whatever
        their shapes, instead of computing these anew.
    labels : bool
        Whether segmentations that have another number of levels follow, by mode.
    client : distributed.Client, optional
        A dask cluster whose workers compute; they have to see the same folder.
    workers, memory, progress, cancelled
        See `fill_levels`.

    Returns
    -------
    list of str
        Paths of all levels, full resolution first.

    Raises
    ------
    SettingsError
        If levels are there, but not as many; if a method would invent labels; if the
        settings make no sense.
    OutputExistsError
        If something that the image does not list has the name of a level.
    FormatError, StreamError
        If the image cannot be read or the levels cannot be written.
    CancelledError
        If ``cancelled`` said so; the image is as it was. While its segmentations
        follow, it is complete, and they are as they were.
    """
    check_method(method)
    group = Path(group)
    image = _image(group)
    if image.is_labels and method in ("mean", "median"):
        raise SettingsError(
            f"the {method} of labels would be other labels",
            path=group,
            hint="use mode, nearest, min or max",
        )
    plans = _plans(image, levels, dims, replace=replace)
    if len(plans) < 2:
        if len(image.paths) > 1:
            delete_pyramid(group)
        return [plan.path for plan in plans]
    work = group / _WORK
    source = image.folder(image.paths[0])
    try:
        work.mkdir()
        made = _make_arrays(image, plans, work, replace=replace)
        fill_levels(
            [source, *made],
            image.axis_names,
            method=method,
            client=client,
            workers=workers,
            memory=memory,
            progress=progress,
            cancelled=cancelled,
        )
        _take_place(image, plans, made, method)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if labels:
        how = {"client": client, "workers": workers, "memory": memory}
        _labels_follow(image, plans, cancelled=cancelled, **how)
    return [plan.path for plan in plans]


def initialize_pyramid(
    group: Path, levels: int, dims: Sequence[str] = ("y", "x")
) -> list[str]:
    """Add coarser levels without pixels to an image that has none.

    Parameters
    ----------
    group : Path
        Folder of the image.
    levels : int
        Number of levels, full resolution counted.
    dims : sequence of str
        Axes to reduce, of z, y and x.

    Returns
    -------
    list of str
        Paths of all levels.

    Raises
    ------
    SettingsError
        If there are levels, but not as many.
    """
    image = _image(Path(group))
    plans = _plans(image, levels, dims)
    if len(image.paths) == 1 and len(plans) > 1:
        work = image.group / _WORK
        try:
            work.mkdir()
            made = _make_arrays(image, plans, work)
            _take_place(image, plans, made, None)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        _labels_follow(image, plans)
    return [plan.path for plan in plans]


def delete_pyramid(group: Path) -> list[str]:
    """Remove all levels but full resolution; returns the paths of those removed.

    The document goes first, so that no level is listed that is not there. Those of the
    segmentations go, too.
    """
    image = _image(Path(group))
    gone = list(image.paths[1:])
    folders = _coarse(image)
    if gone:
        image.write(_first_level(image))
    for folder in folders:
        if folder.exists():
            _remove_level(folder, image.group)
    refresh_consolidated(image.group, gone)
    _labels_follow(image, [])
    return gone


def _labels_follow(
    image: ImageDocument, plans: Sequence[LevelPlan], **how: Any
) -> None:
    """Give segmentations as many levels as their image has, on the same axes."""
    for labels in labels_behind(image, max(1, len(plans))):
        dims = [d for d in reduced_dims(image, plans) if d in labels.axis_names]
        if dims:
            build_pyramid(
                labels.group,
                levels=len(plans),
                method="mode",
                dims=dims,
                replace=True,
                **how,
            )
        elif len(plans) < 2:
            delete_pyramid(labels.group)


def _image(group: Path) -> ImageDocument:
    """Read an image, without what a killed process may have left beside it."""
    image = ImageDocument.read(group)
    work = group / _WORK
    if not work.is_dir() or work.is_symlink():
        return image
    for path in _noted(work):
        # Not listed, but named by us: it was moved in when the process ended.
        if path not in image.paths:
            folder = image.folder(path)
            with suppress(FormatError):
                Store(folder).array("")
                _remove_level(folder, group)
    shutil.rmtree(work)
    return image


def _noted(work: Path) -> list[str]:
    data = read_bounded(work / _OURS)
    try:
        paths = json.loads(data) if data is not None else []
    except (ValueError, RecursionError):
        return []
    return [p for p in paths if isinstance(p, str)] if isinstance(paths, list) else []


def _coarse(image: ImageDocument) -> list[Path]:
    """Return the folders of the listed levels that may be removed: they are arrays."""
    folders = [image.folder(path) for path in image.paths[1:]]
    for folder in folders:
        if folder.exists():
            Store(folder).array("")
    return folders


def _first_level(image: ImageDocument) -> list[LevelPlan]:
    shape = Store(image.folder(image.paths[0])).array("").shape
    ones = (1,) * len(shape)
    return [LevelPlan(image.paths[0], shape, ones, image.scale, image.translation)]


def _plans(
    image: ImageDocument,
    levels: int | None,
    dims: Sequence[str],
    *,
    replace: bool = False,
) -> list[LevelPlan]:
    """Return the levels that the image has or gets."""
    first = _first_level(image)
    there = len(image.paths)
    if there > 1 and not replace:
        if levels not in (None, there):
            raise SettingsError(
                f"the image has {there} levels already, not {levels}",
                path=image.group,
                hint="delete_pyramid first, or compute those that are there",
            )
        # Their document stays as it is: only the paths matter.
        others = [
            LevelPlan(path, Store(image.folder(path)).array("").shape, (), (), ())
            for path in image.paths[1:]
        ]
        return [*first, *others]
    planned = plan_levels(
        first[0].shape, image.axis_names, image.scale, image.translation, levels, dims
    )
    return [
        LevelPlan(
            _path(image.paths[0], number),
            plan.shape,
            plan.factor,
            plan.scale,
            plan.translation,
        )
        for number, plan in enumerate(planned)
    ]


def _path(first: str, number: int) -> str:
    """Return the path of a level after that of full resolution: s0, s1, s2."""
    if number == 0:
        return first
    named = re.fullmatch(r"(.*?)(?<!\d)0(?!\d)([^0-9]*)", first)
    return f"{named[1]}{number}{named[2]}" if named else str(number)


def _make_arrays(
    image: ImageDocument,
    plans: Sequence[LevelPlan],
    work: Path,
    *,
    replace: bool = False,
) -> list[Path]:
    """Make the arrays of the levels, without pixels, in the hidden folder."""
    made: list[Path] = []
    source = image.folder(image.paths[0])
    for number, plan in enumerate(plans[1:], 1):
        target = image.folder(plan.path)
        if plan.path in image.paths and not replace:
            document: dict[str, Any] = read_document(target)
        elif plan.path not in image.paths and target.exists():
            raise OutputExistsError(
                "it has the name of a level, but the image does not list it",
                path=target,
                hint="move it away or list it",
            )
        else:
            document = level_document(source, plan.shape)
        made.append(work / str(number))
        write_level(made[-1], document)
    return made


def _take_place(
    image: ImageDocument,
    plans: Sequence[LevelPlan],
    made: Sequence[Path],
    method: str | None,
) -> None:
    """Give complete levels their names, and list them."""
    work = image.group / _WORK
    old = image.paths[1:]
    folders = _coarse(image)
    ours = {*old, *(plan.path for plan in plans[1:])}
    (work / _OURS).write_text(json.dumps(sorted(ours)))
    if old:
        image.write(plans[:1])
    for number, folder in enumerate(folders):
        if folder.exists():
            folder.rename(work / f"old-{number}")
            _remove_groups(folder.parent, image.group)
    for plan, folder in zip(plans[1:], made, strict=True):
        target = image.folder(plan.path)
        _make_groups(target.parent, image)
        folder.rename(target)
    refresh_consolidated(image.group, ours)
    image.write(plans, method)


def _make_groups(folder: Path, image: ImageDocument) -> None:
    """Make the groups between an image and a level (``scale1/image``)."""
    if folder == image.group or folder.exists():
        return
    _make_groups(folder.parent, image)
    folder.mkdir()
    version = "0.5" if (image.group / "zarr.json").is_file() else "0.4"
    for name, document in group_documents(None, version):
        (folder / name).write_text(json.dumps(document, indent=2))


def _remove_level(folder: Path, group: Path) -> None:
    shutil.rmtree(folder)
    _remove_groups(folder.parent, group)


def _remove_groups(folder: Path, group: Path) -> None:
    """Remove the groups between an image and a level that went, if they are empty."""
    if folder != group and not any(entry.is_dir() for entry in folder.iterdir()):
        shutil.rmtree(folder)
        _remove_groups(folder.parent, group)
