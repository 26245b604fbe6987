"""`open_ome_zarr`: which node a path is, and in which mode.

Everything that can be refused is refused before anything is made or removed.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from napari_scope.errors import FormatError, OutputExistsError
from napari_scope.formats.ngff.images import ome_block, version_of
from napari_scope.formats.ngff.metadata import NGFF_VERSIONS
from napari_scope.formats.ngff.nodes.channels import check_names
from napari_scope.formats.ngff.nodes.failures import (
    ArgumentError,
    LayoutError,
    MissingStoreError,
)
from napari_scope.formats.ngff.nodes.hierarchy import Hierarchy, Place, hidden_sibling
from napari_scope.formats.ngff.nodes.meta import DEFAULT_AXES, axis_from, check_axes
from napari_scope.formats.ngff.nodes.node import log
from napari_scope.formats.ngff.nodes.plate import Plate
from napari_scope.formats.ngff.nodes.position import Position
from napari_scope.formats.ngff.nodes.tiled import TiledPosition
from napari_scope.formats.ngff.nodes.well import Well

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.ngff.nodes.meta import AxisMeta

__all__ = ["open_ome_zarr"]

Layout = Literal["auto", "fov", "hcs", "tiled"]
Mode = Literal["r", "r+", "a", "w", "w-"]

_NODES: dict[str, type[Plate] | type[Position]] = {
    "fov": Position,
    "hcs": Plate,
    "tiled": TiledPosition,
}
_KEYS = {"fov": "multiscales", "hcs": "plate", "tiled": "multiscales"}
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@overload
def open_ome_zarr(
    store_path: str | Path,
    layout: Literal["fov"],
    mode: Mode = ...,
    channel_names: list[str] | None = ...,
    axes: list[AxisMeta] | None = ...,
    version: Literal["0.4", "0.5"] = ...,
    disable_path_checking: bool = ...,
    **kwargs: Any,
) -> Position: ...


@overload
def open_ome_zarr(
    store_path: str | Path,
    layout: Literal["tiled"],
    mode: Mode = ...,
    channel_names: list[str] | None = ...,
    axes: list[AxisMeta] | None = ...,
    version: Literal["0.4", "0.5"] = ...,
    disable_path_checking: bool = ...,
    **kwargs: Any,
) -> TiledPosition: ...


@overload
def open_ome_zarr(
    store_path: str | Path,
    layout: Literal["hcs"],
    mode: Mode = ...,
    channel_names: list[str] | None = ...,
    axes: list[AxisMeta] | None = ...,
    version: Literal["0.4", "0.5"] = ...,
    disable_path_checking: bool = ...,
    **kwargs: Any,
) -> Plate: ...


# Scripts know what they open by "auto"; a union would ask them for a check.
@overload
def open_ome_zarr(
    store_path: str | Path,
    layout: Layout = ...,
    mode: Mode = ...,
    channel_names: list[str] | None = ...,
    axes: list[AxisMeta] | None = ...,
    version: Literal["0.4", "0.5"] = ...,
    disable_path_checking: bool = ...,
    **kwargs: Any,
) -> Any: ...


def open_ome_zarr(
    store_path: str | Path,
    layout: Layout = "auto",
    mode: Mode = "r",
    channel_names: list[str] | None = None,
    axes: list[AxisMeta] | None = None,
    version: Literal["0.4", "0.5"] = "0.4",
    disable_path_checking: bool = False,
    **kwargs: Any,
) -> Any:
    """Open or make an OME-Zarr store in a folder.

    Parameters
    ----------
    store_path : str | Path
        Folder of the store.
    layout : str, optional
        ``fov`` for one image, ``hcs`` for a plate, ``tiled`` for an image that is a
        grid of tiles. ``auto`` takes what the metadata say and cannot make a store;
        it opens single wells, too, and takes a grid of tiles as an image.
    mode : str, optional
        ``r`` to read and ``r+`` to change what exists, ``a`` to change it or make it,
        ``w`` to make it in place of what exists, ``w-`` to make it where nothing is.
    channel_names : list[str], optional
        Channels of a new store; an existing one has its own.
    axes : list[AxisMeta], optional
        Axes of a new store, by default T (second), C, Z, Y and X (micrometer).
    version : str, optional
        Version of OME-Zarr of a new store, ``0.4`` or ``0.5``.
    disable_path_checking : bool, optional
        Whether ``w`` may remove a folder without ``.zarr`` in its path. That is gone
        then, whatever it was.
    **kwargs : dict, optional
        What else the node is made with (``overwriting_creation``, ``name``).

    Returns
    -------
    Position, TiledPosition, Plate or Well

    Raises
    ------
    MissingStoreError
        If there is nothing to open (a FileNotFoundError).
    OutputExistsError
        If there is something and the mode is ``w-`` (a FileExistsError).
    LayoutError, ArgumentError
        If the store is not of that layout, or the arguments make no sense
        (ValueErrors).
    """
    if mode not in ("r", "r+", "a", "w", "w-"):
        raise ArgumentError(
            f"the mode {mode!r} is not known", hint="use r, r+, a, w or w-"
        )
    if layout != "auto" and layout not in _NODES:
        raise ArgumentError(
            f"the layout {layout!r} is not known", hint="use auto, fov, hcs or tiled"
        )
    if _REMOTE.match(str(store_path)):
        raise LayoutError(
            "nodes are in folders of this machine",
            path=str(store_path),
            hint="`napari_scope.formats.opening` and the viewer read remote stores",
        )
    path = Path(store_path).expanduser().absolute()
    exists = path.exists() or path.is_symlink()
    if mode == "a":
        mode = "r+" if exists else "w-"
    if mode in ("r", "r+"):
        if not exists:
            raise MissingStoreError(
                "there is no store",
                path=path,
                hint="mode='a' or 'w-' makes a new one",
            )
        return _open(path, layout, mode == "r+", channel_names, axes, version, kwargs)
    if mode == "w-" and exists:
        raise OutputExistsError(
            "there is something already", path=path, hint="mode='w' overwrites it"
        )
    node = _node_to_create(layout, channel_names, axes, version)
    if exists:
        _make_room(path, disable_path_checking)
    path.mkdir(parents=True, exist_ok=True)
    tree = Hierarchy(path, writable=True)
    tree.make_group("", version)
    return node(
        Place(tree, ""),
        parse_meta=False,
        channel_names=channel_names,
        axes=axes,
        version=version,
        **kwargs,
    )


def _node_to_create(
    layout: str, channel_names: object, axes: object, version: str
) -> type[Plate] | type[Position]:
    """Return the class of a new node, or refuse what it cannot be made of."""
    if layout == "auto":
        raise ArgumentError(
            "a new store needs a layout",
            hint="layout='fov' for an image, 'hcs' for a plate",
        )
    if version not in NGFF_VERSIONS:
        raise ArgumentError(
            f"OME-Zarr {version!r} is not written",
            hint=f"use {', '.join(NGFF_VERSIONS)}",
        )
    if channel_names is None:
        raise ArgumentError(
            "a new store needs names of channels",
            hint="channel_names=['DAPI', 'GFP']",
        )
    check_names(channel_names)  # type: ignore[arg-type]
    check_axes(map(axis_from, axes) if axes else DEFAULT_AXES)  # type: ignore[call-overload]
    return _NODES[layout]


def _make_room(path: Path, disable_path_checking: bool) -> None:
    """Remove a store that is to be overwritten."""
    if not disable_path_checking and ".zarr" not in str(path.resolve()):
        raise ArgumentError(
            "a path without '.zarr' is not overwritten",
            path=path,
            hint="disable_path_checking=True does it all the same",
        )
    if path.is_symlink() or not path.is_dir():
        raise OutputExistsError("it is no folder", path=path, hint="remove it first")
    log.warning("%s is overwritten", path)
    # Its name is free at once, whatever happens while the rest is removed.
    aside = hidden_sibling(path)
    os.replace(path, aside)
    shutil.rmtree(aside, ignore_errors=True)


def _open(
    path: Path,
    layout: str,
    writable: bool,
    channel_names: list[str] | None,
    axes: list[AxisMeta] | None,
    version: str,
    kwargs: dict[str, Any],
) -> Any:
    tree = Hierarchy(path, writable=writable)
    try:
        block = ome_block(tree.attributes())
    except FormatError as error:
        raise LayoutError(
            f"no OME-Zarr: {error.message}", path=path, hint=error.hint
        ) from error
    found = version_of(block) or ("0.5" if tree.zarr_format() == 3 else "0.4")
    options = {**kwargs, "channel_names": channel_names, "axes": axes}
    place = Place(tree, "")
    if layout == "auto":
        return _detect(block, path)(place, version=found, **options)
    key = _KEYS[layout]
    if key in block:
        return _NODES[layout](place, version=found, **options)
    unused = not {"plate", "well", "multiscales"} & set(block)
    if (
        writable
        and unused
        and channel_names is not None
        and not tree.children("", "group")
    ):
        # Made before, and nothing was written into it.
        check_names(channel_names)
        zarr = tree.zarr_format()
        own = next(name for name, number in NGFF_VERSIONS.items() if number == zarr)
        return _NODES[layout](place, parse_meta=False, version=own, **options)
    raise LayoutError(
        f"the store is not of the layout {layout!r}",
        path=path,
        hint=f"'{key}' was expected, found {', '.join(sorted(block)) or 'nothing'}",
    )


def _detect(block: Mapping[str, object], path: Path) -> Any:
    for key, node in (("plate", Plate), ("multiscales", Position), ("well", Well)):
        if key in block:
            return node
    hint = "a plate, a well or an image was expected"
    if "bioformats2raw.layout" in block:
        hint = f"it is a collection; open one of its images: {path.name}/0"
    raise LayoutError("its metadata say of no layout", path=path, hint=hint)
