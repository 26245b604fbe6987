"""Sample data: a small acquisition of the demo microscope, made on the spot."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_scope.layers import LayerData

__all__ = ["demo_acquisition"]


def demo_acquisition() -> list[LayerData]:
    """Run a small acquisition on the demo microscope and open what it saved.

    A core of its own is used, so the microscope in use is not disturbed. The store
    lies in a temporary folder, which the layers read from as long as they live.
    """
    from pymmcore_plus import CMMCorePlus

    from napari_scope._demo import demo_sequence
    from napari_scope._reader import read
    from napari_scope.acquire import CoreOwner, Output, Run

    folder = Path(tempfile.mkdtemp(prefix="napari-scope-"))
    output = Output(folder / "demo.ome.zarr", "ome-zarr")
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        Run(owner, demo_sequence(), [output]).start().wait()
    return read(output.path)
