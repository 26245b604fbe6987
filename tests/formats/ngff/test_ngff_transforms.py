from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.ngff.transforms import compose

# Multiples of 1/8 of moderate size: sums and products of a few are exact in floats.
exact = st.integers(-800, 800).map(lambda n: n / 8)


@st.composite
def transformation(draw: st.DrawFn, ndim: int) -> dict[str, object]:
    kind = draw(st.sampled_from(["scale", "translation", "identity"]))
    if kind == "identity":
        return {"type": kind}
    return {"type": kind, kind: draw(st.lists(exact, min_size=ndim, max_size=ndim))}


@st.composite
def chains(draw: st.DrawFn) -> tuple[int, list[list[dict[str, object]]]]:
    ndim = draw(st.integers(1, 5))
    one = st.lists(transformation(ndim), max_size=2)
    return ndim, draw(st.lists(one, max_size=2))


@given(chains(), st.integers(-50, 50))
def test_composition_is_applying_one_after_the_other(
    chain: tuple[int, list[list[dict[str, object]]]], index: int
) -> None:
    ndim, lists = chain
    expected = [Fraction(index)] * ndim
    for entries in lists:
        for entry in entries:
            for axis in range(ndim):
                if entry["type"] == "scale":
                    expected[axis] *= Fraction(entry["scale"][axis])  # type: ignore[index]
                elif entry["type"] == "translation":
                    expected[axis] += Fraction(entry["translation"][axis])  # type: ignore[index]
    placement = compose(ndim, *lists)
    assert placement.problems == ()
    assert [
        s * index + t
        for s, t in zip(placement.scale, placement.translation, strict=True)
    ] == pytest.approx([float(e) for e in expected], rel=1e-12, abs=1e-9)


def test_the_translation_of_a_level_is_scaled_by_the_whole() -> None:
    level = [
        {"type": "scale", "scale": [2, 3]},
        {"type": "translation", "translation": [1, -1]},
    ]
    whole = [
        {"type": "scale", "scale": [10, 100]},
        {"type": "translation", "translation": [1, 7]},
    ]
    placement = compose(2, level, whole)
    assert placement.scale == (20, 300)
    assert placement.translation == (11, -93)


def test_nothing_is_the_identity() -> None:
    assert compose(2, None, None).scale == (1.0, 1.0)
    assert compose(2, None, None).translation == (0.0, 0.0)
    assert compose(2, None).problems == ()


@pytest.mark.parametrize(
    ("entries", "part"),
    [
        ({"type": "scale"}, "not a list"),
        (["scale"], "type None"),
        ([{"type": "affine", "affine": []}], "'affine'"),
        ([{"type": "scale", "path": "scales/0"}], "scale of None"),
        ([{"type": "scale", "scale": [1.0]}], "scale of [1.0]"),
        ([{"type": "scale", "scale": [1, float("nan")]}], "nan"),
        ([{"type": "scale", "scale": [1, True]}], "True"),
        ([{"type": "translation", "translation": "ab"}], "translation of ab"),
        ([{"type": "translation", "translation": [1, 10**400]}], "translation of"),
    ],
)
def test_what_is_odd_is_reported_and_does_nothing(entries: object, part: str) -> None:
    placement = compose(2, entries)
    assert placement.scale == (1.0, 1.0)
    assert placement.translation == (0.0, 0.0)
    (problem,) = placement.problems
    assert part in problem
