from __future__ import annotations

import numpy as np
import pytest
from tests.stream.streams import growing_spec, make_spec

from napari_scope.errors import SettingsError
from napari_scope.model import Channel
from napari_scope.stream import ImageSpec


@pytest.mark.parametrize(
    ("frame", "dtype"),
    [((4,), "u2"), ((4, 5, 4), "u1"), ((0, 5), "u2"), ((4, 5), "c8"), ((4, 5), "?")],
)
def test_what_is_no_image_is_refused(frame: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(SettingsError):
        make_spec(frame=frame, dtype=dtype)


def test_axes_stand_in_storage_order_with_their_units() -> None:
    spec = make_spec(
        {"z": 3, "channel": 2, "time": 4},
        pixel_um=0.5,
        z_um=2.0,
        interval_s=10.0,
        labels={"channel": ("A", "B")},
        images=(
            ImageSpec(
                "a",
                sizes={"z": 3, "channel": 2, "time": 4},
                x_um=100,
                y_um=50,
                z_um=7,
            ),
        ),
        frame=(4, 5),
    )
    assert spec.index_axes == ("time", "channel", "z")
    assert spec.shape(spec.images[0]) == (4, 2, 3)
    axes = spec.axes(spec.images[0])
    assert [a.name for a in axes] == ["t", "c", "z", "y", "x"]
    assert [a.unit for a in axes] == ["second", None] + ["micrometer"] * 3
    assert [a.scale for a in axes] == [10, 1, 2, 0.5, 0.5]
    # The stage is the centre: 5 pixels of 0.5 around 100 begin at 99.
    assert [a.translation for a in axes] == [0, 0, 7, 49.25, 99]
    assert axes[1].labels == ("A", "B")


def test_without_a_pixel_size_nothing_pretends_to_be_micrometers() -> None:
    spec = make_spec()
    assert [a.unit for a in spec.axes(spec.images[0])] == ["second", None, None]


def test_colour_has_an_axis_of_its_own() -> None:
    spec = make_spec(frame=(4, 5, 3), dtype="u1")
    assert spec.rgb
    assert spec.frame_bytes == 60
    assert spec.axes(spec.images[0])[-1].name == "rgb"


def test_every_channel_has_a_name_and_a_colour() -> None:
    spec = make_spec(
        {"channel": 3},
        labels={"channel": ("DAPI", "X", "Y")},
        channels=(Channel("X", "#123456"),),
    )
    channels = spec.display_channels()
    assert [c.name for c in channels] == ["DAPI", "X", "Y"]
    assert channels[1].color == "#123456"
    assert all(c.color for c in channels)
    assert len({c.color for c in channels}) == 3
    assert [c.name for c in make_spec({"channel": 2}).display_channels()] == [
        "Channel 0",
        "Channel 1",
    ]
    assert len(make_spec().display_channels()) == 1


def test_what_grows() -> None:
    assert not make_spec().grows("time")
    assert growing_spec().open_ended
    assert growing_spec().grows("anything")
    one = make_spec({"time": 1, "z": 3}, growing=True, growing_axes=("time",))
    assert not one.open_ended
    assert (one.grows("time"), one.grows("z")) == (True, False)


def test_places_are_no_axes_of_an_image() -> None:
    spec = make_spec(order=("position", "time", "grid"))
    assert spec.index_axes == ("time",)
    assert spec.has_places
    assert np.prod(spec.shape(spec.images[0])) == 5
