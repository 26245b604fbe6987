from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.stream.streams import make_spec

from napari_scope.stream import Gap, ImageSpec
from napari_scope.stream.gaps import count_gaps, gap_axes, gaps_of


def two_places() -> Any:
    return make_spec(
        order=("position", "time", "channel"),
        images=(
            ImageSpec("A", {"position": "A"}, {"time": 2, "channel": 2}),
            ImageSpec("B", {"position": "B"}, {"time": 1, "channel": 2}),
        ),
        labels={"channel": ("D", "F")},
    )


def test_a_gap_is_every_combination_inside_of_the_images() -> None:
    gaps = [Gap(index={"c": [1], "t": [0, 1]}, reason="slow")]
    found = list(gap_axes(two_places(), gaps))
    assert found == [
        ({"position": "A", "time": 0, "channel": "F"}, "slow"),
        ({"position": "A", "time": 1, "channel": "F"}, "slow"),
        ({"position": "B", "time": 0, "channel": "F"}, "slow"),
    ]
    assert count_gaps(two_places(), gaps) == 3


def test_a_frame_in_two_gaps_counts_once() -> None:
    gaps = [Gap(index={"p": [1]}, reason="a"), Gap(index={"time": [0]}, reason="b")]
    assert count_gaps(two_places(), gaps) == 4
    found = [(axes["position"], why) for axes, why in gap_axes(two_places(), gaps)]
    assert found == [("A", "b"), ("A", "b"), ("B", "b"), ("B", "b")]
    assert count_gaps(two_places(), []) == 0


masks = st.lists(
    hnp.arrays(bool, st.just((2, 3, 2)), elements=st.booleans()), min_size=1, max_size=3
)


@given(masks)
def test_gaps_cover_what_is_missing_and_nothing_else(
    missing: list[npt.NDArray[np.bool_]],
) -> None:
    names = ("t", "c", "z")
    gaps = gaps_of(missing, names, "why")
    several = len(missing) > 1
    sizes = {"time": 2, "channel": 3, "z": 2}
    places: list[Any] = [
        {"position": i} if several else {} for i in range(len(missing))
    ]
    spec = make_spec(
        order=(*(["position"] if several else []), *sizes),
        images=tuple(ImageSpec(str(i), p, sizes) for i, p in enumerate(places)),
    )
    found = np.zeros((len(missing), 2, 3, 2), bool)
    for axes, reason in gap_axes(spec, gaps):
        assert reason == "why"
        where = (axes.get("position", 0), axes["time"], axes["channel"], axes["z"])
        assert not found[where]
        found[where] = True
    np.testing.assert_array_equal(found, missing)
    assert count_gaps(spec, gaps) == found.sum()
