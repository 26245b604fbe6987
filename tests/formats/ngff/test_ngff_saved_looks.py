"""What a file says of a layer is checked before it is believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.ngff.saved_looks import saved_looks, saved_rgb


def looks(*entries: Any) -> dict[str, Any]:
    return {"napari_scope": {"layers": list(entries)}}


def test_what_is_right_is_kept() -> None:
    entry = {
        "name": "DAPI",
        "colormap": "viridis",
        "gamma": 0.5,
        "opacity": 1,
        "blending": "additive",
        "visible": False,
        "seed": 0.25,
    }
    assert saved_looks(looks(entry), 1) == (entry,)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("name", 3),
        ("name", "x" * 10_000),
        ("gamma", 0),
        ("gamma", True),
        ("gamma", float("nan")),
        ("gamma", "1"),
        ("opacity", 1.5),
        ("opacity", -0.1),
        ("blending", "multiply"),
        ("blending", ["additive"]),
        ("visible", 1),
        ("seed", 2),
        ("colormap", "of my own"),
        ("colormap", {"name": "x", "colors": ["#000000"]}),
        ("colormap", {"name": "x", "colors": ["#000000", "red"]}),
        ("colormap", {"name": "x", "colors": ["#000000"] * 5000}),
        ("colormap", {"name": 1, "colors": ["#000000", "#FFFFFF"]}),
        ("colormap", {"colors": ["#000000", "#FFFFFF"]}),
        (
            "colormap",
            {"name": "x", "colors": ["#000000", "#FFFFFF"], "controls": [0, 0.5]},
        ),
        (
            "colormap",
            {"name": "x", "colors": ["#000000", "#FFFFFF"], "controls": [0, 1, 1]},
        ),
        ("unknown", 1),
    ],
)
def test_what_is_odd_is_left_out(key: str, value: object) -> None:
    assert saved_looks(
        looks({key: value, "opacity": 0.5} if key != "opacity" else {key: value}), 1
    ) in (
        ({"opacity": 0.5},),
        ({},),
    )
    assert key not in saved_looks(looks({key: value}), 1)[0]


def test_a_map_never_takes_the_name_of_one_that_a_viewer_has() -> None:
    table = {"name": "viridis", "colors": ["#000000", "#FF8000"], "controls": [0, 1]}
    (look,) = saved_looks(looks({"colormap": table}), 1)
    assert look["colormap"] == {**table, "name": "viridis (saved)"}
    (again,) = saved_looks(looks({"colormap": look["colormap"]}), 1)
    assert again == look


@pytest.mark.parametrize("count", [0, 2])
def test_another_number_of_layers_was_written_by_something_else(count: int) -> None:
    assert saved_looks(looks({"name": "a"}), count) == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["napari_scope", "layers", "name", "colormap", "colors", "gamma", "rgb"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values.filter(lambda value: isinstance(value, dict)), st.integers(0, 3))
def test_nothing_is_raised(attributes: Any, count: int) -> None:
    found = saved_looks(attributes, count)
    assert len(found) in (0, count)
    assert saved_rgb(attributes) in (True, False)


def test_rgb_is_only_what_says_so() -> None:
    assert saved_rgb({"napari_scope": {"rgb": True}})
    for own in ({"rgb": 1}, {}, None, {"rgb": "true"}):
        assert not saved_rgb({"napari_scope": own})
