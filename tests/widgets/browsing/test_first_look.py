"""What is read before layers are added: the planes that napari reads, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.arrays import FrameSource, LazyArray
from napari_scope.errors import FormatError
from napari_scope.widgets.browsing.first_look import look_at, middle

if TYPE_CHECKING:
    from napari_scope.layers import LayerData


def layer(shape: tuple[int, ...], read: list[Any], **arguments: object) -> LayerData:
    def frame(index: tuple[int, ...]) -> Any:
        read.append(index)
        return np.zeros(shape[-2:], "u1")

    levels: Any = [np.zeros(shape), LazyArray(FrameSource(shape, "u1", frame))]
    return levels, dict(arguments), "image"


@pytest.mark.parametrize(
    ("shape", "steps", "wanted"),
    [
        ((4, 5, 3, 3), (), {(0, 0), (1, 2)}),
        ((4, 5, 3, 3), (3, 4, 9, 9), {(0, 0), (3, 4)}),
        ((4, 5, 3, 3), (7, 9, 9), {(0, 0), (1, 4)}),
        ((5, 3, 3), (2, 1, 9, 9), {(0,), (1,)}),
        ((3, 3), (2, 1, 9, 9), {()}),
    ],
)
def test_the_coarsest_planes_that_napari_reads(
    shape: tuple[int, ...], steps: tuple[int, ...], wanted: set[tuple[int, ...]]
) -> None:
    read: list[Any] = []
    look_at([layer(shape, read), layer(shape, read, visible=False)], steps)
    assert set(read) == wanted and len(read) == len(wanted)


def test_damage_is_left_to_the_viewer() -> None:
    def frame(index: tuple[int, ...]) -> Any:
        raise FormatError("damaged")

    damaged: Any = LazyArray(FrameSource((2, 3, 3), "u1", frame))
    read: list[Any] = []
    look_at([(damaged, {}, "image"), layer((1, 3, 3), read)])
    assert read == [(0,)]


def test_the_middle_is_where_napari_puts_sliders() -> None:
    from napari.components import ViewerModel

    for lengths in ((1,), (2, 3), (4, 5), (6, 7)):
        viewer = ViewerModel()
        viewer.add_image(np.zeros((*lengths, 4, 4)))
        assert list(viewer.dims.current_step[:-2]) == middle(lengths)
