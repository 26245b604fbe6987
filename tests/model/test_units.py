from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.model.units import (
    _SIGNS,
    _UNITS,
    factor,
    standard_unit,
    unit_factor,
    unit_kind,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("um", "micrometer"),
        ("µm", "micrometer"),
        ("μm", "micrometer"),
        ("Micrometers", "micrometer"),
        ("micrometre", "micrometer"),
        ("nm", "nanometer"),
        ("mm", "millimeter"),
        ("Mm", "megameter"),
        ("s", "second"),
        ("ms", "millisecond"),
        ("seconds", "second"),
        ("Meter", "meter"),
        ("min", "minute"),
        ("h", "hour"),
        ("Å", "angstrom"),
        ("nanometres", "nanometer"),
        (" um ", "micrometer"),
        ("\u03bcm", "micrometer"),  # Greek letter
        ("UM", "micrometer"),
        ("MM", "millimeter"),
        ("\xe5", "angstrom"),
        ("microns", "micrometer"),
        ("secs", "second"),
        ("degree", None),
        ("pixel", None),
        ("furlong", None),
        ("", None),
        (None, None),
    ],
)
def test_spellings(text: str | None, expected: str | None) -> None:
    assert standard_unit(text) == expected


@pytest.mark.parametrize("name", _UNITS)
def test_the_unit_library_of_napari_agrees(name: str) -> None:
    pint = pytest.importorskip("pint")
    registry = pint.get_application_registry()
    base = {"space": "micrometer", "time": "second"}[unit_kind(name)]
    magnitude = registry.Quantity(1, name).to(base).magnitude
    assert magnitude == pytest.approx(unit_factor(name))


def test_factors() -> None:
    assert factor("nanometer", "micrometer") == 0.001
    assert factor("micrometer", "micrometer") == 1.0
    assert factor("hour", "minute") == 60.0
    assert factor("inch", "millimeter") == pytest.approx(25.4)
    assert factor("second", "micrometer") is None
    assert (unit_factor("nanometer"), unit_factor("millisecond")) == (1e-3, 1e-3)


def test_every_unit_of_ome_writers_is_known() -> None:
    units = pytest.importorskip("ome_writers._units")
    for kind, table in (
        ("space", units.ANY_LENGTH_TO_NGFF),
        ("time", units.ANY_TIME_TO_NGFF),
    ):
        for text, name in table.items():
            assert standard_unit(text) == name, text
            assert unit_kind(name) == kind


@given(st.sampled_from(sorted({*_UNITS, *_SIGNS})))
def test_a_standard_name_stays(text: str) -> None:
    name = standard_unit(text)
    assert name is not None
    assert standard_unit(name) == name
