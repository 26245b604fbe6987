from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.layers.units import factor, known_unit
from napari_scope.stream.units import (
    _SIGNS,
    _UNITS,
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
        ("degree", None),
        ("", None),
    ],
)
def test_spellings(text: str, expected: str | None) -> None:
    assert standard_unit(text) == expected


def test_every_unit_is_the_one_that_readers_know() -> None:
    """Two tables, one for what is written and one for what is read, agree."""
    for name in _UNITS:
        kind = unit_kind(name)
        base = "micrometer" if kind == "space" else "second"
        assert known_unit(name) == name
        assert factor(name, base) == pytest.approx(unit_factor(name))


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
