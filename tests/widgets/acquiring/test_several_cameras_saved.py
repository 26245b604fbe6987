"""Several cameras through the dock: each frame in its place, in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ndstorage
import numpy as np
import pytest
import tensorstore
import tifffile
import useq
import zarr
from tests.acquire.scopes import two_cameras
from tests.widgets.acquiring.dock_runs import (
    begun,
    ended,
    made_dock,
    no_question,
    small_camera,
)

from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from pymmcore_plus import CMMCorePlus
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

__all__ = ["no_question"]
pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_question")]

CAMERAS = ("Camera", "Camera2")
PRESETS = ("DAPI", "FITC")
PLAN = useq.MDASequence(
    axis_order="tpcz",
    time_plan={"interval": 0, "loops": 3},
    stage_positions=[(0, 0, 0), (600, 0, 0)],
    channels=[{"config": name, "exposure": 1} for name in PRESETS],
    z_plan={"range": 1, "step": 1},
)


def signed_images(core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pixels of an image say what it is of, as the microscope has it.

    Not from the event: where a frame lands is what is tested.
    """
    times: dict[tuple[Any, ...], int] = {}
    snap, now = core.snapImage, [0, 0, 0, 0]

    def snapped() -> None:
        snap()
        place = (
            round(core.getXPosition() / 600),
            PRESETS.index(core.getCurrentConfig("Channel")),
            round(core.getZPosition() + 0.5),
        )
        times[place] = times.get(place, -1) + 1
        now[:] = (times[place], *place)

    def image(camera: int = 0) -> Any:
        height, width = core.getImageHeight(), core.getImageWidth()
        found = np.full((height, width), 7, np.uint16)
        found[0, :5] = [*now, camera]
        return found

    monkeypatch.setattr(core, "snapImage", snapped)
    monkeypatch.setattr(core, "getImage", image)


def test_every_frame_of_every_camera_is_in_its_place(
    shown_viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_network: None,
) -> None:
    core = owner.core
    core.setProperty("Camera", "PixelType", "16bit")
    small_camera(core)
    two_cameras(core)
    signed_images(core, monkeypatch)
    dock = made_dock(shown_viewer, owner, tmp_path / "data", qtbot)
    for box in dock.save_box.format_boxes.values():
        box.setChecked(True)
    dock.editor.setValue(PLAN)
    begun(dock, qtbot)
    report = ended(dock, qtbot)
    assert dock.errors.isHidden(), dock.errors.text.text()
    assert report.saved == report.planned == 3 * 2 * 2 * 2 * 2
    paths = {output.format: output.path for output in report.outputs}
    expected = np.zeros((2, 3, 4, 2, 5), np.uint16)  # p t c z, what the pixels say
    for p, t, c, z in np.ndindex(2, 3, 4, 2):
        preset, camera = divmod(c, 2)
        expected[p, t, c, z] = (t, p, preset, z, camera)
    names = [f"{preset}-{camera}" for preset in PRESETS for camera in CAMERAS]

    # Each store is read by a library that is not of this package.
    for p in range(2):
        store = {"driver": "file", "path": str(paths["ome-zarr"] / f"{p}/0")}
        spec = {"driver": "zarr3", "kvstore": store}
        by_tensorstore = tensorstore.open(spec, read=True).result().read().result()
        by_zarr = zarr.open_array(paths["ome-zarr"] / f"{p}/0", mode="r")[:]
        by_tifffile = tifffile.imread(paths["ome-tiff"] / f"Pos00{p}.ome.tiff")
        for data in (by_tensorstore, by_zarr, by_tifffile):
            np.testing.assert_array_equal(data[..., 0, :5], expected[p])
            assert (data[..., 1:, :] == 7).all()
        group = zarr.open_group(paths["ome-zarr"] / str(p), mode="r")
        labels = [c["label"] for c in group.attrs["ome"]["omero"]["channels"]]
        assert labels == names
    theirs = ndstorage.Dataset(str(paths["ndtiff"]))
    for p, t, c, z in np.ndindex(2, 3, 4, 2):
        axes = {"position": p, "time": t, "channel": names[c], "z": z}
        np.testing.assert_array_equal(
            theirs.read_image(**axes)[0, :5], expected[p, t, c, z]
        )
        assert theirs.read_metadata(**axes)["Core-Camera"] == CAMERAS[c % 2]
    theirs.close()
    # The same in the viewer.
    for p, c in np.ndindex(2, 4):
        layer = shown_viewer.layers[f"Pos00{p} - {names[c]}"]
        shown = np.asarray(layer.data)[..., 0, :5]
        np.testing.assert_array_equal(shown, expected[p, :, c])

    # Cameras of different sizes cannot run together: said with the first image.
    monkeypatch.undo()
    core.setProperty("Camera2", "OnCameraCCDXSize", "48")
    begun(dock, qtbot)
    ended(dock, qtbot)
    assert isinstance(dock.errors.error, HardwareError)
    assert "Cameras differ in image size" in dock.errors.text.text()
