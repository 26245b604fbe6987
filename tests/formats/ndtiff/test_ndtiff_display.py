from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_scope.formats.ndtiff.display import (
    encode_settings,
    parse_property_map,
    parse_settings,
    read_settings,
)
from napari_scope.model import Channel

if TYPE_CHECKING:
    from pathlib import Path


def test_settings_survive_writing_and_reading() -> None:
    channels = [
        Channel("DAPI", "#3333FF", (100.0, 2000.0)),
        Channel("µ", "#66FF00", None, visible=False),
        Channel("plain"),
    ]
    found = parse_settings(encode_settings(channels, bits=12))
    assert list(found.values()) == channels


def test_the_colour_is_the_signed_number_of_java() -> None:
    # From a real file: DAPI in these settings is -13421569.
    assert b'"Color":-13421569' in encode_settings([Channel("D", "#3333FF")], bits=16)


def test_real_settings(real_stores: Path) -> None:
    found = read_settings(real_stores / "v3" / "12_bit_pycromanager_mda")
    assert found == {"DAPI": Channel("DAPI", "#33FF00", None)}
    found = read_settings(real_stores / "v3" / "no_magellan_explore_multi_channel")
    assert found["Cy5"] == Channel("Cy5", "#FFAFAF", (0.0, 5846.0))


def test_real_property_map(real_stores: Path) -> None:
    found = read_settings(real_stores / "index_only" / "mm_mda_tcz_15")
    assert found == {
        "Cy5": Channel("Cy5", "#0072B2", (381.0, 3154.0)),
        "DAPI": Channel("DAPI", "#33FF00", (706.0, 5846.0)),
    }


@pytest.mark.parametrize("parse", [parse_settings, parse_property_map])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 100000,
        b'{"map":{"ChannelSettings":{"array":[1,{"Channel":{"scalar":"x"}}]}}}',
        b'{"map":{"ChannelSettings":7}}',
    ],
)
def test_damaged_settings_are_none(parse: object, data: bytes) -> None:
    found = parse(data)  # type: ignore[operator]
    assert all(channel.contrast_limits is None for channel in found.values())


def test_a_maximum_that_java_never_set_is_none() -> None:
    component = '{"ScalingMin":{"scalar":0},"ScalingMax":{"scalar":%d}}'
    for maximum, limits in ((2**63 - 1, None), (99, (0.0, 99.0))):
        data = (
            '{"map":{"ChannelSettings":{"array":[{"Channel":{"scalar":"a"},'
            '"ComponentSettings":{"array":[%s]}}]}}}' % (component % maximum)
        )
        assert parse_property_map(data.encode())["a"].contrast_limits == limits


def test_odd_values_are_left_out() -> None:
    data = (
        b'{"a":{"Min":5,"Max":5,"Color":"red"},"b":{"Min":"x","Max":1e400,"BitDepth":[]},'
        b'"c":7,"d":{"Min":NaN,"Max":3}}'
    )
    assert parse_settings(data) == {n: Channel(n) for n in "abd"}
