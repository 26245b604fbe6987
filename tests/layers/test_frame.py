from __future__ import annotations

import numpy as np
import pytest

from napari_scope.arrays import LazyArray, MemorySource
from napari_scope.layers.frame import shared_frame
from napari_scope.model import Axis, Image, axis_kind


def image(names: str | list[str], **axes: Axis) -> Image:
    shape = (2,) * len(names)
    return Image(
        "image",
        tuple(axes.get(n, Axis(n, axis_kind(n))) for n in names),
        (LazyArray(MemorySource(np.zeros(shape, np.uint8))),),
    )


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["yx"], "yx"),
        (["cyx"], "yx"),
        (["zyx"], "zyx"),
        (["tyx"], "tzyx"),
        (["tczyx"], "tzyx"),
        (["yx", "tcyx"], "tzyx"),
        (["zyx", "tyx"], "tzyx"),
        (["xyzct"], "tzyx"),
    ],
)
def test_z_is_always_third_from_the_right_and_t_fourth(
    images: list[str], names: str
) -> None:
    assert shared_frame([image(n) for n in images]).names == tuple(names)


def test_positions_stand_first_then_custom_axes_as_the_file_has_them() -> None:
    frame = shared_frame([image(["t", "b", "a", "row", "y", "x"])])
    assert frame.names == ("row", "b", "a", "t", "z", "y", "x")


def test_colour_samples_are_no_axis() -> None:
    assert shared_frame([image(["y", "x", "rgb"])]).names == ("y", "x")


def micron(name: str, scale: float = 1.0, translation: float = 0.0) -> Axis:
    return Axis(name, "space", "micrometer", scale, translation)


def test_units_are_converted_to_those_of_the_first_image() -> None:
    one = image("yx", y=micron("y", 0.5, 10), x=micron("x", 0.5, -20))
    two = image(
        "yx",
        y=Axis("y", "space", "nanometer", 250.0, 4000.0),
        x=Axis("x", "space", "um", 0.25, 4.0),
    )
    frame = shared_frame([one, two])
    assert frame.units == ("micrometer", "micrometer")
    assert frame.scale(one) == (0.5, 0.5)
    assert frame.translation(one) == (10, -20)
    assert frame.scale(two) == (0.25, 0.25)
    assert frame.translation(two) == (4.0, 4.0)


@pytest.mark.parametrize("other", [None, "degree", "second"])
def test_what_cannot_be_compared_has_no_unit(other: str | None) -> None:
    one = image("yx", y=micron("y", 0.5), x=micron("x", 0.5))
    two = image("yx", y=Axis("y", "space", other, 3.0), x=micron("x"))
    for images in ([one, two], [two, one]):
        frame = shared_frame(images)
        assert frame.units == ("pixel", "micrometer")
        assert frame.scale(one) == (0.5, 0.5)
        assert frame.scale(two) == (3.0, 1.0)


def test_an_axis_that_was_put_in_has_the_unit_it_would_have() -> None:
    t = Axis("t", "time", "second", 2.0)
    alone = image("tyx", t=t, y=micron("y"), x=micron("x"))
    assert shared_frame([alone]).units == ("second", *["micrometer"] * 3)
    assert shared_frame([image("tyx")]).units == ("pixel",) * 4
    custom = image(["a", "y", "x"], y=micron("y"))
    assert shared_frame([custom]).units == (
        "pixel",
        "second",
        "micrometer",
        "micrometer",
        "pixel",
    )


def test_an_axis_that_an_image_lacks_takes_the_step_of_the_others() -> None:
    stack = image("zyx", z=micron("z", -2.5, 7.0))
    flat = image("yx")
    frame = shared_frame([flat, stack])
    assert frame.scale(flat) == (2.5, 1.0, 1.0)
    assert frame.translation(flat) == (0.0, 0.0, 0.0)
    assert frame.scale(stack) == (-2.5, 1.0, 1.0)
    assert frame.translation(stack) == (7.0, 0.0, 0.0)
