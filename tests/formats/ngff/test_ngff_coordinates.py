"""Coordinate systems of version 0.6, as far as a viewer can show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.ngff.ngff_stores import axes, pixels, set_attributes, write_levels

from napari_scope.errors import FormatError
from napari_scope.formats.ngff import open_ngff
from napari_scope.formats.ngff.images import read_image
from napari_scope.formats.ngff.store import Store
from napari_scope.formats.ngff.transforms import compose, inverse
from napari_scope.formats.ngff.tree import ngff_tree

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.model import Dataset


def system(name: str, names: str, unit: str | None = None) -> dict[str, Any]:
    entries = [
        entry | ({"unit": unit} if unit and "unit" in entry else {})
        for entry in axes(names)
    ]
    return {"name": name, "axes": entries}


def open_with(
    root: Path,
    names: str,
    whole: list[dict[str, Any]],
    *,
    level: dict[str, Any] | None = None,
    unit: str | None = None,
    old_ends: bool = False,
) -> Dataset:
    """Write an image whose level leads to "physical"; return it as it opens."""
    step = {"type": "scale", "scale": [2.0, 0.5, 0.25][-len(names) :]}
    step = (level or step) | {"input": {"path": "0"}, "output": {"name": "physical"}}
    if old_ends:
        step |= {"input": "/0", "output": "physical"}
        whole = [
            one | {key: one[key]["name"] for key in ("input", "output")}
            for one in whole
        ]
    multiscale: dict[str, Any] = {
        "coordinateSystems": [
            system("stage", names, unit),
            system("physical", names),
        ],
        "datasets": [{"path": "0", "coordinateTransformations": [step]}],
        "name": "cells",
    }
    if whole:
        multiscale["coordinateTransformations"] = whole
    block = {"version": "0.6", "multiscales": [multiscale]}
    set_attributes(root, {"ome": block}, 3)
    write_levels(root, pixels((3, 4, 5)[-len(names) :]))
    return open_ngff(root)


def to_stage(kind: str, **more: Any) -> dict[str, Any]:
    ends = {"input": {"name": "physical"}, "output": {"name": "stage"}}
    return {"type": kind, **more, **ends}


def placed(dataset: Dataset) -> tuple[list[float], list[float]]:
    image = dataset.images[0]
    return [a.scale for a in image.axes], [a.translation for a in image.axes]


@pytest.mark.parametrize("old_ends", [False, True])
def test_an_image_of_version_06(tmp_path: Path, old_ends: bool) -> None:
    dataset = open_with(tmp_path, "zyx", [], old_ends=old_ends)
    assert (dataset.format_version, dataset.problems) == ("0.6", ())
    (image,) = dataset.images
    assert image.axis_names == ("z", "y", "x")
    assert [axis.unit for axis in image.axes] == ["micrometer"] * 3
    assert placed(dataset) == ([2.0, 0.5, 0.25], [0, 0, 0])
    assert image.affine is None
    assert image.metadata == {}


def test_a_sequence_of_scale_and_translation(tmp_path: Path) -> None:
    level = {
        "type": "sequence",
        "transformations": [
            {"type": "scale", "scale": [2.0, 3.0]},
            {"type": "translation", "translation": [10.0, -1.0]},
        ],
    }
    assert placed(open_with(tmp_path, "yx", [], level=level)) == ([2, 3], [10, -1])


@pytest.mark.parametrize("old_ends", [False, True])
def test_what_leads_to_another_system_is_shown_there(
    tmp_path: Path, old_ends: bool
) -> None:
    whole = [to_stage("translation", translation=[1000.0, 2000.0])]
    dataset = open_with(tmp_path, "yx", whole, unit="nanometer", old_ends=old_ends)
    assert placed(dataset) == ([0.5, 0.25], [1000, 2000])
    assert [a.unit for a in dataset.images[0].axes] == ["nanometer"] * 2
    assert dataset.images[0].metadata == {"coordinate_system": "stage"}
    assert dataset.problems == ()


def test_what_leads_from_another_system_is_turned_round(tmp_path: Path) -> None:
    whole = [{
        "type": "scale", "scale": [2.0, 4.0],
        "input": {"name": "stage"}, "output": {"name": "physical"},
    }]  # fmt: skip
    assert placed(open_with(tmp_path, "yx", whole))[0] == [0.25, 0.0625]


def test_an_affine_stays_beside_scale_and_place(tmp_path: Path) -> None:
    rows = [[0.5, -1.0, 3.0], [1.0, 0.5, 6.0]]
    dataset = open_with(tmp_path, "yx", [to_stage("affine", affine=rows)])
    (image,) = dataset.images
    assert placed(dataset) == ([0.5, 0.25], [0, 0])
    assert image.affine == ((0.5, -1.0, 3.0), (1.0, 0.5, 6.0), (0.0, 0.0, 1.0))
    assert dataset.problems == ()


def test_a_rotation_and_what_only_scales(tmp_path: Path) -> None:
    turn = to_stage("rotation", rotation=[[0, -1], [1, 0]])
    image = open_with(tmp_path / "a", "yx", [turn]).images[0]
    assert image.affine == ((0, -1, 0), (1, 0, 0), (0, 0, 1))
    rows = [[4, 0, 1], [0, 2, -1]]
    plain = open_with(tmp_path / "b", "yx", [to_stage("affine", affine=rows)])
    assert placed(plain) == ([2.0, 0.5], [1, -1])
    assert plain.images[0].affine is None


def test_by_dimension_and_the_order_of_axes_that_stays(tmp_path: Path) -> None:
    parts = [
        {"transformation": {"type": "translation", "translation": [-1.0]},
         "inputAxes": [1], "outputAxes": [1]},
        {"transformation": {"type": "scale", "scale": [2.0]},
         "inputAxes": [0], "outputAxes": [0]},
    ]  # fmt: skip
    whole = [to_stage("byDimension", transformations=parts)]
    assert placed(open_with(tmp_path / "a", "yx", whole)) == ([1, 0.25], [0, -1])
    whole = [to_stage("mapAxis", mapAxis=[0, 1])]
    assert placed(open_with(tmp_path / "b", "yx", whole)) == ([0.5, 0.25], [0, 0])
    whole = [to_stage("mapAxis", mapAxis=[1, 0])]
    swapped = open_with(tmp_path / "c", "yx", whole).images[0]
    assert swapped.affine == ((0, 1, 0), (1, 0, 0), (0, 0, 1))


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ([to_stage("displacements", path="field")], "'displacements'"),
        ([to_stage("affine", path="matrix")], "stored in an array"),
        ([to_stage("affine", affine=[[1, 2], [3, 4]])], "rows of 3 numbers"),
        ([to_stage("affine", affine=[[1, 2, 0], [2, 4, 0]])], "singular"),
        ([to_stage("affine", affine=[[1, 1e300, 0], [0, 1e300, 0]])], "singular"),
        ([to_stage("projectAxis", droppedInputs=[0])], "'projectAxis'"),
        ([to_stage("mapAxis", mapAxis=[0, 0])], "mapAxis"),
        ([to_stage("mapAxis", mapAxis=[0, True])], "mapAxis"),
        ([to_stage("byDimension", transformations=[3])], "byDimension"),
        ([to_stage("byDimension", transformations=[])], "each axis once"),
        ([to_stage("sequence", transformations={})], "sequence without"),
        ([to_stage("sequence", transformations=[{"type": "x"}])], "'x'"),
        ([{"type": "scale", "scale": [2, 2]}], "does not lead from 'physical'"),
        ([{"type": "scale", "scale": [2, 2], "input": {"name": "physical"},
           "output": {"name": "physical", "path": "labels/a"}}], "does not lead"),
        ([{"type": "scale", "scale": [0, 1], "input": {"name": "stage"},
           "output": {"name": "physical"}}], "inverse of scale"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_reported_and_the_rest_opens(
    tmp_path: Path, whole: list[dict[str, Any]], part: str
) -> None:
    dataset = open_with(tmp_path, "yx", whole)
    assert placed(dataset) == ([0.5, 0.25], [0, 0])
    assert dataset.images[0].affine is None
    (problem,) = dataset.problems
    assert part in problem


def test_axes_that_are_not_in_space_are_not_mixed(tmp_path: Path) -> None:
    rows = [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    dataset = open_with(tmp_path, "cyx", [to_stage("affine", affine=rows)])
    assert dataset.images[0].affine is None
    assert "mixes" in dataset.problems[0]


def test_the_first_that_can_be_used_counts(tmp_path: Path) -> None:
    whole = [
        to_stage("coordinates", path="x"),
        to_stage("translation", translation=[5.0, 6.0]),
        to_stage("translation", translation=[7.0, 8.0]),
    ]
    dataset = open_with(tmp_path, "yx", whole)
    assert placed(dataset)[1] == [5, 6]
    assert len(dataset.problems) == 1


def test_the_same_place_as_a_segmentation_is_no_problem(tmp_path: Path) -> None:
    whole = [{
        "type": "identity", "input": {"name": "physical"},
        "output": {"name": "physical", "path": "labels/a"},
    }]  # fmt: skip
    assert open_with(tmp_path, "yx", whole).problems == ()


def test_units_are_those_of_the_system_that_is_shown(tmp_path: Path) -> None:
    dataset = open_with(tmp_path, "yx", [to_stage("identity")], unit="meter")
    assert [a.unit for a in dataset.images[0].axes] == ["meter"] * 2


def test_axes_of_another_system_are_found_by_their_names(tmp_path: Path) -> None:
    """x of the stage stays x of the world, wherever it stands in the list."""
    names = [("x", "nanometer"), ("y", "meter")]
    stage = {"name": "stage", "axes": [{"name": n, "unit": u} for n, u in names]}
    level = {"type": "scale", "scale": [0.5, 0.25], "output": {"name": "physical"}}
    multiscale = {
        "coordinateSystems": [stage, system("physical", "yx")],
        "datasets": [{"path": "0", "coordinateTransformations": [level]}],
        "coordinateTransformations": [to_stage("mapAxis", mapAxis=[1, 0])],
    }
    write_levels(tmp_path, pixels((4, 5)))
    set_attributes(tmp_path, {"ome": {"multiscales": [multiscale]}}, 3)
    dataset = open_ngff(tmp_path)
    assert placed(dataset) == ([0.5, 0.25], [0, 0])
    assert [a.unit for a in dataset.images[0].axes] == ["meter", "nanometer"]
    assert dataset.images[0].affine is None


@pytest.mark.parametrize("own_way", [False, True])
def test_labels_follow_their_image(tmp_path: Path, own_way: bool) -> None:
    rows = [[1, 0, 0, 0], [0, 0, -1, 7], [0, 1, 0, 8]]
    open_with(tmp_path, "cyx", [to_stage("affine", affine=rows)])
    whole = [to_stage("translation", translation=[5.0, 6.0])] if own_way else []
    open_with(tmp_path / "labels" / "cells", "yx", whole)
    set_attributes(tmp_path / "labels", {"ome": {"labels": ["cells"]}}, 3)
    dataset = open_ngff(tmp_path)
    assert dataset.problems == ()
    (labels,) = dataset.images[0].labels
    assert [a.scale for a in labels.axes] == [0.5, 0.25]
    if own_way:
        assert labels.affine is None
        assert [a.translation for a in labels.axes] == [5, 6]
    else:
        assert labels.affine == ((0, -1, 7), (1, 0, 8), (0, 0, 1))


def scene(root: Path, links: list[dict[str, Any]], **more: Any) -> Dataset:
    block = {"scene": {"coordinateTransformations": links, **more}, "version": "0.6"}
    set_attributes(root, {"ome": block}, 3)
    return open_ngff(root)


def link(
    start: tuple[str, str], end: tuple[str, str], kind: str, **more: Any
) -> dict[str, Any]:
    ends = [{"name": n} | ({"path": p} if p else {}) for p, n in (start, end)]
    return {"type": kind, "input": ends[0], "output": ends[1], **more}


def test_images_of_a_scene_lie_in_its_first_system(tmp_path: Path) -> None:
    open_with(tmp_path / "a", "yx", [])
    stage = to_stage("scale", scale=[2.0, 2.0])
    open_with(tmp_path / "b", "yx", [stage])
    open_with(tmp_path / "c", "yx", [])
    world = {"name": "world", "axes": axes("yx")}
    dataset = scene(
        tmp_path,
        [
            link(("a", "physical"), ("", "world"), "translation", translation=[1, 2]),
            link(("b", "stage"), ("", "world"), "translation", translation=[3, 4]),
            # Over a, and the second one backwards.
            link(("a", "physical"), ("c", "physical"), "scale", scale=[4, 4]),
            link(("d", "physical"), ("", "world"), "identity"),
            link(("e", "physical"), ("f", "physical"), "identity"),
        ],
        coordinateSystems=[world],
    )
    assert dataset.metadata["layout"] == "scene"
    found = {image.metadata["path"]: image for image in dataset.images}
    assert {
        name: [(a.scale, a.translation) for a in image.axes]
        for name, image in found.items()
    } == {
        "a": [(0.5, 1), (0.25, 2)],
        "b": [(1, 3), (0.5, 4)],
        "c": [(0.125, 1), (0.0625, 2)],
    }
    text = " | ".join(dataset.problems)
    assert "image d is left out" in text
    assert "nothing leads from e to the others" in text
    nodes = {node.path: node for node in ngff_tree(str(tmp_path)).children()}
    assert set(found) <= set(nodes)
    (alone,) = nodes["b"].load().images  # type: ignore[misc]
    assert alone.axes == found["b"].axes


def test_a_scene_without_system_lies_where_its_first_image_does(
    tmp_path: Path,
) -> None:
    open_with(tmp_path / "a", "yx", [])
    open_with(tmp_path / "b", "yx", [])
    turn = [[0, -1, 5], [1, 0, 6]]
    links = [
        link(("b", "physical"), ("a", "physical"), "affine", affine=turn),
        link(("b", "physical"), ("a", "physical"), "displacements", path="field"),
    ]
    first, second = scene(tmp_path, links[::-1]).images
    assert (first.metadata["path"], second.metadata["path"]) == ("b", "a")
    first, second = scene(tmp_path, links[:1]).images
    assert first.affine is None
    assert second.affine is not None
    np.testing.assert_allclose(second.affine, [[0, 1, -6], [-1, 0, 5], [0, 0, 1]])


def test_a_way_that_cannot_be_gone_leaves_the_image_where_it_is(
    tmp_path: Path,
) -> None:
    open_with(tmp_path / "a", "yx", [])
    open_with(tmp_path / "b", "yx", [])
    links = [
        link(("a", "physical"), ("", "world"), "displacements", path="field"),
        link(("b", "other"), ("", "world"), "identity"),
    ]
    world = {"name": "world", "axes": axes("yx")}
    dataset = scene(tmp_path, links, coordinateSystems=[world])
    assert placed(dataset) == ([0.5, 0.25], [0, 0])
    text = " | ".join(dataset.problems)
    assert "'displacements'" in text
    assert "nothing leads to the system 'other'" in text


@pytest.mark.parametrize("block", [{}, {"coordinateTransformations": 3}])
def test_an_empty_scene_says_so(tmp_path: Path, block: dict[str, Any]) -> None:
    set_attributes(tmp_path, {"ome": {"scene": block}}, 3)
    with pytest.raises(FormatError, match="none is listed"):
        open_ngff(tmp_path)


def test_sequences_within_sequences_end() -> None:
    entry: dict[str, Any] = {"type": "identity"}
    for _ in range(50):
        entry = {"type": "sequence", "transformations": [entry, entry]}
    assert compose(2, [entry]).problems == (
        "transformations within transformations are too deep",
    )


def test_levels_have_axes_of_their_own(tmp_path: Path) -> None:
    open_with(tmp_path, "yx", [to_stage("translation", translation=[1.0, 2.0])])
    (own,) = read_image(Store(tmp_path)).level_axes
    assert [(a.name, a.scale, a.translation) for a in own] == [
        ("y", 0.5, 1.0),
        ("x", 0.25, 2.0),
    ]


numbers = st.integers(-8, 8).map(lambda n: n / 2)


def vectors(ndim: int) -> st.SearchStrategy[list[float]]:
    return st.lists(numbers, min_size=ndim, max_size=ndim)


@st.composite
def transformation(draw: st.DrawFn, ndim: int, depth: int = 2) -> dict[str, Any]:
    kinds = ["scale", "translation", "identity", "affine", "mapAxis", "bijection"]
    kind = draw(st.sampled_from([*kinds, *(["sequence", "byDimension"] * (depth > 0))]))
    more: Any = None
    if kind in ("scale", "translation"):
        more = draw(vectors(ndim))
    elif kind == "affine":
        more = [draw(vectors(ndim + 1)) for _ in range(ndim)]
    elif kind == "mapAxis":
        more = draw(st.permutations(range(ndim)))
    elif kind == "bijection":
        return {"type": kind, "forward": draw(transformation(ndim, 0))}
    elif kind == "sequence":
        parts = draw(st.lists(transformation(ndim, depth - 1), max_size=3))
        return {"type": kind, "transformations": parts}
    elif kind == "byDimension":
        into, out = (draw(st.permutations(range(ndim))) for _ in range(2))
        cut = draw(st.integers(0, ndim))
        parts = [
            {
                "transformation": draw(transformation(len(chosen), 0)),
                "inputAxes": list(chosen),
                "outputAxes": list(there),
            }
            for chosen, there in ((into[:cut], out[:cut]), (into[cut:], out[cut:]))
            if chosen
        ]
        return {"type": kind, "transformations": parts}
    return {"type": kind, kind: more}


def applied(entry: dict[str, Any], point: np.ndarray[Any, Any]) -> Any:
    """Say again, point by point, what a transformation means."""
    match entry["type"]:
        case "scale":
            return point * entry["scale"]
        case "translation":
            return point + entry["translation"]
        case "affine":
            return np.array(entry["affine"]) @ np.append(point, 1.0)
        case "mapAxis":
            return point[list(entry["mapAxis"])]
        case "bijection":
            return applied(entry["forward"], point)
        case "sequence":
            for part in entry["transformations"]:
                point = applied(part, point)
            return point
        case "byDimension":
            moved = np.full(len(point), np.nan)
            for part in entry["transformations"]:
                own = point[part["inputAxes"]]
                moved[part["outputAxes"]] = applied(part["transformation"], own)
            return moved
        case _:
            return point


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(st.lists(transformation(n), max_size=3), vectors(n))
    )
)
def test_composition_is_applying_one_after_the_other(
    drawn: tuple[list[dict[str, Any]], list[float]],
) -> None:
    entries, start = drawn
    point = np.array(start)
    placement = compose(len(start), entries)
    assert placement.problems == ()
    found = point * placement.scale + placement.translation
    if placement.affine is not None:
        found = (np.array(placement.affine) @ np.append(found, 1.0))[:-1]
    for entry in entries:
        point = applied(entry, point)
    np.testing.assert_allclose(found, point, rtol=1e-9, atol=1e-6)


def test_an_inverse_undoes() -> None:
    entry = {"type": "affine", "affine": [[0, 2, 5], [-4, 1, 7]]}
    placement = compose(2, [entry], inverse(entry, 2))
    assert placement.affine is None
    np.testing.assert_allclose(placement.scale, [1, 1])
    np.testing.assert_allclose(placement.translation, [0, 0], atol=1e-12)
