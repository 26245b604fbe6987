from __future__ import annotations

import pytest

from napari_scope.layers.live_pace import SHORTEST_MS, pause_ms


@pytest.mark.parametrize(
    ("spent_ms", "lagging", "expected"),
    [
        (0, False, SHORTEST_MS),
        (0, True, SHORTEST_MS),
        (33, False, SHORTEST_MS),
        (200, False, 200),  # half of the time
        (40, True, 200),  # a sixth of it
        (5, True, SHORTEST_MS),
        (3000, False, 1000),
        (900, True, 1000),
    ],
)
def test_a_look_takes_its_share_of_the_time(
    spent_ms: float, lagging: bool, expected: int
) -> None:
    assert pause_ms(spent_ms, lagging=lagging) == expected


def test_there_are_at_most_thirty_looks_a_second() -> None:
    assert SHORTEST_MS >= 1000 / 30
