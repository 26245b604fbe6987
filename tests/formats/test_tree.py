"""The tree of stores of many writers, of damaged ones, and what it costs to read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.ngff.ngff_stores import (
    pixels,
    set_attributes,
    write_image,
    write_plate,
)
from tests.formats.ngff.object_servers import serving

from napari_scope.errors import FormatError
from napari_scope.formats import tree_node
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.formats.ngff.store import Store
from napari_scope.formats.tree import open_tree
from napari_scope.formats.tree_node import Facts, Node, joined, size_words, walk

if TYPE_CHECKING:
    from pathlib import Path


def outline(root: Node) -> list[str]:
    """Return depth, kind and name of all nodes."""
    return [f"{'.' * depth}{node.kind} {node.name}" for depth, node in walk(root)]


def add_labels(image: Path, names: dict[str, Any], version: str = "0.5") -> None:
    block = {"ome": {"version": version, "labels": list(names)}}
    set_attributes(image / "labels", block, 3)
    for name, data in names.items():
        write_image(image / "labels" / name, "yx", data, 2)


@pytest.fixture
def documents(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every group and array whose document is read."""
    read: list[str] = []
    for name in ("attributes", "array", "node"):
        real = getattr(Store, name)

        def noted(self: Store, path: str = "", real: Any = real) -> Any:
            read.append(path)
            return real(self, path)

        monkeypatch.setattr(Store, name, noted)
    for name in ("many", "arrays"):
        several = getattr(Store, name)

        def noted_all(self: Store, paths: Any, several: Any = several) -> Any:
            found = list(paths)
            read.extend(found)
            return several(self, found)

        monkeypatch.setattr(Store, name, noted_all)
    return read


def test_a_plate_and_all_below_it(tmp_path: Path) -> None:
    write_plate(tmp_path / "p.zarr", {"A/1": ["0", "1"], "B/3": ["5"]})
    add_labels(tmp_path / "p.zarr/B/3/5", {"nuclei": np.zeros((6, 8), "u2")})
    root = open_tree(tmp_path / "p.zarr")
    assert outline(root) == [
        "plate plate of tests",
        ".row A",
        "..well A1",
        "...field 0",
        "....level 0",
        "...field 1",
        "....level 0",
        ".row B",
        "..well B3",
        "...field 5",
        "....level 0",
        "....labels labels",
        ".....label nuclei",
        "......level 0",
        "......level 1",
    ]
    assert (root.facts.rows, root.facts.columns) == (("A", "B"), ("1", "3"))
    assert root.facts.count == 2 and root.facts.version == "OME-Zarr 0.5"
    well = root.children()[1].children()[0].described()
    assert (well.facts.count, well.address) == (1, f"{tmp_path}/p.zarr/B/3")
    field = well.children()[0].described()
    facts = field.facts
    assert (facts.axes, facts.shape, facts.dtype) == (tuple("cyx"), (2, 6, 8), "uint16")
    assert (facts.levels, facts.nbytes) == (1, 2 * 6 * 8 * 2)
    assert facts.shape_words == "c 2 × y 6 × x 8"
    assert facts.pixel_words == "y 1, x 1 µm"
    level = field.children()[0].described()
    assert level.facts.chunks == (2, 6, 8) and level.facts.version == "Zarr v3"
    assert level.facts.codecs and "zstd" in level.facts.codecs[0]


def test_a_plate_of_384_wells_is_one_document(
    tmp_path: Path, documents: list[str]
) -> None:
    wells = {f"{row}/{n}": ["0"] for row in "ABCDEFGHIJKLMNOP" for n in range(1, 25)}
    plate = {
        "rows": [{"name": row} for row in "ABCDEFGHIJKLMNOP"],
        "columns": [{"name": str(n)} for n in range(1, 25)],
        "wells": [{"path": path} for path in wells],
    }
    set_attributes(tmp_path, {"ome": {"version": "0.5", "plate": plate}}, 3)
    for well in ("C/7", "C/8"):
        block = {"images": [{"path": "0"}, {"path": "1"}]}
        set_attributes(tmp_path / well, {"ome": {"well": block}}, 3)
        for field in "01":
            write_image(tmp_path / well / field, "yx", pixels((8, 8)), 2)
    root = open_tree(tmp_path)
    rows = root.children()
    assert [len(row.children()) for row in rows] == [24] * 16
    assert documents == [""]
    well = rows[2].children()[6]
    fields = well.children()
    assert documents == ["", "C/7"] and len(fields) == 2
    field = fields[0].described()
    assert set(documents[2:]) <= {"C/7/0", "C/7/0/0", "C/7/0/1"}
    assert field.facts.levels == 2
    # Nothing of other fields and wells was read.
    assert not any(path.startswith(("C/7/1", "C/8")) for path in documents)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_well_and_a_field_as_root(tmp_path: Path, zarr_format: int) -> None:
    write_plate(tmp_path / "p.zarr", {"A/1": ["0", "1"]}, zarr_format=zarr_format)
    well = open_tree(tmp_path / "p.zarr" / "A" / "1")
    assert (well.kind, well.name, well.facts.count) == ("well", "1", 2)
    assert [n.described().facts.shape for n in well.children()] == [(2, 6, 8)] * 2
    assert well.wells == (("", ""),)
    for document in ("", "zarr.json" if zarr_format == 3 else ".zattrs"):
        field = open_tree(tmp_path / "p.zarr" / "A" / "1" / "1" / document)
        assert (field.kind, field.name) == ("image", "1")
        assert outline(field)[1:] == [".level 0"]


def test_acquisitions(tmp_path: Path) -> None:
    write_plate(tmp_path, {"A/1": ["0", "1"]})
    path = tmp_path / "zarr.json"
    document = json.loads(path.read_text())
    document["attributes"]["ome"]["plate"]["acquisitions"] = [
        {"id": 3, "name": "day 1"},
        {"id": 7},
    ]
    path.write_text(json.dumps(document))
    images = [{"path": "0", "acquisition": 7}, {"path": "1", "acquisition": 3}]
    set_attributes(tmp_path / "A/1", {"ome": {"well": {"images": images}}}, 3)
    root = open_tree(tmp_path)
    assert root.facts.acquisitions == ((3, "day 1"), (7, "acquisition 7"))
    fields = root.children()[0].children()[0].children()
    assert [f.described().facts.acquisition for f in fields] == [
        "acquisition 7",
        "day 1",
    ]


def test_a_collection_has_the_names_of_its_xml(tmp_path: Path) -> None:
    set_attributes(tmp_path, {"ome": {"version": "0.5", "bioformats2raw.layout": 3}}, 3)
    set_attributes(tmp_path / "OME", {"ome": {"series": ["0", "1"]}}, 3)
    (tmp_path / "OME" / "METADATA.ome.xml").write_text(
        '<OME><Image Name="overview"/><Image Name="detail"/></OME>'
    )
    for series in "01":
        write_image(tmp_path / series, "cyx", pixels((2, 8, 8)), 2)
    root = open_tree(tmp_path)
    assert (root.kind, root.facts.count) == ("collection", 2)
    assert [node.name for node in root.children()] == ["overview", "detail"]
    assert outline(root)[2:4] == ["..level 0", "..level 1"]
    assert [i.name for i in root.children()[1].load().images] == ["detail"]  # type: ignore[misc]


def test_several_multiscales_of_a_group(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((8, 8)))
    write_image(tmp_path / "other", "yx", pixels((4, 4)), 2)
    path = tmp_path / "zarr.json"
    document = json.loads(path.read_text())
    first = document["attributes"]["ome"]["multiscales"][0]
    second = {
        **first,
        "name": "other",
        "datasets": [{"path": f"other/{n}"} for n in (0, 1)],
    }
    document["attributes"]["ome"]["multiscales"].append(second)
    path.write_text(json.dumps(document))
    root = open_tree(tmp_path).described()
    assert root.facts.count == 2 and root.facts.shape == ()
    one, other = root.children()
    assert (one.facts.shape, other.facts.shape) == ((8, 8), (4, 4))
    assert [n.path for n in other.children()] == ["other/0", "other/1"]
    assert other.children()[1].load().images[0].levels[0].shape == (2, 2)  # type: ignore[misc]


def test_a_level_alone_lies_where_the_image_is(tmp_path: Path) -> None:
    write_image(
        tmp_path, "yx", pixels((8, 8)), 3, scale=[0.5, 0.5], translation=[7.0, 9.0]
    )
    (tmp_path / "0" / "zarr.json").write_text("damaged")
    levels = open_tree(tmp_path).children()
    assert [bool(n.described().problem) for n in levels] == [True, False, False]
    dataset = levels[2].load()  # type: ignore[misc]
    (image,) = dataset.images
    assert [level.shape for level in image.levels] == [(2, 2)]
    assert [(a.scale, a.translation) for a in image.axes] == [(2.0, 7.0), (2.0, 9.0)]
    np.testing.assert_array_equal(np.asarray(image.levels[0]), pixels((8, 8))[::4, ::4])
    with pytest.raises(FormatError):
        levels[0].load()  # type: ignore[misc]


def test_labels_open_with_their_image(tmp_path: Path) -> None:
    write_image(tmp_path, "cyx", pixels((2, 8, 8)))
    masks = np.arange(64, dtype="u2").reshape(8, 8)
    add_labels(tmp_path, {"nuclei": masks, "cells": masks})
    folder = open_tree(tmp_path).children()[-1]
    assert [node.name for node in folder.children()] == ["nuclei", "cells"]
    label = folder.children()[1]
    assert (label.path, label.facts.shape) == ("labels/cells", (8, 8))
    (image,) = label.load().images  # type: ignore[misc]
    assert [one.name for one in image.labels] == ["cells"]


def test_a_group_of_labels_as_root(tmp_path: Path) -> None:
    masks = np.arange(64, dtype="u2").reshape(8, 8)
    add_labels(tmp_path, {"nuclei": masks, "cells": masks})
    root = open_tree(tmp_path / "labels")
    assert outline(root) == [
        "labels labels",
        ".label nuclei",
        "..level 0",
        "..level 1",
        ".label cells",
        "..level 0",
        "..level 1",
    ]
    assert root.facts.count == 2
    assert [one.name for one in root.load().images] == ["nuclei", "cells"]  # type: ignore[misc]
    (image,) = root.children()[1].load().images  # type: ignore[misc]
    assert image.only_labels and image.name == "cells"


def test_a_segmentation_as_root_is_one(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((8, 8), "uint16"), 2)
    document = tmp_path / "zarr.json"
    attributes = json.loads(document.read_text())["attributes"]
    attributes["ome"]["image-label"] = {}
    set_attributes(tmp_path, attributes, 3)
    root = open_tree(tmp_path).described()
    assert (root.kind, root.problem) == ("label", "")
    assert [node.kind for node in root.children()] == ["level", "level"]


def test_ndtiff(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run", summary={"PixelSize_um": 0.5}) as writer:
        for position in range(2):
            for channel in ("DAPI", "GFP"):
                axes = {"position": position, "channel": channel}
                writer.put(
                    axes, np.zeros((8, 9), "u2"), {"XPositionUm": 9.0 * position}
                )
    root = open_tree(tmp_path / "run")
    assert (root.kind, root.facts.count) == ("data set", 2)
    assert root.facts.version.startswith("NDTiff 3")
    image = root.children()[1].described()
    assert image.facts.channels == ("DAPI", "GFP")
    assert image.facts.shape == (2, 8, 9)
    dataset = image.load()  # type: ignore[misc]
    assert [i.name for i in dataset.images] == [image.name] and dataset.reload is None


def test_a_folder_of_data_sets(tmp_path: Path) -> None:
    write_image(tmp_path / "b.zarr", "yx", pixels((8, 8)))
    write_plate(tmp_path / "a.zarr", {"A/1": ["0"]})
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes.txt").write_text("not a data set")
    root = open_tree(tmp_path)
    assert root.kind == "folder" and not root.can_open
    found = [node.described() for node in root.children()]
    assert [(n.kind, n.name) for n in found] == [
        ("plate", "a.zarr"),
        ("image", "b.zarr"),
    ]
    assert [n.place for n in found] == [str(tmp_path / n) for n in ("a.zarr", "b.zarr")]
    assert outline(root)[3] == "...well A1"
    with pytest.raises(FormatError, match="neither"):
        open_tree(tmp_path / "notes")
    with pytest.raises(FormatError, match="no such"):
        open_tree(tmp_path / "nowhere")


# ---- stores of others


# The library warns of its own default arguments.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_image_with_labels_of_ome_zarr_py(tmp_path: Path) -> None:
    import zarr
    from ome_zarr.format import FormatV04, FormatV05
    from ome_zarr.writer import write_image as their_image
    from ome_zarr.writer import write_labels as their_labels

    for fmt in (FormatV04(), FormatV05()):
        path = tmp_path / f"{fmt.version}.zarr"
        their_image(pixels((2, 64, 64)), str(path), axes="cyx", fmt=fmt)
        group = zarr.open_group(str(path), mode="r+")
        masks = np.zeros((64, 64), "i4")
        their_labels(masks, group, name="cells", axes="yx", fmt=fmt)
        root = open_tree(path).described()
        assert root.problem == ""
        labels = root.children()[-1]
        assert [n.name for n in labels.children()] == ["cells"]
        assert labels.children()[0].facts.shape == (64, 64)


def test_a_plate_of_iohub(tmp_path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from iohub.ngff import open_ome_zarr

        with open_ome_zarr(
            tmp_path / "p.zarr",
            layout="hcs",
            mode="w",
            channel_names=["DAPI", "GFP"],
            version="0.4",
        ) as plate:
            for row, column in (("A", "1"), ("B", "10")):
                place = plate.create_position(row, column, "fov0")
                place.create_zeros("0", (1, 2, 1, 16, 16), "uint16")
    root = open_tree(tmp_path / "p.zarr")
    assert root.problem == ""
    wells = [well for row in root.children() for well in row.children()]
    assert [well.name for well in wells] == ["A1", "B10"]
    field = wells[1].children()[0].described()
    assert (field.name, field.facts.channels) == ("fov0", ("DAPI", "GFP"))
    assert field.facts.shape == (1, 2, 1, 16, 16)


# ---- behind an address


def test_a_plate_on_a_server(tmp_path: Path) -> None:
    write_plate(tmp_path / "p.zarr", {"A/1": ["0", "1"], "A/2": ["0"]})
    with serving(tmp_path) as server:
        root = open_tree(f"{server.address}/p.zarr?token=7")
        assert (root.kind, root.name) == ("plate", "plate of tests")
        at_first = len(server.asked)
        wells = tree_node.described(root.children()[0].children())
        assert [well.facts.count for well in wells] == [2, 1]
        assert wells[1].address == f"{server.address}/p.zarr/A/2?token=7"
        assert at_first <= 4 and not any("/A/1/0" in asked for asked in server.asked)
        field = wells[0].children()[1].described()
        assert field.problem == "" and field.facts.shape == (2, 6, 8)
        (image,) = field.load().images  # type: ignore[misc]
        np.testing.assert_array_equal(
            np.asarray(image.levels[0]), pixels((2, 6, 8), seed=1)
        )
        server.fault = lambda path: 403 if "/A/2/0" in path else None
        problem = wells[1].children()[0].described().problem
        assert problem and "token" not in problem


# ---- damaged and hostile


def test_what_cannot_be_read_is_a_problem_of_its_node(tmp_path: Path) -> None:
    write_plate(tmp_path, {"A/1": ["0", "1"], "A/2": ["0"], "A/3": ["0"]})
    (tmp_path / "A/2/zarr.json").write_text('{"attributes": [')
    (tmp_path / "A/1/1/zarr.json").unlink()
    set_attributes(tmp_path / "A/3", {"ome": {"well": {"images": {"path": 3}}}}, 3)
    good, damaged, odd = open_tree(tmp_path).children()[0].children()
    assert "damaged" in damaged.described().problem
    assert [c.kind for c in damaged.children()] == []
    assert odd.described().facts.count == 0 and odd.children() == ()
    fields = [field.described() for field in good.children()]
    assert [bool(field.problem) for field in fields] == [False, True]
    assert fields[1].children() == () and not fields[1].facts.shape


@pytest.mark.parametrize("path", ["../outside", "/etc", "A/../../x", "C:/x", "A\\1"])
def test_paths_that_leave_the_store(tmp_path: Path, path: str) -> None:
    write_image(tmp_path / "outside", "yx", pixels((4, 4)))
    plate = {
        "rows": [{"name": "A"}],
        "columns": [{"name": "1"}],
        "wells": [{"path": path, "rowIndex": 0, "columnIndex": 0}],
    }
    set_attributes(tmp_path / "p", {"ome": {"plate": plate}}, 3)
    root = open_tree(tmp_path / "p")
    for row in root.children():
        for well in row.children():
            assert well.described().problem
            assert well.children() == ()


def test_labels_that_list_themselves(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((4, 4)))
    add_labels(tmp_path, {"a": np.zeros((4, 4), "u1")})
    set_attributes(
        tmp_path / "labels/a/labels", {"ome": {"labels": ["../../a", "../a"]}}, 3
    )
    assert len(outline(open_tree(tmp_path))) == 6


def test_a_million_wells_are_counted_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.formats.ngff.tree.MAX_CHILDREN", 50)
    wells = [{"path": f"A/{n}", "rowIndex": 0, "columnIndex": n} for n in range(90)]
    plate = {
        "rows": [{"name": "A"}],
        "columns": [{"name": f"{n}"} for n in range(90)],
        "wells": wells,
    }
    set_attributes(tmp_path, {"ome": {"plate": plate}}, 3)
    root = open_tree(tmp_path)
    assert root.facts.count == 90 and "40 wells are too many" in root.problem
    assert len(root.children()[0].children()) == 50


def test_too_many_children_end_in_a_count() -> None:
    many = (Node("image", f"{n}") for n in range(10))
    node = Node("collection", "c", list_children=lambda: many)
    listed = tree_node.bounded(node.list_children(), 4)  # type: ignore[misc]
    assert [n.name for n in listed] == ["0", "1", "2", "3", "and 6 more"]
    endless = Node("image", "x", list_children=lambda: [endless])
    assert len(list(walk(endless, 30))) == 30


def test_a_node_that_cannot_list_says_why() -> None:
    def refuse() -> list[Node]:
        raise FormatError("the disk is gone")

    (child,) = Node("collection", "c", list_children=refuse).children()
    assert (child.kind, child.problem) == ("rest", "the disk is gone")


# ---- small parts


@pytest.mark.parametrize(
    ("wanted", "yes", "no"),
    [
        ("B/03", ["B/3", "B/03", "B/03/0", "B", "b/3"], ["B/30", "A/3", "C/03"]),
        ("b03", ["B/3", "B/03/1"], ["B/30"]),
        ("b3", ["B/3", "B/03/1", "B", "B/30"], ["A/3", "B/13"]),
        ("B10", ["B/10", "B"], ["B/1", "B/1/0"]),
        ("B/03/1", ["B/03/1", "B/3", "B/03/1/0"], ["B/03/2", "B/04"]),
        ("", ["A/1"], []),
    ],
)
def test_what_a_filter_means(wanted: str, yes: list[str], no: list[str]) -> None:
    def found(path: str) -> bool:
        node = Node("well", "?", path)
        return node.matches(wanted) or node.leads_to(wanted)

    assert [path for path in yes if not found(path)] == []
    assert [path for path in no if found(path)] == []


def test_a_filter_finds_names_and_channels() -> None:
    node = Node("image", "ROI 2 - cortex", facts=Facts(channels=("DAPI", "GFP")))
    assert node.matches("roi cortex") and node.matches("gfp")
    assert not node.matches("roi thalamus")


@given(st.text(max_size=8), st.text(max_size=8))
def test_a_filter_never_raises_and_finds_its_own_name(name: str, path: str) -> None:
    node = Node("image", name, path)
    assert node.matches(name)
    node.matches(path)
    assert not node.leads_to(path)


@given(st.integers(0, 2**70))
def test_sizes_in_words_are_near(nbytes: int) -> None:
    number, unit = size_words(nbytes).split()
    power = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"].index(unit)
    assert float(number) * 1000**power == pytest.approx(nbytes, rel=6e-3)


def test_addresses_keep_their_query() -> None:
    assert joined("/data/p.zarr/", "A/1") == "/data/p.zarr/A/1"
    assert joined("s3://b/p.zarr", "A") == "s3://b/p.zarr/A"
    assert joined("https://h/p.zarr?t=1", "A/1") == "https://h/p.zarr/A/1?t=1"
    assert joined("/odd?/p.zarr", "A") == "/odd?/p.zarr/A"


def test_facts_as_json() -> None:
    facts = Facts(axes=("y", "x"), shape=(4, 5), scale=(("x", 0.5, "micrometer"),))
    assert facts.as_json() == {
        "axes": ("y", "x"),
        "shape": (4, 5),
        "scale": {"x": {"step": 0.5, "unit": "micrometer"}},
    }
