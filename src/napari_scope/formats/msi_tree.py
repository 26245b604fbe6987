"""The tree of a file of mass-spectrometry images: its data sets, and their regions.

What a file has one of is not listed: one data set with one region is a node without
children. The file is opened to find out, and closed again; no spectrum is read but
those whose ends tell the range of the m/z.

Examples
--------
>>> root = msi_tree("brain.mzML")  # doctest: +SKIP
>>> [child.name for child in root.children()]  # doctest: +SKIP
['FTMS + p MALDI Full ms [100.00-1000.00]', 'FTMS + p MALDI Full ms2 885.55']
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.errors import FormatError, ScopeError
from napari_scope.formats.tree_node import Facts, MSIPart, Node, bounded

if TYPE_CHECKING:
    from napari_scope.formats.msi import MSIReader, Region, Spectra

__all__ = ["FORMATS", "msi_tree", "spectra_facts"]

FORMATS: Final = {
    "imzml": "imzML",
    "mzml": "mzML",
    "analyze": "Analyze 7.5",
    "bruker-flex": "Bruker flex",
    "openmsi": "OpenMSI HDF5",
}
"""What people call the formats."""


def msi_tree(place: str | os.PathLike[str]) -> Node:
    """Return the tree of a file or folder of mass-spectrometry images.

    Raises
    ------
    FormatError
        If it is none, or is damaged beyond use.
    """
    from napari_scope.formats.msi import open_msi

    path = os.fspath(place)
    try:
        with open_msi(path) as reader:
            return _tree(path, reader)
    except OSError as error:
        raise FormatError(
            f"it cannot be read: {error.strerror or error}", path=path
        ) from error


def spectra_facts(spectra: Spectra) -> Facts:
    """Return what is known of a data set; the ends of spectra may be read for it."""
    size, pixels = spectra.pixel_size, spectra.pixels
    names = ("z", "y", "x") if pixels.is_volume else ("y", "x")
    steps = {} if size is None else {"z": size.z_um, "y": size.y_um, "x": size.x_um}
    try:
        low, high = spectra.mz_range()
    except (ScopeError, OSError, ValueError):
        low = high = 0.0  # damaged spectra; the others open
    return Facts(
        axes=names,
        shape=_image_shape(pixels.shape, len(names)),
        dtype=str(spectra.intensity_dtype.name),
        scale=tuple((name, steps[name], "micrometer") for name in names if steps),
        spectra=len(spectra),
        mz=(low, high) if low < high else (),
        regions=len(pixels.regions),
    )


def _tree(place: str, reader: MSIReader) -> Node:
    name = Path(place).name or place
    kind = reader.format_name()
    version = FORMATS.get(kind, kind)
    nbytes = type(reader).size(place) or 0
    problem = "; ".join(reader.problems[:5])
    sets = reader.data_sets
    if len(sets) == 1:
        facts = spectra_facts(sets[0])
        children = _regions(place, sets[0], 0)
    else:
        children = bounded(
            _data_set(place, spectra, number) for number, spectra in enumerate(sets)
        )
        with_mz = [child.facts.mz for child in children if child.facts.mz]
        facts = Facts(
            count=len(sets),
            spectra=sum(map(len, sets)),
            mz=(min(low for low, _ in with_mz), max(high for _, high in with_mz))
            if with_mz
            else (),
        )
    return Node(
        "msi",
        name,
        facts=replace(facts, version=version, nbytes=nbytes),
        problem=problem,
        place=place,
        known=children,
        msi=MSIPart(place),
    )


def _data_set(place: str, spectra: Spectra, number: int) -> Node:
    name = spectra.name or f"data set {number}"
    return Node(
        "msi",
        name,
        str(number),
        facts=spectra_facts(spectra),
        problem="" if len(spectra) else "it has no spectrum",
        place=place,
        known=_regions(place, spectra, number),
        msi=MSIPart(place, number) if len(spectra) else None,
        title=name,
    )


def _regions(place: str, spectra: Spectra, number: int) -> tuple[Node, ...]:
    """Return the regions of a data set that has several."""
    regions = spectra.pixels.regions
    if len(regions) < 2:
        return ()
    axes = ("z", "y", "x") if spectra.pixels.is_volume else ("y", "x")
    return bounded(_region(place, one, number, axes) for one in regions)


def _region(place: str, region: Region, number: int, axes: tuple[str, ...]) -> Node:
    return Node(
        "region",
        region.name,
        f"{number}/{region.index}",
        facts=Facts(
            axes=axes,
            shape=_image_shape(region.shape, len(axes)),
            spectra=region.count,
        ),
        place=place,
        known=(),
        msi=MSIPart(place, number, region.index),
        title=region.name,
    )


def _image_shape(shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    """Return the shape of an image in the order (z, y, x) from (x, y, z)."""
    return tuple(int(n) for n in shape[:axes][::-1])
