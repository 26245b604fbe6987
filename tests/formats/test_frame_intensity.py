from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import LazyArray, MemorySource
from napari_scope.formats import open_dataset
from napari_scope.formats.frame_intensity import IntensityScan
from napari_scope.formats.frame_table import FrameSheet, frame_table
from napari_scope.formats.ndtiff import NDTiffWriter
from napari_scope.formats.plane_records import PlaneRecords
from napari_scope.model import Axis, Dataset, Image

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_intensities_are_those_of_numpy_and_go_on_where_they_stopped(
    tmp_path: Path,
) -> None:
    frames = np.random.default_rng(0).integers(0, 60_000, (6, 7, 9)).astype("u2")
    with NDTiffWriter(tmp_path, summary={}) as writer:
        for n in (5, 0, 3, 1):  # in the order of acquisition, two are missing
            writer.put({"time": n}, frames[n])
    dataset = open_dataset(tmp_path)
    scan = IntensityScan(frame_table(dataset), dataset.images)
    assert not scan.update(cancelled=lambda: scan.count == 2)
    assert scan.count == 2
    told: list[tuple[int, int]] = []
    assert scan.update(lambda done, of: told.append((done, of)))
    assert told == [(3, 4), (4, 4)]
    expected = frames[[5, 0, 3, 1]].reshape(4, -1)
    assert np.allclose(scan.numbers("mean"), expected.mean(1))
    assert scan.numbers("min").tolist() == expected.min(1).tolist()
    assert scan.numbers("max").tolist() == expected.max(1).tolist()
    assert scan.failed == 0


def test_pixels_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path, summary={}) as writer:
        for n in range(2):
            writer.put({"time": n}, np.ones((7, 9), "u2"))
    dataset = open_dataset(tmp_path)
    scan = IntensityScan(frame_table(dataset), dataset.images)
    for file in tmp_path.glob("*.tif"):
        file.unlink()
    assert scan.update() and scan.failed == 2
    assert np.isnan(scan.numbers("mean")).all()


def test_of_planes_that_are_too_large_a_coarser_level_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    axes = (Axis("t"), Axis("y"), Axis("x"))
    fine = LazyArray(MemorySource(np.full((1, 8, 8), 5)))
    small = LazyArray(MemorySource(np.full((1, 4, 4), 7)))
    dataset = Dataset("", "test", "", (Image("a", axes, (fine, small)),))
    sheet = FrameSheet(PlaneRecords(dataset))
    most = "napari_scope.formats.frame_intensity._MOST_PIXELS"
    for limit, coarse, value in ((64, False, 5.0), (16, True, 7.0), (4, False, None)):
        monkeypatch.setattr(most, limit)
        scan = IntensityScan(sheet, dataset.images)
        assert scan.update() and scan.coarse == coarse
        assert scan.failed == (value is None)
        assert value is None or scan.numbers("mean").tolist() == [value]
