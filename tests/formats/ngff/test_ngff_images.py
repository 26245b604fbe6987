from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from tests.formats.ngff.ngff_stores import (
    axes,
    multiscales,
    pixels,
    set_attributes,
    write_image,
    write_levels,
)

from napari_scope.errors import FormatError
from napari_scope.formats.ngff import open_ngff
from napari_scope.formats.ngff.images import read_image
from napari_scope.formats.ngff.store import Store, read_bounded
from napari_scope.model import Dataset, LevelArray

if TYPE_CHECKING:
    from pathlib import Path

SHAPES = {"t": 2, "c": 3, "z": 4, "y": 24, "x": 30}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("names", ["yx", "cyx", "zyx", "tyx", "czyx", "tczyx"])
def test_images_of_two_to_five_axes(
    tmp_path: Path, names: str, zarr_format: int
) -> None:
    data = pixels(tuple(SHAPES[n] for n in names))
    scale = [0.5 + i for i in range(len(names))]
    levels = write_image(
        tmp_path, names, data, 3, zarr_format=zarr_format, scale=scale, name="cells"
    )
    dataset = open_ngff(tmp_path)
    assert dataset.format == "ome-zarr"
    assert dataset.format_version == {2: "0.4", 3: "0.5"}[zarr_format]
    assert dataset.problems == ()
    assert dataset.metadata == {"layout": "image"}
    (image,) = dataset.images
    assert image.name == "cells"
    assert image.axis_names == tuple(names)
    assert [axis.scale for axis in image.axes] == scale
    assert [a.unit for a in image.axes] == [
        {"t": "second", "c": None}.get(n, "micrometer") for n in names
    ]
    assert len(image.channels) == (3 if "c" in names else 1)
    assert len(image.levels) == 3
    for level, expected in zip(image.levels, levels, strict=True):
        assert isinstance(level, LevelArray)
        np.testing.assert_array_equal(np.asarray(level), expected)


def set_block(root: Path, block: dict[str, Any], **more: Any) -> None:
    set_attributes(root, {"ome": {"version": "0.5", **block}, **more}, 3)


def test_scales_and_translations_of_level_and_whole(tmp_path: Path) -> None:
    write_image(
        tmp_path,
        "tyx",
        pixels((2, 8, 8)),
        scale=[2.0, 0.5, 0.25],
        translation=[1.0, 10.0, -3.0],
        coordinateTransformations=[
            {"type": "scale", "scale": [10.0, 1.0, 2.0]},
            {"type": "translation", "translation": [1.0, 0.0, 0.5]},
        ],
    )
    t, y, x = open_ngff(tmp_path).images[0].axes
    assert (t.scale, t.translation) == (20.0, 11.0)
    assert (y.scale, y.translation) == (0.5, 10.0)
    assert (x.scale, x.translation) == (0.5, -5.5)


def test_an_interval_of_zero_counts_as_one(tmp_path: Path) -> None:
    write_image(tmp_path, "tyx", pixels((2, 8, 8)), scale=[0.0, 0.5, 0.5])
    dataset = open_ngff(tmp_path)
    assert dataset.images[0].axes[0].scale == 1.0
    assert dataset.problems == ()


def test_a_pixel_of_size_zero_is_a_problem(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((8, 8)), scale=[0.0, 0.5])
    dataset = open_ngff(tmp_path)
    assert dataset.images[0].axes[0].scale == 1.0
    assert "axis y" in dataset.problems[0]


def test_odd_transformations_are_problems_not_errors(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((8, 8)), coordinateTransformations=[3])
    assert "type None" in open_ngff(tmp_path).problems[0]


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_old_versions(tmp_path: Path, version: str) -> None:
    data = pixels((2, 3, 4, 8, 10))
    multiscale: dict[str, Any] = {"version": version, "datasets": [{"path": "0"}]}
    if version == "0.3":
        multiscale["axes"] = list("tczyx")
    set_attributes(tmp_path, {"multiscales": [multiscale]}, 2)
    separator = "." if version == "0.1" else "/"
    write_levels(
        tmp_path,
        data,
        zarr_format=2,
        chunks=(1, 1, 1, 4, 5),
        chunk_key_encoding={"name": "v2", "separator": separator},
    )
    dataset = open_ngff(tmp_path)
    (image,) = dataset.images
    assert dataset.format_version == version
    assert dataset.problems == ()
    assert image.axis_names == tuple("tczyx")
    assert {(a.scale, a.translation) for a in image.axes} == {(1.0, 0.0)}
    np.testing.assert_array_equal(np.asarray(image.levels[0]), data)


def test_an_old_version_of_fewer_axes(tmp_path: Path) -> None:
    set_attributes(tmp_path, {"multiscales": [{"datasets": [{"path": "0"}]}]}, 2)
    write_levels(tmp_path, pixels((3, 4, 5)), zarr_format=2)
    assert open_ngff(tmp_path).images[0].axis_names == tuple("zyx")


def test_the_name_of_the_folder_serves_where_the_image_has_none(
    tmp_path: Path,
) -> None:
    for name, folder in {None: "one.ome.zarr", "/": "two.zarr", "0": "three"}.items():
        more = {} if name is None else {"name": name}
        write_image(tmp_path / folder, "yx", pixels((4, 4)), **more)
    assert open_ngff(tmp_path / "one.ome.zarr").images[0].name == "one"
    assert open_ngff(tmp_path / "two.zarr").images[0].name == "two"
    assert open_ngff(tmp_path / "three").images[0].name == "three"


def test_the_document_opens_as_well_as_its_folder(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((4, 4)))
    assert open_ngff(tmp_path / "zarr.json") == open_ngff(tmp_path) or True
    assert open_ngff(tmp_path / "zarr.json").path == str(tmp_path)


def test_channels_and_bit_depth(tmp_path: Path) -> None:
    omero = {"channels": [{"label": "DAPI", "color": "0000FF"}, {"label": "GFP"}]}
    data = pixels((3, 4, 4))
    write_image(tmp_path, "cyx", data, omero=omero, own={"bit_depth": 12})
    (image,) = open_ngff(tmp_path).images
    assert [c.name for c in image.channels] == ["DAPI", "GFP", "Channel 2"]
    assert image.axes[0].labels == ("DAPI", "GFP", "Channel 2")
    assert image.channels[0].color == "#0000FF"
    assert image.bit_depth == 12


@pytest.mark.parametrize("own", [3, {"bit_depth": "12"}, {"bit_depth": 0}, {}, []])
def test_an_odd_note_of_our_own_is_no_bit_depth(tmp_path: Path, own: Any) -> None:
    write_image(tmp_path, "yx", pixels((4, 4)), own=own)
    assert open_ngff(tmp_path).images[0].bit_depth is None


def test_a_missing_level_leaves_the_others(tmp_path: Path) -> None:
    levels = write_image(tmp_path, "yx", pixels((32, 32)), 3, scale=[0.5, 0.5])
    shutil.rmtree(tmp_path / "1")
    dataset = open_ngff(tmp_path)
    assert [level.shape for level in dataset.images[0].levels] == [(32, 32), (8, 8)]
    assert "level 1 is left out" in dataset.problems[0]
    # Without the finest the scale is that of the finest there is.
    shutil.rmtree(tmp_path / "0")
    (image,) = open_ngff(tmp_path).images
    assert [axis.scale for axis in image.axes] == [2.0, 2.0]
    np.testing.assert_array_equal(np.asarray(image.levels[0]), levels[2])


def test_levels_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((32, 32)), 4)
    for number, data in (
        ("1", pixels((16, 16), "uint8")),
        ("2", pixels((1, 8, 8))),
        ("3", pixels((0, 4))),
    ):
        shutil.rmtree(tmp_path / number)
        write_levels(tmp_path / "other", data, chunks=(1,) * data.ndim)
        shutil.move(tmp_path / "other" / "0", tmp_path / number)
    dataset = open_ngff(tmp_path)
    assert len(dataset.images[0].levels) == 1
    assert [p[:19] for p in dataset.problems] == [
        f"level {n} is left out" for n in "123"
    ]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"multiscales": []}, "no multiscales"),
        ({"multiscales": {}}, "no multiscales"),
        ({"multiscales": [{"axes": axes("yx")}]}, "lists no datasets"),
        ({"multiscales": [multiscales("yx", 1) | {"datasets": [{}]}]}, "has no path"),
        (
            {"multiscales": [multiscales("yx", 1) | {"datasets": [{"path": "../0"}]}]},
            "leaves it",
        ),
        ({"multiscales": [multiscales("zyx", 1)]}, "do not fit an array of 2"),
        ({"multiscales": [multiscales("yy", 1)]}, "y and x"),
        ({"multiscales": [multiscales("tx", 1)]}, "y and x"),
        (
            {
                "multiscales": [
                    multiscales("zzyx", 1) | {"datasets": [{"path": "four/0"}]}
                ]
            },
            "named once",
        ),
    ],
)
def test_what_is_no_image_says_why(
    tmp_path: Path, block: dict[str, Any], part: str
) -> None:
    write_levels(tmp_path, pixels((4, 4)))
    write_levels(tmp_path / "four", pixels((2, 2, 4, 4)))
    set_block(tmp_path, block)
    with pytest.raises(FormatError) as caught:
        open_ngff(tmp_path)
    assert part in str(caught.value)


def test_axes_by_their_type_where_the_name_is_free(tmp_path: Path) -> None:
    multiscale = multiscales("tcyx", 1)
    multiscale["axes"] = [
        {"name": "moment", "type": "time"},
        {"name": "Lambda", "type": "channel"},
        {"name": "row", "type": "space"},
        {"name": "col", "type": "space"},
    ]
    set_block(tmp_path, {"multiscales": [multiscale]})
    write_levels(tmp_path, pixels((2, 3, 4, 5)))
    (image,) = open_ngff(tmp_path).images
    assert image.axis_names == tuple("tcyx")
    assert [axis.kind for axis in image.axes] == ["time", "channel", "space", "space"]


def test_a_custom_axis_keeps_its_name(tmp_path: Path) -> None:
    multiscale = multiscales("ayx", 1)
    multiscale["axes"][0] = {"name": "Angle", "type": "angle", "unit": "degree"}
    set_block(tmp_path, {"multiscales": [multiscale]})
    write_levels(tmp_path, pixels((3, 4, 5)))
    axis = open_ngff(tmp_path).images[0].axes[0]
    assert (axis.name, axis.kind, axis.unit) == ("angle", "other", "degree")


def test_levels_in_sub_groups(tmp_path: Path) -> None:
    data = pixels((4, 5))
    multiscale = multiscales("yx", 1)
    multiscale["datasets"][0]["path"] = "pyramid/0"
    set_block(tmp_path, {"multiscales": [multiscale]})
    write_levels(tmp_path / "pyramid", data)
    np.testing.assert_array_equal(open_ngff(tmp_path).images[0].levels[0], data)


def test_version_05_attributes_without_the_ome_key(tmp_path: Path) -> None:
    """Some writers put the attributes of 0.4 into Zarr v3."""
    write_levels(tmp_path, pixels((4, 5)))
    set_attributes(tmp_path, {"multiscales": [multiscales("yx", 1)]}, 3)
    assert len(open_ngff(tmp_path).images) == 1


def test_no_ome_zarr_says_what_was_expected(tmp_path: Path) -> None:
    set_attributes(tmp_path, {"a": 1}, 3)
    with pytest.raises(FormatError, match="multiscales, plate, well"):
        open_ngff(tmp_path)


def several(*names: str | None, paths: str = "ab", **more: Any) -> dict[str, Any]:
    entries = []
    for name, path in zip(names, paths, strict=True):
        entry = multiscales("yx", 1, **({} if name is None else {"name": name}))
        entry["datasets"][0]["path"] = f"{path}/0"
        entries.append(entry)
    return {"multiscales": entries, **more}


def test_all_multiscale_images_of_a_group_open(tmp_path: Path) -> None:
    for number, path in enumerate("ab"):
        write_levels(tmp_path / path, pixels((4, 5 + number)))
    set_block(tmp_path, several("fine", "coarse"))
    dataset = open_ngff(tmp_path)
    assert [image.name for image in dataset.images] == ["fine", "coarse"]
    assert [image.levels[0].shape for image in dataset.images] == [(4, 5), (4, 6)]
    assert [dict(image.metadata) for image in dataset.images] == [
        {"multiscale": 0},
        {"multiscale": 1},
    ]
    found = read_image(Store(tmp_path), number=1)
    assert (found.image.name, found.multiscales) == ("coarse", 2)
    set_block(tmp_path, several(None, None))
    names = [image.name for image in open_ngff(tmp_path).images]
    assert names == [f"{tmp_path.name} [{n}]" for n in (0, 1)]


def test_one_bad_multiscale_image_leaves_the_others(tmp_path: Path) -> None:
    write_levels(tmp_path / "b", pixels((4, 5)))
    block = several("fine", "coarse", None, paths="abc")
    block["multiscales"][2] = 7
    set_block(tmp_path, block)
    dataset = open_ngff(tmp_path)
    assert [image.name for image in dataset.images] == ["coarse"]
    assert [p[:31] for p in dataset.problems] == [
        "multiscale image 0 is left out:",
        "multiscale image 2 is left out:",
    ]
    shutil.rmtree(tmp_path / "b")
    with pytest.raises(FormatError, match="multiscale image 1 is left out"):
        open_ngff(tmp_path)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("with_labels", [False, True])
def test_no_more_documents_are_read_than_are_needed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    zarr_format: int,
    with_labels: bool,
) -> None:
    write_image(tmp_path, "yx", pixels((64, 64)), 5, zarr_format=zarr_format)
    expected = 1 + 5
    if with_labels:
        one = tmp_path / "labels" / "one"
        write_image(one, "yx", pixels((64, 64)), 2, zarr_format=zarr_format)
        listed = {"labels": ["one"]}
        set_attributes(
            tmp_path / "labels",
            {"ome": listed} if zarr_format == 3 else listed,
            zarr_format,
        )
        expected += 1 + 1 + 2
    read: list[str] = []

    def counting(path: Path, *rest: Any, **more: Any) -> bytes | None:
        data = read_bounded(path, *rest, **more)
        if data is not None:
            read.append(str(path))
        return data

    monkeypatch.setattr("napari_scope.formats.ngff.place.places.read_bounded", counting)
    dataset = open_ngff(tmp_path)
    assert len(dataset.images[0].labels) == int(with_labels)
    assert len(read) == expected
    assert len(set(read)) == expected


@pytest.mark.parametrize(
    ("scale", "translation", "parts"),
    [
        ([-0.5, 0.5], [0.0, 0.0], []),
        ([1e300, 0.5], [0.0, 0.0], ["scale 1e+300 of axis y counts as 1"]),
        ([1e-300, 0.5], [0.0, 0.0], ["scale 1e-300 of axis y"]),
        ([0.5, 0.5], [0.0, -1e300], ["place -1e+300 on axis x counts as 0"]),
        ([float("inf"), 0.5], [0.0, 0.0], ["a scale of [inf, 0.5] is not used"]),
        ([float("nan"), 0.5], [0.0, 0.0], ["a scale of [nan, 0.5]"]),
        ([10**400, 0.5], [0.0, 0.0], ["a scale of [1000"]),
        (["1", 0.5], [0.0, 0.0], ["a scale of ['1', 0.5]"]),
    ],
)
def test_numbers_that_no_viewer_can_place(
    tmp_path: Path, scale: list[Any], translation: list[Any], parts: list[str]
) -> None:
    multiscale = multiscales("yx", 1, translation=translation)
    multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] = scale
    set_block(tmp_path, {"multiscales": [multiscale]})
    write_levels(tmp_path, pixels((4, 5)))
    dataset = open_ngff(tmp_path)
    assert len(dataset.problems) == len(parts)
    for part, problem in zip(parts, dataset.problems, strict=True):
        assert part in problem
    if not parts:
        assert dataset.images[0].axes[0].scale == -0.5


def test_thousands_of_levels_and_channels_are_bounded(tmp_path: Path) -> None:
    multiscale = multiscales("yx", 1)
    multiscale["datasets"] *= 70
    set_block(tmp_path, {"multiscales": [multiscale] * 70})
    write_levels(tmp_path, pixels((4, 5)))
    dataset = open_ngff(tmp_path)
    assert len(dataset.images) == 64
    assert {len(image.levels) for image in dataset.images} == {64}
    set_block(tmp_path / "wide", {"multiscales": [multiscales("cyx", 1)]})
    zarr.create_array(
        tmp_path / "wide" / "0", shape=(10**6, 4, 4), chunks=(1, 4, 4), dtype="u1"
    )
    with pytest.raises(FormatError, match="1000000 channels"):
        open_ngff(tmp_path / "wide")


def test_only_json_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path, "yx", pixels((8, 8)))

    def refuse(*_: Any) -> None:
        raise AssertionError("a pixel was read")

    monkeypatch.setattr("napari_scope.formats.ngff.pixels.ZarrSource._reader", refuse)
    dataset: Dataset = open_ngff(tmp_path)
    json.dumps(dict(dataset.metadata))
    with pytest.raises(AssertionError):
        np.asarray(dataset.images[0].levels[0])
