"""`Dataset` on stores of Micro-Manager against what the reference library reads."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import Dataset

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = [
    "v2/ndtiffv2.0_test",
    "v3/ndtiffv3.0_test",
    "v3/ndtiff3.2_monochrome",
    "v3/12_bit_pycromanager_mda",
    "v3/labeled_positions_1",
]
_TILED = [
    "v3/ndtiffv3.0_stitched_test",
    "v3/ndtiff3.2_magellan_explore_rgb",
    "v3/no_magellan_explore_multi_channel",
]


@pytest.fixture(scope="module")
def oracle(real_stores: Path) -> dict[str, Any]:
    content = json.loads((real_stores / "oracle.json").read_text("utf-8"))
    assert sorted(content["datasets"]) == sorted(_PLAIN + _TILED)
    return content["datasets"]  # type: ignore[no-any-return]


def _sha256(pixels: object) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _sorted_names(dataset: Dataset, names: list[str]) -> dict[str, Any]:
    """Return slices that sort names, as the reference does; ours keep their order."""
    return {
        name: sorted(map(str, values))
        for name, values in dataset.axes.items()
        if name in names and isinstance(values[0], str)
    }


@pytest.mark.parametrize("name", _PLAIN + _TILED)
def test_what_a_store_says(
    real_stores: Path, oracle: dict[str, Any], name: str
) -> None:
    expected = oracle[name]
    with Dataset(real_stores / name) as dataset:
        assert dataset.problems == []
        assert dataset.path == real_stores / name
        assert dataset.summary_metadata == expected["summary_metadata"]
        assert sorted(dataset.axes) == sorted(expected["axes"])
        for axis, values in expected["axes"].items():
            assert sorted(dataset.axes[axis]) == sorted(values)
        assert dataset.get_index_keys() == expected["keys"]
        assert dataset.get_image_coordinates_list() == expected["keys"]
        assert dataset.dtype == np.dtype(expected["dtype"])
        height_and_width = [dataset.image_height, dataset.image_width]
        assert [height_and_width] == expected["image_hw"]
        overlap = expected["overlap"]
        assert dataset.overlap == (None if overlap is None else tuple(overlap))
        version = expected["version"]
        # The reference does not say which 2.x it is.
        assert dataset.version == ((2, 0) if version[0] is None else tuple(version))
        assert dataset.is_finished()
        assert not dataset.await_new_image()


@pytest.mark.parametrize("name", _PLAIN + _TILED)
@pytest.mark.usefixtures("any_io")
def test_images_and_metadata(
    real_stores: Path, oracle: dict[str, Any], name: str
) -> None:
    with Dataset(real_stores / name) as dataset:
        for image in oracle[name]["images"]:
            key = image["key"]
            assert dataset.has_image(**key)
            for memmapped in (False, True):
                pixels = dataset.read_image(**key, memmapped=memmapped)
                assert list(pixels.shape) == image["shape"]
                assert pixels.dtype == np.dtype(image["dtype"])
                assert _sha256(pixels) == image["sha256"]
            text = json.dumps(dataset.read_metadata(**key), sort_keys=True)
            assert hashlib.sha256(text.encode()).hexdigest() == image["metadata_sha256"]


@pytest.mark.parametrize("name", _PLAIN + _TILED)
def test_arrays(real_stores: Path, oracle: dict[str, Any], name: str) -> None:
    expected = oracle[name]
    compared = 0
    with Dataset(real_stores / name) as dataset:
        for what, reading in expected.items():
            match = re.fullmatch(r"(as_array|stitched)(?:_?level(\d))?", what)
            if not match:
                continue
            stitched = match[1] == "stitched"
            axes = [n for n in expected["canonical_axes"] if n in reading["axes"]]
            array = dataset.as_array(
                axes=axes,
                stitched=stitched,
                res_level=int(match[2] or 0),
                **_sorted_names(dataset, axes),
            )
            assert list(array.shape) == reading["shape"]
            assert array.dtype == np.dtype(reading["dtype"])
            assert _sha256(array) == reading["sha256"]
            compared += 1
    assert compared == 1 if name in _PLAIN else compared >= 10


@pytest.mark.parametrize("name", _TILED)
def test_levels_of_a_store(
    real_stores: Path, oracle: dict[str, Any], name: str
) -> None:
    levels = oracle[name]["levels"]
    with Dataset(real_stores / name, full_res_only=False) as dataset:
        assert sorted(dataset.res_levels) == sorted(map(int, levels))
        for level, expected in levels.items():
            keys = dataset.get_index_keys(res_level=int(level))
            assert len(keys) == expected["n_images"]
            found: dict[str, set[object]] = {}
            for key in keys:
                assert dataset.has_image(**key, resolution_level=int(level))  # type: ignore[arg-type]
                for axis, value in key.items():
                    found.setdefault(axis, set()).add(value)
            assert found == {a: set(v) for a, v in expected["axes"].items()}


@pytest.mark.parametrize("name", _TILED)
def test_pyramids(real_stores: Path, oracle: dict[str, Any], name: str) -> None:
    expected = oracle[name]["stitched_all_levels"]
    axes = [
        axis for axis in oracle[name]["canonical_axes"] if axis not in ("row", "column")
    ]
    with Dataset(real_stores / name) as dataset:
        levels = dataset.as_pyramid(axes, **_sorted_names(dataset, axes))
        assert len(levels) == len(expected)
        for number, (level, reading) in enumerate(zip(levels, expected, strict=True)):
            if level.ndim == len(axes) + 3 and number:
                continue  # the reference cuts these along the wrong axes: see below
            assert list(level.shape) == reading["shape"]
            assert _sha256(level) == reading["sha256"]


def test_pyramid_of_colour_tiles(real_stores: Path, oracle: dict[str, Any]) -> None:
    # The reference takes x and rgb for y and x, and gives (1, 62, 47, 0).
    name = "v3/ndtiff3.2_magellan_explore_rgb"
    with Dataset(real_stores / name) as dataset:
        levels = dataset.as_pyramid()
        assert [level.shape for level in levels] == [
            (1, 93, 93, 3),
            (1, 47, 47, 3),
            (1, 23, 23, 3),
        ]
        # Tiles of 31 pixels from row and column 11 on: at 341, 170.5 and 85.25. The
        # stored levels start at tiles 5 and 1, which is at 155 and 31.
        for number, start in ((1, 15), (2, 54)):
            whole = dataset.as_array(stitched=True, res_level=number)
            assert _sha256(whole) == oracle[name][f"stitched_level{number}"]["sha256"]
            size = levels[number].shape[1]
            part = whole[:, start : start + size, start : start + size]
            np.testing.assert_array_equal(levels[number], part)
            assert np.asarray(part).any()


def test_names_of_channels(real_stores: Path) -> None:
    # The reference gives none for axes of names.
    expected = {
        "v2/ndtiffv2.0_test": ["DAPI", "FITC"],
        "v3/ndtiffv3.0_test": ["DAPI", "FITC"],
        "v3/12_bit_pycromanager_mda": ["DAPI", "FITC"],
        "v3/no_magellan_explore_multi_channel": ["Cy5", "DAPI", "FITC", "Rhodamine"],
        "v3/ndtiffv3.0_stitched_test": ["Channel 0"],
        "v3/ndtiff3.2_monochrome": [],
    }
    for name, channels in expected.items():
        with Dataset(real_stores / name) as dataset:
            assert dataset.get_channel_names() == channels


def test_numbers_count_names(real_stores: Path, oracle: dict[str, Any]) -> None:
    name = "v3/12_bit_pycromanager_mda"
    channels = ["DAPI", "FITC"]
    seen = set()
    with Dataset(real_stores / name) as dataset:
        for image in oracle[name]["images"]:
            time, channel = image["key"]["time"], image["key"]["channel"]
            number = channels.index(channel)
            for pixels in (
                dataset.read_image(number, time=time),
                dataset.read_image(channel, time=time),
                dataset.read_image(time=time, channel_name=channel),
                dataset.as_array(channel=number, time=time),
                dataset.as_array(channel_name=channel, time=time),
            ):
                assert _sha256(pixels) == image["sha256"]
            seen.add(channel)
    assert seen == set(channels)


def test_a_channel_is_the_same_at_every_level(real_stores: Path) -> None:
    # In levels 5 and 6 of this store the channels appear in another order.
    name = "v3/no_magellan_explore_multi_channel"
    with Dataset(real_stores / name) as dataset:
        for level in dataset.res_levels:
            whole = dataset.as_array(stitched=True, res_level=level)
            for number, channel in enumerate(dataset.get_channel_names()):
                key = next(
                    key
                    for key in dataset.get_index_keys(level)
                    if key["channel"] == channel
                )
                image = dataset.read_image(**key, resolution_level=level)  # type: ignore[arg-type]
                by_number = dataset.read_image(
                    **{**key, "channel": number},  # type: ignore[arg-type]
                    res_level=level,
                )
                np.testing.assert_array_equal(by_number, image)
                one = dataset.as_array(channel=channel, stitched=True, res_level=level)
                np.testing.assert_array_equal(one, whole[number])


def test_axis_order_does_not_depend_on_hashing(real_stores: Path) -> None:
    name = "v3/no_magellan_explore_multi_channel"
    with Dataset(real_stores / name) as dataset:
        # The index begins with TertiaryZ, channel, column, Z, row, SecondaryZ.
        order = ["row", "column", "channel", "TertiaryZ", "Z", "SecondaryZ"]
        assert list(dataset.axes) == order
        assert list(dataset.get_index_keys()[0]) == order


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        (
            "mm_mda_tcz_15",
            {
                "position": [0],
                "time": list(range(8)),
                "channel": [0, 1],
                "z": list(range(7)),
            },
        ),
        (
            "Nonstandard_axis_names",
            {"time": list(range(5)), "channel": [0], "l": list(range(20))},
        ),
        ("unordered_z_1", {"z": list(range(-10, 10))}),
    ],
)
def test_an_index_without_its_files(
    real_stores: Path, name: str, axes: dict[str, list[int]]
) -> None:
    with Dataset(real_stores / "index_only" / name) as dataset:
        assert dataset.axes == axes
        assert list(dataset.axes) == list(axes)
        keys = dataset.get_index_keys()
        assert len(keys) == np.prod([len(values) for values in axes.values()])
        assert all(dataset.has_image(**key) for key in keys)  # type: ignore[arg-type]
        assert not dataset.image_mask().any()
        assert any("NDTiffStack.tif" in problem for problem in dataset.problems)
        for read in (
            lambda: dataset.read_image(**keys[0]),  # type: ignore[arg-type]
            lambda: dataset.read_image(**keys[0], memmapped=True),  # type: ignore[arg-type]
            lambda: dataset.read_metadata(**keys[0]),  # type: ignore[arg-type]
            lambda: dataset.as_array(),
        ):
            with pytest.raises(FormatError, match=r"missing.*NDTiffStack\.tif"):
                read()
