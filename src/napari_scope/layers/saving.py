"""Layers are saved: as an OME-Zarr store or as an NDTiff data set.

This is what the writers of the plugin call, and scripts do the same without a viewer:

    save_layers("cells.ome.zarr", viewer.layers)
    save_layers("cells.ome.zarr", viewer.layers, version="0.4", overwrite=True)

Only full resolution is read from a layer, block by block; coarser levels are computed.
Nothing here knows windows: it may run in any thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.arrays.tolerant import strict
from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.metadata import NGFF_VERSION
from napari_scope.formats.ngff.saving.images import save_store
from napari_scope.layers.origin import origin_of
from napari_scope.layers.saving_plan import planned, read_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari_scope.layers.describe import LayerData
    from napari_scope.layers.saving_plan import ImageLayer

__all__ = ["save_layers"]

_SUFFIX = ".ome.zarr"
_NDTIFF = ".ndtiff"


def save_layers(
    path: str | os.PathLike[str],
    layers: Iterable[object],
    *,
    version: str = NGFF_VERSION,
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Save image and labels layers.

    Parameters
    ----------
    path : str or PathLike
        What to make. A name that ends in ``.ndtiff`` becomes an NDTiff data set, any
        other an OME-Zarr store; ``.ome.zarr`` is added to a name without a suffix.
    layers : iterable
        Layers of napari, or tuples of (data, arguments, kind).
    version : {"0.5", "0.4"}
        Version of OME-Zarr.
    overwrite : bool
        Whether an OME-Zarr store at the path is replaced, when the new one is complete.
    progress : callable, optional
        Is told how much was done, and of how much; from the thread that calls this.
    cancelled : callable, optional
        Is asked now and then; if it says True the work ends and nothing is left of it.

    Returns
    -------
    Path
        What was made.

    Raises
    ------
    SettingsError
        If a layer cannot be stored, or is read from the store that is to be replaced;
        nothing was written.
    OutputExistsError
        If the path is taken; nothing was written.
    DiskSpaceError, StreamError
        If the disk is full or failed; nothing is left of it.
    CancelledError
        If ``cancelled`` said so.
    """
    target = target_path(path)
    data = [_layer_data(layer) for layer in layers]
    if target.name.lower().endswith(_NDTIFF):
        from napari_scope.layers.saving_ndtiff import save_ndtiff

        _refuse_own_source(target, data)
        save_ndtiff(target, read_layers(data), progress=progress, cancelled=cancelled)
        return target
    read: Sequence[ImageLayer] = read_layers(data)
    members = planned(read)
    _refuse_own_source(target, data)
    save_store(
        target,
        members,
        version=version,
        overwrite=overwrite,
        progress=progress,
        cancelled=cancelled,
    )
    return target


def target_path(path: str | os.PathLike[str]) -> Path:
    """Return what is made for a path: the suffix is added if there is none.

    Raises
    ------
    SettingsError
        If it is an address of a server, or no name of a file.
    """
    text = os.fspath(path)
    if "://" in text:
        raise SettingsError(
            "layers are saved to a folder only", path=text, hint="copy it afterwards"
        )
    target = Path(os.path.expanduser(text))
    if target.name in ("", "..") or "\0" in text:
        raise SettingsError(
            f"{text!r} is no name for a new folder", hint="give it a name"
        )
    known = (".zarr", _NDTIFF)
    if not target.name.lower().endswith(known):
        target = target.with_name(target.name + _SUFFIX)
    return target


def _layer_data(layer: object) -> LayerData:
    as_tuple = getattr(layer, "as_layer_data_tuple", None)
    found = as_tuple() if as_tuple is not None else layer
    if (
        not isinstance(found, tuple)
        or len(found) not in (2, 3)
        or not isinstance(found[1], Mapping)
    ):
        raise SettingsError(
            f"a layer of napari or (data, arguments, kind) was expected, not "
            f"{type(layer).__name__}"
        )
    return found[0], dict(found[1]), found[2] if len(found) == 3 else "image"


def _refuse_own_source(target: Path, layers: Sequence[LayerData]) -> None:
    """Refuse to replace what the layers are read from.

    It would work for the file, which is made beside it, but not for the layers: they
    would read the new store by what they know of the old one.
    """
    place = Path(os.path.realpath(target))
    for data, arguments, _ in layers:
        for source in _sources(data, arguments):
            own = _whole_store(Path(os.path.realpath(source)))
            if own == place or place in own.parents or own in place.parents:
                raise SettingsError(
                    f"layer {arguments.get('name', '')!r} is read from there",
                    path=target,
                    hint="choose another name; a store is not replaced by what is read "
                    "from it",
                )


def _whole_store(place: Path) -> Path:
    """Return the outermost group that a folder of a Zarr hierarchy is in."""
    while any(
        (place.parent / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs")
    ):
        place = place.parent
    return place


def _sources(data: object, arguments: Mapping[str, object]) -> list[str]:
    """Return the local folders that a layer is known to be read from."""
    found: list[str] = []
    metadata = arguments.get("metadata")
    origin = origin_of(metadata) if isinstance(metadata, Mapping) else None
    if origin is not None:
        found.append(origin.dataset.path)
    first = strict(data[0] if arguments.get("multiscale") is True else data)  # type: ignore[index]
    # zarr-python tells the folder of its store; our arrays that of their source.
    root = getattr(getattr(first, "store", None), "root", None)
    folder = getattr(getattr(first, "source", None), "folder", None)
    found += [os.fspath(p) for p in (root, folder) if isinstance(p, str | os.PathLike)]
    return [path for path in found if "://" not in path]
