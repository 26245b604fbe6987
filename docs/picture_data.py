"""Plausible made-up data for the pictures of the docs: a plate, cells, a collection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[np.generic]

__all__ = ["cell_picture", "write_collection", "write_plate", "write_segmented"]

DAPI = {"label": "DAPI", "color": "3C6CFF", "window": {"start": 110, "end": 1500}}
GFP = {"label": "GFP-NFkB", "color": "3CE04C", "window": {"start": 110, "end": 1500}}
ACTIN = {"label": "Phalloidin", "color": "FF5A3C", "window": {"start": 110, "end": 900}}
UM = "micrometer"


def cell_picture(
    size: int, count: int, seed: int, *, green: float = 0.5
) -> tuple[Pixels, Pixels]:
    """Return cells in three channels (nuclei, a marker, actin), and their labels.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    count : int
        Number of cells.
    seed : int
        Which cells.
    green : float
        How bright the marker is, 0 to 1.
    """
    random = np.random.default_rng(seed)
    image = np.zeros((3, size, size))
    labels = np.zeros((size, size), np.uint16)
    near = np.full((size, size), np.inf)
    places: list[tuple[float, float]] = []
    for _ in range(40 * count):
        y, x = random.uniform(6, size - 6, 2)
        if all((y - b) ** 2 + (x - a) ** 2 > 18**2 for b, a in places):
            places.append((y, x))
        if len(places) == count:
            break
    for number, (y, x) in enumerate(places, start=1):
        radius, angle = random.uniform(6.5, 9.0), random.uniform(0, np.pi)
        reach = int(4 * radius)
        y0, x0 = max(int(y) - reach, 0), max(int(x) - reach, 0)
        part = np.s_[y0 : min(int(y) + reach, size), x0 : min(int(x) + reach, size)]
        yy, xx = np.mgrid[part]
        u = (yy - y) * np.cos(angle) + (xx - x) * np.sin(angle)
        v = (xx - x) * np.cos(angle) - (yy - y) * np.sin(angle)
        far = np.hypot(u / 1.25, v / 0.85) / radius
        nucleus = 1 / (1 + np.exp(9 * (far - 1)))
        texture = 1 + 0.18 * np.sin(u * random.uniform(0.5, 1)) * np.cos(v * 0.8)
        body = 1 / (1 + np.exp(5 * (far - 1.9)))
        image[0][part] += random.uniform(700, 1300) * nucleus * texture
        amount = green * random.uniform(0.5, 1.3)
        image[1][part] += 1200 * (amount * nucleus + (1.1 - amount) * 0.35 * body)
        rim = np.exp(-((far - 1.75) ** 2) / 0.05) + 0.35 * body
        image[2][part] += 420 * rim * (1 + 0.4 * np.sin(0.9 * u))
        mine = (far < 1.05) & (far < near[part])
        labels[part][mine] = number
        near[part] = np.where(mine, far, near[part])
    image += 112 + random.normal(0, 9, image.shape)
    return image.clip(0, 4095).astype(np.uint16), labels


def write_plate(root: Path, fields: int = 4) -> None:
    """Write a 96-well plate, two scans of some fields: a dose response."""
    rows, columns = "ABCDEFGH", [f"{n:02d}" for n in range(1, 13)]
    acquisitions = [{"id": n, "name": f"scan {n + 1}"} for n in range(2)]
    _group(
        root,
        {
            "plate": {
                "name": "NFkB screen",
                "rows": [{"name": r} for r in rows],
                "columns": [{"name": c} for c in columns],
                "wells": [
                    {"path": f"{r}/{c}", "rowIndex": i, "columnIndex": k}
                    for i, r in enumerate(rows)
                    for k, c in enumerate(columns)
                ],
                "acquisitions": acquisitions,
                "field_count": 2 * fields,
            }
        },
    )
    for i, row in enumerate(rows):
        _group(root / row, {})
        for k, column in enumerate(columns):
            images = [
                {"path": f"{n}", "acquisition": n // fields} for n in range(2 * fields)
            ]
            _group(root / row / column, {"well": {"images": images}})
            for n in range(2 * fields):
                dose = k / 11
                count = int(18 - 14 * dose ** (1 + i / 3)) if k else 18
                green = 0.05 + 0.95 / (1 + np.exp(-10 * (dose - 0.25 - i / 16)))
                picture, _ = cell_picture(
                    128, max(count, 3), 1000 * i + 10 * k + n, green=green
                )
                place = [0.0, 83.2 * (n % 4 // 2), 83.2 * (n % 2)]
                write_image(
                    root / row / column / str(n), picture[:2], (DAPI, GFP), place
                )


def write_segmented(root: Path) -> None:
    """Write an image with two segmentations."""
    picture, nuclei = cell_picture(768, 420, 7, green=0.4)
    write_image(root, picture, (DAPI, GFP, ACTIN), [0, 0, 0])
    counts = np.bincount(nuclei.ravel())
    big = np.where(counts[nuclei] > np.median(counts[1:]) * 1.35, nuclei, 0)
    _group(root / "labels", {"labels": ["nuclei", "mitotic"]})
    for name, labels in (("nuclei", nuclei), ("mitotic", big)):
        extra = {"image-label": {"source": {"image": "../../"}}}
        write_image(root / "labels" / name, labels, (), [0, 0], **extra)


def write_collection(root: Path) -> None:
    """Write what bioformats2raw makes of a slide: several series with names."""
    names = ["Overview", "ROI 1 - cortex", "ROI 2 - hippocampus", "ROI 3 - thalamus"]
    _group(root, {"bioformats2raw.layout": 3})
    _group(root / "OME", {"series": [f"{n}" for n in range(len(names))]})
    series = "".join(f'<Image ID="Image:{i}" Name="{n}"/>' for i, n in enumerate(names))
    (root / "OME" / "METADATA.ome.xml").write_text(
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{series}</OME>'
    )
    size = 384
    for number in range(len(names)):
        picture, _ = cell_picture(size, 110, 50 + number, green=0.2 + 0.2 * number)
        place = [0.0, 270.0 * (number // 2), 270.0 * (number % 2)]
        write_image(root / str(number), picture, (DAPI, GFP, ACTIN), place)


def write_image(
    group: Path,
    pixels: Pixels,
    channels: tuple[dict[str, Any], ...],
    place: list[float],
    levels: int = 3,
    **extra: Any,
) -> None:
    """Write one image of OME-Zarr 0.5 with a pixel of 0.65 µm."""
    import zarr

    names = "cyx"[-pixels.ndim :]
    datasets = []
    for level in range(levels):
        step = 2**level
        smaller = pixels[..., ::step, ::step]
        zarr.create_array(
            str(group / str(level)),
            data=np.ascontiguousarray(smaller),
            chunks=(
                *[1] * (pixels.ndim - 2),
                *[min(256, n) for n in smaller.shape[-2:]],
            ),
            dimension_names=list(names),
            compressors=zarr.codecs.BloscCodec(
                cname="zstd", clevel=1, shuffle="shuffle"
            ),
        )
        scale = [0.65 * step if n in "yx" else 1.0 for n in names]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": scale},
                    {"type": "translation", "translation": place},
                ],
            }
        )
    axes = [
        {"name": n, "type": "space", "unit": UM}
        if n != "c"
        else {"name": n, "type": "channel"}
        for n in names
    ]
    block = {"multiscales": [{"axes": axes, "datasets": datasets}], **extra}
    if channels:
        block["omero"] = {"channels": [{"active": True, **c} for c in channels]}
    _group(group, block)


def _group(folder: Path, block: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    attributes = {"ome": {"version": "0.5", **block}} if block else {}
    document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    (folder / "zarr.json").write_text(json.dumps(document))
