"""The names of Micro-Manager for what is known of a frame."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.acquire import HookError
from napari_scope.acquire.tags import from_tags, to_tags

AXES = st.dictionaries(
    st.sampled_from(["time", "channel", "z"]), st.integers(0, 9) | st.text(max_size=3)
)
FACTS = st.dictionaries(
    st.sampled_from(["exposure_ms", "x_um", "pixel_size_um", "camera", "own"]),
    st.floats(0, 10),
)


@given(AXES, FACTS)
def test_there_and_back(axes: dict[str, Any], facts: dict[str, Any]) -> None:
    tags = to_tags(axes, facts)
    assert from_tags(tags) == (axes, facts)
    tags["Axes"]["more"] = 1
    assert "more" not in axes


def test_the_names() -> None:
    tags = to_tags({"channel": "DAPI"}, {"x_um": 1.0, "pixel_size_um": 0.5, "own": 2})
    assert tags == {
        "Axes": {"channel": "DAPI"},
        "Channel": "DAPI",
        "XPositionUm": 1.0,
        "PixelSizeUm": 0.5,
        "own": 2,
    }
    assert "Channel" not in to_tags({"channel": 3}, {})


@pytest.mark.parametrize("tags", [{}, {"Axes": None}, {"Axes": [1]}])
def test_without_axes(tags: Any) -> None:
    with pytest.raises(HookError, match="'Axes'"):
        from_tags(tags)
