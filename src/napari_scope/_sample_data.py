"""Sample data: a small acquisition of the demo microscope, made on the spot."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.core_import import import_pymmcore_plus

if TYPE_CHECKING:
    from napari_scope.layers import LayerData

__all__ = ["demo_acquisition"]


def demo_acquisition() -> list[LayerData]:
    """Run a small acquisition on the demo microscope and open what it saved.

    This takes some seconds and blocks until the run is over: napari expects the layers
    as the result, and does not react meanwhile. A core of its own is used, so the
    microscope in use is not disturbed.

    The store (about 40 MB) lies in a temporary folder, which is removed when the
    process ends. It is not removed together with the layers: the same path may have
    been opened once more, and missing frames would be shown as black ones.
    """
    import_pymmcore_plus()
    from pymmcore_plus import CMMCorePlus

    from napari_scope._demo import demo_sequence
    from napari_scope._reader import read
    from napari_scope.acquire import CoreOwner, Output, Run

    folder = Path(tempfile.mkdtemp(prefix="napari-scope-"))
    # On Windows files that are still open cannot be removed; that is no error.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    output = Output(folder / "demo.ome.zarr", "ome-zarr")
    try:
        with CoreOwner(CMMCorePlus()) as owner:
            owner.load()
            Run(owner, demo_sequence(), [output]).start().wait()
        return read(output.path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
