"""Plates to measure with: OME-Zarr 0.5, made of JSON and encoded chunks, quickly.

The pixels of a few fields are encoded once and written for all wells. Nothing of the
package under test takes part.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PLATE", "PlateData"]

PLATE = "plate.zarr"

_CHANNELS = (("DAPI", "0000FF"), ("GFP", "00FF00"), ("RFP", "FF0000"))
_PATTERNS = 4


@dataclass(frozen=True)
class PlateData:
    """A plate of wells with fields of three channels.

    Parameters
    ----------
    rows, columns, fields : int
        Of the plate; fields of a well.
    side, levels : int
        Pixels of a field along y and x; levels of resolution, each half of the other.
    """

    rows: int
    columns: int
    fields: int
    side: int = 512
    levels: int = 3

    @property
    def wells(self) -> int:
        """Number of wells."""
        return self.rows * self.columns

    def text(self) -> str:
        """Return what it is, in a sentence."""
        return (
            f"{self.wells} wells with {self.fields} field{'s' * (self.fields > 1)} of "
            f"3 x {self.side} x {self.side} pixels of 16 bits, {self.levels} levels, "
            "blosc-zstd."
        )

    def field(self, number: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
        """Return the pixels of the n-th field of the plate: channels, y, x."""
        rng = np.random.default_rng(number % _PATTERNS)
        shape = (len(_CHANNELS), self.side, self.side)
        return rng.integers(100, 900, shape).astype(np.uint16)

    def write(self, folder: Path) -> None:
        """Write the plate into a folder."""
        root = folder / PLATE
        names = [chr(ord("A") + n) for n in range(self.rows)]
        columns = [str(n + 1) for n in range(self.columns)]
        wells = [
            {"path": f"{row}/{column}", "rowIndex": m, "columnIndex": n}
            for m, row in enumerate(names)
            for n, column in enumerate(columns)
        ]
        plate = {
            "name": "plate",
            "rows": [{"name": name} for name in names],
            "columns": [{"name": name} for name in columns],
            "field_count": self.fields,
            "wells": wells,
        }
        _group(root, {"plate": plate})
        chunks = [self._encoded(n) for n in range(_PATTERNS)]
        image = self._image()
        for row in names:
            _group(root / row, {})
        images = [{"path": str(n)} for n in range(self.fields)]
        for number, well in enumerate(wells):
            path = root / str(well["path"])
            _group(path, {"well": {"images": images}})
            for n in range(self.fields):
                pattern = chunks[(number * self.fields + n) % _PATTERNS]
                self._field(path / str(n), image, pattern)

    def _field(
        self, folder: Path, image: dict[str, Any], chunks: list[list[bytes]]
    ) -> None:
        _group(folder, image)
        for level, encoded in enumerate(chunks):
            _document(folder / str(level), self._array(level))
            for channel, data in enumerate(encoded):
                place = folder / str(level) / "c" / str(channel) / "0"
                place.mkdir(parents=True)
                (place / "0").write_bytes(data)

    def _encoded(self, number: int) -> list[list[bytes]]:
        from numcodecs import Blosc

        codec = Blosc("zstd", 1, Blosc.SHUFFLE)
        pixels = self.field(number)
        return [
            [
                codec.encode(np.ascontiguousarray(plane[:: 2**level, :: 2**level]))
                for plane in pixels
            ]
            for level in range(self.levels)
        ]

    def _image(self) -> dict[str, Any]:
        datasets = [
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1, 0.5 * 2**level, 0.5 * 2**level]}
                ],
            }
            for level in range(self.levels)
        ]
        axes = [{"name": "c", "type": "channel"}]
        axes += [{"name": n, "type": "space", "unit": "micrometer"} for n in ("y", "x")]
        channels = [
            {
                "label": name,
                "color": color,
                "active": True,
                "window": {"start": 0, "end": 1000, "min": 0, "max": 65535},
            }
            for name, color in _CHANNELS
        ]
        return {
            "multiscales": [{"name": "field", "axes": axes, "datasets": datasets}],
            "omero": {"channels": channels},
        }

    def _array(self, level: int) -> dict[str, Any]:
        side = self.side >> level
        blosc = {
            "typesize": 2, "cname": "zstd", "clevel": 1, "shuffle": "shuffle",
            "blocksize": 0,
        }  # fmt: skip
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [len(_CHANNELS), side, side],
            "data_type": "uint16",
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": [1, side, side]},
            },
            "chunk_key_encoding": {
                "name": "default",
                "configuration": {"separator": "/"},
            },
            "fill_value": 0,
            "codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                {"name": "blosc", "configuration": blosc},
            ],
            "attributes": {},
            "dimension_names": ["c", "y", "x"],
        }


def _group(folder: Path, block: dict[str, Any]) -> None:
    attributes = {"ome": {"version": "0.5", **block}} if block else {}
    document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    _document(folder, document)


def _document(folder: Path, document: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zarr.json").write_text(json.dumps(document))
