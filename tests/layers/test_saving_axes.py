"""Axes of a layer: named, ordered and placed as the format wants them, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_scope.errors import SettingsError
from napari_scope.layers.saving_axes import layer_axes


def names_of(labels: tuple[str, ...], units: Any = None) -> tuple[str, ...]:
    return layer_axes({"axis_labels": labels, "units": units}, len(labels)).names


@pytest.mark.parametrize(
    ("labels", "units", "expected", "order"),
    [
        (("-2", "-1"), None, "yx", (0, 1)),
        (("axis -3", "axis -2", "axis -1"), None, "zyx", (0, 1, 2)),
        (("-3", "-2", "-1"), ("second", "pixel", "pixel"), "tyx", (0, 1, 2)),
        (("-4", "-3", "-2", "-1"), None, "tzyx", (0, 1, 2, 3)),
        (("Time", "Z", "Y", "X"), None, "tzyx", (0, 1, 2, 3)),
        (("c", "t", "y", "x"), None, "tcyx", (1, 0, 2, 3)),
        (("x", "y", "z"), None, "zyx", (2, 1, 0)),
        (("x", "y"), None, "yx", (1, 0)),
        (("z", "row", "column"), None, "zyx", (0, 1, 2)),
        (("", "b", "a"), None, "zyx", (0, 1, 2)),
    ],
)
def test_names_and_order(
    labels: tuple[str, ...], units: Any, expected: str, order: tuple[int, ...]
) -> None:
    found = layer_axes({"axis_labels": labels, "units": units}, len(labels))
    assert "".join(found.names) == expected
    assert found.order == order


def test_custom_axes_stand_between_time_and_space() -> None:
    assert names_of(("angle", "t", "z", "y", "x")) == ("t", "angle", "z", "y", "x")
    assert names_of(("-5", "-4", "-3", "-2", "-1")) == ("t", "axis 0", "z", "y", "x")


def test_two_axes_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="two axes are named 'z'"):
        names_of(("z", "Z", "y", "x"))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("um", "micrometer"), ("micrometer", "micrometer"), ("pixel", None), ("", None)],
)
def test_units_of_space(unit: str, expected: str | None) -> None:
    found = layer_axes({"units": (unit, unit)}, 2)
    assert [axis.unit for axis in found.axes] == [expected, expected]
    assert layer_axes({"units": unit}, 2).axes == found.axes


@pytest.mark.parametrize(
    ("units", "match"),
    [
        (("degree", "pixel"), "no unit 'degree'"),
        (("second", "micrometer"), "'y' is one of space, its unit is 'second'"),
        (("micrometer",), "1 units for 2 axes"),
    ],
)
def test_units_that_do_not_fit_are_refused(units: Any, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        layer_axes({"units": units}, 2)


def test_an_affine_without_rotation_is_composed() -> None:
    affine = np.array([[2.0, 0, 7], [0, 3, -1], [0, 0, 1]])
    found = layer_axes(
        {"scale": (5, 0.5), "translate": (1, 10), "affine": affine}, 2
    ).axes
    # world = affine @ (scale * pixel + translate)
    assert [axis.scale for axis in found] == [10, 1.5]
    assert [axis.translation for axis in found] == [9, 29]


def turned(ndim: int = 2) -> np.ndarray:
    matrix = np.eye(ndim + 1)
    matrix[0, 1] = 0.1
    return matrix


@pytest.mark.parametrize(
    "arguments",
    [
        {"rotate": 5},
        {"rotate": [[0, -1], [1, 0]]},
        {"shear": [0.2]},
        {"affine": turned()},
        {"scale": (1, -1)},
        {"affine": np.diag([1.0, -1, 1])},
    ],
)
def test_what_the_format_cannot_place_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="scale and translation only") as error:
        layer_axes(arguments, 2)
    assert "reset this transform" in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"rotate": np.eye(2), "shear": [0.0], "affine": np.eye(3)},
        {"rotate": 0, "shear": np.eye(2), "affine": None},
        {},
    ],
)
def test_no_transform_in_all_its_forms(arguments: dict[str, Any]) -> None:
    found = layer_axes(arguments, 2).axes
    assert [(axis.scale, axis.translation) for axis in found] == [(1, 0), (1, 0)]


@pytest.mark.parametrize(
    "arguments",
    [
        {"scale": (1, 2, 3)},
        {"translate": (np.nan, 0)},
        {"affine": np.eye(4)},
        {"scale": (np.inf, 1)},
    ],
)
def test_numbers_that_make_no_sense(arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        layer_axes(arguments, 2)
