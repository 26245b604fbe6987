"""Positions: arrays, channels, placement and metadata, on disk and in memory."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import zarr
from tests.formats.ngff.ngff_stores import set_attributes, write_image
from tests.formats.ngff.nodes.node_stores import (
    CHANNELS,
    SHAPE,
    VERSIONS,
    image,
    pixels,
)

from napari_scope import open_ome_zarr
from napari_scope.errors import FormatError
from napari_scope.formats.ngff.nodes import (
    AxisMeta,
    ImageArray,
    Position,
    TransformationMeta,
)

if TYPE_CHECKING:
    from pathlib import Path


def scale(*values: float) -> TransformationMeta:
    return TransformationMeta(type="scale", scale=list(values))


def translation(*values: float) -> TransformationMeta:
    return TransformationMeta(type="translation", translation=list(values))


@pytest.mark.parametrize("version", VERSIONS)
def test_an_image_is_what_was_put_in(tmp_path: Path, version: str) -> None:
    image(tmp_path / "i.zarr", version)
    found = open_ome_zarr(tmp_path / "i.zarr")
    assert found.channel_names == CHANNELS
    assert [a.name for a in found.axes] == list("TCZYX")
    assert [a.unit for a in found.axes] == ["second", None] + ["micrometer"] * 3
    assert found.axis_names == list("tczyx")
    assert (found.scale, found.version) == ([1.0] * 5, version)
    assert isinstance(found["0"], ImageArray)
    assert found[0].shape == found.data.shape == SHAPE
    assert found.data.chunks == (1, 1, 5, 18, 20)
    np.testing.assert_array_equal(found.data[...], pixels())
    assert (list(found), len(found), "0" in found, "1" in found) == (
        ["0"],
        1,
        True,
        False,
    )
    assert [name for name, _ in found.images()] == ["0"]
    assert (found.array_keys(), found.group_keys(), found.is_leaf()) == (
        ["0"],
        [],
        True,
    )
    kind = zarr.open_array(tmp_path / "i.zarr" / "0").metadata.zarr_format
    assert kind == (3 if version == "0.5" else 2)


def test_missing_members_are_key_errors(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    for key in ("1", "", "0/0", "../i.zarr/0"):
        with pytest.raises(KeyError, match=r"there (is|are)"):
            position[key]
        assert key not in position
    assert "../0" not in position
    empty = open_ome_zarr(tmp_path / "e.zarr", "fov", "w-", channel_names=["a"])
    with pytest.raises(KeyError, match="no array '0'"):
        _ = empty.data
    with pytest.raises(ValueError, match="no image here yet"):
        _ = empty.scale
    with pytest.raises(TypeError, match="NumPy"):
        position["7"] = [[1]]


def test_arrays_are_checked_before_they_are_made(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr", "0.4")
    for shape, more, text in (
        ((4, 4), {}, "2 dimensions"),
        ((1, 3, 1, 4, 4), {}, "append_channel"),
        ((1, 2, 1, 4, 4), {"chunks": (1, 1)}, "chunks"),
        ((1, 2, 1, 4, 4), {"chunks": (1, 1, 1, 0, 4)}, "chunks"),
        ((1, 2, 1, 4, 4), {"shards_ratio": (1, 1, 1, 2, 2)}, "0.5"),
        ((1, 2, 1, 4, 4), {"transform": [scale(1, 2)]}, "2 numbers for 5 axes"),
        ((1, 2, 1, -4, 4), {}, "shape"),
    ):
        with pytest.raises(ValueError, match=text):
            position.create_zeros("1", shape, "uint16", **more)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="type"):
        position.create_zeros("1", SHAPE, "U4")
    for name in ("", "a/b", "..", ".x", "a\\b"):
        with pytest.raises(ValueError, match="no name of an array"):
            position.create_zeros(name, SHAPE, "uint16")
    assert sorted(p.name for p in position.folder.iterdir()) == [
        *(".zattrs", ".zgroup", "0"),
    ]
    with pytest.raises(FileExistsError):
        position["0"] = pixels()


def test_an_array_is_replaced_when_asked(tmp_path: Path) -> None:
    image(tmp_path / "i.zarr")
    again = open_ome_zarr(tmp_path / "i.zarr", mode="r+", overwriting_creation=True)
    again["0"] = pixels(seed=3)
    np.testing.assert_array_equal(again.data[...], pixels(seed=3))
    assert len(again.metadata["multiscales"][0]["datasets"]) == 1


def test_shards_and_lazy_pixels(tmp_path: Path) -> None:
    position = open_ome_zarr(
        tmp_path / "i.zarr", "fov", "w-", channel_names=CHANNELS, version="0.5"
    )
    lazy = da.from_array(pixels(), chunks=(1, 1, 2, 7, 9))
    array = position.create_image(
        "0", lazy, chunks=(1, 1, 1, 9, 10), shards_ratio=(1, 1, 5, 2, 2)
    )
    assert (array.chunks, array.shards) == ((1, 1, 1, 9, 10), (1, 1, 5, 18, 20))
    np.testing.assert_array_equal(array.numpy(), pixels())
    np.testing.assert_array_equal(array.dask_array().compute(), pixels())
    found = open_ome_zarr(tmp_path / "i.zarr").data
    np.testing.assert_array_equal(found.tensorstore().read().result(), pixels())
    with pytest.raises(ValueError, match="mode"):
        found.tensorstore(write=True)


def test_an_array_of_other_dimensions_is_stored_but_no_level(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    position.create_image("mask", np.ones((4, 5), bool), check_shape=False)
    assert position["mask"].shape == (4, 5)
    assert [d["path"] for d in position.metadata["multiscales"][0]["datasets"]] == ["0"]


def test_sizes_follow_the_names_of_the_axes(tmp_path: Path) -> None:
    axes = [AxisMeta("C"), AxisMeta("Y", "space", "um"), AxisMeta("X", "space", "um")]
    position = open_ome_zarr(
        tmp_path / "i.zarr", "fov", "w-", channel_names=["a", "b"], axes=axes
    )
    position["0"] = pixels((2, 6, 7))
    array = open_ome_zarr(tmp_path / "i.zarr").data
    sizes = array.frames, array.channels, array.slices, array.height, array.width
    assert sizes == (1, 2, 1, 6, 7)
    assert position.axes[1].unit == "micrometer"


def test_levels_are_listed_from_fine_to_coarse(tmp_path: Path) -> None:
    position = open_ome_zarr(tmp_path / "i.zarr", "fov", "w-", channel_names=CHANNELS)
    coarse = [scale(1, 1, 1, 2, 2)]
    position.create_zeros("half", (1, 2, 1, 4, 4), "uint8", transform=coarse)
    position.create_zeros("full", (1, 2, 1, 8, 8), "uint8")
    assert list(position) == ["full", "half"]
    assert position.scale == [1.0] * 5


def test_transformations_compose(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    position.set_transform("0", [scale(2, 1, 1, 1, 1), translation(2, 0, 0, 0, 0)])
    position.set_transform("*", [scale(10, 1, 1, 1, 1), translation(1, 0, 0, 0, 3)])
    found = open_ome_zarr(tmp_path / "i.zarr")
    assert found.get_effective_scale("0") == [20, 1, 1, 1, 1] == found.scale
    assert found.get_effective_translation("0") == [21, 0, 0, 0, 3]
    assert found.get_effective_scale("*") == [10, 1, 1, 1, 1]
    assert found.get_effective_translation("*") == [1, 0, 0, 0, 3]
    # In any order and number, they are kept as one scale and one translation.
    position.set_transform(
        "0", [translation(1, 0, 0, 0, 0), scale(3, 1, 1, 1, 1), scale(2, 1, 1, 1, 1)]
    )
    kept = position.metadata["multiscales"][0]["datasets"][0]
    assert kept["coordinateTransformations"] == [
        {"type": "scale", "scale": [6, 1, 1, 1, 1]},
        {"type": "translation", "translation": [6, 0, 0, 0, 0]},
    ]
    position.set_transform("*", [])
    assert "coordinateTransformations" not in position.metadata["multiscales"][0]
    with pytest.raises(ValueError, match="no level '7'"):
        position.set_transform("7", [scale(1, 1, 1, 1, 1)])
    with pytest.raises(ValueError, match="there is no array '7'"):
        position.get_effective_scale("7")


def test_set_scale_changes_one_number(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    position.set_transform("0", [scale(1, 1, 2, 3, 4), translation(0, 0, 5, 6, 7)])
    position.set_scale("0", "Z", 0.25)
    position.set_scale("*", "x", 10)
    found = open_ome_zarr(tmp_path / "i.zarr")
    assert found.scale == [1, 1, 0.25, 3, 40]
    assert found.get_effective_translation("0") == [0, 0, 5, 6, 70]
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not positive"):
            position.set_scale("0", "z", bad)
    with pytest.raises(KeyError, match="'7'"):
        position.set_scale("7", "z", 1)
    with pytest.raises(ValueError, match="no axis 'w'"):
        position.set_scale("0", "w", 1)
    assert open_ome_zarr(tmp_path / "i.zarr").scale == [1, 1, 0.25, 3, 40]


@pytest.mark.parametrize("version", VERSIONS)
def test_channels_are_added_and_renamed(tmp_path: Path, version: str) -> None:
    position = image(tmp_path / "i.zarr", version)
    position.compute_pyramid(2)
    position.append_channel("Cy5")
    assert position.channel_names == [*CHANNELS, "Cy5"]
    assert position["0"].shape == (3, 3, 5, 18, 20)
    assert position["1"].shape == (3, 3, 3, 9, 10)
    position.rename_channel("Cy5", "far red")
    position.update_channel("far red", "0", pixels()[:, 0])
    found = open_ome_zarr(tmp_path / "i.zarr")
    assert found.get_channel_index("far red") == 2
    np.testing.assert_array_equal(found.data[:, 2], pixels()[:, 0])
    np.testing.assert_array_equal(found.data[:, :2], pixels())
    for change in (
        lambda: position.append_channel("DAPI"),
        lambda: position.append_channel(""),
        lambda: position.rename_channel("DAPI", "GFP"),
        lambda: position.rename_channel("none", "x"),
        lambda: position.update_channel("none", "0", 0),
        lambda: position.update_channel("DAPI", "0", np.zeros((3, 5, 18))),
        lambda: position.get_channel_index("none"),
    ):
        with pytest.raises(ValueError, match=r"channel"):
            change()
    assert open_ome_zarr(tmp_path / "i.zarr").data.shape == (3, 3, 5, 18, 20)
    position.rename_channel("DAPI", "DAPI")


def test_a_channel_can_be_named_before_there_are_pixels(tmp_path: Path) -> None:
    position = open_ome_zarr(tmp_path / "i.zarr", "fov", "w-", channel_names=["a"])
    position.append_channel("b")
    position.rename_channel("a", "c")
    position.create_zeros("0", (1, 2, 1, 4, 4), "uint8")
    assert open_ome_zarr(tmp_path / "i.zarr").channel_names == ["c", "b"]


def test_contrast_limits(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    window: Any = {"start": 5, "end": 50, "min": 0, "max": 4095}
    position.set_contrast_limits("GFP", window)
    entry = open_ome_zarr(tmp_path / "i.zarr").metadata["omero"]["channels"][1]
    assert entry["window"] == window
    for bad in ({"start": 1}, {**window, "end": 1}, {**window, "max": "x"}, None):
        with pytest.raises(ValueError, match="contrast limits"):
            position.set_contrast_limits("GFP", bad)


@pytest.mark.parametrize(
    ("omero", "wanted"),
    [
        (None, ["Channel 0", "Channel 1"]),
        ({"channels": []}, ["Channel 0", "Channel 1"]),
        ({"channels": [{"label": "DAPI"}]}, ["DAPI", "Channel 1"]),
        ({"channels": [None, {"color": 7}]}, ["Channel 0", "Channel 1"]),
        ("x", ["Channel 0", "Channel 1"]),
    ],
)
def test_a_partial_omero_block_opens(
    tmp_path: Path, omero: object, wanted: list[str]
) -> None:
    path = image(tmp_path / "i.zarr", "0.4").folder
    document = json.loads((path / ".zattrs").read_text())
    document["omero"] = omero
    if omero is None:
        del document["omero"]
    (path / ".zattrs").write_text(json.dumps(document))
    found = open_ome_zarr(path, mode="r+")
    assert found.channel_names == wanted
    found.append_channel("new")
    found.set_contrast_limits(wanted[1], {"start": 1, "end": 2, "min": 0, "max": 3})
    found.rename_channel(wanted[0], "first")
    assert open_ome_zarr(path).channel_names == ["first", wanted[1], "new"]


def test_a_name_that_two_channels_have_is_no_index(tmp_path: Path) -> None:
    write_image(
        tmp_path / "i.zarr",
        "cyx",
        pixels((2, 4, 4)),
        1,
        omero={"channels": [{"label": "a"}, {"label": "a"}]},
    )
    found = open_ome_zarr(tmp_path / "i.zarr")
    assert found.channel_names == ["a", "a"]
    with pytest.raises(ValueError, match="more than one"):
        found.get_channel_index("a")


@pytest.mark.parametrize("version", VERSIONS)
def test_attributes_read_and_write_the_file(tmp_path: Path, version: str) -> None:
    position = image(tmp_path / "i.zarr", version)
    other = open_ome_zarr(tmp_path / "i.zarr")
    position.zattrs["note"] = {"a": [1, 2]}
    assert other.zattrs["note"] == {"a": [1, 2]}
    assert zarr.open_group(tmp_path / "i.zarr", mode="r").attrs["note"] == {"a": [1, 2]}
    position.zattrs.update(more=1, other=2)
    del position.zattrs["note"]
    assert "note" not in other.zattrs
    assert len(other.zattrs) == len(dict(other.zattrs)) >= 3
    inner = position.maybe_wrapped_ome_attrs
    assert "multiscales" in inner
    assert ("multiscales" in position.zattrs) == (version == "0.4")
    inner["omero"] = {"channels": [{"label": "x"}, {"label": "y"}]}
    assert position.channel_names == ["x", "y"]
    with pytest.raises(ValueError, match="JSON"):
        position.zattrs["bad"] = {1, 2}
    with pytest.raises(ValueError, match="JSON"):
        position.zattrs["bad"] = float("nan")
    assert position.channel_names == ["x", "y"]


def test_dump_meta_writes_what_was_changed_only(tmp_path: Path) -> None:
    position, other = (
        image(tmp_path / "i.zarr"),
        open_ome_zarr(tmp_path / "i.zarr", mode="r+"),
    )
    position.metadata["omero"]["rdefs"]["defaultZ"] = 3
    other.set_scale("0", "z", 7)
    position.dump_meta()
    found = open_ome_zarr(tmp_path / "i.zarr")
    assert found.metadata["omero"]["rdefs"]["defaultZ"] == 3
    assert found.scale[2] == 7
    before = (position.folder / "zarr.json").stat().st_mtime_ns
    position.dump_meta()
    assert (position.folder / "zarr.json").stat().st_mtime_ns == before


def test_two_nodes_of_one_store_keep_what_the_other_wrote(tmp_path: Path) -> None:
    one = image(tmp_path / "i.zarr", channel_names=["a", "b"])
    two = open_ome_zarr(tmp_path / "i.zarr", mode="r+")
    assert two.channel_names == ["a", "b"]
    one.append_channel("c")
    two.append_channel("d")
    one.set_scale("0", "z", 3)
    two.set_contrast_limits("d", {"start": 0, "end": 1, "min": 0, "max": 1})
    found = open_ome_zarr(tmp_path / "i.zarr")
    assert found.channel_names == ["a", "b", "c", "d"]
    assert found.data.shape[1] == 4
    assert found.scale[2] == 3

    def note(number: int) -> None:
        node = open_ome_zarr(tmp_path / "i.zarr", mode="r+")
        for step in range(5):
            node.zattrs[f"{number}.{step}"] = step

    threads = [threading.Thread(target=note, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([key for key in found.zattrs if "." in key]) == 20


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_stale_consolidated_metadata_are_dropped(tmp_path: Path) -> None:
    for version in VERSIONS:
        path = tmp_path / f"{version}.zarr"
        image(path, version)
        zarr.consolidate_metadata(path)
        open_ome_zarr(path, mode="r+").zattrs["note"] = 1
        assert zarr.open_group(path, mode="r").attrs["note"] == 1
        assert zarr.open_group(path, mode="r").metadata.consolidated_metadata is None


def test_a_zarr_group_makes_a_node(tmp_path: Path) -> None:
    image(tmp_path / "i.zarr")
    group = zarr.open_group(tmp_path / "i.zarr", mode="r+")
    position = Position(group)
    position.rename_channel("DAPI", "x")
    assert position.channel_names == ["x", "GFP"]
    assert position.zgroup["0"].shape == SHAPE
    with pytest.raises(ValueError, match="names of channels"):
        Position(group, parse_meta=False)
    with pytest.raises(ValueError, match="no folder"):
        Position(zarr.group(store=zarr.storage.MemoryStore()))


def test_deleting_leaves_the_metadata(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    del position["0"]
    assert ("0" in position, position.array_keys()) == (False, [])
    assert len(position.metadata["multiscales"][0]["datasets"]) == 1
    with pytest.raises(KeyError):
        del position["0"]


def test_the_tree_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    position = image(tmp_path / "i.zarr")
    position.create_label("cells", np.zeros(SHAPE, "uint8"))
    position.print_tree()
    assert capsys.readouterr().out.splitlines() == [
        "/",
        "├── 0 (3, 2, 5, 18, 20) uint16",
        "└── labels",
        "    └── cells",
        "        └── 0 (3, 2, 5, 18, 20) uint8",
    ]
    position.print_tree(1)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_writing_through_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    outside = image(tmp_path / "outside.zarr").folder
    set_attributes(tmp_path / "i.zarr", {}, 3)
    try:
        (tmp_path / "i.zarr" / "a").symlink_to(outside, target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    group = zarr.open_group(tmp_path / "i.zarr", mode="r+")["a"]
    before = (outside / "zarr.json").read_bytes()
    with pytest.raises(FormatError, match="out of the store"):
        Position(group).zattrs["x"] = 1
    assert (outside / "zarr.json").read_bytes() == before
