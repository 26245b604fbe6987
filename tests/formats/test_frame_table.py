from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.formats import open_dataset
from napari_scope.formats.frame_columns import INTERVAL, FrameColumns
from napari_scope.formats.frame_records import ListRecords
from napari_scope.formats.frame_table import FrameSheet, frame_table
from napari_scope.formats.ndtiff import NDTiffWriter
from napari_scope.stream import ImageSpec, Output, StoreSpec, Stream

if TYPE_CHECKING:
    from napari_scope.stream.sinks.base import FormatName

_DATA = Path(__file__).parents[3] / "shared" / "data" / "ndtiff"
FORMATS = {"ome-zarr": "run.ome.zarr", "ndtiff": "run", "ome-tiff": "run.ome.tiff"}


def spec() -> StoreSpec:
    sizes = {"time": 3, "channel": 2}
    images = tuple(ImageSpec(f"P{p}", {"position": p}, sizes=sizes) for p in (0, 1))
    return StoreSpec(
        "run",
        (8, 6),
        np.dtype("u2"),
        order=("time", "position", "channel"),
        images=images,
        labels={"channel": ("DAPI", "FITC")},
    )


def stream_frames(stream: Stream) -> None:
    for number in range(12):
        if number == 7:
            stream.skip(reason="the shutter stuck")
            continue
        facts = {"elapsed_ms": 10.0 * number, "exposure_ms": 5.0, "gain": str(number)}
        stream.append(np.full((8, 6), number, "u2"), facts)


@pytest.mark.parametrize("format", FORMATS)
def test_a_run_of_any_format_has_the_same_table(
    tmp_path: Path, format: FormatName
) -> None:
    path = tmp_path / FORMATS[format]
    output = Output(path, format).placed(2)
    with Stream(spec(), [output.sink()]) as stream:
        stream_frames(stream)
        stream.flush()
        going_on = frame_table(output.path)
        assert len(going_on) >= 11
    sheet = frame_table(output.path)
    dataset = open_dataset(output.path)
    records = [r for r in sheet.records() if r.status == "saved"]
    assert [r.axes["time"] for r in records] == [n // 4 for n in range(12) if n != 7]
    columns = FrameColumns(sheet)
    assert columns.update()
    gains = columns.numbers("gain")
    assert gains[np.isfinite(gains)].tolist() == [n for n in range(12) if n != 7]
    for record in records:
        place = sheet.place(record.number)
        assert place is not None
        assert sheet.number_at(place.image, place.index) == record.number
        image = dataset.images[place.image]
        key = tuple(place.index.get(name, 0) for name in image.axis_names[:-2])
        assert np.asarray(image.levels[0][key])[0, 0] == gains[record.number]
        assert image.frames is not None
        facts = image.frames.metadata(place.index)
        assert facts is not None
        if format != "ome-tiff":  # the file has numbers of OME only
            assert str(facts["gain"]) == str(int(gains[record.number]))
    if format != "ndtiff":  # its index has no place for what is not there
        missing = [r for r in sheet.records() if r.status != "saved"]
        assert [r.reason for r in missing] == ["the shutter stuck"]


def test_a_table_grows_with_its_run(tmp_path: Path) -> None:
    with Stream(spec(), [Output(tmp_path / "run", "ndtiff").sink()]) as stream:
        stream.append(np.zeros((8, 6), "u2"), {"elapsed_ms": 1.0})
        stream.flush()
        sheet = frame_table(tmp_path / "run")
        columns = FrameColumns(sheet)
        assert columns.update() and columns.count == 1
        stream.append(np.zeros((8, 6), "u2"), {"elapsed_ms": 4.0, "new": 7})
        stream.flush()
        assert sheet.refresh() == 2
        assert columns.update() and columns.count == 2
    assert columns.numbers("elapsed_ms").tolist() == [1.0, 4.0]
    assert np.isnan(columns.numbers("new")[0]) and columns.numbers("new")[1] == 7
    assert columns.numbers(INTERVAL)[1] == 3.0


def real_stores() -> list[str]:
    if not (_DATA / "oracle.json").is_file():
        return []
    return sorted(json.loads((_DATA / "oracle.json").read_text())["datasets"])


@pytest.mark.parametrize("name", real_stores() or [""])
def test_real_stores_say_what_the_reference_library_reads(name: str) -> None:
    if not name:
        pytest.skip(f"real NDTiff stores are not in this checkout: {_DATA} is absent")
    oracle = json.loads((_DATA / "oracle.json").read_text())["datasets"][name]
    sheet = frame_table(_DATA / name)
    expected = {frozenset(key.items()) for key in oracle["keys"]}
    by_axes = {frozenset(r.axes.items()): r for r in sheet.records()}
    assert by_axes.keys() == expected and len(sheet) == len(expected)
    compared = 0
    for image in oracle["images"]:
        record = by_axes[frozenset(image["key"].items())]
        assert not record.problem
        if "metadata" in image:
            assert dict(record.facts) == image["metadata"]
            compared += 1
    assert compared
    columns = FrameColumns(sheet)
    assert columns.update()
    assert columns.numbers("exposure_ms").tolist() == [
        float(r.facts["Exposure"]) for r in sheet.records()
    ]


def test_foreign_ome_tiff_has_what_tifffile_wrote(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    plane = {"DeltaT": [0.5 * n for n in range(6)], "PositionZ": list(range(6))}
    about = {"axes": "TZYX", "Plane": plane}
    tifffile.imwrite(path, np.zeros((3, 2, 4, 5), "u2"), metadata=about, ome=True)
    sheet = frame_table(path)
    assert len(sheet) == 6
    assert sheet.record(3).axes == {"time": 1, "channel": 0, "z": 1}
    columns = FrameColumns(sheet)
    columns.update()
    assert columns.numbers("elapsed_ms").tolist() == [500.0 * n for n in range(6)]
    place = sheet.place(5)
    assert place is not None and place.index == {"t": 2, "z": 1}
    assert sheet.number_at(0, {"t": 2, "z": 1}) == 5
    assert sheet.number_at(0, {"t": 3}) is sheet.number_at(4, {}) is None


def test_zarr_without_its_journal_has_the_list_in_its_attributes(
    tmp_path: Path,
) -> None:
    output = Output(tmp_path / "run.ome.zarr", "ome-zarr")
    with Stream(spec(), [output.sink()]) as stream:
        stream_frames(stream)
    (output.path / "acquisition" / "frames.jsonl").unlink()
    sheet = frame_table(output.path)
    assert len(sheet) == 11
    assert sheet.record(7).facts["gain"] == "8"
    assert open_dataset(output.path).images[0].frames is None


def test_damaged_metadata_of_one_frame_leave_the_others(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path, summary={}) as writer:
        for t in range(3):
            writer.put({"time": t}, np.zeros((4, 5), "u2"), {"mark": f"frame{t}"})
    (file,) = tmp_path.glob("*.tif")
    data = file.read_bytes()
    file.write_bytes(data.replace(b'"frame1"', b'"fra\0e1]'))
    sheet = frame_table(tmp_path)
    assert [bool(r.problem) for r in sheet.records()] == [False, True, False]
    assert sheet.record(2).facts["mark"] == "frame2"


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        frame_table(tmp_path)
    (tmp_path / "frames.jsonl").write_text('{"journal":1}\n')
    assert len(frame_table(tmp_path)) == 0  # a run without a frame so far
    assert len(frame_table(tmp_path / "frames.jsonl")) == 0


VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from("ab12")


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from("xyz"), VALUES), max_size=40))
def test_columns_are_what_a_plain_loop_finds(rows: list[dict[str, Any]]) -> None:
    entries = [{"axes": {"t": n % 3}, **row} for n, row in enumerate(rows)]
    columns = FrameColumns(FrameSheet(ListRecords(entries)))
    assert columns.update()
    assert columns.count == len(rows)
    found = {c.name: c for c in columns.columns if c.name != "axes.t"}
    filled = {k: [r[k] for r in rows if r.get(k) not in (None, "")] for k in "xyz"}
    assert set(found) == {name for name, values in filled.items() if values}
    for name, column in found.items():
        values = filled[name]
        assert column.filled == len(values)
        numeric = all(not isinstance(v, bool) and str(v) not in "ab" for v in values)
        assert column.numeric == numeric
        if numeric:
            expected = [float(r.get(name) or 0) for r in rows]
            read = np.nan_to_num(columns.numbers(name)).tolist()
            assert read == expected
            lacking = [r.get(name) is None for r in rows]
            assert [math.isnan(v) for v in columns.numbers(name)] == lacking
        else:
            with pytest.raises(KeyError):
                columns.numbers(name)
    codes, groups = columns.groups("axes.t")
    assert [groups[code] for code in codes] == [n % 3 for n in range(len(rows))]


def test_reading_can_be_stopped_and_goes_on() -> None:
    entries = [{"axes": {"t": n}, "v": n} for n in range(1000)]
    columns = FrameColumns(FrameSheet(ListRecords(entries)))
    told: list[tuple[int, int]] = []
    assert not columns.update(
        lambda done, of: told.append((done, of)), lambda: len(told) >= 2
    )
    assert 0 < columns.count < 1000 and told[-1] == (columns.count, 1000)
    assert columns.update()
    assert columns.numbers("v").tolist() == list(range(1000))


def test_an_image_of_a_run_has_its_own_frames(tmp_path: Path) -> None:
    output = Output(tmp_path / "1", "ome-zarr").placed(2)  # its name is a number, too
    with Stream(spec(), [output.sink()]) as stream:
        stream_frames(stream)
    assert len(frame_table(output.path)) == 12
    second = frame_table(open_dataset(output.path / "1"))
    assert len(second) == 6
    assert {second.record(number).axes["position"] for number in range(6)} == {1}
