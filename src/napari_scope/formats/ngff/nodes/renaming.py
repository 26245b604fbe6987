"""A well gets another name: one folder moves, the plate lists it anew.

The plate lists both names while the folder moves, so the pixels can be found at every
moment; who was killed in between has one name too many, whose well is missing and left
out by readers. The same call again then brings it to its end.

Only JSON and folders are touched; pixels are not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError, OutputExistsError
from napari_scope.formats.ngff.images import ome_block, version_of
from napari_scope.formats.ngff.nodes.failures import (
    ArgumentError,
    LayoutError,
    MissingStoreError,
)
from napari_scope.formats.ngff.nodes.hierarchy import Hierarchy
from napari_scope.formats.ngff.nodes.plate_metadata import (
    checked_name,
    names_of,
    rename,
    well_paths,
)

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["rename_well"]


def rename_well(
    root: str | os.PathLike[str], old: str, new: str, tree: Hierarchy | None = None
) -> None:
    """Rename one well of a plate, on disk and in the metadata.

    Parameters
    ----------
    root : PathLike
        Folder of the plate.
    old, new : str
        Names before and after, such as "A/1" and "B/2".
    tree : Hierarchy, optional
        The store, where it is open already.

    Raises
    ------
    MissingStoreError
        If there is no such well (a FileNotFoundError).
    OutputExistsError
        If there is a well of the new name already (a FileExistsError).
    ArgumentError
        If the new name is none of a well (a ValueError).
    LayoutError
        If the folder is no plate (a ValueError).
    """
    tree = tree or Hierarchy(root, writable=True)
    tree.check_writable()
    old, new = _path(old), _path(new)
    block = ome_block(tree.attributes())
    plate = block.get("plate")
    if not isinstance(plate, dict):
        raise LayoutError("no plate: its metadata are missing", path=root)
    version = "0.5" if tree.zarr_format() == 3 else "0.4"
    stated = version_of(block)
    if stated and not stated.startswith(("0.4", "0.5")):
        raise LayoutError(f"plates of OME-Zarr {stated} are not changed", path=root)
    listed = well_paths(plate)
    old_there, new_there = tree.has(old), _exists(tree, new)
    if old == new or old not in listed:
        if old == new and old in listed:
            return
        raise MissingStoreError(
            f"the plate has no well {old!r}",
            path=root,
            hint=f"it has {', '.join(listed[:8])}{' ...' if len(listed) > 8 else ''}",
        )
    interrupted = new in listed and old_there != new_there
    if not interrupted:
        if new in listed or new_there:
            raise OutputExistsError(f"there is a well {new!r} already", path=root)
        if not old_there:
            raise MissingStoreError(
                f"the folder of the well {old!r} is gone", path=root
            )
    _check_case(plate, new)
    if not new_there:
        _relist(tree, old, new, keep_old=True)
        row = new.partition("/")[0]
        if not tree.has(row):
            tree.make_group(row, version)
        tree.move(old, new)
    _relist(tree, old, new, keep_old=False)
    tree.remove_if_empty(old.partition("/")[0])


def _path(name: str) -> str:
    parts = [part for part in str(name).split("/") if part]
    if len(parts) != 2:
        raise ArgumentError(
            f"{name!r} is no name of a well", hint="write row and column: A/1"
        )
    row, column = parts
    return f"{checked_name(row, 'row')}/{checked_name(column, 'column')}"


def _exists(tree: Hierarchy, path: str) -> bool:
    try:
        folder: Path = tree.folder(path)
    except FormatError:
        return False
    return folder.exists() or folder.is_symlink()


def _check_case(plate: dict[str, Any], new: str) -> None:
    """Refuse a name that is that of another row or column but for its case."""
    for key, name in zip(("rows", "columns"), new.split("/"), strict=True):
        for other in names_of(plate, key):
            if other != name and other.casefold() == name.casefold():
                raise ArgumentError(
                    f"{name!r} differs from {other!r} by case only",
                    hint="that is the same folder on many disks",
                )


def _relist(tree: Hierarchy, old: str, new: str, *, keep_old: bool) -> None:
    def change(attributes: dict[str, Any]) -> None:
        block = attributes.get("ome")
        block = block if isinstance(block, dict) else attributes
        rename(block["plate"], old, new, keep_old=keep_old)

    tree.change("", change)
