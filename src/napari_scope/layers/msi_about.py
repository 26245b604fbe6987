"""What a file says of itself and of a data set, as a document to search in.

Examples
--------
>>> view.set_document(about(origin))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.msi import MetadataValue
    from napari_scope.layers.msi import MSILayer

__all__ = ["about"]


def about(origin: MSILayer) -> dict[str, object]:
    """Return problems, facts, and what the file says; reads a little, for a thread."""
    reader, data = origin.reader, origin.data
    spectra = data.spectra
    width, height, depth = data.pixels.shape
    size = spectra.pixel_size
    facts: dict[str, object] = {
        "file": reader.basename,
        "format": reader.format_name(),
        "data set": spectra.name or origin.dataset,
        "spectra": len(data),
        "pixels": f"{width} x {height}" + (f" x {depth}" if depth > 1 else ""),
        "m/z range": "{:.10g} to {:.10g}".format(*spectra.mz_range()),
        "m/z axis": (
            "one of each spectrum"
            if spectra.common_mz is None
            else f"common, {len(spectra.common_mz):,} values"
        ),
        "spectra are": {True: "profiles", False: "peaks", None: "not told"}[
            spectra.is_profile
        ],
        "type of the intensities": str(spectra.intensity_dtype),
    }
    if size is not None:
        facts["pixel size (µm)"] = f"{size.x_um:g} x {size.y_um:g}"
    stored = type(reader).size(reader.basename)
    if stored is not None:
        facts["bytes"] = stored
    found: dict[str, object] = {}
    if reader.problems:
        found["Problems"] = {str(n): text for n, text in enumerate(reader.problems, 1)}
    found["Facts"] = facts
    for title, values in (
        ("Data set", spectra.metadata),
        ("Instrument", reader.get_instrument_metadata()),
        ("Method", reader.get_method_metadata()),
    ):
        if values:
            found[title] = _plain(values)
    regions = data.pixels.regions
    if len(regions) > 1:
        found["Regions"] = {
            region.name: f"{region.count:,} spectra, {region.shape[0]} x "
            f"{region.shape[1]} pixels at ({region.origin[0]}, {region.origin[1]})"
            for region in regions
        }
    return found


def _plain(values: Mapping[str, MetadataValue]) -> dict[str, object]:
    return {
        name: f"{one.value} {one.unit}" if one.unit else one.value
        for name, one in values.items()
    }
