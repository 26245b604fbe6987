"""Positions of other stores for a new plate: checked, and copied file by file.

What is copied keeps its bytes, so memory is not a matter of size.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError, OutputExistsError
from napari_scope.fileio import replace_file
from napari_scope.formats.ngff.metadata import encode
from napari_scope.formats.ngff.nodes import plate_metadata
from napari_scope.formats.ngff.nodes.failures import ArgumentError
from napari_scope.formats.ngff.nodes.position import Position
from napari_scope.formats.ngff.store import read_bounded

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["checked_positions", "copy_group"]

_DOCUMENTS = {".zgroup", ".zattrs", ".zarray"}
_DEEPEST = 64


def checked_positions(positions: Mapping[str, Position]) -> dict[str, Position]:
    """Return positions by normal names, or refuse those that make no plate.

    Raises
    ------
    ArgumentError, OutputExistsError, TypeError
        As `Plate.from_positions` says.
    """
    if not positions:
        raise ArgumentError("a plate of no positions")
    checked: dict[str, Position] = {}
    for name, position in positions.items():
        if not isinstance(position, Position):
            raise TypeError(f"{name!r} is no Position but a {type(position).__name__}")
        parts = [part for part in str(name).split("/") if part]
        if len(parts) != 3:
            raise ArgumentError(
                f"{name!r} is no name of a position", hint="row/column/fov, as A/1/0"
            )
        kinds = ("row", "column", "position")
        path = "/".join(map(plate_metadata.checked_name, parts, kinds))
        if path in checked:
            raise OutputExistsError(f"two positions are named {path!r}")
        checked[path] = position
    names = iter(checked.items())
    first_name, first = next(names)
    said = (first.channel_names, first.axes, first._write_version)
    for name, position in names:
        for what, one, other in zip(
            ("channels", "axes", "versions of OME-Zarr"),
            said,
            (position.channel_names, position.axes, position._write_version),
            strict=True,
        ):
            if one != other:
                raise ArgumentError(
                    f"the {what} of {first_name!r} and {name!r} differ: {one}, {other}",
                    path=position.folder,
                )
    return checked


def copy_group(source: Path, target: Path) -> None:
    """Copy a group with all arrays and groups below it into a folder that exists.

    Raises
    ------
    FormatError
        If something in it is no file or folder, or a link leads out of it.
    """
    _copy(Path(source), Path(target), Path(os.path.realpath(source)), _DEEPEST)


def _copy(source: Path, target: Path, root: Path, depth: int) -> None:
    if depth < 0:
        raise FormatError("groups are nested too deeply", path=source)
    documents = []
    with os.scandir(source) as entries:
        for entry in entries:
            # Hidden names are work in progress, but for the documents of Zarr 2.
            if entry.name.startswith(".") and entry.name not in _DOCUMENTS:
                continue
            if entry.is_symlink() and not Path(
                os.path.realpath(entry.path)
            ).is_relative_to(root):
                raise FormatError("a link leads out of the group", path=entry.path)
            if entry.is_dir():
                (target / entry.name).mkdir(exist_ok=True)
                _copy(Path(entry.path), target / entry.name, root, depth - 1)
            elif not entry.is_file():
                raise FormatError("no file and no folder", path=entry.path)
            elif entry.name == "zarr.json" or entry.name in _DOCUMENTS:
                documents.append(entry.name)
            else:
                shutil.copyfile(entry.path, target / entry.name)
    # Chunks first: what a document describes is there.
    for name in sorted(documents):
        data = read_bounded(source / name)
        if data is None:
            raise FormatError("the document is gone", path=source / name)
        replace_file(target / name, _without_copies(data))


def _without_copies(data: bytes) -> bytes:
    """Return a document without consolidated metadata, which follow no changes."""
    if b'"consolidated_metadata"' not in data:
        return data
    document = json.loads(data)
    document.pop("consolidated_metadata", None)
    return encode(document)
