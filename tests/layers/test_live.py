from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.layers.live import (
    LayerKey,
    LiveState,
    Newest,
    Plane,
    contrast_of,
    fill_order,
    view_is_compact,
)


def newest(number: int, image: int = 0, **index: int) -> Newest:
    return Newest(image=image, index=index, number=number)


def plane(image: int = 0, **index: int) -> Plane:
    return Plane(image, tuple(index.items()))


@pytest.mark.parametrize(
    ("order", "used", "expected"),
    [
        ("tpgzc", "tpgzc", ("t", "p", "z", "c")),
        ("tpgzc", "tc", ("t", "c")),
        ("tpgzc", "tgc", ("t", "p", "c")),
        ("gpc", "gpc", ("p", "c")),
        ("ptgzc", "ptg", ()),  # t between p and g: images are not filled in order
        ("tpgzc", "", ()),
    ],
)
def test_fill_order(order: str, used: str, expected: tuple[str, ...]) -> None:
    assert fill_order(order, used) == expected


def test_see_tells_new_frames_from_known_ones() -> None:
    state = LiveState(("t",))
    assert not state.see(None, [1])
    assert state.target is None and state.layers_to_make() == []
    assert state.see(newest(1, t=0), [1])
    assert not state.see(newest(1, t=0), [1])
    assert state.see(newest(5, t=4), [1])
    assert state.target == plane(t=4)


def test_target_is_the_newest_whole_plane_when_channels_are_fastest() -> None:
    state = LiveState(("t", "c"))
    # Nothing is whole yet: the first channel is better than nothing.
    state.see(newest(1, t=0, c=0), [3])
    assert state.target == plane(t=0)
    state.see(newest(4, t=1, c=0), [3])
    assert state.target == plane(t=0)
    state.see(newest(5, t=1, c=1), [3])
    assert state.target == plane(t=0)
    state.see(newest(6, t=1, c=2), [3])
    assert state.target == plane(t=1)
    # Looked at too seldom to see the last channel of t=2: it must be whole by t=3.
    state.see(newest(8, t=2, c=1), [3])
    state.see(newest(11, t=3, c=1), [3])
    assert state.target == plane(t=2)
    state.finish()
    assert state.target == plane(t=3)


@pytest.mark.parametrize("order", [("t", "c", "z"), ("c", "t", "z"), ()])
def test_target_is_the_newest_plane_in_any_other_order(order: tuple[str, ...]) -> None:
    state = LiveState(order)
    state.see(newest(2, t=0, z=1, c=0), [2])
    state.see(newest(3, t=0, z=2, c=0), [2])
    assert state.target == plane(t=0, z=2)


def test_layers_are_made_when_their_first_frame_is_there() -> None:
    state = LiveState(("p", "t", "c"))
    state.see(newest(1, 0, t=0, c=0), [2, 2])
    assert state.layers_to_make() == [LayerKey(0, 0)]
    state.made(LayerKey(0, 0))
    assert state.layers_to_make() == []
    # Between two looks a whole position was taken; its layers are not forgotten.
    state.see(newest(9, 1, t=2, c=0), [2, 2])
    assert state.layers_to_make() == [LayerKey(0, 1), LayerKey(1, 0), LayerKey(1, 1)]
    assert state.first_plane(LayerKey(1, 0)) == plane(1, t=2)
    assert state.first_plane(LayerKey(0, 1)) == plane(0, t=0)


def test_the_layers_of_the_first_image_may_be_made_before_its_frames() -> None:
    state = LiveState(("p", "t", "c"))
    assert state.layers_to_make(ahead=True) == []  # nothing is known of the run
    state.see(None, (6, 6))
    assert state.layers_to_make() == []
    ahead = [LayerKey(0, channel) for channel in range(4)]
    assert state.layers_to_make(ahead=True) == ahead
    assert state.first_plane(ahead[1]) == Plane(0, ())
    for key in ahead[:3]:
        state.made(key)
        state.sliced(key, Plane(0, (("t", 0),)))
    assert state.layers_to_make(ahead=True) == ahead[3:]
    assert not state.has_begun(ahead[0])
    state.see(Newest(0, {"t": 0, "c": 1}, 2), (6, 6))
    # From now on those whose frames are there; the first two are drawn again.
    assert state.layers_to_make(ahead=True) == []
    assert [state.has_begun(key) for key in ahead] == [True, True, False, False]
    shown = Plane(0, (("t", 0),))
    assert [state.due(key, shown, 0) for key in ahead[:3]] == [True, True, False]
    assert [state.is_there(key, shown) for key in ahead[:3]] == [True, True, False]


def test_without_an_order_no_layer_is_made_before_its_frame() -> None:
    state = LiveState(())
    state.see(None, (2,))
    assert state.layers_to_make(ahead=True) == []


def test_a_channel_that_has_not_begun_gets_no_layer() -> None:
    state = LiveState(("p", "c", "t"))
    state.see(newest(3, 0, t=2, c=0), [2, 2])
    assert state.layers_to_make() == [LayerKey(0, 0)]


def test_without_an_order_only_what_was_seen_gets_a_layer() -> None:
    state = LiveState()
    state.see(newest(9, 0, t=2, c=1), [2])
    assert state.layers_to_make() == [LayerKey(0, 1)]
    assert state.layers_to_make(all_of_them=True) == [LayerKey(0, 0), LayerKey(0, 1)]


def test_a_layer_is_redrawn_once_and_only_for_its_own_plane() -> None:
    state = LiveState(("t", "z"))
    key = LayerKey(0, 0)
    state.see(newest(1, t=0, z=0), [1])
    # The user looks at a plane that is still to come.
    assert not state.due(key, plane(t=0, z=2), 0)
    state.see(newest(2, t=0, z=1), [1])
    assert not state.due(key, plane(t=0, z=2), 0)
    state.see(newest(3, t=0, z=2), [1])
    assert state.due(key, plane(t=0, z=2), 0)
    assert not state.due(key, plane(t=0, z=2), 0)
    state.see(newest(4, t=1, z=0), [1])
    assert not state.due(key, plane(t=0, z=2), 0)


def test_a_plane_that_was_read_after_it_was_written_is_not_redrawn() -> None:
    state = LiveState(("t",))
    key = LayerKey(0, 0)
    state.see(newest(4, t=3), [1])
    state.sliced(key, plane(t=3))
    assert not state.due(key, plane(t=3), 0)
    # The user steps back to a plane that was there at the last look already.
    state.see(newest(5, t=4), [1])
    assert not state.due(key, plane(t=1), 0)


def test_a_plane_written_while_the_user_moved_to_it_is_redrawn() -> None:
    state = LiveState(("t",))
    state.see(newest(4, t=3), [1])
    state.see(newest(5, t=4), [1])
    # napari may have read t=4 just before it came.
    assert state.due(LayerKey(0, 0), plane(t=4), 0)


def test_without_an_order_an_empty_plane_is_looked_at_four_times_a_second() -> None:
    state = LiveState()
    key = LayerKey(0, 0)
    looks = 0
    for number in range(1, 61):  # two seconds at 30 looks a second
        state.see(newest(number, t=number), [1])
        looks += state.due(key, plane(t=500), number / 30)
    assert 7 <= looks <= 9
    state.see(newest(61, t=500), [1])
    assert state.due(key, plane(t=500), 99.0)
    state.see(newest(62, t=501), [1])
    assert not state.due(key, plane(t=500), 199.0)


@given(
    order=st.permutations(["t", "p", "z", "c"]),
    sizes=st.tuples(*[st.integers(1, 3)] * 4),
    looks=st.sets(st.integers(0, 80)),
    shown=st.tuples(*[st.integers(0, 2)] * 4),
)
def test_what_is_shown_is_never_older_than_what_was_written(
    order: list[str],
    sizes: tuple[int, ...],
    looks: set[int],
    shown: tuple[int, ...],
) -> None:
    """Play a run, look at odd moments: a written plane is redrawn exactly once."""
    state = LiveState(tuple(order))
    size = dict(zip("tpzc", sizes, strict=True))
    want = {n: min(i, size[n] - 1) for n, i in zip("tpzc", shown, strict=True)}
    key = LayerKey(want["p"], want["c"])
    target = plane(want["p"], t=want["t"], z=want["z"])
    state.sliced(key, target)
    written = False
    redraws = 0
    frames = list(itertools.product(*(range(size[name]) for name in order)))
    for number, place in enumerate(frames, 1):
        at = dict(zip(order, place, strict=True))
        written = written or at == want
        if number not in looks and number != len(frames):
            continue
        state.see(
            newest(number, at["p"], t=at["t"], z=at["z"], c=at["c"]),
            [size["c"]] * size["p"],
        )
        redraws += state.due(key, target, 0)
        assert redraws == written


def test_contrast_leaves_hot_pixels_out() -> None:
    frame = np.random.default_rng(1).integers(100, 200, (512, 512)).astype("u2")
    frame[3, 3] = 65535
    limits = contrast_of(frame)
    assert limits is not None
    assert 99 <= limits[0] <= 101 and 198 <= limits[1] <= 200


def test_contrast_of_few_bright_pixels_is_still_a_range() -> None:
    frame = np.zeros((512, 512), "u2")
    frame[::64, ::64] = 900  # 64 of 262144: above the 99.9th percentile
    assert contrast_of(frame) == (0.0, 900.0)


def test_contrast_of_a_flat_frame_is_unknown() -> None:
    assert contrast_of(np.full((64, 64), 7, "u2")) is None


@pytest.mark.parametrize(
    ("boxes", "compact"),
    [
        ([], True),
        ([(0, 0, 10, 10)], True),
        ([(0, 0, 10, 10), (0, 12, 10, 22)], True),
        ([(0, 0, 10, 10), (30, 30, 40, 40)], True),
        ([(0, 0, 10, 10), (31, 0, 41, 10)], False),
        ([(0, 0, 10, 10), (0, 500, 10, 510)], False),
    ],
)
def test_view_is_compact(
    boxes: list[tuple[float, float, float, float]], compact: bool
) -> None:
    assert view_is_compact(boxes) is compact
