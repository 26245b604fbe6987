"""Real stores of Micro-Manager against what the reference library reads of them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import NDTiffReader, open_ndtiff

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = [
    "v2/ndtiffv2.0_test",
    "v3/ndtiffv3.0_test",
    "v3/ndtiffv3.0_stitched_test",
    "v3/ndtiff3.2_monochrome",
    "v3/12_bit_pycromanager_mda",
    "v3/ndtiff3.2_magellan_explore_rgb",
    "v3/no_magellan_explore_multi_channel",
    "v3/labeled_positions_1",
]


@pytest.fixture(scope="module")
def oracle(real_stores: Path) -> dict[str, dict[str, object]]:
    content = json.loads((real_stores / "oracle.json").read_text("utf-8"))
    assert sorted(content["datasets"]) == sorted(_NAMES)
    return content["datasets"]  # type: ignore[no-any-return]


def _sha256(array: object) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.usefixtures("any_io")
def test_reader(
    real_stores: Path, oracle: dict[str, dict[str, object]], name: str
) -> None:
    expected = oracle[name]
    with NDTiffReader(real_stores / name) as reader:
        assert reader.problems == []
        assert reader.summary == expected["summary_metadata"]
        assert len(reader) == expected["n_images"]
        assert {n: sorted(v) for n, v in reader.axes.items()} == {
            n: sorted(v)
            for n, v in expected["axes"].items()  # type: ignore[attr-defined]
        }
        version = expected["version"]
        assert reader.version == (tuple(version) if version[0] else (2, 0))  # type: ignore[arg-type, index]
        for key in expected["keys"]:  # type: ignore[attr-defined]
            assert reader.has(key)
        for image in expected["images"]:  # type: ignore[attr-defined]
            frame = reader.read_frame(image["key"])
            assert frame is not None
            assert list(frame.shape) == image["shape"]
            assert frame.dtype == np.dtype(image["dtype"])
            assert _sha256(frame) == image["sha256"]
            metadata = reader.read_metadata(image["key"])
            if "metadata" in image:
                assert metadata == image["metadata"]


@pytest.mark.parametrize(
    ("name", "shape", "labels"),
    [
        ("v2/ndtiffv2.0_test", (5, 2, 32, 32), "t c y x"),
        ("v3/ndtiffv3.0_test", (5, 2, 32, 32), "t c y x"),
        ("v3/ndtiff3.2_monochrome", (8, 16, 64, 64), "t z y x"),
        ("v3/12_bit_pycromanager_mda", (4, 2, 64, 64), "t c y x"),
    ],
)
def test_whole_image(
    real_stores: Path,
    oracle: dict[str, dict[str, object]],
    name: str,
    shape: tuple[int, ...],
    labels: str,
) -> None:
    dataset = open_ndtiff(real_stores / name)
    (image,) = dataset.images
    assert dataset.problems == ()
    assert " ".join(image.axis_names) == labels
    assert image.levels[0].shape == shape
    whole = oracle[name]["as_array"]
    assert _sha256(np.asarray(image.levels[0])) == whole["sha256"]  # type: ignore[index]


def test_positions_are_images_in_the_order_of_acquisition(
    real_stores: Path, oracle: dict[str, dict[str, object]]
) -> None:
    name = "v3/labeled_positions_1"
    dataset = open_ndtiff(real_stores / name)
    assert [image.name for image in dataset.images] == ["Pos2", "Pos0", "Pos1"]
    together = np.stack([np.asarray(dataset.images[i].levels[0]) for i in (1, 2, 0)])
    assert _sha256(together) == oracle[name]["as_array"]["sha256"]  # type: ignore[index]
    # The stage moved by 1 um in y; its position is the centre of 512 pixels of 1 um.
    y, x = dataset.images[1].axes
    assert (y.translation, x.translation) == (1 - 255.5, -255.5)
    assert (y.scale, y.unit) == (1.0, "micrometer")


def test_tiles_are_one_image_with_all_resolutions(
    real_stores: Path, oracle: dict[str, dict[str, object]]
) -> None:
    name = "v3/ndtiffv3.0_stitched_test"
    dataset = open_ndtiff(real_stores / name)
    assert dataset.format_version == "3.0"
    assert dataset.problems == ()
    (image,) = dataset.images
    assert image.name == "ndtiffv3.0_stitched_test"
    assert image.axis_names == ("c", "y", "x")
    # Tiles of 32 pixels that overlap by 4: 2 are cut off at each side. The stage was at
    # -28 um for row 0 and column 0, the centre of 32 pixels of 1 um.
    assert [axis.translation for axis in image.axes[1:]] == [-28 - 15.5 + 2] * 2
    assert image.metadata["tiles"] == 2
    expected = oracle[name]["stitched_all_levels"]
    assert [level.shape for level in image.levels] == [(1, 56, 56), (1, 28, 28)]
    for level, reference in zip(image.levels, expected, strict=True):  # type: ignore[call-overload]
        assert _sha256(level) == reference["sha256"]
    # Two of the four tiles were taken; what is known is said of each.
    assert image.frames is not None
    assert image.frames.axes({"y": 30, "x": 30}) == {
        "row": 1,
        "column": 1,
        "channel": 0,
    }
    assert image.frames.exists({"y": 0, "x": 27})
    assert not image.frames.exists({"y": 0, "x": 28})
    assert not image.frames.exists({"y": 0, "x": 0, "c": 1})


def test_colour_tiles(real_stores: Path, oracle: dict[str, dict[str, object]]) -> None:
    name = "v3/ndtiff3.2_magellan_explore_rgb"
    (image,) = open_ndtiff(real_stores / name).images
    assert image.rgb
    assert image.axis_names == ("z", "y", "x", "rgb")
    # Rows and columns 11 to 13 of 31 pixels; the reference cuts coarser levels wrongly.
    assert [level.shape for level in image.levels] == [
        (1, 93, 93, 3),
        (1, 47, 47, 3),
        (1, 23, 23, 3),
    ]
    assert _sha256(image.levels[0]) == oracle[name]["stitched_level0"]["sha256"]  # type: ignore[index]
    with NDTiffReader(real_stores / name, level=1) as coarse:
        # The level starts in row 5, at line 170 of the whole plane: 15 lines in.
        tiles = np.zeros((2, 2, 31, 31, 3), "u1")
        for row, column in ((5, 5), (6, 6)):
            tile = coarse.read_frame({"row": row, "column": column, "z": 0})
            tiles[row - 5, column - 5] = tile
        plane = tiles.swapaxes(1, 2).reshape(62, 62, 3)
    np.testing.assert_array_equal(image.levels[1][0], plane[15:62, 15:62])


def test_tiles_with_custom_axes(
    real_stores: Path, oracle: dict[str, dict[str, object]]
) -> None:
    name = "v3/no_magellan_explore_multi_channel"
    (image,) = open_ndtiff(real_stores / name).images
    assert image.axis_names == ("SecondaryZ", "TertiaryZ", "Z", "c", "y", "x")
    channels = [channel.name for channel in image.channels]
    order = [channels.index(c) for c in ("Cy5", "DAPI", "FITC", "Rhodamine")]
    expected = oracle[name]["stitched_all_levels"]
    for level, reference in zip(image.levels, expected, strict=True):  # type: ignore[call-overload]
        pixels = np.moveaxis(np.asarray(level), 3, 0)[order]
        assert list(pixels.shape) == reference["shape"]
        assert _sha256(pixels) == reference["sha256"]


def test_channels_and_scale(real_stores: Path) -> None:
    image = open_ndtiff(real_stores / "v3" / "ndtiffv3.0_test").images[0]
    # Numbered channels take their names from the metadata of their first frames.
    assert [(c.name, c.color) for c in image.channels] == [
        ("DAPI", "#3333FF"),
        ("FITC", "#66FF00"),
    ]
    assert image.axes[1].labels == ("DAPI", "FITC")
    image = open_ndtiff(real_stores / "v3" / "12_bit_pycromanager_mda").images[0]
    assert image.bit_depth == 12
    image = open_ndtiff(real_stores / "v3" / "ndtiff3.2_monochrome").images[0]
    assert image.axes[1].unit == "micrometer"
    assert image.axes[1].scale == pytest.approx(0.4)


def test_the_index_file_and_the_inner_folder_open_the_same(real_stores: Path) -> None:
    folder = real_stores / "v2" / "ndtiffv2.0_test"
    expected = open_ndtiff(folder)
    for path in (
        folder / "Full resolution",
        folder / "Full resolution" / "NDTiff.index",
    ):
        dataset = open_ndtiff(path)
        assert dataset.path == str(folder)
        assert dataset.images[0].channels == expected.images[0].channels


@pytest.mark.parametrize(
    "name", ["mm_mda_tcz_15", "Nonstandard_axis_names", "unordered_z_1"]
)
def test_an_index_without_its_files(real_stores: Path, name: str) -> None:
    with NDTiffReader(real_stores / "index_only" / name) as reader:
        assert any("are missing" in problem for problem in reader.problems)
        axes = reader.table.axes(0)
        assert reader.has(axes)
        with pytest.raises(FormatError, match="missing"):
            reader.read_frame(axes)
        with pytest.raises(FormatError, match="missing"):
            reader.read_metadata(axes)
    with pytest.raises(FormatError, match="no frame of this NDTiff store can be read"):
        open_ndtiff(real_stores / "index_only" / name)
