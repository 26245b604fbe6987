from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.model.colors import default_color

BLUE, CYAN, GREEN, YELLOW = "#0000FF", "#00FFFF", "#00FF00", "#FFFF00"
ORANGE, RED, MAGENTA, WHITE = "#FF8000", "#FF0000", "#FF00FF", "#FFFFFF"


@pytest.mark.parametrize(
    ("name", "color"),
    [
        ("DAPI", BLUE),
        ("Hoechst 33342", BLUE),
        ("TagBFP", BLUE),
        ("eCFP", CYAN),
        ("mTurquoise2", CYAN),
        ("FITC", GREEN),
        ("3FITC", GREEN),
        ("EGFP", GREEN),
        ("sfGFP-actin", GREEN),
        ("Cy2", GREEN),
        ("mVenus", YELLOW),
        ("EYFP", YELLOW),
        ("Cy3", ORANGE),
        ("cy-3", ORANGE),
        ("TRITC", ORANGE),
        ("tdTomato", ORANGE),
        ("mCherry", RED),
        ("Rhodamine", RED),
        ("RFP", RED),
        ("Texas Red", RED),
        ("TxRed", RED),
        ("Cy5", MAGENTA),
        ("Cy5.5", MAGENTA),
        ("iRFP", MAGENTA),
        ("far red", MAGENTA),
        ("Brightfield", WHITE),
        ("BF", WHITE),
        ("DIC", WHITE),
        ("Phase", WHITE),
        ("405", BLUE),
        ("Alexa 488", GREEN),
        ("AF555", ORANGE),
        ("CSU561", ORANGE),
        ("Alexa594", RED),
        ("laser 640 nm", MAGENTA),
    ],
)
def test_a_known_name_has_its_colour(name: str, color: str) -> None:
    assert default_color(name, 5, 6) == color


@pytest.mark.parametrize("name", ["reduced", "predict", "1405", "", "Channel 2", "950"])
def test_a_name_that_says_nothing_takes_the_colour_of_its_place(name: str) -> None:
    assert default_color(name, 0, 3) == CYAN
    assert default_color(name, 1, 3) == MAGENTA
    assert default_color(name, 2, 3) == YELLOW


def test_a_channel_alone_is_grey_whatever_its_name() -> None:
    assert default_color("DAPI", 0, 1) == WHITE


def test_the_channels_of_the_demo_microscope_differ() -> None:
    names = ["Cy5", "DAPI", "FITC", "Rhodamine"]
    colors = {default_color(name, i, 4) for i, name in enumerate(names)}
    assert len(colors) == 4


@given(st.text(max_size=40), st.integers(0, 1000), st.integers(1, 1000))
def test_every_name_gets_a_colour(name: str, index: int, count: int) -> None:
    assert re.fullmatch(r"#[0-9A-F]{6}", default_color(name, index, count))
