from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.msi import flex_files as flex

from napari_scope.errors import FormatError
from napari_scope.formats.msi.bruker import calibration as calibration_module
from napari_scope.formats.msi.bruker.acqu import parse_acqu
from napari_scope.formats.msi.bruker.calibration import (
    Calibration,
    Polynomial,
    find_first,
)

REAL: dict[str, Any] = {"TD": 22431, **flex.TIMES, **flex.ML}


def _plainly(acqu: dict[str, Any]) -> list[float]:
    """Return the m/z values by the formula as it is published, one by one."""
    found = []
    for i in range(acqu["TD"]):
        a, b = acqu["ML3"], (1e12 / acqu["ML1"]) ** 0.5
        c = acqu["ML2"] - (acqu["DELAY"] + i * acqu["DW"])
        if a == 0:
            found.append(c * c / (b * b))
        else:
            found.append(((-b + (b * b - 4 * a * c) ** 0.5) / (2 * a)) ** 2)
    return found


@pytest.mark.parametrize("ml3", [flex.ML["ML3"], 0, 0.002])
def test_the_published_formula(ml3: float) -> None:
    acqu = {**REAL, "ML3": ml3, "TD": 500}
    axis = Calibration.of(acqu).axis()
    np.testing.assert_allclose(axis, _plainly(acqu), rtol=1e-11)
    assert not axis.flags.writeable


def test_the_constants_of_the_real_spots() -> None:
    axis = Calibration.of(REAL).axis()
    assert axis[0] == pytest.approx(999.9387911779093, rel=1e-12)
    assert axis[10911] == pytest.approx(4210.261074312077, rel=1e-12)
    assert axis[-1] == pytest.approx(10001.925109122187, rel=1e-12)


def test_before_the_time_of_no_mass_and_beyond_the_last_one() -> None:
    early = Calibration.of({**REAL, "DELAY": 0, "TD": 300})
    assert early.axis()[:137].tolist() == [0.0] * 137
    assert (np.diff(early.axis()[140:]) > 0).all()
    late = Calibration.of({**REAL, "ML3": -5.0, "TD": 60000})
    assert np.isfinite(late.axis()).all()
    assert (np.diff(late.axis()) >= 0).all()


def test_high_precision_between_its_limits() -> None:
    acqu = {
        **REAL, "HPClUse": True, "HPClBLo": 1500.0, "HPClBHi": 4000.0, "HPClOrd": 2,
        "HPCStr": flex.HPC,
    }  # fmt: skip
    mz = Calibration.of(REAL).axis()
    found = Calibration.of(acqu).axis()
    inside = (mz >= 1500) & (mz <= 4000)
    assert 0 < inside.sum() < len(mz)
    np.testing.assert_array_equal(found[~inside], mz[~inside])
    correction = -0.05 + 2e-05 * mz + 1e-09 * mz**2
    np.testing.assert_allclose(
        found[inside], (mz - correction)[inside], rtol=0, atol=1e-9
    )
    for off in (
        {"HPClUse": False}, {"HPClBLo": 0}, {"HPClBHi": 0}, {"HPClOrd": 0},
    ):  # fmt: skip
        one = Calibration.of({**acqu, **off})
        assert (one.polynomial, one.doubt) == (None, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "V1.0VectorDouble 3 1 2 c2 0",
        "V1.0VectorDouble 0 c2 0",
        "V1.0VectorDouble 2 1 x c2",
        "V1.0VectorDouble 2 1 nan c2",
        "V1.0VectorDouble 3 1 1 1e308 c2",
        "V1.0VectorDouble 2 1 2",
    ],
)
def test_damaged_high_precision_is_left_out_and_told(text: str) -> None:
    one = Calibration.of(
        {**REAL, "HPClUse": True, "HPClBLo": 1, "HPClBHi": 9, "HPClOrd": 1,
         "HPCStr": text}
    )  # fmt: skip
    assert one.polynomial is None
    assert "HPCStr is damaged" in one.doubt


def test_constants_that_are_not_used_are_told() -> None:
    constants = "V1.0CTOF2CalibrationConstants 1 2 3"
    one = Calibration.of({**REAL, "NTBCal": constants})
    assert "CTOF2" in one.doubt
    # The doubt makes no other axis of it.
    assert one == Calibration.of(REAL)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ML1", 0), ("ML1", "x"), ("DW", 0), ("DW", -1), ("TD", 0), ("TD", 1e12),
        ("DELAY", float("inf")), ("ML2", [1]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(key: str, value: object) -> None:
    with pytest.raises(FormatError, match=key):
        Calibration.of({**REAL, key: value})
    if key != "TD":
        with pytest.raises(FormatError, match=f"{key} is missing"):
            Calibration.of({k: v for k, v in REAL.items() if k != key})


@pytest.mark.parametrize(
    "parameters",
    [
        {"DW": 1e308}, {"ML2": 1e308}, {"ML2": -1e308}, {"DELAY": 1e200}, {"ML3": -1e9},
        {"ML1": 1e300}, {"ML1": 1e-290}, {"ML3": 1e308}, {"DW": 1e7},
    ],
)  # fmt: skip
def test_numbers_that_no_instrument_has(parameters: dict[str, float]) -> None:
    """They are refused, or give m/z values; no warning of numpy comes out."""
    try:
        one = Calibration.of({**REAL, **parameters})
    except FormatError as error:
        (key,) = parameters
        assert "m/z values up to" in str(error) or f"{key} is" in str(error)
        assert key in str(error)
    else:
        axis = one.axis()
        assert 0 <= axis[0] and (np.diff(axis) >= 0).all() and axis[-1] <= 1e9
        assert find_first([one], 500.0, "left")[0] == np.searchsorted(axis, 500.0)


def test_high_precision_beyond_its_limits_does_no_harm() -> None:
    mz = np.array([0.5, 2.0, 1e9])
    far = Polynomial(1.0, 3.0, (0.0,) * 60 + (1e-20,))
    with np.errstate(all="raise"):
        assert far.corrected(mz).tolist() == [0.5, 2.0 - 1e-20 * 2.0**60, 1e9]
    assert mz.tolist() == [0.5, 2.0, 1e9]


def test_the_number_of_points_may_be_that_of_the_file() -> None:
    without = {key: value for key, value in REAL.items() if key != "TD"}
    assert Calibration.of(without, 77).points == 77
    with pytest.raises(FormatError, match="TD is missing"):
        Calibration.of(without)
    text = flex.acqu_text(5, ML3=None)
    assert Calibration.of(parse_acqu(text.encode())).ml3 == 0


def test_a_polynomial_is_that_of_numpy() -> None:
    mz = np.linspace(1, 50, 40)
    one = Polynomial(10, 30, (0.5, -0.1, 0.02, 1e-3))
    expected = np.where(
        (mz >= 10) & (mz <= 30),
        mz - np.polynomial.polynomial.polyval(mz, one.coefficients),
        mz,
    )
    np.testing.assert_allclose(one.corrected(mz), expected, rtol=1e-14)


calibrations = st.builds(
    lambda **k: Calibration(**k),
    points=st.integers(1, 60),
    delay_ns=st.floats(0, 5e4),
    step_ns=st.floats(0.1, 50),
    ml1=st.floats(1e5, 1e8),
    ml2=st.floats(-500, 500),
    ml3=st.floats(-3, 0.01),
)


@given(st.lists(calibrations, min_size=1, max_size=5), st.data())
def test_points_are_found_without_an_axis(
    several: list[Calibration], data: st.DataObject
) -> None:
    known = np.concatenate([one.axis() for one in several]).tolist()
    mz = data.draw(st.sampled_from(known) | st.floats(0, 1e6))
    for side in ("left", "right"):
        expected = [int(np.searchsorted(one.axis(), mz, side)) for one in several]  # type: ignore[call-overload]
        assert find_first(several, mz, side).tolist() == expected


def test_some_points_are_those_of_the_axis() -> None:
    one = replace(Calibration.of(REAL), polynomial=Polynomial(2000, 3000, (0.5, 1e-5)))
    some = np.array([0, 9000, 22430])
    assert one.mz_of(some).tolist() == one.axis()[some].tolist()


def test_how_far_high_precision_reaches() -> None:
    acqu = {
        **REAL, "HPClUse": True, "HPClBLo": 1000.0, "HPClBHi": 4000.0, "HPClOrd": 2,
        "HPCStr": flex.HPC,
    }  # fmt: skip
    one, plain = Calibration.of(acqu), Calibration.of(REAL)
    assert one.reach() == np.abs(one.axis() - plain.axis()).max() > 0.04
    assert plain.reach() == 0


def test_few_long_axes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Calibration.of(REAL)
    other = replace(one, ml2=275.0)
    assert one.axis() is one.axis()
    kept = one.axis(), other.axis()
    assert (one.axis() is kept[0], other.axis() is kept[1]) == (True, True)
    monkeypatch.setattr(calibration_module, "_LONG", 10)
    long = one.axis(), other.axis()
    assert other.axis() is long[1]
    assert one.axis() is not long[0]
    with pytest.raises(ValueError, match="read-only"):
        one.axis()[0] = 1
