from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_scope.layers.live import Plane
from napari_scope.layers.live_sliders import Follower, plane_index, plane_point


def test_follower_stops_when_somebody_else_moves_a_slider() -> None:
    follower = Follower()
    assert follower.check((5.0, 5.0))  # nothing placed yet, nothing to compare
    follower.placed((1.0, 2.0))
    assert follower.check((1.0, 2.0 + 1e-9))
    assert not follower.check((1.0, 3.0))
    assert not follower.check((1.0, 2.0))  # stays off until asked for
    follower.resume()
    assert follower.check((9.0, 9.0))


def test_follower_forgives_new_sliders() -> None:
    follower = Follower()
    follower.placed((1.0, 2.0))
    assert follower.check((0.0, 1.0, 2.0))


@given(
    index=st.tuples(st.integers(0, 50), st.integers(0, 50)),
    scale=st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)),
    offset=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
)
def test_plane_point_and_plane_index_are_each_others_reverse(
    index: tuple[int, int], scale: tuple[float, float], offset: tuple[float, float]
) -> None:
    names = ("t", "z")
    wanted = Plane(3, tuple(zip(names, index, strict=True)))
    point = plane_point(wanted, names, scale, offset)
    assert plane_index(point, 3, names, scale, offset) == wanted


def test_plane_point_takes_zero_for_an_axis_the_frame_lacks() -> None:
    plane = Plane(0, (("t", 2),))
    assert plane_point(plane, ("t", "z"), (1.0, 0.5), (0.0, 7.0)) == (2.0, 7.0)
