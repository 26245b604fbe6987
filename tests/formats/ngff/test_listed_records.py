from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.ngff.ngff_stores import pixels, write_image

from napari_scope.errors import FormatError
from napari_scope.formats import open_dataset
from napari_scope.formats.frame_intensity import IntensityScan
from napari_scope.formats.frame_records import Place
from napari_scope.formats.frame_table import FrameSheet
from napari_scope.formats.ngff.journal import with_list
from napari_scope.formats.ngff.listed_records import (
    ListedFrames,
    ListedImage,
    ListedRecords,
)
from napari_scope.stream import ImageSpec, Output, StoreSpec, Stream

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {"time": 3, "channel": 2}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Write a run of two positions, of which one frame is missing, and its list."""
    spec = StoreSpec(
        "run",
        (8, 6),
        np.dtype("u2"),
        order=("time", "position", "channel"),
        images=tuple(ImageSpec(f"P{p}", {"position": p}, sizes=SIZES) for p in (0, 1)),
        labels={"channel": ("DAPI", "FITC")},
    )
    output = Output(tmp_path / "run.ome.zarr", "ome-zarr")
    with Stream(spec, [output.sink()]) as stream:
        for number in range(12):
            if number == 7:
                stream.skip(reason="the shutter stuck")
            else:
                stream.append(np.full((8, 6), number, "u2"), {"gain": number})
    return output.path


def listed(path: Path) -> ListedRecords:
    images = open_dataset(path).images
    return ListedRecords(str(path), [ListedImage.of(image) for image in images])


def test_the_list_says_what_and_where(store: Path) -> None:
    records = listed(store)
    assert not records.is_read
    again = pickle.loads(pickle.dumps(records))
    assert len(records) == len(again) == records.refresh() == 11
    # number 6 is time 1, position 1, channel 0; 7 is missing
    assert records.record(6).facts["gain"] == 6
    assert records.place(6) == Place(1, {"t": 1, "c": 0})
    assert records.number_at(1, {"t": 1, "c": 0, "y": 3}) == 6
    assert records.number_at(1, {"t": 1, "c": 1}) is None
    assert records.number_at(2, {}) is None
    images = open_dataset(store).images
    scan = IntensityScan(FrameSheet(records), images)
    assert scan.update() and scan.failed == 0
    expected = [number for number in range(12) if number != 7]
    assert scan.numbers("mean").tolist() == expected


def test_frames_read_nothing_before_they_are_asked(store: Path) -> None:
    frames = ListedFrames(listed(store), 1)
    missing = {"t": 1, "c": 1}
    assert frames.exists(missing) and frames.axes(missing) is None
    assert not frames.records.is_read
    assert frames.metadata({"t": 2, "c": 1}) == {"gain": 11}
    assert frames.axes({"t": 2, "c": 1}) == {
        "time": 2,
        "position": 1,
        "channel": "FITC",
    }
    assert not frames.exists(missing) and frames.metadata(missing) is None


def test_a_list_that_cannot_be_read_is_asked_for_again(store: Path) -> None:
    frames = ListedFrames(listed(store), 0)
    hidden = store / "acquisition" / "hidden"
    (store / "acquisition" / "zarr.json").rename(hidden)
    with pytest.raises(FormatError):
        frames.metadata({})
    hidden.rename(store / "acquisition" / "zarr.json")
    assert frames.metadata({}) == {"gain": 0}


def test_only_our_own_stores_have_a_list(store: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "other.zarr", "yx", pixels((4, 4)))
    other = open_dataset(tmp_path / "other.zarr").images
    assert with_list(other, "https://h.org/other.zarr", {"ome": {}})[0].frames is None
    (image,) = with_list(other, "https://h.org/a.zarr", {"napari_scope": {}})
    assert isinstance(image.frames, ListedFrames) and not image.frames.records.is_read


def test_axes_that_mean_nothing_have_no_place() -> None:
    images = [
        ListedImage("a", {"t": 2, "c": 2}, ("R", "G")),
        ListedImage("b", {"t": 2}, ()),
    ]
    records = ListedRecords("/nowhere", images)
    assert records._place({"position": "b", "time": 1}) == Place(1, {"t": 1})
    assert records._place({"channel": "G"}) == Place(0, {"t": 0, "c": 1})
    for axes in (
        {"position": "c"},
        {"position": 7},
        {"time": 2},
        {"channel": "X"},
        {"time": "x"},
    ):
        assert records._place(axes) is None
