"""Small OME-Zarr stores as other programs write them, for conversions and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["foreign_image", "foreign_plate"]


def _arrays(
    group: Any, levels: list[np.ndarray], chunk: tuple[int, ...], names: str
) -> None:
    two = group.metadata.zarr_format == 2
    for number, data in enumerate(levels):
        group.create_array(
            str(number),
            data=data,
            chunks=chunk,
            dimension_names=None if two else list(names),
            chunk_key_encoding={"name": "v2" if two else "default", "separator": "/"},
        )


def _multiscale(names: str, count: int, version: str, scale: float) -> dict[str, Any]:
    kinds = {"t": "time", "c": "channel"}
    axes: list[Any] = [
        {"name": name, "type": kinds.get(name, "space")}
        | ({} if name in "tc" else {"unit": "micrometer"})
        for name in names
    ]
    datasets: list[dict[str, Any]] = []
    for number in range(count):
        factor = 2**number
        steps = [scale * factor if n in "yx" else 1.0 for n in names]
        origin = [7 + scale * (factor - 1) / 2 if n in "yx" else 0.0 for n in names]
        datasets.append(
            {
                "path": str(number),
                "coordinateTransformations": [
                    {"type": "scale", "scale": steps},
                    {"type": "translation", "translation": origin},
                ],
            }
        )
    multiscale: dict[str, Any] = {"datasets": datasets, "name": "a field"}
    if version in ("0.1", "0.2"):
        for dataset in datasets:
            del dataset["coordinateTransformations"]
    elif version == "0.3":
        multiscale["axes"] = list(names)
        for dataset in datasets:
            del dataset["coordinateTransformations"]
    else:
        multiscale["axes"] = axes
    if version != "0.5":
        multiscale["version"] = version
    return multiscale


def _set(group: Any, version: str, **parts: Any) -> None:
    if version == "0.5":
        group.attrs["ome"] = {"version": version, **parts}
    else:
        for key, value in parts.items():
            group.attrs[key] = value


def _versioned(part: dict[str, Any], version: str) -> dict[str, Any]:
    return part if version == "0.5" else {"version": version, **part}


def foreign_image(
    group: Any, data: np.ndarray, names: str, version: str = "0.4", *, levels: int = 2
) -> None:
    """Fill a group with an image and its coarse levels (every second pixel)."""
    pyramid = [data[..., :: 2**n, :: 2**n] for n in range(levels)]
    _arrays(group, pyramid, (1,) * (data.ndim - 2) + (32, 32), names)
    channels = [
        {
            "label": label,
            "color": color,
            "active": True,
            "window": {"start": 5, "end": 500, "min": 0, "max": 4095},
        }
        for label, color in (("DAPI", "0000FF"), ("GFP", "00FF00"))
    ]
    parts: dict[str, Any] = {"multiscales": [_multiscale(names, levels, version, 0.5)]}
    if "c" in names:
        parts["omero"] = {"channels": channels[: data.shape[names.index("c")]]}
    _set(group, version, **parts)
    group.attrs["by_me"] = {"kept": [1, 2]}


def _labels(group: Any, data: np.ndarray, version: str) -> None:
    labels = group.create_group("labels")
    _set(labels, version, labels=["nuclei"])
    nuclei = labels.create_group("nuclei")
    _arrays(nuclei, [data, data[::2, ::2]], (32, 32), "yx")
    said = {
        "colors": [{"label-value": 1, "rgba": [255, 0, 0, 128]}],
        "properties": [{"label-value": 1, "area": 12}],
        "source": {"image": "../../"},
    }
    _set(
        nuclei,
        version,
        multiscales=[_multiscale("yx", 2, version, 0.5)],
        **{"image-label": _versioned(said, version)},
    )


def foreign_plate(path: Path, version: str = "0.4") -> dict[str, np.ndarray]:
    """Write a plate of two wells with two fields each; returns the fields' pixels."""
    rng = np.random.default_rng(3)
    root = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    plate = {
        "name": "screen",
        "rows": [{"name": "A"}, {"name": "B"}],
        "columns": [{"name": "1"}, {"name": "2"}, {"name": "10"}],
        "wells": [
            {"path": "A/10", "rowIndex": 0, "columnIndex": 2},
            {"path": "B/2", "rowIndex": 1, "columnIndex": 1},
        ],
        "field_count": 2,
        "acquisitions": [{"id": 1, "name": "first"}, {"id": 4, "name": "second"}],
    }
    _set(root, version, plate=_versioned(plate, version))
    fields = {}
    for well in ("A/10", "B/2"):
        group = root.create_group(well)
        images = [{"path": "0", "acquisition": 1}, {"path": "f1", "acquisition": 4}]
        _set(group, version, well=_versioned({"images": images}, version))
        for image in images:
            data = rng.integers(1, 4000, (2, 48, 80), dtype="u2")
            field = group.create_group(str(image["path"]))
            foreign_image(field, data, "cyx", version)
            _labels(field, (data[0] % 5).astype("i4"), version)
            fields[f"{well}/{image['path']}"] = data
    return fields
