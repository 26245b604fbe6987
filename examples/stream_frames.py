"""Stream frames of your own into an OME-Zarr store, without a microscope.

    python examples/stream_frames.py [FOLDER]

The settings have the names that ome-writers uses.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from napari_scope.stream import AcquisitionSettings, Dimension, create_stream


def main() -> None:
    """Save ten time points of two channels."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "acquired")
    settings = AcquisitionSettings(
        root_path=folder / "noise.ome.zarr",
        dtype="uint16",
        dimensions=[
            Dimension(name="t", count=10, scale=0.5, unit="second"),
            Dimension(name="c", coords=["DAPI", "FITC"]),
            Dimension(name="y", count=1024, scale=0.1, unit="micrometer"),
            Dimension(name="x", count=1024, scale=0.1, unit="micrometer"),
        ],
    )
    rng = np.random.default_rng(0)
    with create_stream(settings) as stream:
        # In the order of the dimensions: t0 DAPI, t0 FITC, t1 DAPI, ...
        for number in range(20):
            if number == 7:
                stream.skip(reason="the shutter was closed")
                continue
            frame = rng.integers(100, 4000, (1024, 1024), dtype="uint16")
            stream.append(frame, {"exposure_ms": 20.0})

    stats = stream.stats()
    print(f"{stats.saved} frames saved, {stats.skipped} skipped")
    print(settings.output_path)


if __name__ == "__main__":
    main()
