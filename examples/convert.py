"""Convert a data set in Python, with progress and a report.

    python examples/convert.py SOURCE TARGET

SOURCE is an OME-Zarr store of any version, an NDTiff folder or an OME-TIFF file; the
suffix of TARGET (.ome.zarr, .ndtiff or .ome.tiff) says what to make.
"""

from __future__ import annotations

import sys

from napari_scope.stream.convert import ConversionProgress, convert


def show(progress: ConversionProgress) -> None:
    """Print a line for every tenth of the way; returning False would cancel."""
    if progress.done % max(1, progress.total // 10) == 0:
        print(f"{progress.phase}: {progress.done} of {progress.total}")


def main() -> None:
    """Convert, leaving out frames that cannot be read."""
    source, target = sys.argv[1:]
    report = convert(source, target, on_error="skip", progress=show)
    print(f"{report.written} of {report.frames} frames written, ", end="")
    print(f"{report.verified} read back and the same")
    print(f"{report.missing} frames are missing in the source")
    for frame in report.unread:
        print("not readable:", dict(frame.axes), frame.reason)
    for note in report.notes:
        print("note:", note)
    print(report.target)


if __name__ == "__main__":
    main()
