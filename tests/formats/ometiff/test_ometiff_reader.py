"""OME-TIFF of tifffile and of ours opens with equal pixels; damage is told, not run."""

from __future__ import annotations

import pickle
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.formats.ometiff import read_pages
from napari_scope.formats.ometiff.read_xml import read_xml
from napari_scope.formats.ometiff.reader import open_ometiff
from napari_scope.formats.tiff_sniff import is_ome_tiff, ome_tiff_folder
from napari_scope.model import Channel
from napari_scope.stream import ImageSpec, StoreSpec, Stream
from napari_scope.stream.sinks.ometiff import OmeTiffSink

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(5)
STACK = RNG.integers(0, 60_000, (2, 3, 4, 40, 50), dtype="u2")


def write(path: Path, data: np.ndarray, axes: str, **more: Any) -> Path:
    metadata = {"axes": axes, **more.pop("metadata", {})}
    tifffile.imwrite(path, data, metadata=metadata, **more)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True, "tile": (16, 32)},
        {"tile": (16, 16)},
        {"rowsperstrip": 7},
        {"bigtiff": True, "byteorder": ">"},
    ],
)
def test_every_window_is_as_tifffile_has_it(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = write(tmp_path / "a.ome.tif", STACK, "TCZYX", **options)
    (image,) = open_ometiff(path).images
    assert image.axis_names == ("t", "c", "z", "y", "x")
    (level,) = image.levels
    assert level.dtype == STACK.dtype
    np.testing.assert_array_equal(np.asarray(level), tifffile.imread(path))
    window = (1, slice(None), 2, slice(3, 31, 2), slice(17, 19))
    np.testing.assert_array_equal(np.asarray(level[window]), STACK[window])
    again = pickle.loads(pickle.dumps(level))
    np.testing.assert_array_equal(np.asarray(again[1, 0]), STACK[1, 0])


@pytest.mark.parametrize("axes", ["TCZYX", "ZTCYX", "CZTYX", "TZCYX"])
def test_any_order_of_axes(tmp_path: Path, axes: str) -> None:
    path = write(tmp_path / "a.ome.tif", STACK, axes)
    (image,) = open_ometiff(path).images
    order = [axes.index(name) for name in "TCZYX"]
    np.testing.assert_array_equal(np.asarray(image.levels[0]), STACK.transpose(order))


def test_what_the_document_says_of_an_image(tmp_path: Path) -> None:
    metadata = {
        "Name": "cells",
        "Channel": {"Name": ["A", "B", "C"], "Color": [0xFF0000FF - 2**32, 65535, 255]},
        "PhysicalSizeX": 500,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZ": 2,
        "PhysicalSizeZUnit": "µm",
        "TimeIncrement": 100,
        "TimeIncrementUnit": "ms",
        "SignificantBits": 12,
        "Plane": {
            "PositionX": [10.0] * 24,
            "PositionXUnit": ["µm"] * 24,
            "PositionY": [0.02] * 24,
            "PositionYUnit": ["mm"] * 24,
            "DeltaT": [float(n) for n in range(24)],
        },
    }
    path = write(tmp_path / "a.ome.tif", STACK, "TCZYX", metadata=metadata)
    dataset = open_ometiff(path)
    (image,) = dataset.images
    assert (image.name, image.bit_depth, dataset.problems) == ("cells", 12, ())
    assert [c.name for c in image.channels] == ["A", "B", "C"]
    assert [c.color for c in image.channels] == ["#FF0000", "#0000FF", "#000000"]
    scales = {a.name: (a.scale, a.unit) for a in image.axes}
    assert scales["t"] == (100, "millisecond")
    assert scales["z"] == (2, "micrometer")
    assert scales["x"] == (500, "nanometer")
    places = {a.name: a.translation for a in image.axes}
    # The stage names the centre: pixel 24.5 of 50 and 19.5 of 40.
    assert places["x"] == pytest.approx(10_000 - 24.5 * 500)
    assert places["y"] == pytest.approx(20 - 19.5 * 0.25)
    assert image.frames is not None
    facts = image.frames.metadata({"t": 1, "c": 2, "z": 3})
    assert facts is not None
    assert facts["elapsed_ms"] == 23_000
    assert facts["x_um"] == 10


@pytest.mark.parametrize("planar", [False, True])
def test_colours(tmp_path: Path, planar: bool) -> None:
    data = RNG.integers(0, 255, (3, 40, 50, 3), dtype="u1")
    stored = np.ascontiguousarray(np.moveaxis(data, -1, 1)) if planar else data
    write(
        tmp_path / "a.ome.tif",
        stored,
        "TSYX" if planar else "TYXS",
        photometric="rgb",
        planarconfig="separate" if planar else "contig",
    )
    (image,) = open_ometiff(tmp_path / "a.ome.tif").images
    assert image.rgb
    assert image.axis_names == ("t", "y", "x", "rgb")
    np.testing.assert_array_equal(np.asarray(image.levels[0]), data)
    np.testing.assert_array_equal(
        np.asarray(image.levels[0][1, 3:9, ::2, 1]), data[1, 3:9, ::2, 1]
    )


def test_levels_and_several_images(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(STACK[0, :, 0], subifds=2, tile=(16, 16), metadata={"axes": "CYX"})
        for step in (2, 4):
            writer.write(STACK[0, :, 0, ::step, ::step], subfiletype=1, tile=(16, 16))
        writer.write(STACK[0, 0, :, :20], metadata={"axes": "ZYX", "Name": "second"})
    first, second = open_ometiff(path).images
    assert [level.shape for level in first.levels] == [
        (3, 40, 50),
        (3, 20, 25),
        (3, 10, 13),
    ]
    for level, step in zip(first.levels, (1, 2, 4), strict=True):
        np.testing.assert_array_equal(np.asarray(level), STACK[0, :, 0, ::step, ::step])
    assert second.name == "second"
    np.testing.assert_array_equal(np.asarray(second.levels[0]), STACK[0, 0, :, :20])


def stream(path: Path, frames: int, *, positions: int = 1) -> list[np.ndarray]:
    """Write a file, or a folder, with our writer."""
    names = [f"P{number}" for number in range(positions)]
    spec = StoreSpec(
        name="run",
        frame_shape=(16, 24),
        dtype=np.dtype("u2"),
        order=("position", "time", "channel"),
        labels={"position": tuple(names), "channel": ("A", "B")},
        images=tuple(
            ImageSpec(
                name,
                {"position": name},
                {"time": frames, "channel": 2},
                x_um=100.0,
                y_um=50.0,
            )
            for name in names
        ),
        channels=(Channel("A", "#00FF00"), Channel("B", "#0000FF")),
        pixel_um=0.5,
        interval_s=2.0,
    )
    written = []
    with Stream(spec, [OmeTiffSink(path, levels=2)]) as out:
        for _ in range(positions * frames * 2):
            frame = RNG.integers(1, 4000, (16, 24), dtype="u2")
            out.append(frame)
            written.append(frame)
    return written


@pytest.mark.parametrize("name", ["", "run.companion.ome", "P1.ome.tiff"])
def test_a_set_of_ours_opens_by_any_of_its_files(tmp_path: Path, name: str) -> None:
    written = stream(tmp_path / "run", 3, positions=2)
    dataset = open_ometiff(tmp_path / "run" / name)
    assert dataset.problems == ()
    assert dataset.finished
    images = dataset.images
    if name != "P1.ome.tiff":  # which describes itself only
        assert [image.name for image in images] == ["P0", "P1"]
    last = images[-1]
    np.testing.assert_array_equal(
        np.asarray(last.levels[0]), np.stack(written[6:]).reshape(3, 2, 16, 24)
    )
    assert last.levels[1].shape == (3, 2, 8, 12)
    assert [c.color for c in last.channels] == ["#00FF00", "#0000FF"]
    x = last.axes[-1]
    assert (x.scale, x.unit, x.translation) == (0.5, "micrometer", 100 - 11.5 * 0.5)


def test_a_file_of_a_set_is_missing(tmp_path: Path) -> None:
    stream(tmp_path / "run", 2, positions=2)
    (tmp_path / "run" / "P0.ome.tiff").unlink()
    dataset = open_ometiff(tmp_path / "run")
    assert "P0.ome.tiff' is missing" in dataset.problems[0]
    assert not np.asarray(dataset.images[0].levels[0]).any()
    assert np.asarray(dataset.images[1].levels[0]).all()


def test_a_file_that_was_renamed_still_opens(tmp_path: Path) -> None:
    written = stream(tmp_path / "a.ome.tiff", 2)
    (tmp_path / "a.ome.tiff").rename(tmp_path / "b.ome.tiff")
    (image,) = open_ometiff(tmp_path / "b.ome.tiff").images
    np.testing.assert_array_equal(np.asarray(image.levels[0])[1, 1], written[3])


# ------------------------------------------------------------------ hostile files


def xml(body: str = "", pixels: str = "", tail: str = "<TiffData IFD='0'/>") -> bytes:
    sizes = "SizeX='50' SizeY='40' SizeZ='1' SizeC='1' SizeT='1'"
    return (
        f"<OME xmlns='a'>{body}<Image ID='Image:0' Name='i'><Pixels Type='uint16' "
        f"DimensionOrder='XYZCT' {pixels or sizes}><Channel/>{tail}</Pixels></Image>"
        "</OME>"
    ).encode()


def with_text(path: Path, text: bytes) -> Path:
    tifffile.imwrite(path, STACK[0, 0, 0], description=text, metadata=None)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><OME/>", "entities"),
        (b"<OME><Image>", "damaged"),
        (b"<HTML/>", "no OME-XML"),
        (xml(pixels="SizeX='-1' SizeY='40'"), "SizeX"),
        (xml(pixels="SizeX='99' SizeY='40'"), "pixels, the OME-XML says"),
        (xml(pixels=f"SizeX='50' SizeY='40' SizeT='{'9' * 9}' SizeC='{'9' * 9}' "
             f"SizeZ='{'9' * 9}'"), "more planes"),
        (b"<OME><BinaryOnly MetadataFile='../x.ome'/></OME>", "not beside it"),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_trusted(
    tmp_path: Path, text: bytes, words: str
) -> None:
    with pytest.raises(FormatError, match=words):
        open_ometiff(with_text(tmp_path / "a.ome.tif", text))


def test_a_huge_declared_stack_costs_nothing(tmp_path: Path) -> None:
    many = "SizeX='50' SizeY='40' SizeT='2000000000' SizeC='1' SizeZ='1'"
    path = with_text(tmp_path / "a.ome.tif", xml(pixels=many, tail="<TiffData/>"))
    (image,) = open_ometiff(path).images
    assert image.levels[0].shape == (2_000_000_000, 40, 50)
    np.testing.assert_array_equal(np.asarray(image.levels[0][0]), STACK[0, 0, 0])
    assert not np.asarray(image.levels[0][1_999_999_999]).any()
    assert image.frames is not None
    assert not image.frames.exists({"t": 5})


@pytest.mark.parametrize("name", ["../b.ome.tif", "/b.ome.tif", "C:b.ome.tif", ".."])
def test_no_file_outside_of_the_folder_is_read(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    write(tmp_path / "b.ome.tif", STACK[0, 0, 0], "YX")
    tail = f"<TiffData IFD='0'><UUID FileName='{name}'>urn:uuid:1</UUID></TiffData>"
    dataset = open_ometiff(with_text(inside / "a.ome.tif", xml(tail=tail)))
    assert "is missing" in dataset.problems[0]
    assert not np.asarray(dataset.images[0].levels[0]).any()


def test_no_link_out_of_the_folder_is_followed(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    write(tmp_path / "b.ome.tif", STACK[0, 0, 0], "YX")
    (inside / "b.ome.tif").symlink_to(tmp_path / "b.ome.tif")
    tail = "<TiffData IFD='0'><UUID FileName='b.ome.tif'>urn:uuid:1</UUID></TiffData>"
    dataset = open_ometiff(with_text(inside / "a.ome.tif", xml(tail=tail)))
    assert "is missing" in dataset.problems[0]


@given(cut=st.integers(0, 10_000), flip=st.integers(0, 255))
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damaged_files_are_format_errors(tmp_path: Path, cut: int, flip: int) -> None:
    path = tmp_path / "good.ome.tif"
    if not path.exists():
        write(path, STACK[0, 0, :2], "ZYX", compression="zlib")
    data = bytearray(path.read_bytes())
    place = cut % len(data)
    damaged = tmp_path / "bad.ome.tif"
    data[place] ^= flip
    damaged.write_bytes(data if flip % 2 else data[:place])
    try:
        for image in open_ometiff(damaged).images:
            np.asarray(image.levels[0][(0,) * (image.levels[0].ndim - 2)])
    except FormatError:
        pass


def test_many_files_are_not_all_kept_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_pages, "_MOST_OPEN", 1)
    written = stream(tmp_path / "run", 1, positions=3)
    images = open_ometiff(tmp_path / "run").images
    for _ in range(2):
        for number, image in enumerate(images):
            np.testing.assert_array_equal(
                np.asarray(image.levels[0][0]), written[2 * number]
            )


# ------------------------------------------------------------------ telling formats


def test_what_is_ome_tiff(tmp_path: Path) -> None:
    ours = tmp_path / "a.ome.tiff"
    stream(ours, 1)
    plain = tmp_path / "plain.tif"
    tifffile.imwrite(plain, STACK[0, 0, 0])
    big = write(tmp_path / "big.tif", STACK[0, 0, 0], "YX", ome=True, bigtiff=True)
    assert is_ome_tiff(ours)
    assert is_ome_tiff(big)
    assert not is_ome_tiff(plain)
    assert not is_ome_tiff(tmp_path / "none.tif")
    assert ome_tiff_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    shutil.copy(plain, tmp_path / "empty")
    assert not ome_tiff_folder(tmp_path / "empty")


def test_runs_of_planes_are_found_by_their_number() -> None:
    pixels = "SizeX='5' SizeY='4' SizeZ='3' SizeC='2' SizeT='2'"
    tail = (
        "<TiffData IFD='7' FirstZ='0' FirstC='1' PlaneCount='2'/>"
        "<TiffData IFD='9' FirstZ='2' FirstC='1'/>"
        "<TiffData IFD='1' FirstT='1'><UUID FileName='b'>u</UUID></TiffData>"
    )
    image = read_xml(xml(pixels=pixels, tail=f"<Channel/>{tail}")).images[0]
    assert len(image.runs) == 2  # the first two are one
    assert image.locate(0, 1, 2) == (None, 9)
    assert image.locate(1, 0, 0) == ("b", 1)
    assert image.locate(0, 0, 0) is None
    assert image.locate(1, 0, 1) is None
