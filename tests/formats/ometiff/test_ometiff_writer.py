"""What the writer leaves, at every moment, as independent readers see it."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.ometiff.tiffs import (
    all_places,
    frame_of,
    image_of,
    pages,
    series,
    validate,
    xml_of,
)

from napari_scope.errors import (
    FrameError,
    OutputExistsError,
    SettingsError,
    StreamClosedError,
)
from napari_scope.fileio import portable_io
from napari_scope.formats.ometiff import (
    FrameItem,
    OmeImage,
    OmePlate,
    OmeTiffWriter,
    repair_tiff,
)
from napari_scope.formats.ometiff import handles as handles_module
from napari_scope.model import Channel

ORDERS = ["XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"]


@pytest.mark.usefixtures("any_io")
def test_every_plane_and_what_is_known_of_it(tmp_path: Path) -> None:
    path = tmp_path / "cells.ome.tiff"
    image = image_of(
        2,
        2,
        3,
        name="cells <&> µ",
        channels=(Channel("DAPI", "#0000FF"), Channel('"FITC"', "#00FF00")),
        pixel_um=0.5,
        z_um=2.0,
        interval_s=1.5,
        bit_depth=12,
        stage_um=(10.0, -20.5, None),
    )
    with OmeTiffWriter(path, [image], notes={"microscope": "demo"}) as writer:
        for number, place in enumerate(all_places(image)):
            facts = {
                "elapsed_ms": 1500.0 * number,
                "exposure_ms": 20,
                "x_um": 1.0,
                "position_y": 2.0,
                "z_um": np.float32(0.5),
                "lamp": "on",
                "power": {"mW": 3},
            }
            writer.put(0, place, frame_of(number), facts)
    found = series(path)
    assert found.shape == (2, 2, 3, 16, 24)
    for number, place in enumerate(all_places(image)):
        np.testing.assert_array_equal(found[place], frame_of(number))
    ome = validate(xml_of(path))
    pixels = ome.images[0].pixels
    assert ome.images[0].name == "cells <&> µ"
    assert [c.name for c in pixels.channels] == ["DAPI", '"FITC"']
    assert [c.color.as_hex() for c in pixels.channels] == ["#00f", "#0f0"]
    assert (pixels.physical_size_x, pixels.physical_size_y) == (0.5, 0.5)
    assert (pixels.physical_size_z, pixels.time_increment) == (2.0, 1.5)
    assert pixels.physical_size_x_unit.value == "µm"
    assert pixels.significant_bits == 12
    stage = ome.images[0].stage_label
    assert (stage.x, stage.y, stage.z) == (10.0, -20.5, None)
    assert len(pixels.tiff_data_blocks) == len(pixels.planes) == 12
    for number, place in enumerate(all_places(image)):
        plane = pixels.planes[number]
        assert (plane.the_t, plane.the_c, plane.the_z) == place
        assert (plane.delta_t, plane.exposure_time) == (1.5 * number, 0.02)
        assert (plane.position_x, plane.position_y, plane.position_z) == (1, 2, 0.5)
    notes, *extras = ome.structured_annotations.map_annotations
    assert dict(notes.value) == {"microscope": "demo"}
    assert dict(extras[3].value) == {"lamp": "on", "power": '{"mW": 3}'}
    assert pixels.planes[3].annotation_refs[0].id == extras[3].id
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff
        page = tif.pages.first
        assert page.resolution == (20000, 20000)
        assert page.resolutionunit == tifffile.RESUNIT.CENTIMETER


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    image = image_of(
        draw(st.integers(1, 4)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        order=draw(st.sampled_from(ORDERS)),
        dtype=draw(
            st.sampled_from(
                "uint8 uint16 uint32 int8 int16 int32 float32 float64".split()
            )
        ),
    )
    if image.dtype in ("uint8", "uint16") and draw(st.booleans()):
        image = OmeImage(
            "rgb", (7, 5, 3), image.dtype, sizes=image.sizes, order=image.order
        )
    arrival = draw(st.sampled_from(ORDERS))
    places = [
        OmeImage("", (1, 1), "uint8", image.sizes, arrival).place(n)
        for n in range(image.planes)
    ]
    how = draw(st.sampled_from(["in order", "with gaps", "any"]))
    if how == "any":
        places = draw(st.permutations(places))
    if how != "in order":
        places = [p for p in places if draw(st.integers(0, 4))]
    return {
        "image": image,
        "arrival": arrival,
        "places": places,
        "compression": draw(st.sampled_from([None, None, "zlib"])),
        "batch": draw(st.integers(1, 5)),
        "growing": draw(st.booleans()),
        "portable": draw(st.booleans()),
    }


@settings(max_examples=60, deadline=None)
@given(runs())
def test_any_run_reads_as_its_model_at_every_moment(run: dict[str, Any]) -> None:
    """Nothing is ever wrong; in order, or closed, nothing is missing either."""
    image, places = run["image"], run["places"]
    model = np.zeros(image.sizes + image.frame_shape, image.dtype)
    frames = {
        p: frame_of(n, image.frame_shape, image.dtype) for n, p in enumerate(places)
    }
    with tempfile.TemporaryDirectory() as folder, portable_io(run["portable"]):
        path = Path(folder) / "a.ome.tif"
        start = image
        if run["growing"]:  # along the slowest axis of arrival
            sizes = list(image.sizes)
            sizes["TCZ".index(run["arrival"][-1])] = 1
            start = OmeImage(
                image.name, image.frame_shape, image.dtype, tuple(sizes), image.order
            )
        writer = OmeTiffWriter(
            path,
            [start],
            arrival=run["arrival"],
            compression=run["compression"],
            growing=run["growing"],
        )
        if run["growing"]:
            writer.update([image])
        for first in range(0, len(places), run["batch"]):
            batch = places[first : first + run["batch"]]
            writer.put_many([FrameItem(0, p, frames[p]) for p in batch])
            for place in batch:
                model[place] = frames[place]
            there = pages(path)
            assert len(there) == first + len(batch)
            for frame, place in zip(there, places, strict=False):
                np.testing.assert_array_equal(frame, frames[place])
            _nothing_is_wrong(path, model)
        for place, frame in frames.items():
            np.testing.assert_array_equal(writer.read(0, place), frame)
        writer.close()
        for place, frame in frames.items():
            np.testing.assert_array_equal(writer.read(0, place), frame)
        found = validate(xml_of(path)).images[0].pixels
        assert len(found.planes) == len(places)
        assert repair_tiff(path) == []
        if places:
            np.testing.assert_array_equal(series(path), model)


def _nothing_is_wrong(path: Path, model: np.ndarray) -> None:
    """Each plane that a reader of the OME-XML finds is right, or zeros."""
    blocks = validate(xml_of(path)).images[0].pixels.tiff_data_blocks
    if not blocks:
        return
    found = series(path)
    for place in np.ndindex(*found.shape[:3]):
        if all(i < n for i, n in zip(place, model.shape, strict=False)):
            if found[place].any():
                np.testing.assert_array_equal(found[place], model[place])
        else:
            assert not found[place].any()


@pytest.mark.parametrize("growing", [False, True])
def test_in_order_nothing_is_missing_before_the_end(
    tmp_path: Path, growing: bool
) -> None:
    path = tmp_path / "a.ome.tiff"
    image = image_of(40, 2)
    writer = OmeTiffWriter(
        path, [image_of(1, 2) if growing else image], growing=growing
    )
    for number, place in enumerate(all_places(image)):
        if growing:
            writer.update([image_of(place[0] + 1, 2)])
        if place != (7, 1, 0):  # skipped
            writer.put(0, place, frame_of(number))
        if number % 9 == 1:
            found = series(path)
            for other, there in enumerate(all_places(image)[: number + 1]):
                if there != (7, 1, 0):
                    np.testing.assert_array_equal(found[there], frame_of(other))
    size = path.stat().st_size
    assert size < 80 * (16 * 24 * 2 + 600) + 60_000, "the XML is not written each time"
    writer.close()
    assert series(path).shape[:3] == (40, 2, 1)


def test_frames_in_no_order_cost_little_xml(tmp_path: Path) -> None:
    places = all_places(image_of(300))
    random.Random(1).shuffle(places)
    with OmeTiffWriter(tmp_path / "a.ome.tiff", [image_of(300)]) as writer:
        for place in places:
            writer.put(0, place, frame_of(0))
        size = (tmp_path / "a.ome.tiff").stat().st_size
    assert size < 300 * (16 * 24 * 2 + 500) + 100_000


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_packed_frames(tmp_path: Path, compression: Any) -> None:
    path = tmp_path / "a.ome.tiff"
    with OmeTiffWriter(path, [image_of(3)], compression=compression) as writer:
        writer.put_many([FrameItem(0, (n, 0, 0), frame_of(n)) for n in (2, 0, 1)])
        for number in range(3):
            np.testing.assert_array_equal(
                writer.read(0, (number, 0, 0)), frame_of(number)
            )
    if compression == "lzw":  # tifffile needs imagecodecs for it
        from PIL import Image

        with Image.open(path) as found:
            assert found.n_frames == 3
            for place, number in enumerate((2, 0, 1)):
                found.seek(place)
                np.testing.assert_array_equal(np.asarray(found), frame_of(number))
        return
    for number in range(3):
        np.testing.assert_array_equal(series(path)[number, 0, 0], frame_of(number))


def test_several_images_in_a_folder_with_a_companion(tmp_path: Path) -> None:
    images = [
        image_of(2, name="A1/f0", well=("A", "1"), stage_um=(1.0, 2.0, 3.0)),
        image_of(2, name="a1:f0", well=("A", "1")),
        image_of(3, name="C7", well=("C", "7")),
    ]
    plate = OmePlate("my plate", ("A", "B", "C"), ("1", "3", "7"))
    path = tmp_path / "plate"
    writer = OmeTiffWriter(path, images, layout="folder", plate=plate)
    validate((path / "plate.companion.ome").read_text())
    for n, place in ((2, (0, 0, 0)), (0, (0, 0, 0)), (1, (1, 0, 0)), (2, (2, 0, 0))):
        writer.put(n, place, frame_of(10 * n + place[0]), {"elapsed_ms": 5})
    writer.close()
    names = [p.name for p in writer.files]
    assert names == ["A1_f0.ome.tiff", "a1_f0_1.ome.tiff", "C7.ome.tiff"]
    for n, file in enumerate(writer.files):
        ome = validate(xml_of(file))
        assert [i.name for i in ome.images] == [images[n].name]
    np.testing.assert_array_equal(series(writer.files[2])[2, 0, 0], frame_of(22))
    ome = validate(xml_of(path / "plate.companion.ome"))
    assert [i.name for i in ome.images] == [i.name for i in images]
    for file, image in zip(writer.files, ome.images, strict=True):
        for block in image.pixels.tiff_data_blocks:
            assert block.uuid is not None
            assert block.uuid.file_name == file.name
            assert block.uuid.value == validate(xml_of(file)).uuid
    wells = ome.plates[0].wells
    assert [(w.row, w.column, len(w.well_samples)) for w in wells] == [
        (0, 0, 2),
        (2, 2, 1),
    ]
    assert wells[1].well_samples[0].image_ref.id == "Image:2"
    assert ome.plates[0].wells[0].well_samples[0].position_y == 2.0


def test_several_images_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "all.ome.tiff"
    images = [image_of(2, name="a"), image_of(2, 2, name="b")]
    with OmeTiffWriter(path, images) as writer:
        for t in range(2):
            for n in (0, 1):
                for c in range(images[n].sizes[1]):
                    writer.put(n, (t, c, 0), frame_of(10 * n + 2 * t + c))
        np.testing.assert_array_equal(writer.read(1, (1, 1, 0)), frame_of(13))
    assert [i.name for i in validate(xml_of(path)).images] == ["a", "b"]
    np.testing.assert_array_equal(series(path, 0)[1, 0, 0], frame_of(2))
    np.testing.assert_array_equal(series(path, 1)[1, 1, 0], frame_of(13))


def test_images_and_channels_may_come_later(tmp_path: Path) -> None:
    path = tmp_path / "run"
    writer = OmeTiffWriter(path, [image_of(name="a")], layout="folder", growing=True)
    writer.put(0, (0, 0, 0), frame_of(0))
    names = (Channel("A"), Channel("B"))
    more = [image_of(2, 2, name="a", channels=names), image_of(name="b")]
    writer.update(more)
    writer.put(0, (0, 1, 0), frame_of(1))
    writer.put(1, (0, 0, 0), frame_of(2))
    writer.put(0, (1, 1, 0), frame_of(3))
    writer.close()
    found = series(path / "a.ome.tiff")
    assert found.shape[:3] == (2, 2, 1)
    for number, place in enumerate([(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]):
        expected = {0: frame_of(0), 1: frame_of(1), 3: frame_of(3)}.get(number, 0)
        np.testing.assert_array_equal(found[place], np.broadcast_to(expected, (16, 24)))
    np.testing.assert_array_equal(series(path / "b.ome.tiff")[0, 0, 0], frame_of(2))
    ome = validate(xml_of(path / "run.companion.ome"))
    assert [len(i.pixels.planes) for i in ome.images] == [3, 1]
    assert [c.name for c in ome.images[0].pixels.channels] == ["A", "B"]


def test_planes_that_are_numbered_otherwise_are_never_mistaken(tmp_path: Path) -> None:
    """A channel appears in a run that was foretold without."""
    path = tmp_path / "a.ome.tiff"
    writer = OmeTiffWriter(path, [image_of(4)], growing=True)
    model = np.zeros((4, 2, 1, 16, 24), "u2")
    for number, place in enumerate([(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]):
        if number == 1:
            writer.update([image_of(4, 2)])
        writer.put(0, place, frame_of(number))
        model[place] = frame_of(number)
        found = series(path)
        np.testing.assert_array_equal(found, model[:, : found.shape[1]])
    writer.close()


def test_more_files_than_may_be_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = handles_module.DataFile.open
    opened = []

    def spy(path: Path, **more: bool) -> Any:
        opened.append(path)
        return real(path, **more)

    monkeypatch.setattr(handles_module.DataFile, "open", staticmethod(spy))
    images = [image_of(2, name=f"p{n}") for n in range(40)]
    with OmeTiffWriter(tmp_path / "run", images, layout="folder") as writer:
        for t in range(2):
            for n in range(40):
                writer.put(n, (t, 0, 0), frame_of(n + t))
        writer.sync()
        assert len(writer._set.handles._entries) <= 32
    assert opened
    for n in range(40):
        found = series(tmp_path / "run" / f"p{n}.ome.tiff")
        np.testing.assert_array_equal(found[1, 0, 0], frame_of(n + 1))


def test_a_file_without_frames_still_says_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    OmeTiffWriter(path, [image_of(3)]).close()
    ome = validate(xml_of(path))
    assert ome.images[0].pixels.size_t == 3
    assert not ome.images[0].pixels.planes


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    path.write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        OmeTiffWriter(path, [image_of()])
    assert path.read_bytes() == b"precious"
    with pytest.raises(OutputExistsError):
        OmeTiffWriter(tmp_path, [image_of()], layout="folder")
    assert [p.name for p in tmp_path.iterdir()] == ["a.ome.tiff"]


def test_what_cannot_be_stored_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    for bad in (
        image_of(dtype="uint64"),
        image_of(dtype="float32", frame_shape=(4, 4, 3)),
        image_of(well=("A", "1")),
    ):
        with pytest.raises(SettingsError):
            OmeTiffWriter(path, [bad])
    with pytest.raises(SettingsError, match="at least one"):
        OmeTiffWriter(path, [])
    with pytest.raises(SettingsError, match="zlib"):
        OmeTiffWriter(path, [image_of()], compression="zstd")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="LZW"):
        OmeTiffWriter(path, [image_of(frame_shape=(9999, 9999))], compression="lzw")
    assert not path.exists()
    writer = OmeTiffWriter(path, [image_of(2)])
    writer.put(0, (0, 0, 0), frame_of(0))
    size = path.stat().st_size
    for item in (
        FrameItem(0, (0, 0, 0), frame_of(1)),
        FrameItem(0, (2, 0, 0), frame_of(1)),
        FrameItem(0, (0, 0, -1), frame_of(1)),
        FrameItem(1, (0, 0, 0), frame_of(1)),
        FrameItem(0, (1, 0, 0), frame_of(1, (8, 8))),
        FrameItem(0, (1, 0, 0), frame_of(1, dtype="u1")),
        FrameItem(0, (1, 0, 0), frame_of(1), {"a": {1, 2}}),
        FrameItem(0, (1, 0, 0), frame_of(1), {"a": float("nan")}),
    ):
        with pytest.raises(FrameError):
            writer.put_many([FrameItem(0, (1, 0, 0), frame_of(9)), item])
    assert path.stat().st_size == size
    writer.put(0, (1, 0, 0), frame_of(1).T.copy().T)  # not contiguous
    writer.close()
    writer.close()
    with pytest.raises(StreamClosedError):
        writer.put(0, (1, 0, 0), frame_of(1))
    assert writer.read(0, (1, 5, 0)) is None
    assert writer.read(7, (0, 0, 0)) is None
    np.testing.assert_array_equal(series(path)[1, 0, 0], frame_of(1))
