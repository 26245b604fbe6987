"""OME-TIFF as source and target of conversions, beside what other libraries read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tests.stream.plates import foreign_plate

from napari_scope.errors import SettingsError
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import NDTiffWriter
from napari_scope.model import Channel
from napari_scope.stream.conversion.ahead import ahead
from napari_scope.stream.convert import convert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def positions(path: Path) -> dict[str, np.ndarray]:
    """Write two positions as NDTiff, one frame of them missing."""
    rng = np.random.default_rng(2)
    data = {p: rng.integers(1, 900, (3, 2, 40, 50), dtype="u2") for p in ("P1", "P2")}
    channels = (Channel("GFP", "#00FF00"), Channel("DAPI", "#0000FF"))
    summary = {"PixelSize_um": 0.5, "Interval_ms": 250}
    with NDTiffWriter(path, summary=summary, channels=channels) as writer:
        for position, frames in data.items():
            for t, c in np.ndindex(3, 2):
                axes = {"position": position, "time": t, "channel": channels[c].name}
                stage = {"XPosition_um_Intended": 100, "YPosition_um_Intended": 50}
                if (position, t, c) != ("P2", 1, 0):
                    writer.put(axes, frames[t, c], stage)
    data["P2"][1, 0] = 0
    return data


def test_positions_become_a_folder_of_files(tmp_path: Path) -> None:
    data = positions(tmp_path / "a")
    report = convert(tmp_path / "a", tmp_path / "b.ome.tiff")
    assert report.complete
    assert (report.written, report.missing, report.format) == (11, 1, "ome-tiff")
    assert report.target == tmp_path / "b"
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "b" / "P1.ome.tiff"), data["P1"]
    )
    was, now = open_dataset(tmp_path / "a"), open_dataset(tmp_path / "b")
    assert now.format == "ome-tiff"
    for old, new in zip(was.images, now.images, strict=True):
        np.testing.assert_array_equal(np.asarray(new.levels[0]), data[new.name])
        assert new.axes == old.axes
        assert [c.color for c in new.channels] == ["#00FF00", "#0000FF"]
    table = now.images[1].frames
    assert table is not None
    assert not table.exists({"t": 1, "c": 0})
    assert table.exists({"t": 1, "c": 1})


@pytest.mark.parametrize("target", ["c.ndtiff", "c.ome.zarr"])
def test_gaps_and_places_of_ome_tiff_are_kept(tmp_path: Path, target: str) -> None:
    data = positions(tmp_path / "a")
    first = convert(tmp_path / "a", tmp_path / "b.ome.tiff")
    report = convert(first.target, tmp_path / target)
    assert report.complete
    assert (report.written, report.missing) == (11, 1)
    was, now = open_dataset(tmp_path / "a"), open_dataset(tmp_path / target)
    for old, new in zip(was.images, now.images, strict=True):
        np.testing.assert_array_equal(np.asarray(new.levels[0]), data[old.name])
        assert new.axes == old.axes


def test_a_plate_by_way_of_ome_tiff(tmp_path: Path) -> None:
    fields = foreign_plate(tmp_path / "a.zarr")
    report = convert(tmp_path / "a.zarr", tmp_path / "b.ome.tiff")
    assert report.complete
    assert any("segmentations" in note for note in report.notes)
    files = open_dataset(tmp_path / "b")
    assert [image.metadata["well"] for image in files.images] == [
        "A/10",
        "A/10",
        "B/2",
        "B/2",
    ]
    again = convert(tmp_path / "b", tmp_path / "c.ome.zarr", version="0.4")
    assert again.complete
    plate = open_dataset(tmp_path / "c.ome.zarr")
    assert plate.metadata["layout"] == "plate"
    paths = [str(image.metadata["path"]) for image in plate.images]
    assert paths == ["A/10/0", "A/10/1", "B/2/0", "B/2/1"]
    for image, data in zip(plate.images, fields.values(), strict=True):
        np.testing.assert_array_equal(np.asarray(image.levels[0]), data)


def test_colours_there_and_back(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 255, (2, 40, 50, 3), dtype="u1")
    source = tmp_path / "a.ome.tif"
    tifffile.imwrite(source, data, photometric="rgb", metadata={"axes": "TYXS"})
    assert convert(source, tmp_path / "b.ndtiff").complete
    assert convert(tmp_path / "b.ndtiff", tmp_path / "c.ome.tiff").complete
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "c.ome.tiff"), data)
    assert convert(source, tmp_path / "d.ome.zarr").complete
    (image,) = open_dataset(tmp_path / "d.ome.zarr").images
    pixels = np.asarray(image.levels[0])
    expected = data if image.rgb else np.moveaxis(data, -1, 1)
    np.testing.assert_array_equal(pixels, expected)


def test_types_that_ome_tiff_does_not_have(tmp_path: Path) -> None:
    import zarr
    from tests.stream.plates import foreign_image

    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    foreign_image(group, np.ones((40, 40), "u8"), "yx")
    with pytest.raises(SettingsError, match="uint64 cannot be stored as OME-TIFF"):
        convert(tmp_path / "a.zarr", tmp_path / "b.ome.tiff")


@pytest.mark.parametrize("target", ["b.ome.tiff", "b.ome.zarr"])
def test_a_killed_conversion_has_its_journal(tmp_path: Path, target: str) -> None:
    data = positions(tmp_path / "a")
    code = (
        "import sys, time\n"
        "from napari_scope.stream.convert import convert\n"
        "def slow(now):\n"
        "    if now.done == 4:\n"
        "        time.sleep(0.5); print('begun', flush=True); time.sleep(60)\n"
        "convert(sys.argv[1], sys.argv[2], images=['P1'], progress=slow)\n"
    )
    arguments = [str(tmp_path / "a"), str(tmp_path / target)]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.kill(process.pid, signal.SIGKILL)
    (image,) = open_dataset(tmp_path / target).images
    pixels = np.asarray(image.levels[0]).reshape(-1, 40, 50)
    np.testing.assert_array_equal(pixels[:4], data["P1"].reshape(-1, 40, 50)[:4])
    assert list(tmp_path.rglob("*frames.jsonl"))


# ------------------------------------------------------------------ reading ahead


def test_errors_come_where_the_item_would_be() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with ahead(items()) as found:
        assert next(found) == 1
        with pytest.raises(OSError, match="gone"):
            next(found)


@pytest.mark.parametrize("kind", ["ndtiff", "ome-zarr"])
def test_only_frames_that_are_decoded_are_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from napari_scope.stream.conversion import write

    frames = np.arange(4 * 20 * 30, dtype=np.uint16).reshape(4, 20, 30)
    source = tmp_path / "source"
    with NDTiffWriter(source, summary={"PixelType": "GRAY16"}) as writer:
        for time, frame in enumerate(frames):
            writer.put({"time": time}, frame)
    if kind == "ome-zarr":
        source = tmp_path / "source.ome.zarr"
        convert(tmp_path / "source", source, compression="blosc-zstd")
    used = []

    def noted(planes: Iterable[Any]) -> Any:
        used.append(True)
        return ahead(planes)

    monkeypatch.setattr(write, "ahead", noted)
    report = convert(source, tmp_path / "target", format="ndtiff", verify=True)
    assert report.verified == 4
    assert bool(used) == (kind == "ome-zarr")


def test_what_is_not_wanted_any_more_is_not_made() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    with ahead(items()) as found:
        assert next(found) == 0
    assert len(made) < 10
