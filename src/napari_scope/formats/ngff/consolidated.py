"""Copies of documents that groups hold of what is below them, kept as they are below.

Zarr calls this consolidated metadata: a group of Zarr v3 may hold the documents of all
nodes below it in its own, one of Zarr v2 has them in ``.zmetadata``. Readers trust
them, so whoever adds, changes or removes a node has to tell all groups above. What a
node is does not matter here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.fileio import replace_file
from napari_scope.formats.ngff.store import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["refresh_consolidated"]

_DOCUMENTS = ("zarr.json", ".zgroup", ".zattrs")
_OF_NODES = (".zgroup", ".zarray", ".zattrs")
_COPIES = "consolidated_metadata"


def refresh_consolidated(group: Path, nodes: Iterable[str]) -> None:
    """Copy the documents of nodes anew into all groups that hold copies.

    Parameters
    ----------
    group : Path
        A group; it and those above it are looked at.
    nodes : iterable of str
        Paths of nodes within it, ``""`` for itself. Those that do not exist are
        forgotten.

    Raises
    ------
    FormatError
        If a document is damaged.
    OSError
        If one cannot be written.
    """
    wanted = [node.strip("/") for node in nodes]
    holder, path = group.absolute(), ""
    while any((holder / name).is_file() for name in _DOCUMENTS):
        keys = {_joined(path, node): group / node for node in wanted}
        _refresh_v3(holder, keys)
        _refresh_v2(holder, keys)
        path = _joined(holder.name, path)
        holder = holder.parent


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _refresh_v3(holder: Path, nodes: dict[str, Path]) -> None:
    document = _read(holder / "zarr.json")
    copies = (document or {}).get(_COPIES)
    copies = copies.get("metadata") if isinstance(copies, dict) else None
    if document is None or not isinstance(copies, dict):
        return
    for key, folder in nodes.items():
        if not key:
            continue
        found = _read(folder / "zarr.json")
        copies.pop(key, None)
        if found is not None:
            found.pop(_COPIES, None)
            copies[key] = found
    data = json.dumps(document, indent=2, allow_nan=False).encode()
    replace_file(holder / "zarr.json", data)


def _refresh_v2(holder: Path, nodes: dict[str, Path]) -> None:
    document = _read(holder / ".zmetadata")
    copies = (document or {}).get("metadata")
    if document is None or not isinstance(copies, dict):
        return
    for key, folder in nodes.items():
        for name in _OF_NODES:
            found = _read(folder / name)
            copies.pop(_joined(key, name), None)
            if found is not None:
                copies[_joined(key, name)] = found
    replace_file(holder / ".zmetadata", json.dumps(document, indent=2).encode())


def _read(path: Path) -> dict[str, Any] | None:
    data = read_bounded(path)
    if data is None:
        return None
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"damaged JSON: {error}", path=path) from error
    return document if isinstance(document, dict) else None
