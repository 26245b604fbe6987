"""Plates: a plan of wells becomes a plate on disk, for our reader and for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq

from napari_scope.acquire import Output, Run
from napari_scope.acquire.store import CameraNames, store_spec
from napari_scope.events import Plan
from napari_scope.formats import open_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.acquire import CoreOwner
    from napari_scope.stream import StoreSpec


def wells(fields: int = 2) -> useq.WellPlatePlan:
    return useq.WellPlatePlan(
        plate="96-well",
        a1_center_xy=(0, 0),
        selected_wells=([0, 1], [0, 2]),  # A1 and B3
        well_points_plan=useq.GridRowsColumns(
            rows=1, columns=fields, fov_width=200, fov_height=200
        ),
    )


def sequence(positions: Any, **more: Any) -> useq.MDASequence:
    return useq.MDASequence(
        stage_positions=positions,
        channels=[{"config": "DAPI", "exposure": 1}, {"config": "FITC", "exposure": 1}],
        **more,
    )


def spec_of(owner: CoreOwner, plan: useq.MDASequence) -> StoreSpec:
    return store_spec(
        owner.core,
        Plan.from_any(plan),
        "run",
        cameras=CameraNames.of(owner.core),
        summary={},
    )


def test_a_plan_of_wells_has_a_plate(owner: CoreOwner) -> None:
    spec = spec_of(owner, sequence(wells()))
    assert spec.plate is not None
    assert spec.plate.name == "96-well"
    assert spec.plate.rows == tuple("ABCDEFGH")
    assert spec.plate.columns == tuple(map(str, range(1, 13)))
    assert [i.well for i in spec.images] == [("A", "1")] * 2 + [("B", "3")] * 2


def test_positions_that_name_their_wells_have_a_plate(owner: CoreOwner) -> None:
    positions = [
        useq.Position(x=0, y=0, name="one", plate_row=0, plate_col=1),
        useq.Position(x=9000, y=0, name="two", plate_row=26, plate_col=0),
    ]
    spec = spec_of(owner, sequence(positions))
    assert spec.plate is not None
    assert (len(spec.plate.rows), spec.plate.rows[-1]) == (27, "AA")
    assert spec.plate.columns == ("1", "2")
    assert [image.well for image in spec.images] == [("A", "2"), ("AA", "1")]


@pytest.mark.parametrize("loops", [0, 5])
def test_other_positions_have_none(owner: CoreOwner, loops: int) -> None:
    positions = [
        useq.Position(x=0, y=0, plate_row=0, plate_col=1),
        useq.Position(x=9000, y=0),
    ]
    time = {"time_plan": {"interval": 0, "loops": loops}} if loops else {}
    spec = spec_of(owner, sequence(positions, **time))
    assert spec.plate is None
    assert all(image.well is None for image in spec.images)


def test_a_long_time_lapse_of_a_plate_has_it_too(owner: CoreOwner) -> None:
    plan = sequence(wells(1), time_plan={"interval": 0, "loops": 1000})
    spec = spec_of(owner, plan)
    assert spec.plate is not None
    assert spec.n_frames == 1000 * 2 * 2
    assert [image.well for image in spec.images] == [("A", "1"), ("B", "3")]


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_a_plate_is_saved_as_a_plate(
    owner: CoreOwner, tmp_path: Path, version: str
) -> None:
    yaozarrs = pytest.importorskip("yaozarrs")
    path = tmp_path / "p.ome.zarr"
    output = Output(path, "ome-zarr", compression="blosc-lz4", version=version)
    others = [
        Output(tmp_path / "p.ndtiff", "ndtiff"),
        Output(tmp_path / "p.ome.tiff", "ome-tiff"),
    ]
    report = Run(owner, sequence(wells()), [output, *others]).start().wait()
    assert report.saved == 8
    assert [o.path.name for o in report.outputs] == ["p.ome.zarr", "p.ndtiff", "p"]
    assert len([*(tmp_path / "p").glob("*.ome.tif*")]) == 4

    yaozarrs.validate_zarr_store(str(path))
    plate = yaozarrs.open_group(str(path)).ome_metadata().plate
    assert [well.path for well in plate.wells] == ["A/1", "B/3"]
    dataset = open_dataset(path)
    assert not dataset.problems
    names = [image.name for image in dataset.images]
    assert len(set(names)) == 4
    tiffs = open_dataset(tmp_path / "p.ndtiff").images
    for image, same in zip(dataset.images, tiffs, strict=True):
        found = np.asarray(image.levels[0])
        assert found.shape[-3:] == (2, 512, 512)
        assert np.array_equal(np.squeeze(found), np.squeeze(np.asarray(same.levels[0])))
        assert found.any(axis=(-1, -2)).all()
