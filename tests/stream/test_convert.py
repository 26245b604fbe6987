"""Conversions keep every pixel, every axis and every gap, or say what they do not."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stream.streams import frame_of, make_spec

from napari_scope.arrays import FrameSource, LazyArray, MemorySource
from napari_scope.errors import (
    DiskSpaceError,
    FormatError,
    OutputExistsError,
    SettingsError,
)
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import NDTiffWriter
from napari_scope.formats.ndtiff.reader import NDTiffReader
from napari_scope.formats.ngff.writing.shards import ShardWriter
from napari_scope.model import Axis, Channel, Dataset, Image
from napari_scope.stream import (
    ImageSpec,
    NDTiffSink,
    OmeZarrSink,
    Stream,
    read_journal,
)
from napari_scope.stream import convert as convert_module
from napari_scope.stream.conversion import check as convert_check
from napari_scope.stream.conversion import journal as convert_journal
from napari_scope.stream.conversion import parts as convert_parts
from napari_scope.stream.conversion import source as convert_source
from napari_scope.stream.conversion.source import SourceImage
from napari_scope.stream.convert import ConversionProgress, convert, target_format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_scope.model import Axes

_DATA = Path(__file__).parents[3] / "shared" / "data" / "ndtiff"

PLAIN = [
    "v2/ndtiffv2.0_test",
    "v3/ndtiffv3.0_test",
    "v3/12_bit_pycromanager_mda",
    "v3/labeled_positions_1",
    "v3/ndtiff3.2_monochrome",
]
TILED = [
    "v3/ndtiff3.2_magellan_explore_rgb",
    "v3/ndtiffv3.0_stitched_test",
    "v3/no_magellan_explore_multi_channel",
]


@pytest.fixture
def real_stores() -> Path:
    if not (_DATA / "oracle.json").is_file():
        pytest.skip(f"real NDTiff stores are not in this checkout: {_DATA} is absent")
    return _DATA


def write_ndtiff(
    path: Path,
    frames: Sequence[tuple[Axes, np.ndarray]],
    *,
    bits: int | None = None,
    metadata: Mapping[str, object] | None = None,
    **more: Any,
) -> dict[tuple[tuple[str, int | str], ...], np.ndarray]:
    """Write a store and return its frames by their axes."""
    with NDTiffWriter(path, **more) as writer:
        for axes, frame in frames:
            writer.put(axes, frame, metadata, bit_depth=bits)
    return {tuple(sorted(axes.items())): frame for axes, frame in frames}


def journal(path: Path) -> Any:
    own = path / "frames.jsonl"
    return read_journal(own if own.is_file() else path / "acquisition/frames.jsonl")


def entries(path: Path, status: str = "saved") -> list[dict[str, Any]]:
    return [dict(e) for e in journal(path).frames if e["status"] == status]


def by_ndstorage(path: Path, axes: Axes) -> np.ndarray:
    from ndstorage import Dataset as Reference

    dataset = Reference(str(path))
    try:
        return np.array(dataset.read_image(**axes))
    finally:
        dataset.close()


def has_by_ndstorage(path: Path, axes: Axes) -> bool:
    from ndstorage import Dataset as Reference

    dataset = Reference(str(path))
    try:
        return bool(dataset.has_image(**axes))
    finally:
        dataset.close()


def levels(path: Path) -> list[np.ndarray]:
    """Return full resolution of all images by zarr-python."""
    root = zarr.open_group(path, mode="r")
    if "OME" in root:
        numbers = sorted(int(k) for k in root.group_keys() if k.isdigit())
        return [np.asarray(root[f"{n}/0"]) for n in numbers]
    return [np.asarray(root["0"])]


def ome(path: Path) -> Any:
    return json.loads((path / "zarr.json").read_text())["attributes"]["ome"]


# ------------------------------------------------------------------ real stores


@pytest.mark.parametrize("name", PLAIN)
def test_a_real_store_there_and_back(
    real_stores: Path, tmp_path: Path, name: str
) -> None:
    source, there, back = real_stores / name, tmp_path / "a.zarr", tmp_path / "b.ndtiff"
    before = open_dataset(source)
    report = convert(source, there)
    assert report.complete
    assert report.state == "finished"
    assert report.verified == report.written == report.frames > 0
    assert report.notes == ()
    for image, pixels in zip(before.images, levels(there), strict=True):
        np.testing.assert_array_equal(pixels, np.asarray(image.levels[0]))
        assert pixels.dtype == image.levels[0].dtype
    for was, now in zip(before.images, open_dataset(there).images, strict=True):
        assert [(a.name, a.scale, a.unit, a.translation) for a in now.axes] == [
            (a.name, a.scale, a.unit, a.translation) for a in was.axes
        ]
        if was.channels[0].name:
            assert [c.name for c in now.channels] == [c.name for c in was.channels]
        assert now.bit_depth == was.bit_depth

    assert convert(there, back).complete
    after = open_dataset(back)
    for was, now in zip(before.images, after.images, strict=True):
        np.testing.assert_array_equal(
            np.asarray(now.levels[0]), np.asarray(was.levels[0])
        )
        assert [(a.name, a.scale, a.unit, a.translation) for a in now.axes] == [
            (a.name, a.scale, a.unit, a.translation) for a in was.axes
        ]
        assert now.metadata.get("position") == was.metadata.get("position")
        first = dict.fromkeys(("t", "c", "z"), 0)
        assert was.frames is not None
        assert now.frames is not None
        old, new = was.frames.metadata(first), now.frames.metadata(first)
        assert old is not None
        assert new is not None
        for key in ("Exposure", "Core-Camera", "ElapsedTime-ms", "Camera-Binning"):
            assert new[key] == old[key]
    entry = entries(back)[0]
    np.testing.assert_array_equal(
        by_ndstorage(back, entry["axes"]), levels(there)[0][tuple(entry["index"])]
    )


@pytest.mark.parametrize("name", TILED)
def test_real_tiles_are_stitched(real_stores: Path, tmp_path: Path, name: str) -> None:
    source, target = real_stores / name, tmp_path / "a.ome.zarr"
    (image,) = open_dataset(source).images
    report = convert(source, target)
    assert report.complete
    assert "stitched" in " ".join(report.notes)
    (pixels,) = levels(target)
    expected = np.asarray(image.levels[0])
    if image.rgb:
        assert pixels.shape == (3, *expected.shape[:-1])
        expected = np.moveaxis(expected, -1, 0)
    # Axes of a single sample, of which OME-Zarr takes no more than one, are left out.
    np.testing.assert_array_equal(pixels.reshape(expected.shape), expected)
    tiles = entries(target)[0]["metadata"]["tiles"]
    assert {"row", "column"} <= tiles[0]["axes"].keys()
    assert tiles[0]["metadata"]["camera"] == "Camera"
    assert len({json.dumps(tile["axes"], sort_keys=True) for tile in tiles}) == len(
        tiles
    )
    assert convert(source, tmp_path / "b.ndtiff").complete


def test_the_source_is_described(real_stores: Path, tmp_path: Path) -> None:
    source = real_stores / "v3/12_bit_pycromanager_mda"
    there, back = tmp_path / "a.ome.zarr", tmp_path / "b.ndtiff"
    convert(source, there)
    text = (there / "acquisition" / "zarr.json").read_text()
    facts = json.loads(text)["attributes"]["napari_scope"]
    origin = facts["converted_from"]
    assert (origin["name"], origin["format"]) == (source.name, "ndtiff")
    assert origin["format_version"] == "3.3"
    assert origin["metadata"]["summary"]["Core-Camera"] == "Camera"
    convert(there, back)
    summary: Any = open_dataset(back).metadata["summary"]
    origin = summary["napari_scope"]["converted_from"]
    assert origin["format"] == "ome-zarr"
    assert origin["metadata"]["acquisition"] == facts


# ------------------------------------------------------------------ from NDTiff


def test_strings_gaps_positions_and_depth(tmp_path: Path) -> None:
    source, target, back = (tmp_path / n for n in ("a", "b.ome.zarr", "c.ndtiff"))
    frames = []
    for number, position in enumerate(("Well A", "Well B")):
        for t in range(3):
            for c, channel in enumerate(("GFP", "DAPI")):
                if (t, channel) == (1, "DAPI") or (position, t) == ("Well B", 2):
                    continue
                axes = {"position": position, "time": t, "channel": channel}
                frames.append((axes, frame_of(10 * number + 2 * t + c)))
    wanted = write_ndtiff(
        source,
        frames,
        bits=12,
        metadata={"Exposure": 5.5, "Note": "kept"},
        summary={"PixelSize_um": 0.5, "Interval_ms": 250},
        channels=(Channel("GFP", "#00FF00", (10, 900)), Channel("DAPI", "#0000FF")),
    )
    report = convert(source, target)
    assert report.complete
    assert (report.images, report.written) == (2, 8)
    # Well B ends before t = 2, so its image is that much shorter.
    assert report.missing == 2
    assert [pixels.shape for pixels in levels(target)] == [
        (3, 2, 16, 24),
        (2, 2, 16, 24),
    ]
    skipped = entries(target, "skipped")
    assert {e["reason"] for e in skipped} == {"missing in the source"}
    assert [e["axes"] for e in skipped] == [
        {"position": p, "time": 1, "channel": "DAPI"} for p in ("Well A", "Well B")
    ]
    assert journal(target).closed["saved"] == 8
    for entry in entries(target):
        pixels = levels(target)[entry["image"]][tuple(entry["index"])]
        key = tuple(sorted(entry["axes"].items()))
        np.testing.assert_array_equal(pixels, wanted[key])
        assert entry["metadata"]["exposure_ms"] == 5.5
        assert entry["metadata"]["Note"] == "kept"
    omero = ome(target / "0")["omero"]["channels"]
    assert [(c["label"], c["color"]) for c in omero] == [
        ("GFP", "00FF00"),
        ("DAPI", "0000FF"),
    ]
    assert (omero[0]["window"]["start"], omero[0]["window"]["end"]) == (10, 900)
    image = open_dataset(target).images[0]
    assert image.bit_depth == 12
    assert [axis.scale for axis in image.axes] == [0.25, 1, 0.5, 0.5]

    assert convert(target, back).complete
    for key, frame in wanted.items():
        np.testing.assert_array_equal(by_ndstorage(back, dict(key)), frame)
    missing = {"position": "Well A", "time": 1, "channel": "DAPI"}
    assert not has_by_ndstorage(back, missing)
    assert {e["reason"] for e in entries(back, "skipped")} == {"missing in the source"}
    image = open_dataset(back).images[0]
    assert image.bit_depth == 12
    assert image.channels[0] == Channel("GFP", "#00FF00", (10, 900))


def test_a_custom_axis_alone_stays_an_axis(tmp_path: Path) -> None:
    source, target, back = (tmp_path / n for n in ("a", "b.ome.zarr", "c.ndtiff"))
    wanted = write_ndtiff(
        source,
        [
            ({"time": t, "polarisation": p, "z": z}, frame_of(4 * t + 2 * z + i))
            for t in range(2)
            for i, p in enumerate(("left", "right"))
            for z in range(2)
        ],
    )
    assert convert(source, target).complete
    (image,) = open_dataset(target).images
    assert image.axis_names == ("t", "polarisation", "z", "y", "x")
    assert {e["axes"]["polarisation"] for e in entries(target)} == {"left", "right"}
    assert convert(target, back).complete
    for key, frame in wanted.items():
        np.testing.assert_array_equal(by_ndstorage(back, dict(key)), frame)
    # A store whose journal does not say all of them still has the ones it says.
    lines = (target / "acquisition/frames.jsonl").read_bytes().splitlines(True)
    kept = [lines[0], *(line for line in lines[1:-1] if b'"right"' not in line)]
    (target / "acquisition/frames.jsonl").write_bytes(b"".join(kept))
    report = convert(target, tmp_path / "d.ndtiff")
    assert (report.written, report.missing) == (4, 4)
    assert {e["axes"]["polarisation"] for e in entries(tmp_path / "d.ndtiff")} == {
        "left"
    }


def test_a_custom_axis_beside_channels_becomes_images(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b.ome.zarr"
    wanted = write_ndtiff(
        source,
        [
            ({"laser": laser, "channel": c, "z": z}, frame_of(4 * i + 2 * j + z))
            for i, laser in enumerate(("405", "red"))
            for j, c in enumerate(("A", "B"))
            for z in range(2)
        ],
    )
    report = convert(source, target)
    assert report.complete
    assert report.images == 2
    assert "axis 'laser' becomes 2 images" in " ".join(report.notes)
    images = open_dataset(target).images
    assert [i.name for i in images] == ["a laser 405", "a laser red"]
    for image, laser in zip(images, ("405", "red"), strict=True):
        for j, c in enumerate(("A", "B")):
            for z in range(2):
                key = (("channel", c), ("laser", laser), ("z", z))
                pixels = np.asarray(image.levels[0][j, z])
                np.testing.assert_array_equal(pixels, wanted[key])
    text = (target / "acquisition" / "zarr.json").read_text()
    about = json.loads(text)["attributes"]["napari_scope"]["images"]
    assert [a["axes"] for a in about] == [{"laser": "405"}, {"laser": "red"}]


def test_values_that_are_not_evenly_spaced_are_numbered(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b.ome.zarr"
    write_ndtiff(source, [({"time": t}, frame_of(t)) for t in (2, 5, 11)])
    report = convert(source, target)
    assert report.complete
    assert "has the values 2, 5, 11; they are numbered" in report.notes[0]
    assert [e["axes"]["time"] for e in entries(target)] == [0, 1, 2]
    kept = [e["metadata"]["Axes"]["time"] for e in entries(target)]
    assert kept == [2, 5, 11]


def test_a_channel_that_only_some_positions_have(tmp_path: Path) -> None:
    source, target, back = (tmp_path / n for n in ("a", "b.ome.zarr", "c.ndtiff"))
    wanted = write_ndtiff(
        source,
        [
            ({"position": 0, "channel": "DAPI"}, frame_of(0)),
            ({"position": 0, "channel": "FITC"}, frame_of(1)),
            ({"position": 1, "channel": "FITC"}, frame_of(2)),
        ],
    )
    report = convert(source, target)
    assert report.complete
    assert report.missing == 1
    second = levels(target)[1]
    np.testing.assert_array_equal(
        second[1], wanted[("channel", "FITC"), ("position", 1)]
    )
    (gap,) = entries(target, "skipped")
    assert gap["axes"] == {"position": 1, "channel": "DAPI"}
    assert [c.name for c in open_dataset(target).images[1].channels] == ["DAPI", "FITC"]
    assert convert(target, back).complete
    for key, frame in wanted.items():
        np.testing.assert_array_equal(by_ndstorage(back, dict(key)), frame)


@pytest.mark.parametrize(
    ("size", "dtype"), [((16, 24), "u1"), ((20, 30), "u1"), ((16, 24), "u2")]
)
def test_images_of_different_sizes_and_types(
    tmp_path: Path, size: tuple[int, int], dtype: str
) -> None:
    source, target = tmp_path / "a", tmp_path / "b.ome.zarr"
    big = frame_of(1, (20, 30))
    small = frame_of(2, size, dtype)
    write_ndtiff(
        source,
        [({"position": 0, "time": t}, big + t) for t in range(2)]
        + [({"position": 1, "time": t}, small + t) for t in range(2)],
    )
    report = convert(source, target)
    assert report.complete
    assert "store of its own" in " ".join(report.notes)
    from yaozarrs import validate_zarr_store

    validate_zarr_store(target)
    first, second = levels(target)
    np.testing.assert_array_equal(first, [big, big + 1])
    np.testing.assert_array_equal(second, [small, small + 1])
    assert second.dtype == dtype
    dataset = open_dataset(target)
    assert dataset.problems == ()
    assert [i.levels[0].shape for i in dataset.images] == [(2, 20, 30), (2, *size)]
    for number in (0, 1):
        assert journal(target / str(number)).closed["saved"] == 2
    # NDTiff takes one after the other.
    with pytest.raises(SettingsError, match=r"30 x 20 uint16 has .*images="):
        convert(target, tmp_path / "c.ndtiff")
    assert not (tmp_path / "c.ndtiff").exists()
    name = dataset.images[1].name
    assert convert(target, tmp_path / "c.ndtiff", images=[name]).complete
    (only,) = open_dataset(tmp_path / "c.ndtiff").images
    np.testing.assert_array_equal(np.asarray(only.levels[0]), second)
    assert convert(target, tmp_path / "d.ndtiff", images=[0]).written == 2


def test_colours_become_channels_and_stay_colours(tmp_path: Path) -> None:
    source, target, same = (tmp_path / n for n in ("a", "b.ome.zarr", "c.ndtiff"))
    frames = {t: frame_of(t, (16, 24, 3), "u1") for t in range(2)}
    write_ndtiff(source, [({"time": t}, f) for t, f in frames.items()])
    report = convert(source, target)
    assert report.complete
    assert (report.frames, report.written) == (6, 6)
    (pixels,) = levels(target)
    for t, frame in frames.items():
        np.testing.assert_array_equal(pixels[t], np.moveaxis(frame, -1, 0))
    omero = ome(target)["omero"]["channels"]
    assert [(c["label"], c["color"]) for c in omero] == [
        ("Red", "FF0000"),
        ("Green", "00FF00"),
        ("Blue", "0000FF"),
    ]
    assert {c["window"]["end"] for c in omero} == {255}
    assert convert(source, same).complete
    for t, frame in frames.items():
        np.testing.assert_array_equal(by_ndstorage(same, {"time": t}), frame)


# ------------------------------------------------------------------ from OME-Zarr


def demo(path: Path, *, end: str = "closed") -> dict[str, np.ndarray]:
    """Write a store as a run does: two positions, t, c, z, a gap, a stage."""
    images = tuple(
        ImageSpec(
            name,
            {"position": name},
            {"time": 2, "channel": 2, "z": 2},
            x_um=100.0 * i,
            y_um=50.0,
            z_um=7.0,
        )
        for i, name in enumerate("AB")
    )
    spec = make_spec(
        order=("position", "time", "channel", "z"),
        images=images,
        labels={"channel": ("DAPI", "FITC")},
        channels=(Channel("DAPI", "#0000FF", (5, 500)),),
        pixel_um=0.5,
        z_um=2.0,
        interval_s=3.0,
        bit_depth=14,
        n_frames=16,
        summary={"microscope": "demo"},
    )
    frames = {}
    sink = OmeZarrSink(path)
    stream = Stream(spec, [sink])
    number = 0
    for p in "AB":
        for t in range(2):
            for channel in ("DAPI", "FITC"):
                for z in range(2):
                    axes = {"position": p, "time": t, "channel": channel, "z": z}
                    number += 1
                    if number == 6:
                        stream.skip(index=axes, reason="autofocus failed")
                        continue
                    if end != "closed" and number > 12:
                        continue
                    frame = frame_of(number)
                    facts = {"elapsed_ms": 1.5 * number, "exposure_ms": 10.0}
                    stream.append(frame, facts, index=axes)
                    frames[json.dumps(axes, sort_keys=True)] = frame
    stream.close()
    if end != "closed":  # as after a kill
        lines = (path / "acquisition/frames.jsonl").read_bytes().splitlines(True)
        (path / "acquisition/frames.jsonl").write_bytes(b"".join(lines[:-1]))
    return frames


def test_a_run_becomes_ndtiff(tmp_path: Path) -> None:
    source, target, back = (tmp_path / n for n in ("a.zarr", "b.ndtiff", "c.ome.zarr"))
    frames = demo(source)
    report = convert(source, target)
    assert report.complete
    assert (report.written, report.missing) == (15, 1)
    assert report.notes == ()
    from ndstorage import Dataset as Reference

    dataset = Reference(str(target))
    for key, frame in frames.items():
        axes = json.loads(key)
        np.testing.assert_array_equal(dataset.read_image(**axes), frame)
        metadata = dataset.read_metadata(**axes)
        assert metadata["Exposure"] == 10.0
        assert metadata["Channel"] == axes["channel"]
        assert metadata["XPositionUm"] == "AB".index(axes["position"]) * 100
        assert metadata["ZPositionUm"] == 7 + 2 * axes["z"]
    gap = {"position": "A", "time": 1, "channel": "DAPI", "z": 1}
    assert not dataset.has_image(**gap)
    assert dataset.summary_metadata["ChNames"] == ["DAPI", "FITC"]
    dataset.close()
    (skipped,) = entries(target, "skipped")
    assert skipped["axes"] == gap
    assert skipped["reason"] == "missing in the source: autofocus failed"
    was, now = open_dataset(source).images, open_dataset(target).images
    for a, b in zip(was, now, strict=True):
        assert [x.scale for x in b.axes] == [x.scale for x in a.axes]
        assert b.axes[-2:] == a.axes[-2:]
        assert b.bit_depth == 14

    assert convert(target, back).complete
    for a, b in zip(levels(source), levels(back), strict=True):
        np.testing.assert_array_equal(a, b)
    (again,) = entries(back, "skipped")
    assert again["axes"] == gap
    assert entries(back)[0]["metadata"]["elapsed_ms"] == 1.5


def test_an_unfinished_run_is_converted_as_far_as_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "a.zarr", tmp_path / "b.ndtiff"
    frames = demo(source, end="killed")
    report = convert(source, target)
    assert report.complete
    assert (report.written, report.missing) == (len(frames), 5)
    assert "not finished" in " ".join(report.notes)
    missing = {"position": "B", "time": 1, "channel": "FITC", "z": 1}
    assert not has_by_ndstorage(target, missing)


def test_one_image_of_a_collection_has_its_journal(tmp_path: Path) -> None:
    source = tmp_path / "a.zarr"
    demo(source)
    report = convert(source / "0", tmp_path / "b.ndtiff")
    assert (report.written, report.missing) == (7, 1)
    assert entries(tmp_path / "b.ndtiff")[0]["axes"]["position"] == "A"


def test_a_damaged_journal_is_said(tmp_path: Path) -> None:
    source = tmp_path / "a.zarr"
    demo(source)
    path = source / "acquisition" / "frames.jsonl"
    path.write_bytes(b"{}\n" + path.read_bytes())
    report = convert(source, tmp_path / "b.ndtiff")
    assert (report.written, report.missing) == (16, 0)
    assert "the journal cannot be read" in report.notes[0]


def foreign(path: Path, data: np.ndarray, chunks: tuple[int, ...], axes: str) -> None:
    """Write an OME-Zarr 0.5 image as another program may."""
    root = zarr.create_group(path, zarr_format=3)
    array = root.create_array("0", shape=data.shape, dtype=data.dtype, chunks=chunks)
    array[...] = data
    kinds = {"t": "time", "c": "channel"}
    root.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [
                    {"name": a, "type": kinds.get(a, "space"), "unit": "nanometer"}
                    if kinds.get(a, "space") == "space"
                    else {"name": a, "type": kinds[a]}
                    for a in axes
                ],
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [200.0] * len(axes)}
                        ],
                    }
                ],
            }
        ],
        "omero": {"channels": [{"label": "same"}, {"label": "same"}]},
    }


def test_another_programs_chunks_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert_source, "_GROUP_BYTES", 0)
    data = np.arange(1, 2 * 6 * 8 * 10 + 1, dtype=">u2").reshape(2, 6, 8, 10)
    foreign(tmp_path / "a.zarr", data, (1, 4, 8, 10), "czyx")
    from napari_scope.formats.ngff.pixels import ZarrSource

    real, blocks = ZarrSource.read, []

    def read(self: ZarrSource, block: tuple[slice, ...]) -> np.ndarray:
        blocks.append(block)
        return real(self, block)

    monkeypatch.setattr(ZarrSource, "read", read)
    report = convert(tmp_path / "a.zarr", tmp_path / "b.ndtiff", verify=False)
    assert report.complete
    assert report.verified is None
    assert len(blocks) == 4  # two channels, two chunks along z
    for c, name in enumerate(("same", "same (2)")):
        for z in range(6):
            found = by_ndstorage(tmp_path / "b.ndtiff", {"channel": name, "z": z})
            np.testing.assert_array_equal(found, data[c, z])
    (image,) = open_dataset(tmp_path / "b.ndtiff").images
    assert [(a.scale, a.unit) for a in image.axes[1:]] == [(0.2, "micrometer")] * 3


def test_large_chunks_are_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert_source, "_BLOCK_BYTES", 3 * 8 * 10 * 2)
    monkeypatch.setattr(convert_source, "_GROUP_BYTES", 0)
    data = np.arange(2 * 7 * 8 * 10, dtype="u2").reshape(2, 7, 8, 10)
    foreign(tmp_path / "a.zarr", data, (2, 7, 8, 10), "tzyx")
    (image,) = open_dataset(tmp_path / "a.zarr").images
    source = SourceImage(image)
    shapes = [tuple(map(len, block)) for block in source._blocks({})]
    assert shapes == [(1, 3), (1, 3), (1, 1)] * 2
    for plane in source.planes():
        np.testing.assert_array_equal(
            plane.pixels, data[plane.index["t"], plane.index["z"]]
        )


@pytest.mark.parametrize(
    ("room", "shapes"),
    [
        (1, [(1, 1)] * 14),
        (3, [(1, 3), (1, 3), (1, 1)] * 2),
        (7, [(1, 7)] * 2),
        (13, [(1, 7)] * 2),
        (14, [(2, 7)]),
        (1000, [(2, 7)]),
    ],
)
def test_small_planes_are_read_together(
    monkeypatch: pytest.MonkeyPatch, room: int, shapes: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr(convert_source, "_GROUP_BYTES", room * 8 * 10 * 2)
    data = np.arange(2 * 7 * 8 * 10, dtype="u2").reshape(2, 7, 8, 10)
    axes = (Axis("t", "time"), Axis("z", "space"), Axis("y"), Axis("x"))
    source = SourceImage(Image("m", axes, (LazyArray(MemorySource(data)),)))
    assert [tuple(map(len, block)) for block in source._blocks({})] == shapes
    planes = list(source.planes())
    assert [(p.index["t"], p.index["z"]) for p in planes] == [*np.ndindex(2, 7)]
    for plane in planes:
        np.testing.assert_array_equal(
            plane.pixels, data[plane.index["t"], plane.index["z"]]
        )
    shapes = [tuple(map(len, block)) for block in source._blocks({"z": 2})]
    assert shapes == [(1, 1)] * 2


@pytest.mark.parametrize("planes", [1, 3])
def test_axes_of_an_image_in_another_order(
    tmp_path: Path, planes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers take any order; we write t, c, z, y, x."""
    monkeypatch.setattr(convert_source, "_GROUP_BYTES", 0)
    data = np.arange(3 * 8 * 10, dtype="u2").reshape(8, 3, 10)
    foreign(tmp_path / "a.zarr", data, (4, planes, 10), "xzy")
    assert convert(tmp_path / "a.zarr", tmp_path / "b.ome.zarr").complete
    (pixels,) = levels(tmp_path / "b.ome.zarr")
    np.testing.assert_array_equal(pixels, data.transpose(1, 2, 0))
    axes = ome(tmp_path / "b.ome.zarr")["multiscales"][0]["axes"]
    assert [axis["name"] for axis in axes] == ["z", "y", "x"]
    assert axes[1]["unit"] == "nanometer"  # as it was, not in our favourite unit


# ------------------------------------------------------------------ sources in memory


class Table:
    """A `FrameTable` of a test."""

    def __init__(self, there: Callable[[Mapping[str, int]], bool]) -> None:
        self.there = there

    def exists(self, index: Mapping[str, int]) -> bool:
        return self.there(index)

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        if index["t"] == 1:
            raise FormatError("the metadata are cut", path="x.tif")
        return {"Exposure": 3}

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        return {"time": index["t"]}


def image_of(
    data: np.ndarray, *, names: str = "tyx", table: Table | None = None, **more: Any
) -> Image:
    axes = tuple(Axis(name, "time" if name == "t" else "space") for name in names)
    source = LazyArray(MemorySource(data))
    return Image(
        **{"name": "m", "axes": axes, "levels": (source,), "frames": table, **more}
    )


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Return what lets a path open as some images."""

    def use(*images: Image, **more: Any) -> Path:
        path = tmp_path / "source"
        dataset = Dataset(str(path), "ndtiff", "3.3", images, **more)
        monkeypatch.setattr(convert_module, "open_dataset", lambda _: dataset)
        return path

    return use


def test_a_table_says_which_frames_there_are(
    opens: Callable[..., Path], tmp_path: Path
) -> None:
    data = np.stack([frame_of(t) for t in range(4)])
    source = opens(image_of(data, table=Table(lambda i: i["t"] != 2)), finished=False)
    report = convert(source, tmp_path / "b.ome.zarr")
    assert report.complete
    assert (report.written, report.missing) == (3, 1)
    notes = " ".join(report.notes)
    assert "not finished" in notes
    assert "metadata of the frame time=1 cannot be read, the metadata are cut" in notes
    assert [e["index"] for e in entries(tmp_path / "b.ome.zarr", "skipped")] == [[2]]
    found = [e["metadata"] for e in entries(tmp_path / "b.ome.zarr")]
    assert found[0] == {"exposure_ms": 3}
    assert "cut" in found[1]["metadata_error"]


def test_without_a_table_every_frame_counts(
    opens: Callable[..., Path], tmp_path: Path
) -> None:
    source = opens(image_of(np.zeros((3, 4, 5), "f4")))
    report = convert(source, tmp_path / "b.ome.zarr")
    assert (report.written, report.missing) == (3, 0)
    assert levels(tmp_path / "b.ome.zarr")[0].dtype == np.float32


@pytest.mark.parametrize("suffix", ["ome.zarr", "ndtiff"])
def test_pixels_in_the_other_byte_order(
    opens: Callable[..., Path], tmp_path: Path, suffix: str
) -> None:
    data = np.stack([frame_of(t) for t in range(2)]).astype(">u2")
    target = tmp_path / f"b.{suffix}"
    assert convert(opens(image_of(data)), target).complete
    pixels = [
        by_ndstorage(target, {"time": t})
        if suffix == "ndtiff"
        else levels(target)[0][t]
        for t in range(2)
    ]
    np.testing.assert_array_equal(pixels, data)


def broken_at(bad: int, error: Exception) -> Image:
    def read(index: tuple[int, ...]) -> np.ndarray:
        if index == (bad,):
            raise error
        return frame_of(index[0])

    source = FrameSource((5, 16, 24), "u2", read)
    axes = (Axis("t", "time"), Axis("y", "space"), Axis("x", "space"))
    return Image("m", axes, (LazyArray(source),))


ERRORS = [
    FormatError("the file is cut", path="f.tif"),
    OSError(5, "Input/output error"),
]


@pytest.mark.parametrize("error", ERRORS, ids=["format", "system"])
@pytest.mark.parametrize("suffix", ["ome.zarr", "ndtiff"])
def test_a_frame_that_cannot_be_read(
    opens: Callable[..., Path], tmp_path: Path, error: Exception, suffix: str
) -> None:
    source = opens(broken_at(3, error))
    target = tmp_path / f"b.{suffix}"
    with pytest.raises(FormatError, match=r"frame time=3 cannot be read, .*3 of 5"):
        convert(source, target)
    assert journal(target).closed is None
    assert len(entries(target)) == 3
    assert open_dataset(target).images[0].levels[0].ndim == 3

    skipping = tmp_path / f"c.{suffix}"
    report = convert(source, skipping, on_error="skip")
    assert not report.complete
    assert report.state == "finished"
    assert (report.written, report.verified) == (4, 4)
    (frame,) = report.unread
    assert frame.axes == {"time": 3}
    assert str(error) == frame.reason
    (gap,) = entries(skipping, "skipped")
    assert (gap["axes"], gap["reason"]) == ({"time": 3}, str(error))
    assert journal(skipping).closed["saved"] == 4


@pytest.mark.parametrize("suffix", ["ome.zarr", "ndtiff"])
def test_frames_of_a_file_that_is_lost_are_missing(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / "a"
    with NDTiffWriter(source, max_file_bytes=3100) as writer:
        for t in range(8):
            writer.put({"time": t}, np.full((20, 30), t + 1, "u2"))
    (source / "NDTiffStack_1.tif").unlink()
    target = tmp_path / f"b.{suffix}"
    report = convert(source, target)
    assert (report.written, report.verified, report.missing) == (6, 6, 2)
    skipped = entries(target, "skipped")
    assert [gap["axes"] for gap in skipped] == [{"time": 2}, {"time": 3}]
    assert {gap["reason"] for gap in skipped} == {"missing in the source"}
    for frame in entries(target):
        time = frame["axes"]["time"]
        if suffix == "ndtiff":
            assert by_ndstorage(target, {"time": time}).max() == time + 1
        else:
            assert levels(target)[0][time].max() == time + 1


def test_a_block_with_a_broken_frame_loses_only_that(tmp_path: Path) -> None:
    class Source:
        shape, dtype, chunks = (5, 4, 4), np.dtype("u2"), (5, 4, 4)

        def read(self, block: tuple[slice, ...]) -> np.ndarray:
            if 2 in range(block[0].start, block[0].stop):
                raise FormatError("broken")
            return np.full([s.stop - s.start for s in block], block[0].start, "u2")

    axes = (Axis("t", "time"), Axis("y", "space"), Axis("x", "space"))
    image = Image("m", axes, (LazyArray(Source()),))
    planes = list(SourceImage(image).planes())
    assert [plane.error is None for plane in planes] == [True, True, False, True, True]
    assert planes[4].pixels is not None
    assert planes[4].pixels[0, 0] == 4


@pytest.mark.parametrize("suffix", ["ome.zarr", "ndtiff"])
@pytest.mark.parametrize("by", ["callback", "ctrl+c"])
def test_cancelling_closes_the_target_as_interrupted(
    opens: Callable[..., Path], tmp_path: Path, suffix: str, by: str
) -> None:
    source = opens(image_of(np.stack([frame_of(t) for t in range(6)])))
    target = tmp_path / f"b.{suffix}"
    seen: list[ConversionProgress] = []

    def progress(now: ConversionProgress) -> bool:
        seen.append(now)
        if now.done == 2 and by != "callback":
            raise KeyboardInterrupt
        return now.done < 2

    if by == "callback":
        report = convert(source, target, progress=progress)
        assert report.state == "cancelled"
        assert not report.complete
        assert (report.written, report.frames, report.verified) == (2, 6, None)
    else:
        with pytest.raises(KeyboardInterrupt):
            convert(source, target, progress=progress)
    assert [(p.phase, p.done, p.total) for p in seen] == [
        ("converting", n, 6) for n in range(3)
    ]
    assert journal(target).closed is None
    assert [e["axes"] for e in entries(target)] == [{"time": 0}, {"time": 1}]
    pixels = np.asarray(open_dataset(target).images[0].levels[0][1])
    np.testing.assert_array_equal(pixels, frame_of(1))


def test_cancelling_at_once_writes_nothing(
    opens: Callable[..., Path], tmp_path: Path
) -> None:
    source = opens(image_of(np.ones((2, 4, 4), "u2")))
    report = convert(source, tmp_path / "b.zarr", progress=lambda _: False)
    assert report.state == "cancelled"
    assert not (tmp_path / "b.zarr").exists()


def test_comparing_can_be_cancelled(opens: Callable[..., Path], tmp_path: Path) -> None:
    source = opens(image_of(np.ones((4, 4, 4), "u2")))

    def progress(now: ConversionProgress) -> bool:
        return now.phase == "converting" or now.done < 2

    report = convert(source, tmp_path / "b.zarr", progress=progress)
    assert (report.state, report.written, report.verified) == ("finished", 4, 2)
    assert not report.complete
    assert "comparing was cancelled" in report.notes
    assert journal(tmp_path / "b.zarr").closed is not None


def test_a_full_disk_is_an_error_and_leaves_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "a", tmp_path / "b.ome.zarr"
    write_ndtiff(source, [({"time": t}, frame_of(t)) for t in range(5)])
    before = {p.name: p.read_bytes() for p in source.iterdir()}
    real = ShardWriter.write

    def write(self: ShardWriter, index: tuple[int, ...], frame: np.ndarray) -> None:
        if index == (3,):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, index, frame)

    monkeypatch.setattr(ShardWriter, "write", write)
    with pytest.raises(DiskSpaceError, match=r"No space left.*frames are saved"):
        convert(source, target)
    assert {p.name: p.read_bytes() for p in source.iterdir()} == before
    assert journal(target).closed is None
    np.testing.assert_array_equal(levels(target)[0][2], frame_of(2))


@pytest.mark.parametrize("suffix", ["ome.zarr", "ndtiff"])
def test_comparing_finds_a_changed_pixel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    source = tmp_path / "a"
    write_ndtiff(source, [({"time": t}, frame_of(t)) for t in range(5)])
    kind: Any = ShardWriter if suffix == "ome.zarr" else NDTiffWriter
    method = "write" if suffix == "ome.zarr" else "put"
    real = getattr(kind, method)

    def wrong(self: Any, index: Any, frame: np.ndarray, *rest: Any, **more: Any) -> Any:
        if index in ((2,), {"time": 2}):
            frame = frame.copy()
            frame[3, 4] ^= 1
        return real(self, index, frame, *rest, **more)

    monkeypatch.setattr(kind, method, wrong)
    report = convert(source, tmp_path / f"b.{suffix}")
    assert not report.complete
    assert report.wrong == ("time=2",)
    assert (report.written, report.verified) == (5, 4)


def test_comparing_reads_what_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame that is gone afterwards counts as wrong."""
    source, target = tmp_path / "a", tmp_path / "b.ome.zarr"
    write_ndtiff(source, [({"time": t}, frame_of(t)) for t in range(2)])
    real = OmeZarrSink.close

    def close(self: OmeZarrSink, *arguments: Any) -> None:
        real(self, *arguments)
        shutil.rmtree(target / "0" / "c")

    monkeypatch.setattr(OmeZarrSink, "close", close)
    report = convert(source, target)
    assert report.verified == 0
    assert len(report.wrong) == 2


# ------------------------------------------------------------------ refused


def test_what_is_refused_writes_nothing(
    opens: Callable[..., Path], tmp_path: Path
) -> None:
    good = image_of(np.ones((2, 4, 4), "u2"))
    floats = image_of(np.ones((2, 4, 4), "f4"), name="floats")
    wide = image_of(np.ones((4, 4, 3), "u2"), names="yx", name="wide", rgb=True)
    wide = replace(wide, axes=(*wide.axes, Axis("rgb")))
    flags = image_of(np.ones((2, 4, 4), bool), name="flags")
    huge = Image(
        "huge",
        (Axis("t", "time"), Axis("a"), Axis("y", "space"), Axis("x", "space")),
        (LazyArray(FrameSource((10**5, 10**5, 4, 4), "u2", lambda _: None)),),
    )
    (tmp_path / "taken.zarr").mkdir()
    (tmp_path / "dangling.zarr").symlink_to(tmp_path / "nowhere")
    for images, target, more, kind, text in [
        ([good], "taken.zarr", {}, OutputExistsError, "exists already"),
        ([good], "dangling.zarr", {}, OutputExistsError, "exists already"),
        ([good], "source/b.zarr", {}, SettingsError, "inside of the source"),
        ([good], "b", {}, SettingsError, "suffix"),
        ([good], "b.zarr", {"format": "ndtiff"}, SettingsError, "means ome-zarr"),
        ([good], "b", {"format": "tiff"}, SettingsError, "no format 'tiff'"),
        ([good], "b.zarr", {"on_error": "x"}, SettingsError, "on_error"),
        ([good], "b.zarr", {"images": ["x"]}, SettingsError, "no image 'x'.*'m'"),
        ([good], "b.zarr", {"images": [1]}, SettingsError, "no image 1"),
        ([good], "b.zarr", {"images": []}, SettingsError, "no image was chosen"),
        ([good, floats], "b.ndtiff", {}, SettingsError, "'floats' of type float32"),
        ([wide], "b.ndtiff", {}, SettingsError, "'wide' of type uint16"),
        ([flags], "b.zarr", {}, SettingsError, "'flags' of type bool"),
        ([huge], "b.zarr", {}, SettingsError, "'huge' has places for 10000000000"),
        (
            [image_of(np.ones((2, 4, 4), "u8"), name="a"), good],
            "b.zarr",
            {},
            SettingsError,
            "'a' of type uint64",
        ),
    ]:
        with pytest.raises(kind, match=text):
            convert(opens(*images), tmp_path / target, **more)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["dangling.zarr", "taken.zarr"]
    assert not list((tmp_path / "taken.zarr").iterdir())


def test_no_source(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        convert(tmp_path / "nothing", tmp_path / "b.zarr")


def test_the_format_of_a_target() -> None:
    for name, asked, found in [
        ("a.ome.zarr", None, "ome-zarr"),
        ("a.ZARR", None, "ome-zarr"),
        ("a.ndtiff", None, "ndtiff"),
        ("a.ndtiff", "ndtiff", "ndtiff"),
        ("a", "ndtiff", "ndtiff"),
        ("a", "ome-zarr", "ome-zarr"),
    ]:
        assert target_format(Path(name), asked) == found


def test_a_target_without_suffix_is_made_as_it_was_named(tmp_path: Path) -> None:
    write_ndtiff(tmp_path / "a", [({"time": 0}, frame_of(0))])
    convert(tmp_path / "a", tmp_path / "b:c", format="ndtiff")
    (file,) = (tmp_path / "b:c").glob("*.tif")
    assert file.name == "b_c_NDTiffStack.tif"


# ------------------------------------------------------------------ any axes


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[Axes], str, bool]:
    """Return the axes of frames, a type of pixels, and whether they have colours."""
    values: dict[str, list[Any]] = {}
    for name in ("position", "time", "angle", "channel", "z"):
        count = draw(st.integers(0, 3))
        if not count:
            continue
        if name in ("position", "angle", "channel") and draw(st.booleans()):
            values[name] = [f"{name} {i}" for i in range(count)]
        else:
            start = draw(st.integers(-2, 2))
            values[name] = list(range(start, start + count))
    frames: list[dict[str, Any]] = [{}]
    for name, choices in values.items():
        frames = [{**axes, name: value} for axes in frames for value in choices]
    if not values:
        frames = [{"time": 0}]
    kept = draw(st.lists(st.booleans(), min_size=len(frames), max_size=len(frames)))
    kept[draw(st.integers(0, len(frames) - 1))] = True
    there = [axes for axes, keep in zip(frames, kept, strict=True) if keep]
    rgb = draw(st.booleans())
    return (
        draw(st.permutations(there)),
        "u1" if rgb else draw(st.sampled_from(["u1", "u2"])),
        rgb,
    )


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(store=stores())
def test_any_axes_there_and_back(
    tmp_path: Path, store: tuple[list[Axes], str, bool]
) -> None:
    frames, dtype, rgb = store
    for path in tmp_path.iterdir():
        shutil.rmtree(path)
    source, there, back = (tmp_path / n for n in ("a", "b.ome.zarr", "c.ndtiff"))
    shape = (5, 6, 3) if rgb else (5, 6)
    pixels = [frame_of(number, shape, dtype) for number in range(len(frames))]
    for number, frame in enumerate(pixels):
        frame.flat[:2] = number % 256, number // 256  # no two are the same
    write_ndtiff(source, list(zip(frames, pixels, strict=True)))
    first = convert(source, there)
    assert first.complete
    assert first.written == len(frames) * (3 if rgb else 1)
    second = convert(there, back)
    assert second.complete
    assert second.written == first.written
    assert second.missing == first.missing
    # By another reader: the same frames, each with the axes that it had.
    from ndstorage import Dataset as Reference

    wanted = {
        json.dumps(axes, sort_keys=True): frame
        for axes, frame in zip(frames, pixels, strict=True)
    }
    dataset = Reference(str(back))
    for entry in entries(back):
        frame = dataset.read_image(**entry["axes"])
        assert frame.dtype == np.dtype(dtype)
        (saved,) = [
            e
            for e in entries(there)
            if (e["image"], e["index"]) == (entry["image"], entry["index"])
        ]
        was = wanted[json.dumps(saved["metadata"]["Axes"], sort_keys=True)]
        if rgb:
            # The last of the samples of the channel axis.
            names = [n for n in ("time", "angle", "channel", "z") if n in entry["axes"]]
            was = was[..., entry["index"][names.index("channel")] % 3]
        np.testing.assert_array_equal(frame, was)
    dataset.close()


def test_an_ndtiff_sink_is_not_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sink that cannot be opened leaves the error, not a half-made target."""
    write_ndtiff(tmp_path / "a", [({"time": 0}, frame_of(0))])

    def refuse(self: NDTiffSink, spec: Any) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(NDTiffSink, "open", refuse)
    with pytest.raises(Exception, match="Permission denied") as caught:
        convert(tmp_path / "a", tmp_path / "b.ndtiff")
    assert "cannot be created" in str(caught.value)
    assert not (tmp_path / "b.ndtiff").exists()


def test_images_with_different_custom_axes(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b.ome.zarr"
    write_ndtiff(
        source,
        [({"position": 0, "angle": i}, frame_of(i)) for i in range(2)]
        + [({"position": 1, "channel": c}, frame_of(5)) for c in ("A", "B")],
    )
    report = convert(source, target)
    assert report.complete
    assert (report.written, report.missing) == (4, 0)
    names = [image.axis_names for image in open_dataset(target).images]
    assert names == [("angle", "y", "x"), ("c", "y", "x")]


def test_names_that_are_there_twice() -> None:
    for names, found in [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a (2)", "a (3)"]),
        (["a", "a", "a (2)"], ["a", "a (3)", "a (2)"]),
    ]:
        assert convert_parts._unique(names) == found


def test_what_ndtiff_has_no_word_for_is_said(
    opens: Callable[..., Path], tmp_path: Path
) -> None:
    image = image_of(np.ones((2, 4, 4), "u2"))
    axes = (
        Axis("t", "time", "second", 2.0, 1.0),
        Axis("y", "space", "micrometer", 0.5),
        Axis("x", "space", "micrometer", 0.25, 3.0),
    )
    report = convert(opens(replace(image, axes=axes)), tmp_path / "b.ndtiff")
    assert report.complete
    first, second = report.notes
    assert "pixels of 0.25 x 0.5 um are not square" in first
    assert "scale or place of the axes t" in second
    assert convert(opens(replace(image, axes=axes)), tmp_path / "b.zarr").notes == ()
    transforms = ome(tmp_path / "b.zarr")["multiscales"][0]["datasets"][0]
    assert transforms["coordinateTransformations"] == [
        {"type": "scale", "scale": [2.0, 0.5, 0.25]},
        {"type": "translation", "translation": [1.0, 0.0, 3.0]},
    ]


def test_too_many_images(opens: Callable[..., Path], tmp_path: Path) -> None:
    source = LazyArray(FrameSource((2, 2000, 4, 4), "u2", lambda _: None))
    axes = (Axis("c", "channel"), Axis("a"), Axis("y", "space"), Axis("x", "space"))
    with pytest.raises(SettingsError, match="2000 images, one for each value of a"):
        convert(opens(Image("m", axes, (source,))), tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()


def test_a_journal_is_read_once_for_all_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo(tmp_path / "a.zarr")
    paths: list[Path] = []

    def read(path: Path) -> Any:
        paths.append(path)
        return read_journal(path)

    monkeypatch.setattr(convert_journal, "read_journal", read)
    convert(tmp_path / "a.zarr", tmp_path / "b.ndtiff")
    assert len(paths) == 1


def test_notes_on_metadata_do_not_pile_up(
    opens: Callable[..., Path], tmp_path: Path
) -> None:
    class Damaged(Table):
        def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
            raise OSError(5, "Input/output error")

    data = np.ones((50, 4, 4), "u2")
    source = opens(image_of(data, table=Damaged(lambda _: True)))
    report = convert(source, tmp_path / "b.zarr")
    assert report.complete
    assert len(report.notes) == 11
    assert report.notes[-1].startswith("50 frames have metadata")


def test_comparing_goes_on_after_a_frame_that_cannot_be_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a"
    write_ndtiff(source, [({"time": t}, frame_of(t)) for t in range(3)])
    real = NDTiffReader.read_frame

    def read(self: NDTiffReader, axes: Axes) -> Any:
        if axes == {"time": 1}:
            raise FormatError("the file is cut")
        return real(self, axes)

    monkeypatch.setattr(NDTiffReader, "read_frame", read)
    report = convert(source, tmp_path / "b.ndtiff")
    assert (report.verified, report.wrong) == (2, ("time=1",))


def test_equal_bytes_of_another_type_are_not_the_same() -> None:
    frame = frame_of(0)
    axes = (Axis("y", "space"), Axis("x", "space"))
    image = Image("m", axes, (LazyArray(MemorySource(frame)),))
    part = convert_parts.Part(SourceImage(image), "m")
    record = convert_check.Written.of(part)
    record.note({}, 0, frame)
    for found, same in [
        (frame, True),
        (frame.view("i2"), False),
        (frame.reshape(24, 16), False),
    ]:
        assert convert_check._same(found, part, record, (0,)) is same
