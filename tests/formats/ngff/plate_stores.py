"""Plates for tests, made well by well, each field as odd as it is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.formats.ngff.ngff_stores import set_attributes, write_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["PlateStore", "field_pixels"]

SHAPE = (2, 8, 12)
CHANNELS = ("DAPI", "GFP")


def field_pixels(
    seed: int, shape: tuple[int, ...] = SHAPE, dtype: str = "uint16"
) -> npt.NDArray[Any]:
    """Return pixels of which none is zero."""
    rng = np.random.default_rng(seed)
    return rng.integers(1, 250, shape).astype(dtype)


def omero(names: Sequence[str], window: bool = True) -> dict[str, Any]:
    shown = {"window": {"start": 0, "end": 250, "min": 0, "max": 255}}
    return {"channels": [{"label": n, **(shown if window else {})} for n in names]}


@dataclass
class PlateStore:
    """A plate that grows well by well.

    Parameters
    ----------
    root : Path
        Its folder.
    rows, columns : str
        Names, one letter each.
    more : dict
        More fields of the plate's metadata.
    zarr_format : {2, 3}
        Zarr v2 with OME-Zarr 0.4, or v3 with 0.5.
    """

    root: Path
    rows: str = "AB"
    columns: str = "123"
    more: dict[str, Any] = field(default_factory=dict)
    zarr_format: int = 3
    wells: list[str] = field(default_factory=list)
    seed: int = 0

    def add_well(
        self,
        path: str,
        fields: Sequence[str] = ("0",),
        *,
        acquisitions: Sequence[int | None] | None = None,
        written: bool = True,
        **options: Any,
    ) -> list[npt.NDArray[Any]]:
        """Add a well; returns the pixels of its fields."""
        self.wells.append(path)
        listed = acquisitions or [None] * len(fields)
        images = [
            {"path": f} | ({} if a is None else {"acquisition": a})
            for f, a in zip(fields, listed, strict=True)
        ]
        self._set(path, {"well": {"images": images}})
        self._set("", {"plate": self._plate()})
        if not written:
            return []
        return [self.add_field(f"{path}/{name}", **options) for name in fields]

    def add_field(
        self,
        path: str,
        names: str = "cyx",
        data: npt.NDArray[Any] | None = None,
        n_levels: int = 2,
        *,
        channels: Sequence[str] = CHANNELS,
        window: bool = True,
        **options: Any,
    ) -> npt.NDArray[Any]:
        """Write a field; returns its pixels."""
        self.seed += 1
        data = field_pixels(self.seed) if data is None else data
        options.setdefault("scale", [0.5 if n in "yx" else 1.0 for n in names])
        write_image(
            self.root / path,
            names,
            data,
            n_levels,
            zarr_format=self.zarr_format,
            omero=omero(channels, window) if channels else None,
            **options,
        )
        return data

    def add_labels(self, path: str, name: str, data: npt.NDArray[Any]) -> None:
        """Write a segmentation of a field."""
        self._set(f"{path}/labels", {"labels": [name]})
        write_image(
            self.root / path / "labels" / name,
            "yx",
            data,
            zarr_format=self.zarr_format,
            scale=[0.5, 0.5],
        )

    def _plate(self) -> dict[str, Any]:
        return {
            "name": "tests",
            "rows": [{"name": n} for n in self.rows],
            "columns": [{"name": n} for n in self.columns],
            "wells": [
                {
                    "path": path,
                    "rowIndex": self.rows.index(path.split("/")[0]),
                    "columnIndex": self.columns.index(path.split("/")[1]),
                }
                for path in self.wells
            ],
            **self.more,
        }

    def _set(self, path: str, block: dict[str, Any]) -> None:
        if self.zarr_format == 3:
            block = {"ome": {"version": "0.5", **block}}
        set_attributes(self.root / path if path else self.root, block, self.zarr_format)
