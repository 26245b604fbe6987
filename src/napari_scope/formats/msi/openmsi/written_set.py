"""One data set of an OpenMSI file as it is written: the layout that suits it, and more.

What the format has no place for is in the metadata of the data set, under names that
begin with ``napari_scope``: size of a pixel, where the image lies, names of regions,
whether spectra are profiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from napari_scope.formats.msi.openmsi.describing import (
    NAME,
    ORIGIN,
    PIXEL,
    PROFILE,
    REGION,
    REGION_NAMES,
    write_metadata,
)
from napari_scope.formats.msi.openmsi.h5 import ATTRIBUTE
from napari_scope.formats.msi.openmsi.writing import write_cube, write_sparse
from napari_scope.formats.msi.spectra import MetadataValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = [
    "VERSION", "Copies", "Layout", "Settings", "write_collection", "write_data_set",
]  # fmt: skip

Layout: TypeAlias = Literal["auto", "full_cube", "partial_cube", "partial_spectra"]
Copies: TypeAlias = Literal["both", "spectra", "images"]

VERSION = "0.1"
"""Version of the format."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How all data sets of a file are written.

    Parameters
    ----------
    h5py : module
        h5py.
    layout, copies
        See `napari_scope.formats.msi.openmsi.writer.write_openmsi`.
    packed : dict
        Arguments of h5py's ``create_dataset``.
    cancelled : callable
        Asked whether to end.
    """

    h5py: Any
    layout: Layout
    copies: Copies
    packed: dict[str, Any]
    cancelled: Cancelled


def write_collection(
    group: Any, values: Mapping[str, MetadataValue], how: Settings
) -> None:
    """Write values into the group ``metadata`` of another group."""
    inner = group.create_group("metadata")
    inner.attrs[ATTRIBUTE] = "omsi_file_metadata_collection"
    write_metadata(inner, values, how.h5py)


def write_data_set(
    group: Any, spectra: Spectra, how: Settings, progress: Progress
) -> None:
    """Write a data set into its new group ``data_<j>``."""
    table = spectra.pixels
    layout = how.layout if how.layout != "auto" else _layout_of(spectra)
    group.attrs[ATTRIBUTE] = "omsi_file_msidata"
    group.attrs["version"] = VERSION
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
    write_collection(group, _facts(spectra), how)
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
