from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_scope.stream import Channel, Plate, Position
from napari_scope.stream.samples import image_names, row_name


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        (None, None),
        ("#0aF", "#00AAFF"),
        ("#0a0b0c", "#0A0B0C"),
        ("#0a0b0cff", "#0A0B0C"),
        ("Red", "#FF0000"),
        ((1, 2, 3), "#010203"),
        ([1, 2, 3, 0.5], "#010203"),
    ],
)
def test_colors(color: Any, expected: str | None) -> None:
    assert Channel(name="A", color=color).color == expected


@pytest.mark.parametrize("color", ["nice", "#12", (1, 2), (1, 2, 256), 7, (0.1, 0, 0)])
def test_what_is_no_color(color: Any) -> None:
    with pytest.raises(ValidationError, match="write it as '#RRGGBB'"):
        Channel(name="A", color=color)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "must not be empty"),
        ({"plate_row": "A"}, "give both or none"),
        ({"plate_column": "1"}, "give both or none"),
        ({"grid_row": 1}, "give both or none"),
        ({"x_coord": float("nan")}, "finite"),
        ({"sizes": {"z": 0}}, "greater than or equal to 1"),
        ({"z": 3}, "not permitted"),
    ],
)
def test_what_no_position_can_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Position(**{"name": "A", **fields})


def test_standard_plates() -> None:
    plate = Plate.from_standard_wells(1536)
    assert len(plate.row_names) == 32
    assert len(plate.column_names) == 48
    assert plate.row_names[25:27] == ("Z", "AA")
    assert Plate.from_standard_wells((1, 2)).column_names == ("1", "2")
    for wells in (7, (0, 2), (1, 2, 3)):
        with pytest.raises(ValueError, match="no standard plate"):
            Plate.from_standard_wells(wells)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least 1"),
        (["A", "A"], "same name"),
        (["A", "a"], "same name"),  # one folder on Windows
        (["A/B"], "letters and digits"),
        ([".."], "letters and digits"),
        ([""], "letters and digits"),
    ],
)
def test_what_no_plate_can_be(rows: list[str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Plate(row_names=rows, column_names=["1"])
    with pytest.raises(ValidationError, match=message):
        Plate(row_names=["A"], column_names=rows)


@given(st.integers(0, 100_000))
def test_rows_are_named_as_in_spreadsheets(number: int) -> None:
    value = 0
    for letter in row_name(number):
        value = value * 26 + ord(letter) - ord("A") + 1
    assert value == number + 1


def test_images_are_named_by_position_where_that_is_enough() -> None:
    assert image_names([Position(name="A"), Position(name="B")]) == ("A", "B")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["f", "f_2", "A1_f"]),
            st.sampled_from([None, "A", "B"]),
            st.sampled_from([None, 0, 1]),
        ),
        max_size=8,
    )
)
def test_no_two_images_have_one_name(places: list[tuple[str, Any, Any]]) -> None:
    positions = [
        Position(
            name=name,
            plate_row=row,
            plate_column=row and "1",
            grid_row=cell,
            grid_column=cell,
        )
        for name, row, cell in places
    ]
    names = image_names(positions)
    assert len(set(names)) == len(names) == len(positions)
    assert all(p.name in n for p, n in zip(positions, names, strict=True))


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_wavelengths_are_lengths(value: float) -> None:
    for name in ("excitation_wavelength_nm", "emission_wavelength_nm"):
        with pytest.raises(ValidationError, match=name):
            Channel(name="A", **{name: value})  # type: ignore[arg-type]
