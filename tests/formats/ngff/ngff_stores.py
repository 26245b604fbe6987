"""Small OME-Zarr stores for tests, made with zarr-python and plain dictionaries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

UNITS = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def pixels(
    shape: tuple[int, ...], dtype: str = "uint16", seed: int = 0
) -> npt.NDArray[Any]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 250, shape).astype(dtype)


def axes(names: str) -> list[dict[str, str]]:
    return [
        {"name": n, "type": TYPES.get(n, "other")}
        | ({"unit": UNITS[n]} if n in UNITS else {})
        for n in names
    ]


def set_attributes(group: Path, attributes: dict[str, Any], zarr_format: int) -> None:
    """Write the attributes of a group as text, as any writer may have left them."""
    group.mkdir(parents=True, exist_ok=True)
    if zarr_format == 3:
        document = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": attributes,
        }
        (group / "zarr.json").write_text(json.dumps(document))
    else:
        (group / ".zgroup").write_text('{"zarr_format": 2}')
        (group / ".zattrs").write_text(json.dumps(attributes))


def multiscales(
    names: str,
    n_levels: int,
    *,
    scale: list[float] | None = None,
    translation: list[float] | None = None,
    **more: Any,
) -> dict[str, Any]:
    datasets = []
    for level in range(n_levels):
        factors = [2**level if n in "yx" else 1 for n in names]
        base = scale or [1.0] * len(names)
        transforms: list[dict[str, Any]] = [
            {
                "type": "scale",
                "scale": [s * f for s, f in zip(base, factors, strict=True)],
            }
        ]
        if translation:
            transforms.append({"type": "translation", "translation": translation})
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    return {"axes": axes(names), "datasets": datasets, **more}


def write_levels(
    group: Path,
    data: npt.NDArray[Any],
    n_levels: int = 1,
    *,
    zarr_format: int = 3,
    **options: Any,
) -> list[npt.NDArray[Any]]:
    """Write levels 0, 1, ... that take every second pixel of the one before."""
    levels = [data]
    for _ in range(n_levels - 1):
        levels.append(levels[-1][..., ::2, ::2])
    for number, level in enumerate(levels):
        array = zarr.create_array(
            str(group / str(number)),
            shape=level.shape,
            dtype=level.dtype,
            zarr_format=zarr_format,  # type: ignore[arg-type]
            **{"chunks": "auto", **options},
        )
        array[:] = level
    return levels


def write_image(
    group: Path,
    names: str,
    data: npt.NDArray[Any],
    n_levels: int = 1,
    *,
    zarr_format: int = 3,
    omero: object = None,
    own: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    **metadata: Any,
) -> list[npt.NDArray[Any]]:
    """Write one multiscale image: 0.5 in Zarr v3, 0.4 in Zarr v2."""
    block: dict[str, Any] = {"multiscales": [multiscales(names, n_levels, **metadata)]}
    if omero is not None:
        block["omero"] = omero
    if zarr_format == 3:
        attributes: dict[str, Any] = {"ome": {"version": "0.5", **block}}
    else:
        block["multiscales"][0]["version"] = "0.4"
        attributes = block
    if own is not None:
        attributes["napari_scope"] = own
    set_attributes(group, attributes, zarr_format)
    dimension_names = {"dimension_names": list(names)} if zarr_format == 3 else {}
    return write_levels(
        group,
        data,
        n_levels,
        zarr_format=zarr_format,
        **dimension_names,
        **(options or {}),
    )


def write_plate(
    root: Path, wells: dict[str, list[str]], *, zarr_format: int = 3, names: str = "cyx"
) -> dict[str, npt.NDArray[Any]]:
    """Write a plate; returns the pixels by path such as ``A/1/0``."""

    def versioned(key: str, block: dict[str, Any]) -> dict[str, Any]:
        if zarr_format == 3:
            return {"ome": {"version": "0.5", key: block}}
        return {key: {"version": "0.4", **block}}

    rows = list(dict.fromkeys(w.split("/")[0] for w in wells))
    columns = list(dict.fromkeys(w.split("/")[1] for w in wells))
    plate = {
        "name": "plate of tests",
        "rows": [{"name": r} for r in rows],
        "columns": [{"name": c} for c in columns],
        "wells": [
            {
                "path": w,
                "rowIndex": rows.index(w.split("/")[0]),
                "columnIndex": columns.index(w.split("/")[1]),
            }
            for w in wells
        ],
    }
    set_attributes(root, versioned("plate", plate), zarr_format)
    shape = tuple({"t": 2, "c": 2, "z": 3, "y": 6, "x": 8}[n] for n in names)
    written = {}
    for number, (well, fields) in enumerate(wells.items()):
        set_attributes(root / well.split("/")[0], {}, zarr_format)
        block = {"images": [{"path": f} for f in fields]}
        set_attributes(root / well, versioned("well", block), zarr_format)
        for place, field in enumerate(fields):
            data = pixels(shape, seed=100 * number + place)
            write_image(root / well / field, names, data, zarr_format=zarr_format)
            written[f"{well}/{field}"] = data
    return written
