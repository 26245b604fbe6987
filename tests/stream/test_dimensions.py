from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_scope.errors import SettingsError
from napari_scope.stream import Channel, Dimension, Position, dims_from_standard_axes


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"name": "t"}, "time"),
        ({"name": "time"}, "time"),
        ({"name": "p", "count": 2}, "position"),
        ({"name": "c"}, "channel"),
        ({"name": "z"}, "space"),
        ({"name": "angle"}, "other"),
        ({"name": "camera"}, "other"),
        ({"name": "depth", "unit": "um"}, "space"),
        ({"name": "frame", "unit": "ms"}, "time"),
        ({"name": "angle", "unit": "degree"}, "other"),
        ({"name": "dye", "coords": [Channel(name="A")]}, "channel"),
        ({"name": "place", "coords": [Position(name="A")]}, "position"),
        ({"name": "dye", "type": "channel", "coords": ["A"]}, "channel"),
        # A type that is given counts more than a unit.
        ({"name": "drift", "type": "other", "unit": "um"}, "other"),
    ],
)
def test_what_a_dimension_means(fields: dict[str, Any], kind: str) -> None:
    found = Dimension(**fields)
    assert found.type == found.kind == kind


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": " "}, "must not be empty"),
        ({"name": "a\n"}, "cannot be stored"),
        ({"name": "t", "count": 0}, "greater than or equal to 1"),
        ({"name": "t", "count": True}, "True is not a whole number"),
        ({"name": "t", "count": "3"}, "'3' is not a whole number"),
        ({"name": "t", "count": 2.5}, "integer"),
        ({"name": "t", "chunk_size": 0}, "greater than or equal to 1"),
        ({"name": "t", "type": "space"}, "'space' by its type and .* by its name"),
        ({"name": "t", "unit": "um"}, "no unit of time; use 'second'"),
        ({"name": "z", "unit": "s"}, "no unit of length; use 'micrometer'"),
        ({"name": "z", "unit": "furlong"}, "no unit of length"),
        ({"name": "t", "type": "moment"}, "change one of them"),
        ({"name": "dye", "type": "moment"}, "Input should be 'space'"),
        ({"name": "z", "scale": 0}, "greater than 0"),
        ({"name": "z", "scale": float("inf")}, "finite"),
        ({"name": "z", "translation": float("nan")}, "finite"),
        ({"name": "p", "count": 2, "chunk_size": 2}, "leave it out"),
        ({"name": "p", "count": 2, "shard_size_chunks": 2}, "leave it out"),
        ({"name": "c", "coords": []}, "empty list"),
        ({"name": "c", "coords": "DAPI"}, "must be a list"),
        ({"name": "c", "coords": 3}, "must be a list"),
        ({"name": "c", "coords": [3]}, "3 in the coords .* is no Channel"),
        ({"name": "c", "coords": ["A", "B"], "count": 3}, "leave count out"),
        ({"name": "c", "coords": ["A", "A"]}, "two equal names"),
        ({"name": "p", "coords": ["A", "A"]}, "two equal names in one well"),
        ({"name": "c", "coords": [Position(name="A")]}, "'position' by its coords"),
        ({"name": "p", "coords": [Channel(name="A")]}, "'channel' by its coords"),
        ({"name": "z", "coords": [1, "a"]}, "partly numbers, partly names"),
        ({"name": "z", "coords": [0, 1, 2], "scale": 2}, "leave one of them out"),
        ({"name": "z", "colour": 1}, "not permitted"),
    ],
)
def test_what_no_dimension_can_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Dimension(**fields)


def test_the_callers_dictionary_is_not_changed() -> None:
    data = {"name": "c", "coords": ["A", {"name": "B"}], "unit": "um"}
    before = copy.deepcopy(data)
    Dimension.model_validate(data)
    assert data == before


def test_numbers_of_numpy_are_numbers() -> None:
    found = Dimension(name="z", count=np.int64(3), coords=np.arange(3) * np.float32(2))
    assert found.count == 3
    assert found.coords == (0.0, 2.0, 4.0)
    assert found.labels == ()


def test_even_coords_give_step_and_first() -> None:
    z = Dimension(name="z", coords=[10, 12.5, 15], unit="nm")
    assert (z.step, z.first) == pytest.approx((0.0025, 0.01))
    z = Dimension(name="z", coords=[10, 12.5, 15], translation=1)
    assert (z.step, z.first) == (2.5, 1)
    for coords in ([0, 1, 5], [2, 1, 0], [1], [1, 1]):
        uneven = Dimension(name="z", coords=coords)
        assert (uneven.step, uneven.first) == (None, None)


def test_names_may_repeat_in_different_wells_and_cells() -> None:
    cells = [Position(name="A", grid_row=0, grid_column=i) for i in range(2)]
    wells = [Position(name="A", plate_row="A", plate_column=str(i)) for i in range(2)]
    assert Dimension(name="p", coords=cells + wells).count == 4
    with pytest.raises(ValidationError, match="equal names"):
        Dimension(name="p", coords=cells + cells[:1])


@given(
    st.floats(1e-6, 1e6),
    st.floats(-1e6, 1e6),
    st.sampled_from([("nm", 1e-3), ("um", 1.0), ("mm", 1e3)]),
)
def test_lengths_become_micrometers(
    scale: float, first: float, unit: tuple[str, float]
) -> None:
    z = Dimension(name="z", scale=scale, translation=first, unit=unit[0])
    assert z.step == pytest.approx(scale * unit[1])
    assert z.first == pytest.approx(first * unit[1])


# ---------------------------------------------------------------- standard axes


def test_standard_axes() -> None:
    found = dims_from_standard_axes(
        {"t": None, "p": ["A", Position(name="B")], "c": ["D"], "z": 9, "y": 8, "x": 7},
        chunk_shapes={"z": 3},
        shard_shapes={"z": 2},
    )
    assert [(d.name, d.count) for d in found] == [
        ("t", None),
        ("p", 2),
        ("c", 1),
        ("z", 9),
        ("y", 8),
        ("x", 7),
    ]
    assert [d.unit for d in found] == ["second", None, None, *3 * ["micrometer"]]
    assert (found[3].chunk_size, found[3].shard_size_chunks) == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"angle": 2, "y": 2, "x": 2},), "'angle' is not one of the standard axes"),
        (({"y": 2, "x": 2}, {"z": 2}), "for 'z', which is not among the axes"),
        (({"y": 2, "x": 2}, None, {"z": 2}), "for 'z', which is not among the axes"),
    ],
)
def test_the_standard_axes_only(arguments: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        dims_from_standard_axes(*arguments)


def test_the_enumeration_of_ome_writers_names_axes() -> None:
    writers = pytest.importorskip("ome_writers")
    axes = {writers.StandardAxis.Y: 3, writers.StandardAxis.X: 4}
    assert [d.name for d in dims_from_standard_axes(axes)] == ["y", "x"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_coords_that_are_no_place(value: float) -> None:
    with pytest.raises(ValidationError, match="give finite numbers") as caught:
        Dimension(name="z", coords=[1, value])
    assert caught.value.error_count() == 1
