"""Tiles and channels that an explorer is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scope.acquire.explore_parts import ExploreChannel, chosen_of, place_of
from napari_scope.errors import PlanError

DAPI, FITC = ExploreChannel("DAPI"), ExploreChannel("FITC", 5)


def test_channels_by_name_in_the_order_asked_for() -> None:
    assert chosen_of([DAPI, FITC], ["FITC", "DAPI"]) == [FITC, DAPI]
    assert chosen_of([DAPI, FITC], None) == [DAPI, FITC]
    assert chosen_of([], None) == [None]
    with pytest.raises(PlanError, match="no channel 'Cy5'") as error:
        chosen_of([DAPI, FITC], ["Cy5"])
    assert error.value.hint == "it has DAPI, FITC"
    with pytest.raises(PlanError) as error:
        chosen_of([], ["Cy5"])
    assert error.value.hint == "it has none"


def test_a_place_is_two_whole_numbers() -> None:
    assert place_of((np.int64(-2), 3)) == (-2, 3)  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="the row of a tile is a whole number"):
        place_of((1.0, 2))  # type: ignore[arg-type]
    with pytest.raises(PlanError, match=r"the column of a tile .* True"):
        place_of((1, True))
