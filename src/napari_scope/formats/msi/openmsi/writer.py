"""Writes OpenMSI HDF5: any data sets, in the layout that suits each.

The file is written under another name and gets its own when it is complete; what was
not completed is removed, and nothing is replaced unasked. Spectra over one m/z axis
become a cube, full or with the places that have a spectrum; others become the sparse
layout, with a list of all m/z values. A cube is kept twice, cut for reading spectra and
for reading images.

What the format has no place for is in the metadata of the data set, under names that
begin with ``napari_scope``: size of a pixel, where the image lies, names of regions,
whether spectra are profiles.

Examples
--------
>>> write_openmsi(reader, "brain.h5", compression="gzip")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from napari_scope.errors import FormatError, OutputExistsError, SettingsError
from napari_scope.fileio import DataFile, sync_folder
from napari_scope.formats.msi.openmsi.describing import (
    NAME,
    ORIGIN,
    PIXEL,
    PROFILE,
    REGION,
    REGION_NAMES,
    write_dependency,
    write_metadata,
)
from napari_scope.formats.msi.openmsi.h5 import ATTRIBUTE, import_h5py
from napari_scope.formats.msi.openmsi.writing import write_cube, write_sparse
from napari_scope.formats.msi.passes import never, part_of, refuse, silent
from napari_scope.formats.msi.reader import MSIReader
from napari_scope.formats.msi.spectra import MetadataValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

    PathLike = str | os.PathLike[str]

__all__ = ["Copies", "Layout", "write_openmsi"]

Layout: TypeAlias = Literal["auto", "full_cube", "partial_cube", "partial_spectra"]
Copies: TypeAlias = Literal["both", "spectra", "images"]

_VERSION = "0.1"


@dataclass(frozen=True, slots=True)
class _How:
    """How all data sets are written."""

    h5py: Any
    layout: Layout
    copies: Copies
    packed: dict[str, Any]
    cancelled: Cancelled


def write_openmsi(
    source: Spectra | MSIReader | Sequence[Spectra],
    path: PathLike,
    *,
    layout: Layout = "auto",
    copies: Copies = "both",
    compression: Literal["none", "gzip"] = "none",
    identifier: str = "",
    metadata: Mapping[str, MetadataValue] | None = None,
    instrument: Mapping[str, MetadataValue] | None = None,
    methods: Mapping[str, MetadataValue] | None = None,
    dependencies: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    overwrite: bool = False,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> Path:
    """Write data sets as one experiment of an OpenMSI file.

    Of spectra at one place the last is written, as images show it, where the layout
    has one spectrum a place (``full_cube``, ``partial_spectra``).

    Parameters
    ----------
    source : Spectra, MSIReader, or sequence of Spectra
        What to write; all data sets of a reader.
    path : str or PathLike
        The new file.
    layout : {"auto", "full_cube", "partial_cube", "partial_spectra"}
        Of all data sets; found out for each if not given.
    copies : {"both", "spectra", "images"}
        What cubes are cut for; with ``"both"`` they take twice the room.
    compression : {"none", "gzip"}
        How arrays are packed.
    identifier : str
        Name of the experiment; that of the file if it is empty.
    metadata, instrument, methods : mapping of str to MetadataValue, optional
        What is known of the experiment; of a reader the last two are taken from it.
    dependencies : sequence of sequence of mapping, optional
        For each data set, dicts as `MSIReader.get_dataset_dependencies` returns them;
        of a reader they are taken from it. Those on data sets that are not in the file
        are left out.
    overwrite : bool
        Replace a file that exists.
    cancelled, progress : callable
        Asked whether to end, told what part is done, from 0 to 1.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputExistsError
        If the file exists.
    SettingsError
        If the layout does not fit the spectra.
    FormatError
        If h5py is missing, or a spectrum cannot be read.
    CancelledError
        If it was cancelled; nothing is left of the file.
    """
    target = Path(path)
    sets: list[Spectra]
    if isinstance(source, MSIReader):
        sets = list(source.data_sets)
        instrument = (
            source.get_instrument_metadata() if instrument is None else instrument
        )
        methods = source.get_method_metadata() if methods is None else methods
        identifier = identifier or Path(source.basename).stem
        if dependencies is None:
            dependencies = between_data_sets(source)
    else:
        sets = list(source) if isinstance(source, Sequence) else [source]
    if layout not in ("auto", "full_cube", "partial_cube", "partial_spectra"):
        raise SettingsError(f"no layout {layout!r} of OpenMSI", path=target)
    if compression not in ("none", "gzip"):
        raise SettingsError(f"the compression is 'none' or 'gzip', not {compression!r}")
    if not sets:
        raise SettingsError("there is no data set to write", path=target)
    for spectra in sets:
        if layout in ("full_cube", "partial_cube") and spectra.common_mz is None:
            raise SettingsError(
                f"{spectra.name or 'the data set'} has no common m/z axis, it cannot "
                f"be written as {layout}",
                hint="leave the layout out, or choose partial_spectra",
            )
    if os.path.lexists(target) and not overwrite:
        raise OutputExistsError("the file exists", path=target)
    h5py = import_h5py(target)
    packed = (
        {} if compression == "none" else {"compression": "gzip", "compression_opts": 4,
                                          "shuffle": True}
    )  # fmt: skip
    how = _How(h5py, layout, copies, packed, cancelled)
    part = target.with_name(target.name + ".part")
    try:
        with h5py.File(part, "w") as file:
            entry = _experiment(file, identifier or target.stem, metadata, how)
            for key, values in (("instrument", instrument), ("methods", methods)):
                if values:
                    group = entry.create_group(key)
                    group.attrs[ATTRIBUTE] = f"omsi_file_{key}"
                    _metadata(group, values, how)
            weights = np.cumsum([0, *(max(1, len(one)) for one in sets)])
            groups = []
            for number, spectra in enumerate(sets):
                start, end = (weights[number : number + 2] / weights[-1]).tolist()
                groups.append(entry.create_group(f"data_{number}"))
                _data_set(
                    groups[-1],
                    spectra,
                    how,
                    part_of(progress, start, end),
                )
            _dependencies(groups, dependencies or (), how)
        refuse(cancelled, "writing OpenMSI HDF5")
        with DataFile.open(part, writable=True) as written:
            written.sync()
        if os.path.lexists(target) and not overwrite:
            raise OutputExistsError("the file was made meanwhile", path=target)
        part.replace(target)
        sync_folder(target.parent)
    except (RuntimeError, ValueError, KeyError) as error:
        part.unlink(missing_ok=True)
        if isinstance(error, SettingsError):
            raise
        words = " ".join(str(error).split())
        raise FormatError(f"HDF5 cannot be written, {words}", path=target) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return target


def between_data_sets(reader: MSIReader) -> list[list[dict[str, Any]]]:
    """Return the dependencies of each data set of a reader on its others."""
    of = getattr(reader, "_dependencies_of", None)
    count = len(reader.data_sets)
    if of is None:
        return [[] for _ in range(count)]
    return [
        [one for one in of(number) if one.get("region") is None]
        for number in range(count)
    ]


def _experiment(
    file: Any, identifier: str, metadata: Mapping[str, MetadataValue] | None, how: _How
) -> Any:
    """Write the root and return the group of the experiment."""
    file.attrs[ATTRIBUTE] = "omsi_file"
    file.attrs["version"] = _VERSION
    file.attrs["timestamp"] = _now()
    entry = file.create_group("entry_0")
    entry.attrs[ATTRIBUTE] = "omsi_file_experiment"
    entry.attrs["version"] = _VERSION
    entry.attrs["timestamp"] = _now()
    text = how.h5py.string_dtype("utf-8")
    entry.create_dataset("experiment_identifier", data=identifier, dtype=text)
    if metadata:
        _metadata(entry, metadata, how)
    return entry


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _metadata(group: Any, values: Mapping[str, MetadataValue], how: _How) -> None:
    inner = group.create_group("metadata")
    inner.attrs[ATTRIBUTE] = "omsi_file_metadata_collection"
    write_metadata(inner, values, how.h5py)


def _data_set(group: Any, spectra: Spectra, how: _How, progress: Progress) -> None:
    table = spectra.pixels
    layout = how.layout if how.layout != "auto" else _layout_of(spectra)
    group.attrs[ATTRIBUTE] = "omsi_file_msidata"
    group.attrs["version"] = _VERSION
    text = how.h5py.string_dtype("utf-8")
    group.create_dataset("format", data=[layout], dtype=text)
    width, height, depth = table.shape
    places = (width, height, depth) if table.is_volume else (width, height)
    x0, y0, z0 = table.origin
    columns = [table.x - x0, table.y - y0, table.z - z0][: len(places)]
    flat = np.ravel_multi_index(tuple(columns), places) if len(table) else table.x
    numbers = np.arange(len(table))
    if layout != "partial_cube" and table.duplicates:
        numbers = np.sort(table.grid[table.grid >= 0])
    arguments: dict[str, Any] = {
        "packed": how.packed, "cancelled": how.cancelled, "progress": progress,
    }  # fmt: skip
    if layout == "partial_spectra":
        order = write_sparse(
            group, spectra, places, flat[numbers], numbers, **arguments
        )
        numbers = numbers[order]
        shape = [*places, len(group["mz"])]
        group.create_dataset("shape", data=np.array(shape, np.int64))
    elif layout == "full_cube":
        numbers = numbers[np.argsort(flat[numbers], kind="stable")]
        write_cube(
            group,
            spectra,
            places,
            flat[numbers],
            numbers,
            copies=how.copies,
            **arguments,
        )
        # Places without a spectrum are zeros, which belong to no region of the file.
        numbers = numbers if len(numbers) == np.prod(places) else numbers[:0]
    else:
        n = len(table)
        rows = np.arange(n)
        write_cube(group, spectra, (n,), rows, numbers, copies=how.copies, **arguments)
        index = np.full(places, -1, np.int64)
        index[tuple(columns)] = rows
        group.create_dataset("xyindex", data=index)
        group.create_dataset("inv_xy_index", data=np.stack(columns, axis=1))
        assert spectra.common_mz is not None
        shape = [*places, len(spectra.common_mz)]
        group.create_dataset("shape", data=np.array(shape, np.int64))
    _metadata(group, _facts(spectra), how)
    if len(table.regions) > 1 and len(numbers):
        group.create_dataset(REGION, data=table.region[numbers])


def _layout_of(spectra: Spectra) -> Layout:
    if spectra.common_mz is None:
        return "partial_spectra"
    table = spectra.pixels
    width, height, depth = table.shape
    is_full = len(table) == width * height * depth and not table.duplicates
    return "full_cube" if is_full else "partial_cube"


def _facts(spectra: Spectra) -> dict[str, MetadataValue]:
    """Return the metadata of a data set, with what the format has no place for."""
    table = spectra.pixels
    found = dict(spectra.metadata)
    if spectra.name:
        found[NAME] = MetadataValue(spectra.name, description="name of the data set")
    if any(table.origin):
        found[ORIGIN] = MetadataValue(
            list(table.origin), "pixel", "x, y and z of the first pixel"
        )
    if spectra.is_profile is not None:
        found[PROFILE] = MetadataValue(
            bool(spectra.is_profile), description="profiles, otherwise peaks"
        )
    size = spectra.pixel_size
    if size is not None:
        found[PIXEL] = MetadataValue(
            [size.x_um, size.y_um, size.z_um, size.left_um, size.top_um, size.front_um],
            "micrometer",
            "size of a pixel in x, y, z, and where pixel (0, 0, 0) lies",
        )
    if len(table.regions) > 1:
        names = {region.index: region.name for region in table.regions}
        found[REGION_NAMES] = MetadataValue(
            [names.get(n, "") for n in range(max(names) + 1)],
            description="names of the regions",
        )
    return found


def _dependencies(
    groups: Sequence[Any],
    dependencies: Sequence[Sequence[Mapping[str, Any]]],
    how: _How,
) -> None:
    for group, entries in zip(groups, dependencies, strict=False):
        known = [
            entry
            for entry in entries
            if isinstance(entry.get("dataset"), int)
            and 0 <= entry["dataset"] < len(groups)
        ]
        if not known:
            continue
        whole = group.create_group("dependency")
        whole.attrs[ATTRIBUTE] = "omsi_file_dependencies"
        for number, entry in enumerate(known):
            main_name = groups[entry["dataset"]].name
            one = whole.create_group(f"dependency_{number}")
            write_dependency(one, main_name, entry, how.h5py)
