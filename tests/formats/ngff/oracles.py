"""Independent readers of Zarr arrays: what we write, they must all read alike."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    Reader = Callable[[Path], npt.NDArray[Any]]


def by_zarr_python(path: Path) -> npt.NDArray[Any]:
    import zarr

    return np.asarray(zarr.open_array(path, mode="r")[...])


def by_tensorstore(path: Path) -> npt.NDArray[Any]:
    import tensorstore

    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"}}
    return np.asarray(
        tensorstore.open(spec, open=True, read=True).result().read().result()
    )


def by_zarrs(path: Path) -> npt.NDArray[Any]:
    import zarr

    with (
        warnings.catch_warnings(),
        zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}),
    ):
        warnings.simplefilter("ignore")
        return np.asarray(zarr.open_array(path, mode="r")[...])


def readers() -> dict[str, Reader]:
    """Return the readers that are installed."""
    found: dict[str, Reader] = {
        "zarr-python": by_zarr_python,
        "tensorstore": by_tensorstore,
    }
    try:
        import zarrs  # noqa: F401
    except ImportError:
        return found
    return {**found, "zarrs": by_zarrs}


READERS = readers()
