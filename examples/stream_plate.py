"""Stream frames into a plate, one of whose positions has no z stack.

    python examples/stream_plate.py [FOLDER]

Two fields lie in one well. A channel is taken at every other time point only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from napari_scope.stream import (
    AcquisitionSettings,
    Dimension,
    Gap,
    Plate,
    Position,
    create_stream,
)


def main() -> None:
    """Save four time points of three fields in two channels."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "acquired")
    fields = [
        Position(name="fov0", plate_row="A", plate_column="1", sizes={"z": 1}),
        Position(name="fov0", plate_row="C", plate_column="4"),
        Position(name="fov1", plate_row="C", plate_column="4"),
    ]
    settings = AcquisitionSettings(
        root_path=folder / "plate.ome.zarr",
        dtype="uint16",
        dimensions=[
            Dimension(name="t", count=4, scale=30, unit="s"),
            Dimension(name="p", coords=fields),
            Dimension(name="c", coords=["DAPI", "FITC"]),
            Dimension(name="z", count=3, scale=2, unit="um"),
            Dimension(name="y", count=256, scale=0.5, unit="um"),
            Dimension(name="x", count=256, scale=0.5, unit="um"),
        ],
        plate=Plate.from_standard_wells(24),
        gaps=[Gap(index={"c": [1], "t": [1, 3]}, reason="every other time point")],
    )
    rng = np.random.default_rng(0)
    with create_stream(settings) as stream:
        for _ in range(settings.num_frames or 0):
            stream.append(rng.integers(100, 4000, (256, 256), dtype="uint16"))

    stats = stream.stats()
    print(f"{stats.saved} frames saved, {stats.skipped} skipped")
    print(settings.output_path)


if __name__ == "__main__":
    main()
