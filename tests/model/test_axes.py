from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.model import (
    AXIS_ORDER,
    Axis,
    Image,
    LevelArray,
    axis_kind,
    canonical,
    short,
    sort_names,
)


@pytest.mark.parametrize(
    ("brief", "name", "kind"),
    [
        ("p", "position", "position"),
        ("g", "grid", "position"),
        ("t", "time", "time"),
        ("c", "channel", "channel"),
        ("z", "z", "space"),
        ("y", "y", "space"),
        ("x", "x", "space"),
        ("polarisation", "polarisation", "other"),
    ],
)
def test_the_dialects_agree(brief: str, name: str, kind: str) -> None:
    assert canonical(brief) == canonical(name) == name
    assert short(brief) == short(name) == brief
    assert axis_kind(brief) == axis_kind(name) == kind


@given(st.text(max_size=8))
def test_names_survive_there_and_back(name: str) -> None:
    assert canonical(short(canonical(name))) == canonical(name)
    assert short(canonical(short(name))) == short(name)


def test_every_known_name_has_its_own_short_name() -> None:
    assert len({short(name) for name in AXIS_ORDER}) == len(AXIS_ORDER)


def test_storage_order_is_time_then_custom_then_channel_then_space() -> None:
    names = ["z", "channel", "angle", "x", "time", "y", "bias", "position"]
    expected = ["position", "time", "angle", "bias", "channel", "z", "y", "x"]
    assert sort_names(names) == expected
    assert sort_names(["z", "c", "t"]) == ["t", "c", "z"]


def test_the_order_never_depends_on_how_names_came() -> None:
    names = ["b", "z", "a", "channel", "time"]
    orders = {tuple(sort_names(p)) for p in itertools.permutations(names)}
    assert orders == {("time", "a", "b", "channel", "z")}
    assert sort_names(set(names)) == ["time", "a", "b", "channel", "z"]


def test_values_are_frozen() -> None:
    axis = Axis("t", "time", "second", 2.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        axis.scale = 3.0  # type: ignore[misc]


def test_an_image_names_its_axes() -> None:
    image = Image("a", (Axis("t"), Axis("y"), Axis("x")), ())
    assert image.axis_names == ("t", "y", "x")


def test_what_counts_as_an_array() -> None:
    import numpy as np

    assert isinstance(np.zeros(3), LevelArray)
    assert not isinstance([1, 2], LevelArray)
