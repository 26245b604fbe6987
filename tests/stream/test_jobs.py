"""Jobs on stored data: what they make, say and leave alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.ngff.ngff_stores import pixels, write_image, write_plate
from tests.stream.streams import frame_of, make_sink, make_spec

from napari_scope.errors import OutputExistsError, StreamError
from napari_scope.formats import open_dataset
from napari_scope.formats.image_parts import Parts
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.stream import Stream
from napari_scope.stream.jobs import (
    ConvertOptions,
    convert_job,
    pyramid_job,
    recover_job,
    validate_job,
)

if TYPE_CHECKING:
    from pathlib import Path


def never() -> bool:
    return False


def tell(what: str, done: int, total: int) -> None:
    assert what and 0 <= done <= total


@pytest.fixture
def source(tmp_path: Path) -> Path:
    with NDTiffWriter(tmp_path / "a") as writer:
        for t in range(4):
            for channel in ("A", "B", "C"):
                value = 10 * t + ord(channel)
                writer.put(
                    {"time": t, "channel": channel},
                    np.full((8, 8), value, "u2"),
                    {"Value": value},
                )
    return tmp_path / "a"


@pytest.mark.parametrize("suffix", [".ome.zarr", ".ndtiff", ".ome.tiff"])
def test_a_part_is_exported(source: Path, suffix: str) -> None:
    before = {p: p.stat().st_mtime_ns for p in source.rglob("*")}
    target = source.with_name(f"b{suffix}")
    parts = Parts(channels=(2, 0), times=(1, 3))
    result = convert_job(source, target, parts=parts).run(tell, never)
    assert (result.state, result.text) == (
        "finished",
        "4 frames converted and compared",
    )
    assert result.made is not None
    (image,) = open_dataset(result.made).images
    found = np.asarray(image.levels[0])
    names = [name for name in image.axis_names if name in "tc"]
    order = [names.index(n) for n in "tc"]
    values = found[..., 0, 0].reshape(2, 2).transpose(order)
    wanted = sorted(ord(c) for c in "CA")
    assert sorted(values[0] - 10) == wanted and sorted(values[1] - 20) == wanted
    by_name = dict(zip((c.name for c in image.channels), values[0] - 10, strict=True))
    assert by_name == {"C": ord("C"), "A": ord("A")}
    assert before == {p: p.stat().st_mtime_ns for p in source.rglob("*")}


def test_a_part_of_a_store_with_a_journal(tmp_path: Path) -> None:
    with Stream(
        make_spec({"time": 6}), [make_sink("ome-zarr", tmp_path / "a.ome.zarr")]
    ) as stream:
        for n in range(6):
            if n == 3:
                stream.skip(reason="the lamp was out")
            else:
                stream.append(frame_of(n))
    target = tmp_path / "b.ome.zarr"
    result = convert_job(
        tmp_path / "a.ome.zarr", target, parts=Parts(times=(2, 5))
    ).run(tell, never)
    assert result.state == "finished", result
    lines = (target / "acquisition" / "frames.jsonl").read_text().splitlines()
    frames = [json.loads(line) for line in lines]
    told = {f["index"][0]: f["status"] for f in frames if "status" in f}
    assert told == {0: "saved", 1: "skipped", 2: "saved"}
    pixels = np.asarray(open_dataset(target).images[0].levels[0])
    np.testing.assert_array_equal(pixels[0], frame_of(2))


def test_the_fields_of_a_well(tmp_path: Path) -> None:
    write_plate(tmp_path / "p.zarr", {"A/1": ["0", "1"], "A/2": ["0"]})
    job = convert_job(tmp_path / "p.zarr", tmp_path / "w.ome.zarr", images=["A/1/"])
    assert job.title == "Export to w.ome.zarr"
    assert job.run(tell, never).state == "finished"
    images = open_dataset(tmp_path / "w.ome.zarr").images
    assert [image.name for image in images] == ["A/1/0", "A/1/1"]


def test_a_conversion_is_cancelled(source: Path) -> None:
    job = convert_job(source, source.with_name("b.ndtiff"))
    result = job.run(tell, lambda: True)
    assert result.state == "cancelled" and "cancelled after" in result.text


def test_nothing_is_overwritten(source: Path) -> None:
    job = convert_job(source, source.with_name("b"), ConvertOptions(format="ndtiff"))
    job.run(tell, never)
    with pytest.raises(OutputExistsError):
        job.run(tell, never)


def test_pyramid_and_check(tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    write_image(store, "cyx", pixels((2, 12, 16)))
    job = pyramid_job(store, levels=2)
    assert pyramid_job(store, levels=2).run(tell, lambda: True).state == "cancelled"
    result = job.run(tell, never)
    assert result.made == store and result.text == "1 of 1 images have levels"
    assert validate_job(store).run(tell, never).text == "valid"
    (store / "stranger.txt").write_text("?")
    found = validate_job(store).run(tell, never)
    assert found.state == "problems" and "stranger.txt" in "\n".join(found.lines)
    assert validate_job(store).run(tell, lambda: True).state == "cancelled"
    assert not validate_job(store).writes


def test_a_run_that_is_written_is_not_recovered(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with Stream(make_spec(n_frames=3), [make_sink("ndtiff", path)]) as stream:
        stream.append(frame_of(0))
        stream.flush()
        with pytest.raises(StreamError, match="still being written"):
            recover_job(path).run(tell, never)
