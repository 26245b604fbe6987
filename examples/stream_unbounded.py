"""Stream frames until something ends them; frames that fail are skipped.

    python examples/stream_unbounded.py [FOLDER]

The number of time points is not known before. Stop with Ctrl-C at any time: what was
appended is saved.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np

from napari_scope.stream import AcquisitionSettings, Dimension, create_stream

SIZE = 512


def main() -> None:
    """Save noise until it is bright enough."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "acquired")
    settings = AcquisitionSettings(
        root_path=folder / "endless.ome.zarr",
        dtype="uint16",
        dimensions=[
            Dimension(name="t", count=None, scale=0.1, unit="s"),
            Dimension(name="y", count=SIZE, scale=0.1, unit="um"),
            Dimension(name="x", count=SIZE, scale=0.1, unit="um"),
        ],
    )
    rng = np.random.default_rng(0)
    with create_stream(settings) as stream:
        for number in itertools.count():
            if number % 8 == 5:
                stream.skip(reason="the focus was lost")
                continue
            level = 100 + 10 * number
            stream.append(rng.poisson(level, (SIZE, SIZE)).astype("uint16"))
            if level > 300:
                break

    stats = stream.stats()
    print(f"{stats.saved} frames saved, {stats.skipped} skipped")
    print(settings.output_path)


if __name__ == "__main__":
    main()
