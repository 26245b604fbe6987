"""Read a data set in Python: what it holds, one plane, and a dask array.

    python examples/read_data.py PATH

PATH is an OME-Zarr store or an NDTiff folder.
"""

from __future__ import annotations

import sys

import numpy as np

from napari_scope.formats import open_dataset, to_dask


def main() -> None:
    """Print the images of a data set and project one of them along time."""
    dataset = open_dataset(sys.argv[1])
    print(dataset.format, dataset.format_version)
    for image in dataset.images:
        full = image.levels[0]  # the finest level; nothing is read yet
        channels = [channel.name for channel in image.channels]
        print(f"{image.name}: {image.axis_names} {full.shape} {full.dtype} {channels}")
    for problem in dataset.problems:
        print("problem:", problem)

    image = dataset.images[0]
    full = image.levels[0]
    # Slices are views; pixels are read when numpy wants them.
    plane = np.asarray(full[(0,) * (full.ndim - 2)])
    print("first plane:", plane.shape, plane.dtype, "mean", plane.mean())

    if "t" in image.axis_names:
        brightest = to_dask(full).max(axis=image.axis_names.index("t"))
        print("maximum along time:", brightest.compute().shape)


if __name__ == "__main__":
    main()
