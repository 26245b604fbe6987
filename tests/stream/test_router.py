from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stream.streams import growing_spec, make_spec

from napari_scope.errors import FrameError
from napari_scope.stream import Address, ImageSpec
from napari_scope.stream.router import Router

CHANNELS = {"channel": ("DAPI", "FITC")}


@given(
    st.permutations(["time", "channel", "z", "angle"]),
    st.tuples(*[st.integers(1, 3)] * 4),
)
@settings(max_examples=60)
def test_frames_arrive_in_the_order_of_acquisition(
    order: list[str], counts: tuple[int, ...]
) -> None:
    sizes = dict(zip(order, counts, strict=True))
    router = Router(make_spec(sizes))
    storage = router.spec.index_axes
    for values in itertools.product(*(range(n) for n in counts)):
        axes = router.next_axes()
        assert axes == dict(zip(order, values, strict=True))
        assert router.claim(axes) == Address(0, tuple(axes[n] for n in storage))
    with pytest.raises(FrameError, match="already appended"):
        router.next_axes()


def test_positions_and_labels_are_part_of_the_order() -> None:
    spec = make_spec(
        order=("time", "position", "channel"),
        labels=CHANNELS,
        images=tuple(
            ImageSpec(n, {"position": n}, {"time": 2, "channel": 2}) for n in "AB"
        ),
    )
    router = Router(spec)
    found = []
    for _ in range(8):
        axes = router.next_axes()
        found.append((axes, router.claim(axes)))
    assert found[0] == (
        {"time": 0, "position": "A", "channel": "DAPI"},
        Address(0, (0, 0)),
    )
    assert [a.image for _, a in found] == [0, 0, 1, 1] * 2
    assert [a.index for _, a in found][4:6] == [(1, 0), (1, 1)]


@given(st.permutations(range(12)), st.integers(0, 12))
def test_the_rest_comes_in_order_after_any_explicit_frames(
    numbers: list[int], explicit: int
) -> None:
    router = Router(make_spec({"time": 4, "z": 3}))
    every = [{"time": t, "z": z} for t in range(4) for z in range(3)]
    for number in numbers[:explicit]:
        router.claim(every[number])
    for number in sorted(numbers[explicit:]):
        axes = router.next_axes()
        assert axes == every[number]
        router.claim(axes)
    with pytest.raises(FrameError):
        router.next_axes()


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_explicit_and_implicit_frames_mix(explicit: list[bool]) -> None:
    """Whatever comes next in order is what is still free."""
    router = Router(make_spec({"time": 60}))
    free = list(range(60))
    for own in explicit:
        axes = {"time": free[len(free) // 2]} if own else router.next_axes()
        if not own:
            assert axes == {"time": free[0]}
        free.remove(router.claim(axes).index[0])


def test_asking_for_the_next_frame_changes_nothing() -> None:
    router = Router(make_spec())
    assert router.next_axes() == router.next_axes() == {"time": 0}
    assert not router.is_taken(0, (0,))


def test_a_long_run_is_as_fast_at_its_end(recwarn: pytest.WarningsRecorder) -> None:
    """Each frame once cost as many steps as there were frames before it."""
    count = 50_000
    router = Router(make_spec({"time": count}))
    for number in range(count):
        assert router.claim(router.next_axes()).index == (number,)


class TestRefusals:
    def setup_method(self) -> None:
        spec = make_spec(
            order=("position", "time", "channel"),
            labels=CHANNELS,
            images=(
                ImageSpec("A", {"position": "A"}, {"time": 2, "channel": 2}),
                ImageSpec("B", {"position": "B"}, {"time": 1, "channel": 2}),
            ),
        )
        self.router = Router(spec)

    @pytest.mark.parametrize(
        "axes",
        [
            {"position": "A", "time": 0},
            {"time": 0, "channel": 0},
            {"position": "A", "time": 0, "channel": 0, "z": 0},
            {"position": "C", "time": 0, "channel": 0},
            {"position": 2, "time": 0, "channel": 0},
            {"position": -1, "time": 0, "channel": 0},
            {"position": "A", "time": 2, "channel": 0},
            {"position": "B", "time": 1, "channel": 0},
            {"position": "A", "time": -1, "channel": 0},
            {"position": "A", "time": 0, "channel": "Cy5"},
            {"position": "A", "time": 0, "channel": 2},
            {"position": "A", "time": "0", "channel": 0},
            {"position": "A", "time": 0.0, "channel": 0},
            {"position": "A", "time": None, "channel": 0},
            {},
        ],
    )
    def test_a_frame_that_does_not_fit(self, axes: Any) -> None:
        spec = self.router.spec
        with pytest.raises(FrameError):
            self.router.claim(axes)
        assert self.router.spec is spec
        assert self.router.next_axes() == {
            "position": "A",
            "time": 0,
            "channel": "DAPI",
        }

    def test_the_same_frame_twice_in_whatever_words(self) -> None:
        self.router.claim({"position": "A", "time": 0, "channel": "FITC"})
        for axes in (
            {"position": "A", "time": 0, "channel": "FITC"},
            {"position": 0, "time": 0, "channel": 1},
            {"position": "A", "time": np.int64(0), "channel": np.uint8(1)},
        ):
            with pytest.raises(FrameError, match="already"):
                self.router.claim(axes)

    def test_images_of_their_own_size_are_passed_over(self) -> None:
        found = []
        for _ in range(6):
            axes = self.router.next_axes()
            self.router.claim(axes)
            found.append((axes["position"], axes["time"]))
        assert found == [("A", 0)] * 2 + [("A", 1)] * 2 + [("B", 0)] * 2


def test_numbers_of_places_are_not_taken_for_their_rank() -> None:
    images = tuple(ImageSpec(str(n), {"position": n}, {"time": 1}) for n in (5, 7))
    router = Router(make_spec(order=("position", "time"), images=images))
    assert router.claim({"position": 7, "time": 0}).image == 1
    with pytest.raises(FrameError, match="no image"):
        router.claim({"position": 0, "time": 0})


class TestRagged:
    """Sub-sequences give some positions a grid or a stack that others lack."""

    def setup_method(self) -> None:
        flat = ImageSpec("A", {"position": "A"}, {"channel": 2})
        deep = [
            ImageSpec(f"B{g}", {"position": "B", "grid": g}, {"channel": 2, "z": 3})
            for g in range(2)
        ]
        self.router = Router(
            make_spec(
                order=("position", "grid", "channel", "z"),
                labels=CHANNELS,
                images=(flat, *deep),
            )
        )

    def test_a_frame_may_lack_what_its_image_lacks(self) -> None:
        assert self.router.claim({"position": "A", "channel": "FITC"}) == Address(
            0, (1, 0)
        )
        axes = {"position": "B", "grid": 1, "channel": "DAPI", "z": 2}
        assert self.router.claim(axes) == Address(2, (0, 2))

    @pytest.mark.parametrize(
        "axes",
        [
            {"position": "B", "grid": 0, "channel": "DAPI"},
            {"position": "B", "channel": "DAPI", "z": 0},
            {"position": "A", "channel": "DAPI", "z": 1},
            {"position": "A", "grid": 0, "channel": "DAPI"},
            {"position": "A"},
        ],
    )
    def test_but_nothing_else(self, axes: dict[str, int | str]) -> None:
        with pytest.raises(FrameError):
            self.router.claim(axes)

    def test_all_of_them_come_in_order(self) -> None:
        addresses = [self.router.claim(self.router.next_axes()) for _ in range(14)]
        assert len(set(addresses)) == 14
        with pytest.raises(FrameError):
            self.router.next_axes()


class TestGrowing:
    def test_the_first_frame_says_which_axes_there_are(self) -> None:
        router = Router(growing_spec())
        router.claim({"position": "A", "time": 0, "channel": "DAPI"})
        assert router.spec.order == ("position", "time", "channel")
        assert router.spec.labels == {"channel": ("DAPI",)}
        assert [i.name for i in router.spec.images] == ["A"]
        for axes in ({"time": 1}, {"position": "A", "time": 1, "z": 0}):
            with pytest.raises(FrameError, match="axes"):
                router.claim(axes)

    def test_sizes_are_exact_for_each_image(self) -> None:
        router = Router(growing_spec())
        for position, time in (("A", 0), ("A", 4), ("B", 1), ("A", 2)):
            router.claim({"position": position, "time": time})
        sizes = {i.name: router.spec.shape(i) for i in router.spec.images}
        assert sizes == {"A": (5,), "B": (2,)}

    def test_growth_is_counted(self) -> None:
        router = Router(growing_spec())
        seen = []
        for axes in ({"t0": 0, "c": "A"}, {"t0": 1, "c": "A"}, {"t0": 0, "c": "B"}):
            router.claim(axes)
            seen.append(router.grown)
        assert len(set(seen)) == 3
        router.claim({"t0": 1, "c": "B"})
        assert router.grown == seen[-1]

    @pytest.mark.parametrize(
        "axes",
        [
            {"position": "new", "time": -1, "channel": "new"},
            {"position": "new", "time": 1.5, "channel": "new"},
            {"position": "A", "time": 0, "channel": "DAPI"},
            {"position": "A", "time": 0, "channel": 7},
            {"position": "A", "time": "new", "channel": "DAPI"},
            {"position": "new", "time": 0},
        ],
    )
    def test_a_refused_frame_leaves_no_trace(self, axes: Any) -> None:
        router = Router(growing_spec())
        with pytest.raises(FrameError):
            Router(growing_spec()).claim({"time": -1})
        router.claim({"position": "A", "time": 0, "channel": "DAPI"})
        spec, grown = router.spec, router.grown
        with pytest.raises(FrameError):
            router.claim(axes)
        assert router.spec == spec
        assert router.grown == grown

    def test_only_what_may_grow_does(self) -> None:
        spec = make_spec(
            {"time": 1, "channel": 2},
            labels=CHANNELS,
            growing=True,
            growing_axes=("time",),
        )
        router = Router(spec)
        assert router.claim({"time": 900, "channel": "FITC"}).index == (900, 1)
        for wrong in ({"channel": "Cy5"}, {"channel": 2}, {"position": 1}):
            with pytest.raises(FrameError):
                router.claim({"time": 0, "channel": 0, **wrong})
        assert router.spec.shape(router.spec.images[0]) == (901, 2)

    def test_an_unbounded_first_axis_never_ends(self) -> None:
        spec = make_spec({"time": 1, "z": 2}, growing=True, growing_axes=("time",))
        router = Router(spec)
        found = [router.claim(router.next_axes()).index for _ in range(7)]
        assert found == [(n // 2, n % 2) for n in range(7)]
        assert router.spec.shape(router.spec.images[0]) == (4, 2)


def test_a_position_may_be_given_by_a_number_of_numpy() -> None:
    images = tuple(ImageSpec(n, {"position": n}, {"time": 2}) for n in "AB")
    router = Router(make_spec(order=("time", "position"), images=images))
    axes: Any = {"time": np.int64(1), "position": np.int64(1)}
    address = router.claim(axes)
    assert address == Address(1, (1,))
    assert router.axes_of(address, axes) == {"time": 1, "position": "B"}
    for wrong in (np.int64(2), np.int64(-1), 0.0, None):
        with pytest.raises(FrameError, match="no image"):
            router.claim({"time": 0, "position": wrong})  # type: ignore[dict-item]
