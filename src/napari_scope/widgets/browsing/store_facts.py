"""What is known of a data set and its images, in words.

It takes everything from the model and reads no file. It knows nothing of layers, of
single frames (`napari_scope.widgets.frames.frame_document`) or of widgets.

Examples
--------
>>> from napari_scope.model import Dataset
>>> facts_line(Dataset("/data/run", "ndtiff", "3.3", (), metadata={"frames": 1200}))
'NDTiff 3.3 · 1,200 frames · 0 images'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_scope.formats.msi_tree import FORMATS

if TYPE_CHECKING:
    from napari_scope.layers.msi import MSILayer
    from napari_scope.model import Dataset, Image

__all__ = ["about_image", "facts_line", "msi_facts_line"]

_FORMATS: Final = {"ndtiff": "NDTiff", "ome-zarr": "OME-Zarr", "ome-tiff": "OME-TIFF"}


_MZ: Final = "m\u2060/\u2060z"  # which no line ends within


def facts_line(dataset: Dataset) -> str:
    """Return format, number of frames and images, or wells of a plate, in a line."""
    parts = [f"{_FORMATS.get(dataset.format, dataset.format)} {dataset.format_version}"]
    frames = dataset.metadata.get("frames")
    if isinstance(frames, int):
        parts.append(f"{frames:,} {'frame' if frames == 1 else 'frames'}")
    count, wells = len(dataset.images), dataset.metadata.get("wells")
    if isinstance(wells, int) and dataset.metadata.get("layout") == "plate":
        rows, columns = (dataset.metadata.get(name) for name in ("rows", "columns"))
        parts.append(f"plate of {rows} × {columns}, {wells:,} wells")
        if count >= wells:
            parts.append(f"{count:,} fields")
    else:
        parts.append(f"{count:,} {'image' if count == 1 else 'images'}")
    return " · ".join(parts)


def msi_facts_line(origin: MSILayer) -> str:
    """Return format, data set, pixels and regions of a layer of mass spectra in a line.

    No spectrum is read.
    """
    reader, spectra = origin.reader, origin.data.spectra
    kind = reader.format_name()
    width, height, depth = spectra.pixels.shape
    pixels = f"{width} × {height}" + (f" × {depth}" if depth > 1 else "")
    parts = [FORMATS.get(kind, kind)]
    if len(reader.data_sets) > 1:
        name = spectra.name or f"data set {origin.dataset}"
        parts.append(f"{name} ({len(reader.data_sets)} data sets)")
    elif spectra.name:
        parts.append(spectra.name)
    parts += [f"{pixels} pixels", f"{len(spectra):,} spectra"]
    if spectra.common_mz is not None and len(spectra.common_mz) > 1:
        mz = spectra.common_mz
        low, high = sorted((mz[0], mz[-1]))
        parts.append(f"{_MZ} {low:.6g} to {high:.6g}")
    regions = len(spectra.pixels.regions)
    if regions > 1:
        parts.append(f"{regions:,} regions")
    return " · ".join(parts)


def about_image(dataset: Dataset, image: Image) -> dict[str, object]:
    """Return what is known of an image and its data set.

    Returns
    -------
    dict
        The image's facts under ``"image"``, those of the data set beside it; what is
        empty is left out.
    """
    shape = image.levels[0].shape
    scale = {
        axis.name: f"{axis.scale:g} {axis.unit or ''}".strip()
        for axis in image.axes
        if axis.unit is not None
    }
    about: dict[str, object] = {
        "name": image.name,
        "shape": " × ".join(
            f"{name} {length}"
            for name, length in zip(image.axis_names, shape, strict=True)
        ),
        "type": str(image.levels[0].dtype),
        "levels": len(image.levels),
        "scale": scale,
        "channels": ", ".join(c.name for c in image.channels if c.name),
        **image.metadata,
    }
    known = {"image": {k: v for k, v in about.items() if v not in ("", {})}}
    return {**known, **{k: v for k, v in dataset.metadata.items() if v != {}}}
