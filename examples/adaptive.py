"""Let the last frame decide what is taken next: find the right exposure.

    python examples/adaptive.py [FOLDER]

The plan is a generator. It is asked for the next event when the last one is done, so
it can look at what was taken. How many frames come need not be known before.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import useq

from napari_scope.acquire import CoreOwner, Output, Run, next_free_name, output_path

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = 10_000  # mean grey value
TOLERANCE = 0.05


def newest_frame(run: Run) -> np.ndarray:
    """Return the frame that was taken last; it need not be on disk yet."""
    assert run.stream is not None
    view = run.stream.view()
    newest = view.newest()
    assert newest is not None
    frames = view.images[newest.image].levels[0]
    return np.asarray(frames[tuple(newest.index.values())])


def main() -> None:
    """Change the exposure until the image is as bright as wanted."""

    def events() -> Iterator[useq.MDAEvent]:
        exposure_ms = 2.0
        for time in range(20):
            yield useq.MDAEvent(
                index={"t": time, "c": 0}, channel="DAPI", exposure=exposure_ms
            )
            mean = newest_frame(run).mean()
            print(f"exposure {exposure_ms:.1f} ms: mean {mean:.0f}")
            if abs(mean - WANTED) < TOLERANCE * WANTED:
                return
            exposure_ms = float(np.clip(exposure_ms * WANTED / mean, 1, 500))

    folder = sys.argv[1] if len(sys.argv) > 1 else "acquired"
    name = next_free_name(folder, "exposure", ["ome-zarr"])
    output = Output(output_path(folder, name, "ome-zarr"), "ome-zarr")
    with CoreOwner() as owner:
        owner.load()
        run = Run(owner, events(), [output])
        report = run.start().wait()
    print(f"{report.state.value}: {report.saved} frames in {output.path}")


if __name__ == "__main__":
    main()
