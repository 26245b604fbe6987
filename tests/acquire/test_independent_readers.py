"""What a run saved, read by programs that know nothing of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorstore
import useq
import zarr

from napari_scope.acquire import CoreOwner, Output, Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLAN = useq.MDASequence(
    axis_order="tpcz",
    time_plan={"interval": 0, "loops": 2},
    stage_positions=[
        {"x": 0, "y": 0, "z": 5, "name": "A"},
        {"x": 600, "y": 100, "z": 7, "name": "B"},
    ],
    channels=[{"config": "DAPI", "exposure": 2}, {"config": "FITC", "exposure": 1}],
    z_plan={"range": 2, "step": 1},
    # Large enough for a pyramid of two levels.
    setup={
        "properties": [
            ("Camera", "OnCameraCCDXSize", "700"),
            ("Camera", "OnCameraCCDYSize", "600"),
        ]
    },
)

Frames = dict[tuple[int, int, int, int], np.ndarray]


class Witness(Run):
    """Keeps a copy of every frame the camera delivered, by (p, t, c, z)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: Frames = {}

    def frame(
        self, image: np.ndarray, event: useq.MDAEvent, meta: dict[str, Any]
    ) -> None:
        i = event.index
        self.seen[i["p"], i["t"], i["c"], i["z"]] = image.copy()
        super().frame(image, event, meta)


@pytest.fixture
def stored(owner: CoreOwner, tmp_path: Path) -> tuple[Path, Path, Frames]:
    zarr_path, ndtiff_path = tmp_path / "r.ome.zarr", tmp_path / "r.ndtiff"
    outputs = [Output(zarr_path, "ome-zarr"), Output(ndtiff_path, "ndtiff")]
    run = Witness(owner, PLAN, outputs).start()
    assert run.wait(60).saved == 24
    return zarr_path, ndtiff_path, run.seen


def same(found: Mapping[int, Any], frames: Frames) -> None:
    assert len(frames) == 24
    for (p, t, c, z), frame in frames.items():
        np.testing.assert_array_equal(np.asarray(found[p][t, c, z]), frame)


def test_zarr_python_and_tensorstore(stored: tuple[Path, Path, Frames]) -> None:
    path, _, frames = stored
    root = zarr.open_group(path, mode="r")
    same({p: np.asarray(root[f"{p}/0"]) for p in (0, 1)}, frames)
    spec = {"driver": "zarr3", "kvstore": {"driver": "file"}}
    found = {}
    for p in (0, 1):
        spec["kvstore"] = {"driver": "file", "path": str(path / str(p) / "0")}
        found[p] = tensorstore.open(spec, read=True).result().read().result()
    same(found, frames)
    # Nothing but groups and arrays, so that no reader warns of foreign objects.
    assert {name for name, _ in root.members()} == {"0", "1", "OME", "acquisition"}


def test_ome_zarr_py(stored: tuple[Path, Path, Frames]) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    path, _, frames = stored
    found = {}
    for p in (0, 1):
        location = parse_url(path / str(p))
        assert location is not None
        (node,) = Reader(location)()
        assert [level.shape[-2:] for level in node.data] == [(600, 700), (300, 350)]
        assert node.metadata["channel_names"] == ["DAPI", "FITC"]
        found[p] = np.asarray(node.data[0])
    same(found, frames)


def test_napari_ome_zarr(stored: tuple[Path, Path, Frames]) -> None:
    from napari_ome_zarr import napari_get_reader

    path, _, frames = stored
    reader = napari_get_reader(str(path))
    layers = reader(str(path))
    found = {p: np.asarray(layer[0][0]) for p, layer in enumerate(layers)}
    same(found, frames)


def test_yaozarrs_finds_the_store_valid(stored: tuple[Path, Path, Frames]) -> None:
    from yaozarrs import validate_zarr_store

    validate_zarr_store(stored[0])


def test_ndstorage(stored: tuple[Path, Path, Frames]) -> None:
    from ndstorage import Dataset

    _, path, frames = stored
    dataset = Dataset(str(path))
    for (p, t, c, z), frame in frames.items():
        axes = {
            "position": "AB"[p],
            "time": t,
            "channel": ("DAPI", "FITC")[c],
            "z": z,
        }
        np.testing.assert_array_equal(dataset.read_image(**axes), frame)
        metadata = dataset.read_metadata(**axes)
        assert metadata["Channel"] == axes["channel"]
        assert metadata["XPosition_um_Intended"] == (0, 600)[p]
        assert metadata["Exposure"] == (2, 1)[c]
    assert dataset.summary_metadata["ChNames"] == ["DAPI", "FITC"]
    dataset.close()


def test_tifffile(stored: tuple[Path, Path, Frames]) -> None:
    import tifffile

    _, path, frames = stored
    (file,) = path.glob("*.tif")
    with tifffile.TiffFile(file) as tif:
        assert len(tif.pages) == 24
        first = tif.pages[0].asarray()
    np.testing.assert_array_equal(first, frames[0, 0, 0, 0])


def test_coarse_level_is_the_mean(stored: tuple[Path, Path, Frames]) -> None:
    path, _, frames = stored
    coarse = np.asarray(zarr.open_array(path / "1" / "1", mode="r"))
    for (p, t, c, z), frame in frames.items():
        if p == 1:
            blocks = frame.reshape(300, 2, 350, 2).astype(np.uint32)
            mean = (blocks.sum(axis=(1, 3)) + 2) // 4
            np.testing.assert_array_equal(coarse[t, c, z], mean)
