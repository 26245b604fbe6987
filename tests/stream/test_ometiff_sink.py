"""Streams into OME-TIFF, as independent readers see them."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ometiff.tiffs import pages, series, validate, xml_of
from tests.stream.streams import frame_of, growing_spec, make_spec
from tests.stream.test_stream_kill import killed_at

from napari_scope.errors import (
    DiskSpaceError,
    OutputExistsError,
    SettingsError,
    StreamError,
)
from napari_scope.formats.ometiff import repair_tiff
from napari_scope.model import Channel
from napari_scope.stream import Address, ImageSpec, Stream, read_journal
from napari_scope.stream.sinks.base import checksum
from napari_scope.stream.sinks.ometiff import OmeTiffSink, journal_path
from napari_scope.stream.spec import PlateSpec, StorageSpec

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("implementation")


def places(*names: str, **more: Any) -> tuple[ImageSpec, ...]:
    """Return images of two time points and two channels."""
    sizes = {"time": 2, "channel": 2}
    return tuple(ImageSpec(n, {"position": n}, sizes, **more) for n in names)


def test_a_run_with_everything(tmp_path: Path) -> None:
    path = tmp_path / "run.ome.tiff"
    spec = make_spec(
        {"time": 3, "z": 2, "channel": 2},
        labels={"channel": ("DAPI", "FITC")},
        channels=(Channel("FITC", "#00FF00"),),
        pixel_um=0.5,
        z_um=2.0,
        interval_s=4.0,
        bit_depth=12,
        summary={"microscope": "demo", "binning": 2},
    )
    with Stream(spec, [OmeTiffSink(path)]) as stream:
        for number in range(12):
            if number == 5:
                stream.skip(reason="autofocus failed")
                continue
            stream.append(
                frame_of(number),
                {"elapsed_ms": 10 * number, "exposure_ms": 5, "x_um": 1.5},
            )
    assert series(path).shape == (3, 2, 2, 16, 24)
    for number in range(12):
        t, z, c = np.unravel_index(number, (3, 2, 2))
        expected = frame_of(number) if number != 5 else np.zeros((16, 24))
        np.testing.assert_array_equal(series(path)[t, c, z], expected)
    ome = validate(xml_of(path))
    pixels = ome.images[0].pixels
    assert pixels.dimension_order.value == "XYCZT"
    assert len(pixels.planes) == 11
    *_, absent = pixels.tiff_data_blocks
    assert (absent.ifd, absent.first_t, absent.first_z, absent.first_c) == (11, 1, 0, 1)
    assert pixels.planes[2].delta_t == 0.02
    assert [c.name for c in pixels.channels] == ["DAPI", "FITC"]
    assert pixels.channels[1].color.as_hex() == "#0f0"
    assert (pixels.physical_size_x, pixels.physical_size_z) == (0.5, 2.0)
    assert pixels.time_increment == 4.0
    notes = ome.structured_annotations.map_annotations[0].value
    assert (notes["microscope"], notes["binning"]) == ("demo", "2")
    (lost,) = json.loads(notes["frames"])["not_saved"]
    assert lost["reason"] == "autofocus failed"
    journal = read_journal(journal_path(path, folder=False))
    assert journal.closed is not None
    assert journal.header["format"] == "ome-tiff"
    assert [line["status"] for line in journal.frames].count("saved") == 11
    assert repair_tiff(path) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "run.frames.jsonl",
        "run.ome.tiff",
    ]


def test_storage_order_and_frames_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "run.tif"
    spec = make_spec(
        {"time": 3, "channel": 4},
        storage=StorageSpec(order=("channel", "time"), compression="zlib"),
    )
    numbers = list(range(12))
    random.Random(3).shuffle(numbers)
    with Stream(spec, [OmeTiffSink(path)]) as stream:
        for number in numbers:
            index = {"time": number // 4, "channel": number % 4}
            stream.append(frame_of(number), index=index)
            stream.flush()
            found = stream.read(Address(0, (number // 4, number % 4)))
            np.testing.assert_array_equal(found, frame_of(number))
    assert validate(xml_of(path)).images[0].pixels.dimension_order.value == "XYZTC"
    for number in range(12):
        np.testing.assert_array_equal(
            series(path)[number // 4, number % 4, 0], frame_of(number)
        )


def test_a_plate_is_a_folder_with_a_companion(tmp_path: Path) -> None:
    path = tmp_path / "run"
    images = (
        *places("f0", "f1", well=("A", "1")),
        *places("g", well=("B", "2"), x_um=5.0, y_um=6.0),
    )
    spec = make_spec(
        order=("time", "position", "channel"),
        images=images,
        plate=PlateSpec("p", ("A", "B"), ("1", "2")),
    )
    with Stream(spec, [OmeTiffSink(path)]) as stream:
        for number in range(12):
            stream.append(frame_of(number))
    for number in range(12):
        t, p, c = np.unravel_index(number, (2, 3, 2))
        found = series(path / f"{images[p].name}.ome.tiff")
        np.testing.assert_array_equal(found[t, c, 0], frame_of(number))
    ome = validate(xml_of(path / "run.companion.ome"))
    assert [len(w.well_samples) for w in ome.plates[0].wells] == [2, 1]
    assert ome.images[2].stage_label.x == 5.0
    assert read_journal(journal_path(path, folder=True)).closed is not None


def test_several_positions_in_a_single_file(tmp_path: Path) -> None:
    path = tmp_path / "run.ome.tiff"
    spec = make_spec(order=("time", "position", "channel"), images=places("a", "b"))
    with Stream(spec, [OmeTiffSink(path, single_file=True)]) as stream:
        for number in range(8):
            stream.append(frame_of(number))
    for number in range(8):
        t, p, c = np.unravel_index(number, (2, 2, 2))
        np.testing.assert_array_equal(series(path, int(p))[t, c, 0], frame_of(number))


def test_an_unbounded_run_is_a_series_all_the_time(tmp_path: Path) -> None:
    path = tmp_path / "run.ome.tiff"
    spec = make_spec({"time": 1, "channel": 2}, growing=True, growing_axes=("time",))
    with Stream(spec, [OmeTiffSink(path)]) as stream:
        for number in range(90):
            stream.append(frame_of(number))
            if number % 11 == 5:
                stream.flush()
                found = series(path)
                for other in range(number + 1):
                    np.testing.assert_array_equal(
                        found[other // 2, other % 2, 0], frame_of(other)
                    )
    assert series(path).shape[:3] == (45, 2, 1)


def test_a_run_of_which_nothing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with Stream(growing_spec(), [OmeTiffSink(path)]) as stream:
        number = 0
        for t in range(3):
            for p in ("left", "right", "late")[: t + 1]:
                for c in ("DAPI", "FITC")[: t + 1]:
                    axes = {"position": p, "time": t, "channel": c}
                    stream.append(frame_of(number), index=axes)
                    number += 1
    found = series(path / "left.ome.tiff")
    assert found.shape[:3] == (3, 2, 1)
    np.testing.assert_array_equal(found[0, 0, 0], frame_of(0))
    np.testing.assert_array_equal(found[1, 1, 0], frame_of(2))
    assert series(path / "late.ome.tiff").shape[:3] == (3, 2, 1)
    ome = validate(xml_of(path / "run.companion.ome"))
    assert [i.name for i in ome.images] == ["left", "right", "late"]
    assert [c.name for c in ome.images[2].pixels.channels] == ["DAPI", "FITC"]


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "f4", "f8"])
def test_types_and_metadata_that_json_does_not_know(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "run.ome.tiff"
    spec = make_spec(dtype=dtype)
    with Stream(spec, [OmeTiffSink(path)]) as stream:
        for number in range(5):
            facts = {"when": {1, 2}, "temperature": float("nan"), "n": np.int8(number)}
            stream.append(frame_of(number, dtype=dtype), facts)
    for number in range(5):
        np.testing.assert_array_equal(
            series(path)[number, 0, 0], frame_of(number, dtype=dtype)
        )
    ome = validate(xml_of(path))
    extra = ome.structured_annotations.map_annotations[1].value
    assert extra["temperature"] == "nan"


def test_colour(tmp_path: Path) -> None:
    path = tmp_path / "run.ome.tiff"
    spec = make_spec(frame=(16, 24, 3), dtype="u1")
    with Stream(spec, [OmeTiffSink(path)]) as stream:
        for number in range(5):
            stream.append(frame_of(number, (16, 24, 3), "u1"))
    found = series(path)
    assert found.shape == (5, 1, 1, 16, 24, 3)
    np.testing.assert_array_equal(found[4, 0, 0], frame_of(4, (16, 24, 3), "u1"))
    pixels = validate(xml_of(path)).images[0].pixels
    assert (pixels.size_c, pixels.channels[0].samples_per_pixel) == (3, 3)


def test_what_it_cannot_hold_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.ome.tiff"
    for spec, what in (
        (make_spec({"time": 2, "camera": 2}), "camera"),
        (make_spec(dtype="u8"), "uint64"),
        (make_spec(frame=(4, 4, 3), dtype="f4"), "colour"),
        (make_spec(storage=StorageSpec(compression="blosc-lz4")), "zlib"),
        (make_spec(storage=StorageSpec(order=("channel",))), "storage order"),
    ):
        with pytest.raises(SettingsError, match=what):
            Stream(spec, [OmeTiffSink(path)])
    journal_path(path, folder=False).write_text("precious")
    with pytest.raises(OutputExistsError):
        Stream(make_spec(), [OmeTiffSink(path)])
    assert [p.name for p in tmp_path.iterdir()] == ["run.frames.jsonl"]
    late = Stream(growing_spec(), [OmeTiffSink(tmp_path / "late")])
    with pytest.raises(SettingsError, match="camera"):
        late.append(frame_of(0), index={"camera": 1})
    with pytest.raises(StreamError, match="camera"):
        late.close()
    assert not (tmp_path / "late").exists()


def test_a_stream_that_failed_leaves_what_a_repair_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.formats.ometiff import file as file_module

    path = tmp_path / "run.ome.tiff"
    stream = Stream(make_spec({"time": 50}), [OmeTiffSink(path)])
    for number in range(5):
        stream.append(frame_of(number))
    stream.flush()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(file_module.GrowingTiff, "append", fail)
        with pytest.raises(DiskSpaceError):
            for number in range(5, 50):
                stream.append(frame_of(number))
        with pytest.raises(DiskSpaceError):
            stream.close()
    assert read_journal(journal_path(path, folder=False)).closed is None
    assert len(pages(path)) == 5
    assert repair_tiff(path)
    assert series(path).shape[0] == 5


WRITER = """
import sys
from pathlib import Path
from napari_scope.stream import Stream
from napari_scope.stream.sinks.ometiff import OmeTiffSink
from tests.stream.streams import frame_of, growing_spec, make_spec

path, growing, end = sys.argv[1:]
spec = growing_spec() if growing == "True" else make_spec({"time": 5000})
stream = Stream(spec, [OmeTiffSink(Path(path))], ring_bytes=1 << 20)
for number in range(int(end)):
    stream.append(frame_of(number), {"n": number}, index={"time": number})
    if number % 7 == 6:
        stream.flush()
        print(stream.stats().saved, flush=True)
"""


@pytest.mark.parametrize("growing", [False, True])
def test_a_kill_leaves_every_frame_that_has_a_line(
    tmp_path: Path, growing: bool
) -> None:
    path = tmp_path / "run.ome.tiff"
    least = int(np.random.default_rng().integers(1, 400))
    told = killed_at(WRITER, least, str(path), str(growing), "5000")
    content = read_journal(journal_path(path, folder=False))
    lines = list(content.frames)
    assert content.closed is None
    assert len(lines) >= told >= least
    killed = series(path)
    for line in lines:
        assert line["crc32c"] == checksum(np.ascontiguousarray(killed[line["n"], 0, 0]))
    assert repair_tiff(path)
    found = series(path)
    assert len(found) >= len(lines)
    for number in range(len(found)):
        np.testing.assert_array_equal(found[number, 0, 0], frame_of(number))
    notes = validate(xml_of(path)).structured_annotations.map_annotations
    assert notes[-1].value["n"] == str(len(found) - 1)
