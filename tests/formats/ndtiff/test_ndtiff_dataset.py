"""`Dataset`: what the documents of pycro-manager promise, and what it refuses."""

from __future__ import annotations

import inspect
import itertools
import json
import logging
import os
import pickle
import shutil
import struct
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_scope
from napari_scope.errors import (
    DatasetClosedError,
    FormatError,
    MissingImageError,
    ScopeError,
)
from napari_scope.formats.ndtiff import Dataset, NDTiffWriter
from napari_scope.formats.ndtiff.dataset_order import axis_order, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Axes = Mapping[str, int | str]
    Pixels = np.ndarray[Any, Any]

_TILED = {"GridPixelOverlapX": 0, "GridPixelOverlapY": 0, "TiledImageStorage": True}


def write(
    folder: Path,
    frames: Iterable[tuple[Axes, Pixels]],
    summary: Mapping[str, object] | None = None,
) -> Path:
    """Write a store; the metadata of each frame count the frames."""
    with NDTiffWriter(folder, summary=summary or {}) as writer:
        for number, (axes, pixels) in enumerate(frames):
            writer.put(axes, pixels, {"number": number})
    return folder


def pixels(number: int, shape: tuple[int, ...] = (3, 4), dtype: str = "u2") -> Pixels:
    return (number * 16 + np.arange(np.prod(shape)).reshape(shape) % 16).astype(dtype)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Time 0 to 2, channels FITC and DAPI in this order, planes -1 to 2."""
    axes = itertools.product(range(3), ("FITC", "DAPI"), range(-1, 3))
    return write(
        tmp_path / "run",
        (
            ({"time": t, "channel": c, "z": z}, pixels(n))
            for n, (t, c, z) in enumerate(axes)
        ),
        {"Prefix": "run"},
    )


def number_of(image: object) -> int:
    """Return which frame it is."""
    return int(np.asarray(image).flat[0]) // 16


# ------------------------------------------------------------------- the documents


def test_arguments_are_those_of_the_documents() -> None:
    """Names, order and defaults of `pycromanager.Dataset` as it is documented."""
    documented = {
        "__init__": "dataset_path=None, full_res_only=True, "
        "remote_storage_monitor=None",
        "as_array": "axes=None, stitched=False, verbose=True",
        "get_index_keys": "res_level=0",
        "has_image": "channel=0, z=None, time=None, position=None, channel_name=None, "
        "resolution_level=0, row=None, col=None",
        "read_image": "channel=0, z=None, time=None, position=None, row=None, "
        "col=None, channel_name=None, resolution_level=0, memmapped=False",
        "read_metadata": "channel=0, z=None, time=None, position=None, "
        "channel_name=None, row=None, col=None, resolution_level=0",
    }
    for name, arguments in documented.items():
        given_ = inspect.signature(getattr(Dataset, name)).parameters.values()
        ours = [f"{p.name}={p.default!r}" for p in given_ if p.name != "self"]
        expected = arguments.split(", ")
        assert ours[: len(expected)] == expected
        if name not in ("__init__", "get_index_keys"):
            assert list(given_)[-1].kind is inspect.Parameter.VAR_KEYWORD


def test_the_script_of_the_documents(tmp_path: Path) -> None:
    axes = itertools.product(range(3), range(2), range(2), range(2))
    data_path = write(
        tmp_path / "data",
        (
            ({"time": t, "z": z, "row": r, "column": c}, pixels(n))
            for n, (t, z, r, c) in enumerate(axes)
        ),
        _TILED,
    )
    dataset = napari_scope.Dataset(str(data_path))
    assert dataset.axes == {
        "row": [0, 1],
        "column": [0, 1],
        "time": [0, 1, 2],
        "z": [0, 1],
    }
    img = dataset.read_image(z=0, time=1, row=0, col=1)
    img_metadata = dataset.read_metadata(z=0, time=1, row=0, col=1)
    assert isinstance(img, np.ndarray)
    assert isinstance(img_metadata, dict)
    assert number_of(img) == img_metadata["number"] == 9
    dask_array = dataset.as_array()
    assert isinstance(dask_array, da.Array)
    assert dask_array.shape == (2, 2, 3, 2, 3, 4)
    max_intensity = np.max(dask_array[0, 0], axis=0)
    assert np.asarray(max_intensity).shape == (2, 3, 4)
    assert number_of(max_intensity) == 16
    dask_array = dataset.as_array(stitched=True)
    assert dask_array.shape == (3, 2, 6, 8)
    dask_array = dataset.as_array(z=0, time=2)
    assert dask_array.shape == (2, 2, 3, 4)
    assert [number_of(tile) for row in dask_array for tile in row] == [16, 17, 18, 19]
    dataset.close()


def test_ways_to_open(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store.parent)
    for dataset in (
        Dataset(store),
        Dataset(str(store)),
        Dataset(dataset_path=store),
        Dataset(path=store),
        Dataset(store / "NDTiff.index"),
        Dataset("run"),
        Dataset(store, True, object()),
        Dataset(store, full_res_only=False, file_io=object()),
    ):
        with dataset:
            monkeypatch.chdir("/")
            assert dataset.path == store
            assert number_of(dataset.read_image(time=2, z=2, channel="DAPI")) == 23
        monkeypatch.chdir(store.parent)


def test_what_cannot_be_opened(tmp_path: Path, store: Path) -> None:
    with pytest.raises(TypeError, match="one path"):
        Dataset()
    with pytest.raises(TypeError, match="one path"):
        Dataset(store, path=store)
    with pytest.raises(FormatError, match=r"no NDTiff store.*choose the folder"):
        Dataset(tmp_path)
    with pytest.raises(FormatError, match="file_io is not used"):
        Dataset("s3://bucket/run", file_io=object())


def test_what_a_data_set_says(store: Path) -> None:
    with Dataset(store) as dataset:
        assert dataset.axes == {
            "time": [0, 1, 2],
            "channel": ["FITC", "DAPI"],
            "z": [-1, 0, 1, 2],
        }
        assert list(dataset.axes) == ["time", "channel", "z"]
        assert dataset.axes_types == {"time": int, "channel": str, "z": int}
        assert dataset.summary_metadata["Prefix"] == "run"
        assert dataset.version == (3, 3)
        assert dataset.dtype == np.uint16
        assert (dataset.image_height, dataset.image_width) == (3, 4)
        assert dataset.bytes_per_pixel == 2
        assert dataset.overlap is None
        assert dataset.problems == []
        assert dataset.res_levels == {0: store}
        assert dataset.get_channel_names() == ["FITC", "DAPI"]
        text = "24 images of 3 x 4 uint16, axes {time: 3, channel: 2, z: 4}"
        assert repr(dataset) == f"<Dataset {str(store)!r}, {text}>"
        # What is handed out can be changed without harm.
        dataset.axes["time"].append(9)
        dataset.summary_metadata["Prefix"] = ""
        assert dataset.axes["time"] == [0, 1, 2]
        assert dataset.summary_metadata["Prefix"] == "run"


def test_summary_metadata_of_the_caller(tmp_path: Path) -> None:
    frames = [({"row": r, "column": 0}, pixels(r)) for r in range(2)]
    folder = write(tmp_path / "run", frames)
    given_ = {**_TILED, "GridPixelOverlapY": 1}
    with Dataset(folder, summary_metadata=given_) as dataset:
        assert dataset.summary_metadata == given_
        assert dataset.overlap == (1, 0)
        assert dataset.as_array(stitched=True).shape == (4, 4)
        assert pickle.loads(pickle.dumps(dataset)).overlap == (1, 0)


def test_axis_order() -> None:
    first = ("b", "z", "time", "a", "channel")
    names = {"z", "c2", "channel", "a", "column", "time", "b", "row", "c1", "position"}
    assert axis_order(names, first) == (
        *("row", "column", "position", "time", "channel"),
        *("b", "a", "c1", "c2", "z"),
    )


def test_listed() -> None:
    assert listed([3, 4]) == "3, 4"
    assert listed([3, 4, 6]) == "3, 4, 6"
    assert listed(list(range(0, 40, 2))).endswith("12, 14 and 12 more")


def test_axis_order_of_a_store(tmp_path: Path) -> None:
    axes = {"time": 0, "z": 0, "pol": 0, "angle": 0}
    write(tmp_path / "run", [(axes, pixels(0)), ({**axes, "A": 1}, pixels(1))])
    index = tmp_path / "run" / "NDTiff.index"
    data = index.read_bytes()
    length = int.from_bytes(data[:4], "little")
    # Micro-Manager writes the axes in any order, and spells them as it likes.
    text = json.dumps(dict.fromkeys(("z", "pol", "time", "angle"), 0)).encode()
    index.write_bytes(struct.pack("<I", len(text)) + text + data[4 + length :])
    with Dataset(tmp_path / "run") as dataset:
        assert list(dataset.axes) == ["time", "pol", "angle", "A", "z"]
    index.rename(index.with_name("NDTiff.index.recovered"))
    with Dataset(tmp_path / "run") as dataset:
        assert list(dataset.axes) == ["time", "pol", "angle", "A", "z"]


# ------------------------------------------------------------------- single images


@pytest.mark.parametrize("lane", ["long", "short"])
def test_an_image_by_its_axes(store: Path, lane: str) -> None:
    with Dataset(store) as dataset:
        if lane == "short":
            for _ in range(40):
                dataset.read_image(time=0, z=0)
            assert dataset._lane is not None
        read = dataset.read_image
        assert number_of(read(time=1, channel="DAPI", z=-1)) == 12
        assert number_of(read("DAPI", -1, 1)) == 12
        assert number_of(read(time=np.int64(1), channel=np.str_("DAPI"), z=-1)) == 12
        assert number_of(read(time=np.array(1), channel="DAPI", z=-1)) == 12
        # Integers count names in order of appearance; 0 is the documented default.
        assert number_of(read(1, time=1, z=-1)) == 12
        assert number_of(read(channel=np.uint8(1), time=1, z=-1)) == 12
        assert number_of(read(time=1, z=-1)) == 8
        assert number_of(read(0, time=1, z=-1)) == 8
        assert number_of(read(0, time=1, z=-1, channel_name="DAPI")) == 12
        assert number_of(read(time=1, z=-1, position=None, foo=None)) == 8
        # The array is the caller's own.
        image = read(time=0, z=0)
        image[:] = 0
        assert number_of(read(time=0, z=0)) == 1
        metadata = dataset.read_metadata(1, -1, 1)
        assert metadata["number"] == 12
        assert dataset.has_image(1, -1, 1)
        assert dataset.has_image(channel_name="DAPI", z=-1, time=1)


@pytest.mark.parametrize("lane", ["long", "short"])
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"time": 3, "z": 0}, r"axis 'time' has no value 3; it has 0 to 2"),
        ({"time": 0, "z": "a"}, r"axis 'z' has no value 'a'"),
        ({"time": 0, "z": [0]}, r"axis 'z' has no value \[0\]"),
        ({"time": 0, "z": 0.5}, r"axis 'z' has no value 0\.5"),
        ({"time": 0, "z": 0, "channel": 2}, r"'FITC', 'DAPI'.*integer from 0 to 1"),
        ({"time": 0, "z": 0, "channel": -1}, "'channel' has no value -1"),
        ({"time": 0, "z": 0, "channel": "Cy5"}, "has no value 'Cy5'; it has 'FITC'"),
        ({"time": 0, "z": 0, "channel_name": "Cy5"}, r"channels are 'FITC', 'DAPI'"),
        ({"time": 0, "z": 0, "lens": 1}, r"no axis 'lens'; its axes are time \(0 to 2"),
        ({"time": 0, "z": 0, "position": 0}, "no axis 'position'"),
        ({"time": 0, "z": 0, "row": 0}, "no axis 'row'"),
        ({"time": 0, "z": 0, "col": 0}, "no axis 'column'"),
        ({"time": 0}, r"time=0 leaves open 'z', in which the images differ: z has -1"),
        ({}, r"leaves open 'time', 'z', in .*give time=\.\.\., or use as_array"),
        ({"time": 0, "z": 0, "channel": None}, "leaves open 'channel'"),
        ({"time": 0, "z": 0, "resolution_level": 1}, "no resolution level 1; it has 0"),
    ],
)
def test_what_names_no_image_is_an_error_that_says_what_there_is(
    store: Path, request_: dict[str, Any], message: str, lane: str
) -> None:
    with Dataset(store) as dataset:
        for _ in range(40 if lane == "short" else 0):
            dataset.read_image(time=0, z=0)
        with pytest.raises(MissingImageError, match=message) as caught:
            dataset.read_image(**request_)
        assert isinstance(caught.value, (ScopeError, KeyError))
        assert str(store) in str(caught.value)
        with pytest.raises(MissingImageError, match=message):
            dataset.read_metadata(**request_)
        assert not dataset.has_image(**request_)


def test_an_image_that_is_missing_between_others(tmp_path: Path) -> None:
    frames = [
        ({"time": t, "z": z}, pixels(t)) for t, z in ((0, 0), (0, 1), (1, 0), (2, 1))
    ]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        message = r"time=1, z=1 fits no image; .*'time' is 0, 2; .*'z' is 0 \("
        with pytest.raises(MissingImageError, match=message):
            dataset.read_image(time=1, z=1)
        # Only one plane is here at this time, but others there are at others.
        with pytest.raises(MissingImageError, match="leaves open 'z'"):
            dataset.read_image(time=1)
        assert not dataset.has_image(time=1, z=1)
        assert not dataset.has_image(time=1)


def test_column_has_two_names(tmp_path: Path) -> None:
    frames = [({"row": 0, "column": c}, pixels(c)) for c in range(2)]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        assert number_of(dataset.read_image(row=0, col=1)) == 1
        assert number_of(dataset.read_image(column=1)) == 1
        assert dataset.has_image(col=1)
        assert not dataset.has_image(column=2)
        assert dataset.read_metadata(col=1)["number"] == 1
        assert number_of(dataset.as_array(col=1)) == 1
        assert dataset.as_array(axes=["col", "row"]).shape == (2, 1, 3, 4)
        with pytest.raises(TypeError, match="col or column"):
            dataset.read_image(col=1, column=1)


def test_an_axis_may_be_called_col_or_self(tmp_path: Path) -> None:
    frames: list[tuple[Axes, Pixels]] = [
        ({"col": c, "column": d, "self": 0}, pixels(2 * c + d))
        for c in range(2)
        for d in range(2)
    ]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        for number, key in enumerate(dataset.get_index_keys()):
            assert number_of(dataset.read_image(**key)) == number  # type: ignore[arg-type]
            assert dataset.has_image(**key)  # type: ignore[arg-type]
            assert dataset.read_metadata(**key)["number"] == number  # type: ignore[arg-type]


def test_channel_0_is_for_stores_without_channels_too(tmp_path: Path) -> None:
    with Dataset(write(tmp_path / "a", [({"z": 0}, pixels(1))])) as dataset:
        assert number_of(dataset.read_image()) == 1
        assert number_of(dataset.read_image(channel=0)) == 1
        assert number_of(dataset.read_image(np.int32(0))) == 1
        assert dataset.as_array(channel=0).shape == (1, 3, 4)
        for wrong in (1, "DAPI"):
            with pytest.raises(MissingImageError, match="no axis 'channel'"):
                dataset.read_image(channel=wrong)
        with pytest.raises(MissingImageError, match="no channel 'DAPI'"):
            dataset.read_image(channel_name="DAPI")
    frames: list[tuple[Axes, Pixels]] = [({"channel": c}, pixels(c)) for c in (3, 4)]
    with Dataset(write(tmp_path / "b", frames[:1])) as dataset:
        # The only channel there is.
        assert number_of(dataset.read_image()) == 3
        with pytest.raises(MissingImageError, match="no value 0"):
            dataset.read_image(0)
    with (
        Dataset(write(tmp_path / "c", frames)) as dataset,
        pytest.raises(MissingImageError, match="leaves open 'channel'"),
    ):
        dataset.read_image()


def test_images_that_lack_an_axis(tmp_path: Path) -> None:
    frames: list[tuple[Axes, Pixels]] = [
        ({"time": 0}, pixels(0)),
        ({"time": 0, "channel": 0}, pixels(1)),
        ({"time": 1, "channel": 0}, pixels(2)),
        ({"time": 1, "channel": 1, "z": 0}, pixels(3)),
        ({"time": 1, "channel": 1, "z": 1}, pixels(4)),
        ({"time": 2}, pixels(5)),
    ]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        for number, key in enumerate(dataset.get_index_keys()):
            assert number_of(dataset.read_image(**key)) == number  # type: ignore[arg-type]
        # The image without channels before the documented default.
        assert number_of(dataset.read_image(time=0)) == 0
        assert number_of(dataset.read_image(time=0, channel=0)) == 1
        assert number_of(dataset.read_image(time=1)) == 2
        assert number_of(dataset.read_image(time=np.array(0))) == 0
        with pytest.raises(MissingImageError, match="leaves open 'z'"):
            dataset.read_image(time=1, channel=1)
        # Not the image without z in its place.
        with pytest.raises(MissingImageError, match="without 'z' there is one"):
            dataset.read_image(time=1, channel=0, z=0)
        with pytest.raises(MissingImageError, match="without 'channel' there is one"):
            dataset.read_image(time=2, channel=0)


def test_one_value_everywhere_counts_as_given(tmp_path: Path) -> None:
    frames: list[tuple[Axes, Pixels]] = [
        ({"a": 0, "b": 0}, pixels(0)),
        ({"a": 0, "b": 0, "time": 0}, pixels(1)),
    ]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        for request in ({}, {"a": 0}, {"b": np.array(0)}):
            assert number_of(dataset.read_image(**request)) == 0
        assert number_of(dataset.read_image(time=0)) == 1
        assert number_of(dataset.as_array(["a", "b"])) == 1


def test_several_axes_of_one_value_that_only_some_images_have(tmp_path: Path) -> None:
    frames: list[tuple[Axes, Pixels]] = [
        ({"time": 0, "a": 0}, pixels(0)),
        ({"time": 1, "b": 0}, pixels(1)),
        ({"time": 2, "a": 0}, pixels(2)),
        ({"time": 2, "b": 0}, pixels(3)),
    ]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        assert number_of(dataset.read_image(time=0)) == 0
        assert number_of(dataset.read_image(time=1)) == 1
        with pytest.raises(MissingImageError, match="leaves open 'a', 'b', in which"):
            dataset.read_image(time=2)
        assert not dataset.has_image(time=2)
        assert number_of(dataset.read_image(time=2, b=0)) == 3


def test_names_of_numbered_channels(tmp_path: Path) -> None:
    def store_of(name: str, summary: dict[str, object], *names: str) -> Path:
        with NDTiffWriter(tmp_path / name, summary=summary) as writer:
            for number, channel in enumerate(names):
                writer.put({"channel": number}, pixels(number), {"Channel": channel})
        return tmp_path / name

    names = ["DAPI", "FITC"]
    with Dataset(store_of("a", {"ChNames": names}, "x", "y", "Cy5")) as dataset:
        assert dataset.get_channel_names() == ["DAPI", "FITC", "Cy5"]
        assert number_of(dataset.read_image(channel_name="FITC")) == 1
        assert number_of(dataset.read_image(channel_name="Cy5")) == 2
        assert dataset.read_metadata(channel_name="FITC")["Channel"] == "y"
        assert dataset.as_array(channel_name="FITC").shape == (3, 4)
        assert number_of(dataset.as_array(channel_name="FITC")) == 1
        with pytest.raises(MissingImageError, match="no channel 'x'"):
            dataset.read_image(channel_name="x")
    with Dataset(store_of("b", {}, "one", "", "one")) as dataset:
        assert dataset.get_channel_names() == ["one", "Channel 1", "one"]
        assert number_of(dataset.read_image(channel_name="Channel 1")) == 1
        with pytest.raises(MissingImageError, match="0, 2 are all called 'one'"):
            dataset.read_image(channel_name="one")


def test_an_image_that_was_replaced(tmp_path: Path) -> None:
    frames = [({"z": z}, pixels(n)) for n, z in enumerate((0, 1, 0))]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        for _ in range(40):
            assert number_of(dataset.read_image(z=0)) == 2
        assert len(dataset.get_index_keys()) == 2
        assert [number_of(image) for image in dataset.as_array()] == [2, 1]


@pytest.mark.parametrize(
    "image",
    [pixels(1, (2, 5), "u1"), pixels(1, (2, 5)), pixels(1, (2, 5, 3), "u1")],
    ids=["u1", "u2", "rgb"],
)
@pytest.mark.usefixtures("any_io")
def test_types_of_pixels(tmp_path: Path, image: Pixels) -> None:
    frames = [({"z": z}, image + z) for z in range(3)]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        assert dataset.dtype == image.dtype
        assert dataset.bytes_per_pixel == image.nbytes // 10
        for _ in range(2):
            for z in range(3):
                for memmapped in (False, True):
                    found = dataset.read_image(z=z, memmapped=memmapped)
                    assert found.dtype == image.dtype
                    np.testing.assert_array_equal(found, image + z)
            for _ in range(40):
                dataset.read_image(z=0)
        array = dataset.as_array()
        np.testing.assert_array_equal(array, np.stack([image + z for z in range(3)]))


def test_memory_maps(store: Path) -> None:
    with Dataset(store) as dataset:
        mapped = dataset.read_image(time=1, z=0, memmapped=True)
        assert isinstance(mapped, np.memmap)
        assert not mapped.flags.writeable
        assert number_of(mapped) == 9
    # It does not need the data set.
    assert number_of(mapped) == 9
    with Dataset(store) as dataset:
        stack = store / "NDTiffStack.tif"
        size = stack.stat().st_size
        os.truncate(stack, size - 400)
        with pytest.raises(FormatError, match=r"cannot be mapped.*cut or moved"):
            dataset.read_image(time=2, channel=1, z=2, memmapped=True)
    with (
        Dataset(store) as dataset,
        pytest.raises(FormatError, match="before its pixels"),
    ):
        dataset.read_image(time=2, channel=1, z=2, memmapped=True)


def test_big_endian_store(tmp_path: Path) -> None:
    frame = np.arange(12, dtype=">u2").reshape(3, 4)
    header = struct.pack(">2sHIIIIII", b"MM", 42, 30, 483729, 3, 3, 2355492, 2)
    content = header + b"{}" + frame.tobytes() + b'{"b":2}'
    (tmp_path / "x.tif").write_bytes(content)
    axes = b'{"b":0,"a":1}'
    record = struct.pack(">I13sI5s8I", 13, axes, 5, b"x.tif", 30, 4, 3, 1, 0, 54, 7, 0)
    (tmp_path / "NDTiff.index").write_bytes(record)
    with Dataset(tmp_path) as dataset:
        assert list(dataset.axes) == ["b", "a"]
        for _ in range(40):
            np.testing.assert_array_equal(dataset.read_image(), frame)
        np.testing.assert_array_equal(dataset.read_image(memmapped=True), frame)
        np.testing.assert_array_equal(dataset.as_array()[0, 0], frame)


def test_the_short_way_is_left_where_it_does_not_lead(tmp_path: Path) -> None:
    """Every reason to read an image the long way gives the right image."""
    small, large = pixels(1), pixels(2, (5, 5))
    stores = {
        "sizes": [({"z": 0}, small), ({"z": 1}, large)],
        "sparse": [({f"a{i}": j for i in range(9)}, pixels(j)) for j in range(3)],
        "alike": [({"z": z}, pixels(z)) for z in range(3)],
    }
    for name, frames in stores.items():
        with Dataset(write(tmp_path / name, frames)) as dataset:
            for _ in range(40):
                for axes, image in frames:
                    found = dataset.read_image(**axes)  # type: ignore[arg-type]
                    np.testing.assert_array_equal(found, image)
            assert (dataset._lane is not None) == (name == "alike")
    # A file that is cut while it is read from: the long way says so.
    with Dataset(tmp_path / "alike") as dataset:
        for _ in range(40):
            dataset.read_image(z=0)
        os.truncate(tmp_path / "alike" / "NDTiffStack.tif", 300)
        with pytest.raises(FormatError, match="the file ends at byte 300"):
            dataset.read_image(z=2)


def test_the_short_way_knows_every_axis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = "row", "column", "position", "time", "channel", "z", "pol"
    places = list(np.ndindex(2, 2, 2, 2, 2, 2, 1))
    frames = [
        (dict(zip(names, place, strict=True)), pixels(number))
        for number, place in enumerate(places)
    ]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        for _ in range(40):
            dataset.read_image(**frames[0][0])  # type: ignore[arg-type]
        assert dataset._lane is not None
        with pytest.raises(TypeError, match="col or column"):
            dataset.read_image(col=0, **frames[0][0])  # type: ignore[arg-type]
        monkeypatch.setattr(dataset, "_search", None)
        for column in ("column", "col"):
            for axes, image in frames:
                asked = {column if n == "column" else n: axes[n] for n in axes}
                found = dataset.read_image(**asked)  # type: ignore[arg-type]
                np.testing.assert_array_equal(found, image)
    # An axis may be called so.
    both = [({"col": i, "column": j}, pixels(2 * i + j)) for i, j in np.ndindex(2, 2)]
    with Dataset(write(tmp_path / "both", both)) as dataset:
        for _ in range(20):
            for axes, image in both:
                found = dataset.read_image(**axes)  # type: ignore[arg-type]
                np.testing.assert_array_equal(found, image)
        with pytest.raises(MissingImageError):
            dataset.read_image(z=0, col=0, column=0)


def test_the_short_way_leads_to_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with NDTiffWriter(tmp_path / "run", summary={}, max_file_bytes=700) as writer:
        for t, z in np.ndindex(4, 3):
            axes: dict[str, int | str] = {"time": t, "z": z}
            writer.put(axes, pixels(t * 3 + z))
    assert len(list((tmp_path / "run").glob("*.tif"))) > 3
    with Dataset(tmp_path / "run") as dataset:
        for _ in range(40):
            dataset.read_image(time=0, z=0)
        assert dataset._lane is not None
        monkeypatch.setattr(dataset, "_search", None)
        for t, z in np.ndindex(4, 3):
            found = dataset.read_image(time=t, z=z)
            np.testing.assert_array_equal(found, pixels(t * 3 + z))


# ------------------------------------------------------------------- arrays


def test_axes_and_slices_of_arrays(store: Path) -> None:
    whole = np.stack([pixels(n) for n in range(24)]).reshape(3, 2, 4, 3, 4)
    with Dataset(store) as dataset:
        array = dataset.as_array
        np.testing.assert_array_equal(array(), whole)
        swapped = array(axes=["z", "time", "channel"])
        np.testing.assert_array_equal(swapped, whole.transpose(2, 0, 1, 3, 4))
        np.testing.assert_array_equal(array(z=-1, time=2), whole[2, :, 0])
        np.testing.assert_array_equal(array(channel=1), whole[:, 1])
        np.testing.assert_array_equal(array(channel="DAPI"), whole[:, 1])
        np.testing.assert_array_equal(array(channel_name="DAPI"), whole[:, 1])
        np.testing.assert_array_equal(array(z=[2, -1]), whole[:, :, [3, 0]])
        np.testing.assert_array_equal(array(z=range(0, 2)), whole[:, :, 1:3])
        np.testing.assert_array_equal(array(z={2, -1}), whole[:, :, [0, 3]])
        np.testing.assert_array_equal(array(z=np.array([0])), whole[:, :, 1:2])
        np.testing.assert_array_equal(array(channel=["DAPI"], time=1), whole[1, 1:])
        np.testing.assert_array_equal(
            array(["z", "time"], channel=0, time=[2, 0]),
            whole[[2, 0], 0].transpose(1, 0, 2, 3),
        )
        assert array(time=0, channel=0, z=0).shape == (3, 4)
        assert array(z=[]).shape == (3, 2, 0, 3, 4)
        assert array(position=None, verbose=False).shape == whole.shape


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lens": 1}, MissingImageError, r"no axis 'lens'; its axes are time"),
        ({"lens": [1]}, MissingImageError, "no axis 'lens'"),
        ({"axes": ["lens"]}, MissingImageError, "no axis 'lens'"),
        ({"z": 7}, MissingImageError, "axis 'z' has no value 7; it has -1, 0, 1, 2"),
        ({"z": [0, 7]}, MissingImageError, "axis 'z' has no value 7"),
        ({"channel": "Cy5"}, MissingImageError, "no value 'Cy5'"),
        ({"channel_name": "Cy5"}, MissingImageError, "no channel 'Cy5'"),
        ({"axes": ["z"]}, MissingImageError, r"axis 'time' is left out.*time=\.\.\."),
        ({"axes": ["time"], "z": [0], "channel": 0}, MissingImageError, "'z' is left"),
        ({"axes": ["z"], "z": 0}, ValueError, "'z' is sliced at one value"),
        ({"axes": ["z", "z"]}, ValueError, "named twice"),
        ({"z": [0, 0]}, ValueError, "given twice"),
        ({"z": slice(0, 2)}, ValueError, r"ambiguous.*range\(2, 5\)"),
        ({"stitched": True}, FormatError, "cannot be stitched: there is no axis 'row'"),
        ({"res_level": 1}, MissingImageError, "no resolution level 1"),
    ],
)
def test_arrays_that_cannot_be(
    store: Path, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    message = message.replace("-1, 0, 1, 2", "-1 to 2")
    with Dataset(store) as dataset:
        for make in (dataset.as_array, dataset.image_mask):
            with pytest.raises(error, match=message):
                make(**arguments)


def test_missing_images_are_zeros_and_the_mask_says_so(tmp_path: Path) -> None:
    places = [(0, 0), (0, 2), (1, 1)]
    frames = [({"time": t, "z": z}, pixels(5)) for t, z in places]
    expected = np.zeros((2, 3), bool)
    expected[tuple(zip(*places, strict=True))] = True
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        array = np.asarray(dataset.as_array())
        np.testing.assert_array_equal(array, expected[..., None, None] * pixels(5))
        np.testing.assert_array_equal(dataset.image_mask(), expected)
        np.testing.assert_array_equal(dataset.image_mask(time=0), expected[0])
        np.testing.assert_array_equal(dataset.image_mask(z=[2, 0]), expected[:, [2, 0]])
        np.testing.assert_array_equal(dataset.image_mask(["z", "time"]), expected.T)
        assert not dataset.image_mask(time=0, z=1)
        assert isinstance(dataset.image_mask(time=0, z=1), np.ndarray)
        assert dataset.image_mask(time=0, z=1).shape == ()
        # Slices that fit no image have the shape that they would have.
        assert not np.asarray(dataset.as_array(time=0, z=1)).any()
        assert dataset.as_array(time=0, z=[1]).shape == (1, 3, 4)


def test_a_mask_that_is_too_large_says_how_to_slice(tmp_path: Path) -> None:
    frames = [(dict.fromkeys("abde", i), pixels(i % 9, (1, 1))) for i in range(2000)]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        with pytest.raises(FormatError, match=f"take {2000**4} bytes") as caught:
            dataset.image_mask()
        assert "choose by slices, a=0 for instance" in str(caught.value)
        with pytest.raises(FormatError, match="choose by slices, b=0"):
            dataset.image_mask(a=0)
        mask = dataset.image_mask(a=7, b=[7, 8], e=range(1, 9))
        assert mask.shape == (2, 2000, 8)
        assert np.argwhere(mask).tolist() == [[0, 7, 6]]
        # Looked up in pieces.
        assert np.argwhere(dataset.image_mask(a=3, b=3)).tolist() == [[3, 3]]
    tiles: list[tuple[Axes, Pixels]] = [
        ({"row": n, "column": n}, pixels(1)) for n in (0, 10**6)
    ]
    with (
        Dataset(write(tmp_path / "tiles", tiles, _TILED)) as dataset,
        pytest.raises(FormatError, match=r"bytes: .* row .*use stitched=False"),
    ):
        dataset.image_mask(stitched=True)


def test_arguments_of_arrays(store: Path) -> None:
    with Dataset(store) as dataset:
        for make in (dataset.as_array, dataset.image_mask):
            assert make("time", channel=0, z=0).shape[0] == 3
            assert make("time", channel=0, z=0, resolution_level=0).shape[0] == 3
            with pytest.raises(MissingImageError, match="no resolution level 2"):
                make(resolution_level=2)
            with pytest.raises(MissingImageError, match="no axis 'foo'"):
                make(foo=None)
            # Scripts pass on all that is documented.
            nothing = {"position": None, "row": None, "col": None, "z": None}
            assert make(**nothing, channel_name=None).shape[:3] == (3, 2, 4)


def test_no_other_image_is_in_place_of_one_that_is_lost(tmp_path: Path) -> None:
    frames: list[tuple[Axes, Pixels]] = [
        ({"channel": "DAPI"}, pixels(1)),
        ({"channel": "DAPI", "z": 1}, pixels(3)),
        ({"channel": "DAPI", "z": 0}, pixels(2)),
    ]
    folder = write(tmp_path / "run", frames)
    index = folder / "NDTiff.index"
    data = bytearray(index.read_bytes())
    data[-16] = 5  # compressed
    index.write_bytes(data)
    with Dataset(folder) as dataset:
        assert [number_of(image) for image in dataset.as_array(channel=0)] == [0, 3]
        assert dataset.image_mask(channel=0).tolist() == [False, True]
        assert number_of(dataset.read_image(channel=0, z=1)) == 3


def test_images_without_an_axis_stand_at_its_first_value(tmp_path: Path) -> None:
    frames: list[tuple[Axes, Pixels]] = [
        ({"channel": "DAPI", "z": 1}, pixels(1)),
        ({"channel": "DAPI", "z": -2}, pixels(2)),
        ({"channel": "FITC"}, pixels(3)),
        ({"channel": "Cy5", "z": -2}, pixels(4)),
        ({"channel": "Cy5"}, pixels(5)),
    ]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        array = dataset.as_array()
        assert dataset.axes["z"] == [-2, 1]
        numbers = [[number_of(image) for image in row] for row in array]
        # Cy5 has an image of its own right there.
        assert numbers == [[2, 1], [3, 0], [4, 0]]
        assert dataset.image_mask().tolist() == [[1, 1], [1, 0], [1, 0]]
        assert [number_of(i) for i in dataset.as_array(z=-2)] == [2, 3, 4]
        assert [number_of(i) for i in dataset.as_array(z=1)] == [1, 0, 0]
        swapped = dataset.as_array(z=[1, -2], channel="FITC")
        assert [number_of(image) for image in swapped] == [0, 3]
        assert dataset.image_mask(z=[1, -2], channel=1).tolist() == [False, True]


def test_sizes_and_types_are_never_mixed(tmp_path: Path) -> None:
    frames: list[tuple[Axes, Pixels]] = [
        ({"channel": "DAPI", "z": 0}, pixels(0)),
        ({"channel": "DAPI", "z": 1}, pixels(1)),
        ({"channel": "DAPI", "z": 2}, pixels(2)),
        ({"channel": "FITC", "z": 0}, pixels(9, (3, 4), "u1")),
        ({"channel": "FITC", "z": 1}, pixels(9, (3, 4), "u1")),
        ({"channel": "Cy5", "z": 0}, pixels(7, (5, 2))),
        ({"channel": "RGB"}, pixels(7, (3, 4, 3), "u1")),
    ]
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        with pytest.raises(FormatError) as caught:
            dataset.as_array()
        for part in (
            "of 4 sizes or types",
            "3 x 4 uint16 (channel 'DAPI'): 3 images",
            "3 x 4 uint8 (channel 'FITC'): 2 images",
            "5 x 2 uint16 (channel 'Cy5'): 1 images",
            "3 x 4 uint8 RGB (channel 'RGB'): 1 images",
            "choose one by slices, channel=",
        ):
            assert part in str(caught.value)
        assert number_of(dataset.as_array(channel="DAPI")[2]) == 2
        assert dataset.as_array(channel="FITC").dtype == np.uint8
        assert dataset.as_array(channel="Cy5").shape == (3, 5, 2)
        assert dataset.as_array(channel=["RGB"]).shape == (1, 3, 3, 4, 3)
        # Those without the axis are at its first value, with their size.
        with pytest.raises(FormatError, match="of 4 sizes"):
            dataset.as_array(z=0)
        assert dataset.as_array(z=2).shape == (4, 3, 4)
        # No image, so no size.
        with pytest.raises(MissingImageError, match="size is unknown"):
            dataset.as_array(channel="Cy5", z=2)
        expected = [[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 0]]
        assert dataset.image_mask().tolist() == expected
    frames = [({"z": 0}, pixels(0)), ({"z": 0, "time": 1}, pixels(0, (5, 5)))]
    with (
        Dataset(write(tmp_path / "b", frames)) as dataset,
        pytest.raises(FormatError, match="slice the axis in which they differ"),
    ):
        dataset.as_array()


def test_images_that_cannot_be_read(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stack = store / "NDTiffStack.tif"
    with Dataset(store) as dataset:
        last = dataset._levels.newest.catalog.table.location(22).pixel_offset
    os.truncate(stack, last + 24)
    with Dataset(store) as dataset:
        assert any("behind the end" in problem for problem in dataset.problems)
        with pytest.raises(FormatError, match="before its pixels"):
            dataset.read_image(time=2, channel=1, z=2)
        array = dataset.as_array()
        assert "1 images cannot be read and are zeros" in caplog.text
        assert [number_of(image) for image in array[2, 1]] == [20, 21, 22, 0]
        assert dataset.image_mask()[2, 1].tolist() == [True, True, True, False]
        assert dataset.has_image(time=2, channel=1, z=2)


def test_nothing_is_printed(
    store: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "napari_scope")
    with Dataset(store) as dataset:
        dataset.as_array(z=0)
        assert "array of (3, 2, 3, 4), time, channel, y, x" in caplog.text
        caplog.clear()
        dataset.as_array(verbose=False)
        assert not caplog.text
    assert capfd.readouterr() == ("", "")


def test_small_images_share_tasks(tmp_path: Path) -> None:
    frames = (({"time": t, "z": z}, pixels(t)) for t in range(50) for z in range(20))
    with Dataset(write(tmp_path / "run", frames)) as dataset:
        array = dataset.as_array()
        assert array.npartitions == 1
        # The same pixels have the same name, others have others.
        assert dataset.as_array().name == array.name
        names = {
            array.name,
            dataset.as_array(z=1).name,
            dataset.as_array(z=2).name,
            dataset.as_array(axes=["z", "time"]).name,
        }
        assert len(names) == 4
    frames = (
        ({"time": t, "z": z}, pixels(2 * t + z)) for t in range(2) for z in (0, 1)
    )
    with Dataset(write(tmp_path / "square", frames)) as dataset:
        one, other = dataset.as_array(), dataset.as_array(["z", "time"])
        assert one.name != other.name
        assert number_of((one - other)[0, 1]) != 0


def test_arrays_of_other_pixels_have_other_names(tmp_path: Path) -> None:
    names = set()
    for number in range(2):
        folder = write(tmp_path / "run", [({"z": 0}, pixels(number))])
        with Dataset(folder) as dataset:
            array = dataset.as_array()
            names.add(array.name)
            assert number_of(array) == number
        shutil.rmtree(folder)
    assert len(names) == 2


# ------------------------------------------------------------------- tiles


def tiled(folder: Path, overlap: tuple[int, int], shape: tuple[int, ...]) -> None:
    summary = {
        **_TILED,
        "GridPixelOverlapY": overlap[0],
        "GridPixelOverlapX": overlap[1],
    }
    rng = np.random.default_rng(0)
    dtype = "u1" if len(shape) > 2 else "u2"
    places = [(-1, 2), (-1, 3), (0, 2), (1, 4)]
    frames = [
        (
            {"row": r, "column": c, "channel": channel},
            rng.integers(1, 200, shape).astype(dtype),
        )
        for channel in ("b", "a")
        for r, c in places
        if (channel, r) != ("a", 1)
    ]
    write(folder / "Full resolution", frames, summary)
    level: list[tuple[Axes, Pixels]] = [
        (
            {"row": r, "column": c, "channel": "a"},
            pixels(r + 2, (8, 6, *shape[2:]), dtype),
        )
        for r, c in {(r // 2, c // 2) for r, c in places}
    ]
    write(folder / "Downsampled_x2", level, summary)


@pytest.mark.parametrize("overlap", [(0, 0), (2, 0), (0, 4), (3, 1)])
@pytest.mark.parametrize("samples", [(), (3,)])
def test_stitched_tiles(
    tmp_path: Path, overlap: tuple[int, int], samples: tuple[int, ...]
) -> None:
    height, width = tile = (8, 6)
    frame = (height + overlap[0], width + overlap[1], *samples)
    tiled(tmp_path / "run", overlap, frame)
    top, left = overlap[0] // 2, overlap[1] // 2
    with Dataset(tmp_path / "run") as dataset:
        assert dataset.overlap == overlap
        assert dataset.axes == {
            "row": [-1, 0, 1],
            "column": [2, 3, 4],
            "channel": ["b", "a"],
        }
        expected = np.zeros((2, 3 * height, 3 * width, *samples), dataset.dtype)
        mask = np.zeros((2, 3, 3), bool)
        for key in dataset.get_index_keys():
            r, c = int(key["row"]) + 1, int(key["column"]) - 2
            image = dataset.read_image(**key)  # type: ignore[arg-type]
            channel = ["b", "a"].index(str(key["channel"]))
            y, x = r * height, c * width
            expected[channel, y : y + height, x : x + width] = image[
                top : top + height, left : left + width
            ]
            mask[channel, r, c] = True
        array = dataset.as_array(stitched=True)
        assert array.shape == expected.shape
        np.testing.assert_array_equal(array, expected)
        np.testing.assert_array_equal(array[1, 5:13, 3:4], expected[1, 5:13, 3:4])
        # A slice has the shape of the whole, although a tile less was taken.
        for one in ({"channel": "a"}, {"channel": 1}, {"channel_name": "a"}):
            np.testing.assert_array_equal(
                dataset.as_array(stitched=True, **one),
                expected[1],
            )
            np.testing.assert_array_equal(
                dataset.image_mask(stitched=True, **one),
                mask[1],
            )
        swapped = dataset.as_array(stitched=True, channel=["a", "b"])
        np.testing.assert_array_equal(swapped, expected[::-1])
        with_tiles = dataset.as_array(["row", "channel", "column"], stitched=True)
        np.testing.assert_array_equal(with_tiles, expected)
        np.testing.assert_array_equal(dataset.image_mask(stitched=True), mask)
        assert dataset.image_mask().shape == (3, 3, 2)
        np.testing.assert_array_equal(
            dataset.image_mask(["channel", "row", "column"]), mask
        )
        assert dataset.as_array().shape == (3, 3, 2, *frame)
        with pytest.raises(ValueError, match="cannot be sliced along 'row'"):
            dataset.as_array(stitched=True, row=0)
        # Level 1 as it is stored: rows -1 and 0, columns 1 and 2.
        level = dataset.as_array(stitched=True, res_level=1)
        assert level.shape == (1, 2 * height, 2 * width, *samples)
        assert number_of(level[0, 0, 0]) == 1
        pyramid = dataset.as_pyramid()
        assert pyramid[0].shape[1:3] == expected.shape[1:3]
        np.testing.assert_array_equal(pyramid[0], expected)
        np.testing.assert_array_equal(dataset.as_pyramid(channel="a")[0], expected[1])
        assert tile == (8, 6)


def test_of_two_tiles_in_one_place_the_one_with_all_axes_is_shown(
    tmp_path: Path,
) -> None:
    frames: list[tuple[Axes, Pixels]] = [
        ({"row": 0, "column": 0, "z": 0}, pixels(1)),
        ({"row": 0, "column": 0}, pixels(2)),
    ]
    with Dataset(write(tmp_path / "run", frames, _TILED)) as dataset:
        for axes in (None, list[str]()):
            assert number_of(dataset.as_array(axes, stitched=True)) == 1
        assert number_of(dataset.as_array(["column", "row"])) == 1


def test_levels_that_grow(tmp_path: Path) -> None:
    tiled(tmp_path / "run", (0, 0), (8, 6))
    level = tmp_path / "run" / "Downsampled_x2"
    shutil.rmtree(level)
    with NDTiffWriter(level, summary=_TILED) as writer:
        writer.put({"row": 0, "column": 0, "channel": "a"}, pixels(1))
        (tmp_path / "run" / "NDTiff.writing").touch()
        with Dataset(tmp_path / "run") as dataset:
            assert not dataset.has_image("a", row=0, col=1, res_level=1)
            writer.put({"row": 0, "column": 1, "channel": "a"}, pixels(2))
            assert number_of(dataset.read_image("a", row=0, col=1, res_level=1)) == 2
            assert dataset.has_image("a", row=0, col=1, res_level=1)
            # Tiles of this level may change in place, those of the finest do not.
            for number, names in ((0, 1), (1, 2)):
                arrays = [dataset.as_array(res_level=number) for _ in range(2)]
                assert len({array.name for array in arrays}) == names


def test_pyramid_of_a_store_without_tiles(store: Path) -> None:
    with Dataset(store) as dataset:
        (level,) = dataset.as_pyramid(["z", "time"], channel="DAPI")
        expected = dataset.as_array(["z", "time"], channel="DAPI")
        np.testing.assert_array_equal(level, expected)


def test_levels_are_addressed_by_number(tmp_path: Path) -> None:
    tiled(tmp_path / "run", (0, 0), (8, 6))
    with Dataset(tmp_path / "run" / "Full resolution") as dataset:
        assert list(dataset.res_levels) == [0, 1]
        assert dataset.path == tmp_path / "run"
        for level in (1, np.int64(1)):
            for name in ("resolution_level", "res_level"):
                request: dict[str, Any] = {"row": -1, "col": 1, name: level}
                assert number_of(dataset.read_image(**request)) == 1
                assert dataset.has_image(**request)
                assert "number" in dataset.read_metadata(**request)
        # A channel has the number that it has at full resolution.
        assert number_of(dataset.read_image("a", row=-1, column=1, res_level=1)) == 1
        assert number_of(dataset.read_image(1, row=-1, column=1, res_level=1)) == 1
        assert not dataset.has_image("b", row=-1, column=1, res_level=1)
        assert not dataset.has_image(row=-1, column=2, res_level=7)
        assert {key["channel"] for key in dataset.get_index_keys(1)} == {"a"}
        assert dataset.as_array(resolution_level=1).shape == (2, 2, 1, 8, 6)
        with pytest.raises(
            MissingImageError, match="no resolution level 2; it has 0, 1"
        ):
            dataset.get_index_keys(2)


def test_a_damaged_level_is_calculated(tmp_path: Path) -> None:
    tiled(tmp_path / "run", (0, 0), (20, 20))
    with Dataset(tmp_path / "run") as dataset:
        expected = [level.shape for level in dataset.as_pyramid()]
    folder = tmp_path / "run" / "Downsampled_x2"
    for path in folder.iterdir():
        path.write_bytes(b"")
    (folder / "NDTiff.index").unlink()
    with pytest.raises(FormatError):
        Dataset(tmp_path / "run", full_res_only=False)
    with Dataset(tmp_path / "run") as dataset:
        levels = dataset.as_pyramid()
        assert [level.shape for level in levels] == expected[: len(levels)]
        assert any("Downsampled_x2" in problem for problem in dataset.problems)


@pytest.mark.parametrize(
    ("frames", "summary", "message"),
    [
        (
            [({"row": 0, "column": "a"}, pixels(0))],
            _TILED,
            "no number on axis 'column'",
        ),
        (
            [({"row": r, "column": 0}, pixels(0)) for r in (0, 2**21)],
            _TILED,
            "'row' goes from 0 to 2097152",
        ),
        (
            [({"row": 0, "column": 0}, pixels(0))],
            {"GridPixelOverlapX": 4, "GridPixelOverlapY": 0},
            r"cannot overlap by \(0, 4\)",
        ),
    ],
)
def test_tiles_that_cannot_be_stitched(
    tmp_path: Path, frames: list[Any], summary: dict[str, object], message: str
) -> None:
    with (
        Dataset(write(tmp_path / "run", frames, summary)) as dataset,
        pytest.raises(FormatError, match=message),
    ):
        dataset.as_array(stitched=True)


# ------------------------------------------------------------------- life and death


def test_a_closed_data_set_is_like_a_closed_file(store: Path) -> None:
    dataset = Dataset(store)
    for _ in range(40):
        dataset.read_image(time=0, z=0)
    array = dataset.as_array()
    dataset.close()
    dataset.close()
    for use in (
        lambda: dataset.read_image(time=0, z=0),
        lambda: dataset.read_metadata(time=0, z=0),
        lambda: dataset.has_image(time=0, z=0),
        dataset.as_array,
        dataset.as_pyramid,
        dataset.image_mask,
        dataset.refresh,
        dataset.has_new_image,
        lambda: dataset.await_new_image(0),
        lambda: dataset.block_until_finished(0),
    ):
        with pytest.raises(DatasetClosedError, match="is closed") as caught:
            use()
        assert isinstance(caught.value, ValueError)
    assert number_of(array[2, 1, 3]) == 23
    assert dataset.axes["time"] == [0, 1, 2]
    assert len(dataset.get_index_keys()) == 24
    assert "closed" in repr(dataset)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no list of open files")
def test_closing_frees_the_files(store: Path) -> None:
    def open_files() -> list[str]:
        links = []
        for name in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{name}"))
            except OSError:
                continue  # that of the list itself
        return [link for link in links if str(store) in link]

    dataset = Dataset(store)
    for _ in range(40):
        dataset.read_image(time=0, z=0)
    assert open_files()
    dataset.close()
    assert open_files() == []


def test_pickling(store: Path) -> None:
    dataset = Dataset(store, full_res_only=False)
    array = dataset.as_array()
    dataset.close()
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        with pickle.loads(pickle.dumps(dataset, protocol)) as other:
            assert other.path == store
            assert number_of(other.read_image(time=1, z=0)) == 9
    again = pickle.loads(pickle.dumps(array))
    np.testing.assert_array_equal(again, array)


@pytest.mark.slow
def test_another_process(store: Path, tmp_path: Path) -> None:
    with Dataset(store) as dataset:
        array = dataset.as_array(z=0)
        content = pickle.dumps((dataset, array, dataset.as_pyramid()))
        expected = np.asarray(array)
    (tmp_path / "content").write_bytes(content)
    code = (
        "import pickle, sys, numpy as np\n"
        "dataset, array, levels = pickle.load(open('content', 'rb'))\n"
        "assert dataset.read_image(time=1, z=0).shape == (3, 4)\n"
        "assert levels[0].shape == (3, 2, 4, 3, 4)\n"
        "np.save('out.npy', array.compute())\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    with dask.config.set(scheduler="processes", num_workers=1):
        np.testing.assert_array_equal(array, expected)


def test_reading_in_threads(store: Path) -> None:
    dataset = Dataset(store)
    keys = dataset.get_index_keys()
    wrong: list[object] = []
    closed = threading.Event()

    def read(offset: int) -> None:
        for turn in itertools.count(offset):
            number = turn % len(keys)
            try:
                image = dataset.read_image(**keys[number])  # type: ignore[arg-type]
            except DatasetClosedError:
                if not closed.is_set():
                    wrong.append("closed")
                return
            except Exception as error:
                wrong.append(error)
                return
            if number_of(image) != number:
                wrong.append(number)
                return

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    closed.set()
    dataset.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert wrong == []


# ------------------------------------------------------------------- while it grows


def test_a_store_that_grows(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run", summary={}) as writer:
        writer.put({"time": 0}, pixels(0))
        dataset = Dataset(tmp_path / "run")
        before = dataset.as_array()
        assert not dataset.is_finished()
        assert not dataset.has_new_image()
        assert not dataset.await_new_image(timeout=0.05)
        assert not dataset.block_until_finished(timeout=0)
        for _ in range(40):
            dataset.read_image(time=0)
        writer.put({"time": 1}, pixels(1))
        assert dataset.axes == {"time": [0]}
        assert dataset.refresh() == 1
        assert dataset.refresh() == 0
        assert dataset.axes == {"time": [0, 1]}
        assert dataset.has_new_image()
        assert not dataset.has_new_image()
        writer.put({"time": 2}, pixels(2))
        assert dataset.await_new_image(timeout=5)
        # Who asks for an image need not refresh first.
        writer.put({"time": 3, "channel": "DAPI"}, pixels(3))
        assert dataset.has_image(time=3, channel="DAPI")
        writer.put({"time": 4}, pixels(4))
        assert number_of(dataset.read_image(time=4)) == 4
        writer.put({"time": 5}, pixels(5))
        assert dataset.read_metadata(time=5)["Axes"] == {"time": 5}
        assert number_of(dataset.read_image(time=0)) == 0
        writer.put({"time": 0}, pixels(9))
        assert dataset.refresh() == 1
        assert number_of(dataset.read_image(time=0)) == 9
        assert dataset.as_array().shape == (6, 1, 3, 4)
        assert before.shape == (1, 3, 4)
        assert number_of(before) == 0
        assert dataset.await_new_image(timeout=0)
        writer.put({"time": 6}, pixels(6))
    assert dataset.await_new_image()
    assert not dataset.await_new_image()
    assert dataset.is_finished()
    assert dataset.block_until_finished()
    dataset.close()


def test_a_store_that_begins_empty(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run", summary={}) as writer:
        dataset = Dataset(tmp_path / "run")
        assert dataset.axes == {}
        assert (dataset.dtype, dataset.image_width) == (None, None)
        assert dataset.bytes_per_pixel is None
        assert dataset.get_index_keys() == []
        assert not dataset.has_image(time=0)
        with pytest.raises(MissingImageError, match="no image yet"):
            dataset.as_array()
        with pytest.raises(MissingImageError, match="no image yet"):
            dataset.read_image(time=0)
        with pytest.raises(MissingImageError):
            dataset.read_image()
        writer.put({"pol": 0, "angle": 0}, pixels(1))
        assert dataset.await_new_image(1)
        assert sorted(dataset.axes) == ["angle", "pol"]
        assert number_of(dataset.read_image()) == 1
        dataset.close()


def test_waiting_in_threads(tmp_path: Path) -> None:
    found: list[object] = []
    with NDTiffWriter(tmp_path / "run", summary={}) as writer:
        writer.put({"time": 0}, pixels(0))
        dataset = Dataset(tmp_path / "run")

        def wait() -> None:
            found.append(dataset.await_new_image(10))

        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        writer.put({"time": 1}, pixels(1))
        for thread in threads:
            thread.join(10)
        # One image wakes all who wait.
        assert found == [True, True, True]
        found.clear()

        def wait_and_fail() -> None:
            try:
                dataset.await_new_image()
            except DatasetClosedError:
                found.append("closed")

        thread = threading.Thread(target=wait_and_fail)
        thread.start()
        time.sleep(0.05)
        dataset.close()
        thread.join(10)
        assert found == ["closed"]
        other = Dataset(tmp_path / "run")
        thread = threading.Thread(
            target=lambda: found.append(other.block_until_finished(10))
        )
        thread.start()
        writer.put({"time": 2}, pixels(2))
    thread.join(10)
    assert found == ["closed", True]
    assert other.axes == {"time": [0, 1, 2]}
    other.close()


def test_an_index_that_was_replaced(store: Path) -> None:
    with Dataset(store) as dataset:
        os.truncate(store / "NDTiff.index", 10)
        with pytest.raises(FormatError, match="open the store again"):
            dataset.refresh()
        assert number_of(dataset.read_image(time=0, z=0)) == 1


# ------------------------------------------------------------------- any store


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[str], dict[str, list[Any]], list[Axes]]:
    """Some axes, their values, and the axes of some frames in any order."""
    known = ["time", "channel", "z", "position", "row", "column", "pol", "Z2"]
    names = draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True))
    values: dict[str, list[Any]] = {}
    for name in names:
        kind = st.integers(-3, 5) if draw(st.booleans()) else st.text("abC", min_size=1)
        values[name] = draw(st.lists(kind, min_size=1, max_size=3, unique=True))
    every = [
        dict(zip(names, place, strict=True))
        for place in itertools.product(*values.values())
    ]
    frames = draw(st.lists(st.sampled_from(every), min_size=1, max_size=12))
    optional = draw(st.sampled_from([None, *names]))
    if optional is not None and len(names) > 1:
        lacking = draw(st.sets(st.integers(0, len(frames) - 1)))
        for i in lacking:
            frames[i] = {n: v for n, v in frames[i].items() if n != optional}
    return names, values, [dict(draw(st.permutations(list(f.items())))) for f in frames]


def _order(frames: list[Axes], name: str) -> list[Any]:
    found = list(dict.fromkeys(f[name] for f in frames if name in f))
    return sorted(found) if isinstance(found[0], int) else found


@settings(max_examples=120, deadline=None)
@given(drawn=stores(), data=st.data())
def test_any_store_is_what_a_dictionary_of_its_images_is(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: tuple[list[str], dict[str, list[Any]], list[Axes]],
    data: st.DataObject,
) -> None:
    names, values, frames = drawn
    folder = tmp_path_factory.mktemp("any")
    write(folder / "run", ((f, pixels(n + 1)) for n, f in enumerate(frames)))
    images = {frozenset(f.items()): n + 1 for n, f in enumerate(frames)}
    there = [name for name in names if any(name in f for f in frames)]
    axes = {name: _order(frames, name) for name in there}
    with Dataset(folder / "run") as dataset:
        assert dataset.axes == axes
        keys = dataset.get_index_keys()
        assert {frozenset(key.items()) for key in keys} == images.keys()
        for key in keys:
            number = images[frozenset(key.items())]
            assert number_of(dataset.read_image(**key)) == number  # type: ignore[arg-type]
            assert dataset.read_metadata(**key)["number"] == number - 1  # type: ignore[arg-type]
        for place in itertools.product(*([*values[n], None] for n in there)):
            pairs = zip(there, place, strict=True)
            request = {n: v for n, v in pairs if v is not None}
            exact = images.get(frozenset(request.items()))
            if exact is None and len(request) == len(there):
                assert not dataset.has_image(**request)
                with pytest.raises(MissingImageError):
                    dataset.read_image(**request)
            elif dataset.has_image(channel=None, **_without_channel(request)):
                given_ = _without_channel(request)
                found = number_of(dataset.read_image(channel=None, **given_))
                # Whatever is left open, no other image fits.
                fitting = [
                    n
                    for axes_, n in images.items()
                    if given_.items() <= dict(axes_).items()
                ]
                everywhere = {
                    n: v[0]
                    for n, v in axes.items()
                    if len(v) == 1 and all(n in f for f in frames)
                }
                exact = images.get(frozenset({**everywhere, **given_}.items()))
                assert found == exact if len(fitting) > 1 else [found] == fitting
        order = data.draw(st.permutations(there))
        sliced = data.draw(st.sets(st.sampled_from(there)))
        slices: dict[str, Any] = {}
        for name in sliced:
            size = len(axes[name])
            if data.draw(st.booleans()):
                place_ = data.draw(st.integers(0, size - 1))
                by_number = isinstance(axes[name][0], str) and data.draw(st.booleans())
                slices[name] = place_ if by_number else axes[name][place_]
            else:
                slices[name] = data.draw(
                    st.lists(st.sampled_from(axes[name]), unique=True)
                )
        left = [n for n in order if not isinstance(slices.get(n), (int, str))]
        expected, mask = _expected(frames, axes, left, slices)
        array = dataset.as_array(axes=left, **slices)
        np.testing.assert_array_equal(array, expected)
        np.testing.assert_array_equal(dataset.image_mask(left, **slices), mask)


def _without_channel(request: dict[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in request.items() if n != "channel"}


def _expected(
    frames: list[Axes],
    axes: dict[str, list[Any]],
    left: list[str],
    slices: dict[str, Any],
) -> tuple[Pixels, Pixels]:
    """Return array and mask by the rules in the documents, one place after another."""
    shown: dict[str, list[Any]] = {}
    for name, values in axes.items():
        chosen = slices.get(name, values)
        if not isinstance(chosen, list):
            is_number = isinstance(chosen, int) and isinstance(values[0], str)
            chosen = [values[chosen] if is_number else chosen]
        shown[name] = chosen
    shape = tuple(len(shown[name]) for name in left)
    array, mask = np.zeros((*shape, 3, 4), np.uint16), np.zeros(shape, bool)
    for place in np.ndindex(*shape):
        wanted = {name: shown[name][0] for name in axes if name not in left}
        wanted |= {n: shown[n][i] for n, i in zip(left, place, strict=True)}
        for number, frame in sorted(enumerate(frames), key=lambda f: len(f[1])):
            if {n: frame.get(n, axes[n][0]) for n in axes} == wanted:
                array[place], mask[place] = pixels(number + 1), True
    return array, mask
