from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.ngff.omero import channels_from_omero
from napari_scope.model import Channel

COMPLETE = {
    "channels": [
        {
            "label": "DAPI",
            "color": "0000ff",
            "active": True,
            "window": {"min": 0, "max": 65535, "start": 12, "end": 250.5},
        },
        {
            "label": "GFP",
            "color": "#00FF00",
            "active": False,
            "window": {"min": 0, "max": 4095},
        },
    ]
}


def test_a_complete_block() -> None:
    assert channels_from_omero(COMPLETE, 2) == (
        Channel("DAPI", "#0000FF", (12.0, 250.5), visible=True),
        Channel("GFP", "#00FF00", (0.0, 4095.0), visible=False),
    )


def test_fewer_entries_than_channels_are_filled_up() -> None:
    names = [c.name for c in channels_from_omero(COMPLETE, 4)]
    assert names == ["DAPI", "GFP", "Channel 2", "Channel 3"]


def test_more_entries_than_channels_are_cut() -> None:
    assert [c.name for c in channels_from_omero(COMPLETE, 1)] == ["DAPI"]


@pytest.mark.parametrize(
    "block",
    [None, 3, [], {}, {"channels": None}, {"channels": {}}, {"channels": [None, 7]}],
)
def test_no_usable_block_still_gives_every_channel(block: object) -> None:
    assert channels_from_omero(block, 2) == (Channel("Channel 0"), Channel("Channel 1"))


def test_a_single_channel_without_label_has_no_name() -> None:
    assert channels_from_omero(None, 1) == (Channel(""),)


@pytest.mark.parametrize(
    "color", [None, "", "red", "12345", "GGGGGG", 255, ["00FF00"], "000000"]
)
def test_odd_colours_are_left_to_the_viewer(color: object) -> None:
    (channel,) = channels_from_omero({"channels": [{"color": color}]}, 1)
    assert channel.color is None


@pytest.mark.parametrize(
    "window",
    [
        None,
        [],
        {"start": 5},
        {"start": 5, "end": 5},
        {"start": 9, "end": 5},
        {"start": "0", "end": "5"},
        {"start": float("nan"), "end": 5},
        {"start": 0, "end": float("inf")},
        {"start": False, "end": True},
    ],
)
def test_odd_windows_are_no_limits(window: object) -> None:
    (channel,) = channels_from_omero({"channels": [{"window": window}]}, 1)
    assert channel.contrast_limits is None


def test_all_switched_off_would_show_nothing_so_all_are_on() -> None:
    block = {"channels": [{"active": False}, {"active": False}]}
    assert all(c.visible for c in channels_from_omero(block, 2))
    # One that stays on is enough for the others to stay off.
    assert [c.visible for c in channels_from_omero(block, 3)] == [False, False, True]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["channels", "label", "color", "window", "start", "end", "active"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(json_values, st.integers(1, 4))
def test_any_json_gives_one_entry_for_each_channel(block: object, count: int) -> None:
    channels = channels_from_omero(block, count)
    assert len(channels) == count
    assert any(c.visible for c in channels)
