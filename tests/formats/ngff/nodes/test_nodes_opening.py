"""Modes, layouts and versions of `open_ome_zarr`, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.formats.ngff.ngff_stores import set_attributes
from tests.formats.ngff.nodes.node_stores import (
    CHANNELS,
    VERSIONS,
    filled,
    image,
    plate,
)

from napari_scope.errors import ScopeError
from napari_scope.formats.ngff.nodes import (
    AxisMeta,
    Plate,
    Position,
    TiledPosition,
    Well,
    open_ome_zarr,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("version", VERSIONS)
def test_auto_takes_what_the_metadata_say(tmp_path: Path, version: str) -> None:
    image(tmp_path / "i.zarr", version)
    filled(tmp_path / "p.zarr", ["A/1/0"], version)
    for path, kind in (
        (tmp_path / "i.zarr", Position),
        (tmp_path / "p.zarr", Plate),
        (tmp_path / "p.zarr" / "A" / "1", Well),
        (tmp_path / "p.zarr" / "A" / "1" / "0", Position),
    ):
        node = open_ome_zarr(path)
        assert type(node) is kind
        assert node.version == version
        assert node.is_root()
    assert type(open_ome_zarr(tmp_path / "i.zarr", "tiled")) is TiledPosition


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_reading_needs_something_to_read(tmp_path: Path, mode: Any) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"there is no store .*mode='a'"
    ) as info:
        open_ome_zarr(tmp_path / "none.zarr", "fov", mode)
    assert isinstance(info.value, ScopeError)


def test_a_store_is_not_made_where_one_is(tmp_path: Path) -> None:
    image(tmp_path / "i.zarr")
    with pytest.raises(FileExistsError, match="mode='w'"):
        open_ome_zarr(tmp_path / "i.zarr", "fov", "w-", channel_names=CHANNELS)
    assert open_ome_zarr(tmp_path / "i.zarr").data.shape


def test_a_makes_a_store_or_changes_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "i.zarr"
    made = open_ome_zarr(path, "fov", "a", channel_names=CHANNELS)
    # Nothing was written yet, so there is nothing to be of another layout.
    made = open_ome_zarr(path, "fov", "a", channel_names=["X", "Y"], version="0.5")
    assert made.version == "0.4"
    made.create_zeros("0", (1, 2, 1, 4, 4), "uint8")
    again = open_ome_zarr(path, "fov", "a", channel_names=["other"])
    assert again.channel_names == ["X", "Y"]
    again.rename_channel("X", "Z")
    assert open_ome_zarr(path).channel_names == ["Z", "Y"]


def test_w_overwrites_zarr_only(tmp_path: Path) -> None:
    image(tmp_path / "i.zarr")
    new = open_ome_zarr(tmp_path / "i.zarr", "hcs", "w", channel_names=["a"])
    assert (list(new), new.group_keys(), new.array_keys()) == ([], [], [])
    assert [p.name for p in tmp_path.iterdir()] == ["i.zarr"]
    precious = tmp_path / "photos"
    precious.mkdir()
    (precious / "one.png").write_text("x")
    with pytest.raises(ValueError, match="disable_path_checking"):
        open_ome_zarr(precious, "fov", "w", channel_names=["a"])
    assert (precious / "one.png").exists()
    open_ome_zarr(precious, "fov", "w", channel_names=["a"], disable_path_checking=True)
    assert not (precious / "one.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "x"}, "mode 'x'"),
        ({"layout": "well"}, "layout 'well'"),
        ({"layout": "auto"}, "a new store needs a layout"),
        ({"channel_names": None}, "names of channels"),
        ({"channel_names": "DAPI"}, "list of names"),
        ({"channel_names": ["a", "a"]}, "two channels are named 'a'"),
        ({"channel_names": [""]}, "no name of a channel"),
        ({"version": "0.3"}, "'0.3' is not written"),
        ({"axes": [AxisMeta("x"), AxisMeta("t")]}, "not those of an OME-Zarr image"),
        ({"axes": [AxisMeta("y"), AxisMeta("Y")]}, "same name"),
    ],
)
def test_what_cannot_be_made_overwrites_nothing(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    image(tmp_path / "i.zarr")
    wanted = {"layout": "fov", "mode": "w", "channel_names": ["a"], **arguments}
    with pytest.raises(ValueError, match=message):
        open_ome_zarr(tmp_path / "i.zarr", **wanted)
    assert open_ome_zarr(tmp_path / "i.zarr").channel_names == CHANNELS


@pytest.mark.parametrize(
    ("layout", "found"), [("hcs", "multiscales"), ("fov", "plate")]
)
def test_another_layout_is_refused(tmp_path: Path, layout: Any, found: str) -> None:
    image(tmp_path / "i.zarr")
    filled(tmp_path / "p.zarr", ["A/1/0"])
    path = tmp_path / ("i.zarr" if layout == "hcs" else "p.zarr")
    for mode in ("r", "r+"):
        with pytest.raises(ValueError, match=f"not of the layout '{layout}'.*{found}"):
            open_ome_zarr(path, layout, mode, channel_names=["a"])


def test_what_is_no_ome_zarr_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no OME-Zarr"):
        open_ome_zarr(tmp_path / "empty")
    set_attributes(tmp_path / "c.zarr", {"bioformats2raw.layout": 3}, 2)
    with pytest.raises(ValueError, match=r"collection.*c\.zarr/0"):
        open_ome_zarr(tmp_path / "c.zarr")
    (tmp_path / "bad.zarr").mkdir()
    (tmp_path / "bad.zarr" / "zarr.json").write_text("{")
    with pytest.raises(ValueError, match="damaged JSON"):
        open_ome_zarr(tmp_path / "bad.zarr")
    with pytest.raises(ValueError, match="folders of this machine"):
        open_ome_zarr("https://example.org/a.zarr")


def test_other_versions_are_read_and_not_changed(tmp_path: Path) -> None:
    path = image(tmp_path / "i.zarr", "0.4").folder
    document = json.loads((path / ".zattrs").read_text())
    document["multiscales"][0]["version"] = "0.3"
    document["multiscales"][0]["axes"] = list("tczyx")
    document["omero"].pop("version")
    (path / ".zattrs").write_text(json.dumps(document))
    old = open_ome_zarr(path, mode="r+")
    assert (old.version, old.axis_names, old.data.frames) == ("0.3", list("tczyx"), 3)
    before = (path / ".zattrs").read_bytes()
    with pytest.raises(ValueError, match=r"0\.3 is read but not written"):
        old.rename_channel("DAPI", "x")
    assert (path / ".zattrs").read_bytes() == before


def test_a_store_for_reading_is_not_changed(tmp_path: Path) -> None:
    image(tmp_path / "i.zarr").compute_pyramid(2)
    filled(tmp_path / "p.zarr", ["A/1/0"])
    position = open_ome_zarr(tmp_path / "i.zarr")
    made = open_ome_zarr(tmp_path / "p.zarr")
    for change in (
        lambda: position.create_zeros("9", (1, 1, 1, 4, 4), "uint8"),
        lambda: position.rename_channel("DAPI", "x"),
        lambda: position.compute_pyramid(),
        lambda: position.delete_pyramid(),
        lambda: position.set_scale("0", "z", 2),
        lambda: position.__delitem__("0"),
        lambda: position.zattrs.__setitem__("a", 1),
        lambda: position.create_label("a", position["0"][...]),
        lambda: made.create_position("A", "1", "1"),
        lambda: made.create_well("B", "1"),
        lambda: made.rename_well("A/1", "B/1"),
    ):
        with pytest.raises(PermissionError, match="mode='r\\+'"):
            change()
    with pytest.raises(ValueError, match="read"):
        position["0"][...] = 0
    assert position.data.read_only


def test_the_plate_is_made_with_its_name(tmp_path: Path) -> None:
    made = plate(tmp_path / "p.zarr", name="screen 7")
    made.create_position("A", "1", "0")
    assert open_ome_zarr(tmp_path / "p.zarr").metadata["plate"]["name"] == "screen 7"
