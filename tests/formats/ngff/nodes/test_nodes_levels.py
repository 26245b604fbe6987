"""Pyramids, tiles and labels of positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.nodes.node_stores import SHAPE, VERSIONS, image, pixels

from napari_scope import open_ome_zarr
from napari_scope.errors import CancelledError
from napari_scope.formats.ngff.nodes import PositionLabel, TransformationMeta

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

HALF = [1, 1, 2, 2, 2]


def halved(
    data: npt.NDArray[Any], method: Any, dims: tuple[int, ...] = (2, 3, 4)
) -> npt.NDArray[Any]:
    """Return each block of 2 pixels along some axes as one, edges repeated."""
    for axis in dims:
        if data.shape[axis] % 2:
            data = np.concatenate([data, data.take([-1], axis)], axis)
    shape: list[int] = []
    for axis, n in enumerate(data.shape):
        shape += [n // 2, 2] if axis in dims else [n, 1]
    blocks = data.reshape(shape)
    blocks = np.moveaxis(blocks, range(1, 10, 2), range(5, 10))
    flat = blocks.reshape(*blocks.shape[:5], -1)
    result: npt.NDArray[Any] = method(flat)
    return result


METHODS: dict[str, Any] = {
    "mean": lambda b: np.floor(b.mean(-1) + 0.5),
    "median": lambda b: np.floor(np.median(b, -1) + 0.5),
    "min": lambda b: b.min(-1),
    "max": lambda b: b.max(-1),
    "stride": lambda b: b[..., 0],
}


@pytest.mark.parametrize("method", METHODS)
def test_levels_hold_what_the_method_says(tmp_path: Path, method: str) -> None:
    position = image(tmp_path / "i.zarr")
    position.compute_pyramid(2, method)
    wanted = halved(pixels().astype(float), METHODS[method])
    np.testing.assert_array_equal(position["1"][...], wanted)


def test_mode_is_the_most_frequent(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    position["0"][...] = np.indices(SHAPE)[3] // 3
    position.compute_pyramid(2, "mode", dims={"y"})
    np.testing.assert_array_equal(position["1"][0, 0, 0, :3, 0], [0, 0, 1])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pyramid_lies_where_the_image_lies(tmp_path: Path, version: str) -> None:
    position = image(tmp_path / "i.zarr", version)
    position.set_transform(
        "0",
        [
            TransformationMeta("scale", scale=[1, 1, 2, 0.5, 0.5]),
            TransformationMeta("translation", translation=[0, 0, 7, 0, 1]),
        ],
    )
    position.initialize_pyramid(3)
    assert [position[n].shape[2:] for n in "012"] == [
        (5, 18, 20),
        (3, 9, 10),
        (2, 5, 5),
    ]
    assert position.get_effective_scale("2") == [1, 1, 8, 2, 2]
    assert position.get_effective_translation("2") == [0, 0, 10, 0.75, 1.75]
    assert not position["2"][...].any()
    # Chunks are not halved, but none is larger than its array.
    assert position["1"].chunks == (1, 1, 3, 9, 10)
    position.compute_pyramid()
    assert position["2"][...].any()
    position.initialize_pyramid(3)
    assert position["2"][...].any()


def test_axes_can_be_chosen(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    position.compute_pyramid(3, dims={"y", "x"})
    assert [position[n].shape[2:] for n in "012"] == [
        (5, 18, 20),
        (5, 9, 10),
        (5, 5, 5),
    ]
    assert position.get_effective_scale("2") == [1, 1, 1, 4, 4]
    for dims in ({"w"}, set(), "yx", {"t"}):
        with pytest.raises(ValueError, match=r"ax[ei]s|pyramid"):
            position.delete_pyramid()
            position.compute_pyramid(2, dims=dims)


def test_what_is_no_pyramid_is_a_value_error(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    with pytest.raises(ValueError, match="no pyramid yet"):
        position.compute_pyramid()
    for levels in (0, -1, 100, 2.5):
        with pytest.raises(ValueError, match="levels"):
            position.compute_pyramid(levels)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'nice'"):
        position.compute_pyramid(2, "nice")
    position.initialize_pyramid(1)
    assert list(position) == ["0"]
    position.compute_pyramid(3)
    for levels in (2, 4):
        with pytest.raises(ValueError, match="delete_pyramid"):
            position.compute_pyramid(levels)
        with pytest.raises(ValueError, match="delete_pyramid"):
            position.initialize_pyramid(levels)
    del position["1"]
    with pytest.raises(ValueError, match="missing"):
        position.compute_pyramid()
    position = image(tmp_path / "j.zarr")
    position.compute_pyramid(3)
    position.delete_pyramid()
    assert (list(position), len(position.metadata["multiscales"][0]["datasets"])) == (
        ["0"],
        1,
    )
    position.delete_pyramid()
    empty = open_ome_zarr(tmp_path / "e.zarr", "fov", "w-", channel_names=["a"])
    with pytest.raises(ValueError, match="no full resolution"):
        empty.compute_pyramid(2)


def test_who_gives_up_finds_the_image_as_it_was(tmp_path: Path) -> None:
    position = image(tmp_path / "i.zarr")
    with pytest.raises(CancelledError):
        position.compute_pyramid(3, cancelled=lambda: True)
    assert list(open_ome_zarr(tmp_path / "i.zarr")) == ["0"]
    done: list[tuple[int, int]] = []
    position.compute_pyramid(3, workers=1, progress=lambda *counts: done.append(counts))
    assert done[-1][0] == done[-1][1] > 0


@pytest.mark.parametrize("version", VERSIONS)
def test_labels_are_nodes(tmp_path: Path, version: str) -> None:
    position = image(tmp_path / "i.zarr", version)
    position.set_scale("0", "z", 2)
    position.compute_pyramid(2, dims={"y", "x"})
    data = (pixels()[:, 0] // 20000).astype(np.uint16)
    label = position.create_label(
        "cells", data, colors={1: (255, 0, 0, 255)}, properties={2: {"area": 4}}
    )
    found = open_ome_zarr(tmp_path / "i.zarr")
    assert (found.label_names(), found.group_keys()) == (["cells"], ["labels"])
    assert [name for name, _ in found.labels()] == ["cells"]
    for node in (label, found.get_label("cells"), found["labels/cells"]):
        assert type(node) is PositionLabel
        assert node.axis_names == list("tzyx")
        assert (node.colors, node.properties) == (
            {1: (255, 0, 0, 255)},
            {2: {"area": 4}},
        )
        assert list(node) == ["0", "1"]
    np.testing.assert_array_equal(found["labels/cells/0"][...], data)
    assert found["labels/cells/1"].shape == (3, 5, 9, 10)
    assert set(np.unique(found["labels/cells/1"])) <= {0, 1, 2}
    label.delete_pyramid()
    label.compute_pyramid(2, "nearest", dims={"y", "x"})
    np.testing.assert_array_equal(found["labels/cells/1"][...], data[:, :, ::2, ::2])
    with pytest.raises(ValueError, match="'mean'"):
        label.compute_pyramid(2, "mean")
    with pytest.raises(FileExistsError):
        position.create_label("cells", data)
    for bad in (data.astype(float), data[0, 0]):
        with pytest.raises(ValueError, match="labels of"):
            position.create_label("bad", bad)
    for name in ("", "..", "a/b"):
        with pytest.raises(ValueError, match="name"):
            position.create_label(name, data)
    with pytest.raises(KeyError, match="cells"):
        found.get_label("none")
    position.delete_label("cells")
    assert (position.label_names(), "labels/cells" in position) == ([], False)
    again = open_ome_zarr(tmp_path / "i.zarr", mode="r+", overwriting_creation=True)
    again.create_label("cells", data)
    again.create_label("cells", data, levels=1)
    assert again.label_names() == ["cells"]


def test_tiles(tmp_path: Path) -> None:
    position = open_ome_zarr(
        tmp_path / "t.zarr", "tiled", "w-", channel_names=["a", "b"], version="0.5"
    )
    array = position.make_tiles("0", (2, 3), (4, 2, 3, 8, 10), "uint16")
    assert (array.shape, array.chunks) == ((4, 2, 3, 16, 30), (1, 1, 1, 8, 10))
    assert (array.rows, array.columns, array.tiles) == (2, 3, (2, 3))
    assert array.tile_shape == (1, 1, 1, 8, 10)
    whole = pixels((4, 2, 3, 8, 10))
    array.write_tile(whole, 1, 2)
    array.write_tile(7, 0, 0, (0, slice(1, 2), None))
    array.write_tile(whole[0, 0, 0], 1, 0, (3, 1, 2))
    for wrong, dims in ((whole[0, 0, 0, 1:], (0, 0, 0)), (whole, (0, 0, 0))):
        with pytest.raises(ValueError, match="for a tile of"):
            array.write_tile(wrong, 0, 1, dims)
    found = open_ome_zarr(tmp_path / "t.zarr", "tiled").data
    np.testing.assert_array_equal(found.get_tile(1, 2), whole)
    np.testing.assert_array_equal(found[..., 8:, 20:], whole)
    np.testing.assert_array_equal(found.get_tile(1, 0)[3, 1, 2], whole[0, 0, 0])
    # An index is an index: of the length 1, the first one as well.
    np.testing.assert_array_equal(found.get_tile(1, 2, (0, 0, 0)), whole[:1, :1, :1])
    np.testing.assert_array_equal(found.get_tile(1, 2, (-1, 1, 2)), whole[3:, 1:, 2:])
    assert found.get_tile_slice(0, 1, (slice(1, 3), 1, None)) == (
        *(slice(1, 3), slice(1, 2), slice(None)),
        *(slice(0, 8), slice(10, 20)),
    )
    assert (found.get_tile(0, 0)[0, 1] == 7).all()
    assert found.get_tile(0, 0).sum() == 7 * 3 * 80
    for row, column, dims in (
        *((2, 0, None), (0, 3, None), (-1, 0, None)),
        *((0, 0, (0, 0)), (0, 0, (4, 0, 0)), (0, 0, (0, -3, 0))),
    ):
        with pytest.raises(IndexError):
            found.get_tile(row, column, dims)
    for row, column, dims in ((0.0, 0, None), (0, "0", None), (0, 0, 1), (0, 0, "abc")):
        with pytest.raises(TypeError):
            found.get_tile(row, column, dims)
    with pytest.raises(ValueError, match="grid"):
        position.make_tiles("1", (0, 3), (1, 2, 1, 8, 8), "uint8")
    with pytest.raises(ValueError, match="tiles"):
        position.make_tiles("1", (1, 3), (8,), "uint8")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_no_empty_list_of_labels_is_left(tmp_path: Path, version: str) -> None:
    yaozarrs = pytest.importorskip("yaozarrs")
    path = tmp_path / "a.zarr"
    with open_ome_zarr(
        path, layout="fov", mode="w-", channel_names=["a"], version=version
    ) as position:
        position.create_image("0", np.ones((1, 1, 1, 8, 8), "u2"))
        for name in ("cells", "nuclei"):
            position.create_label(name, np.ones((1, 1, 1, 8, 8), "u2"))
        position.delete_label("cells")
        assert position.label_names() == ["nuclei"]
        yaozarrs.validate_zarr_store(str(path))
        position.delete_label("nuclei")
        assert not (path / "labels").exists()
        yaozarrs.validate_zarr_store(str(path))
        position.create_label("cells", np.ones((1, 1, 1, 8, 8), "u2"))
        assert position.label_names() == ["cells"]
