from __future__ import annotations

import pint
import pytest

from napari_scope.layers import units
from napari_scope.layers.units import factor, known_unit


@pytest.mark.parametrize("name", units._UNITS)
def test_the_unit_library_of_napari_agrees(name: str) -> None:
    registry = pint.get_application_registry()
    dimension, value, power = units._UNITS[name]
    base = {"length": "meter", "time": "second"}[dimension]
    assert registry.Quantity(1, name).to(base).magnitude == pytest.approx(
        value * 10.0**power
    )


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("micrometer", "micrometer"),
        ("Micrometers", "micrometer"),
        ("micrometre", "micrometer"),
        ("nanometres", "nanometer"),
        (" um ", "micrometer"),
        ("µm", "micrometer"),  # micro sign
        ("\u03bcm", "micrometer"),  # Greek letter
        ("Å", "angstrom"),
        ("ms", "millisecond"),
        ("seconds", "second"),
        ("degree", None),
        ("pixel", None),
        ("", None),
        (None, None),
    ],
)
def test_spellings(unit: str | None, name: str | None) -> None:
    assert known_unit(unit) == name


def test_factors() -> None:
    assert factor("nanometer", "micrometer") == 0.001
    assert factor("micrometer", "micrometer") == 1.0
    assert factor("hour", "minute") == 60.0
    assert factor("inch", "millimeter") == pytest.approx(25.4)
    assert factor("second", "micrometer") is None
