"""Kinds of scans, and which belong together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.msi.mzml.entry import Form
from napari_scope.formats.msi.mzml.links import find_parents
from napari_scope.formats.msi.mzml.scan_types import (
    ScanType,
    find_types,
    parse_filter,
)
from napari_scope.formats.msi.mzml.scans import NO_AXIS, Collector, Scans

MS1 = "FTMS + p MALDI Full ms [850.00-1000.00]"
MS2 = "ITMS + p MALDI Z ms2 907.73@cid60.00 [500.00-700.00]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MS1, ScanType(MS1, 1, "positive", "FTMS", window=(850.0, 1000.0))),
        (
            MS2,
            ScanType(
                MS2, 2, "positive", "ITMS", 907.73, "cid", 60.0, (500.0, 700.0)
            ),
        ),
        (
            "+ c d Full ms2  445.35@cid35.00 [ 110.00-905.00]",
            ScanType(
                "+ c d Full ms2 445.35@cid35.00 [ 110.00-905.00]",
                2, "positive", "", 445.35, "cid", 35.0, (110.0, 905.0),
            ),
        ),
        (
            "FTMS - p NSI Full ms3 907.73@cid35.00 500.20@hcd40.00 [100.00-900.00]",
            ScanType(
                "FTMS - p NSI Full ms3 907.73@cid35.00 500.20@hcd40.00 [100.00-900.00]",
                3, "negative", "FTMS", 500.2, "hcd", 40.0, (100.0, 900.0),
            ),
        ),
        (
            "FTMS + p NSI SIM ms [100.00-200.00, 300.00-400.00]",
            ScanType(
                "FTMS + p NSI SIM ms [100.00-200.00, 300.00-400.00]",
                1, "positive", "FTMS", window=(100.0, 400.0),
            ),
        ),
        ("nothing known", ScanType("nothing known")),
        ("+ p ms" + 5000 * "9", ScanType("+ p ms" + 5000 * "9", 1, "positive")),
    ],
)  # fmt: skip
def test_a_filter_string_is_read(text: str, expected: ScanType) -> None:
    assert parse_filter(text) == expected


def test_a_precursor_belongs_to_the_window_that_holds_it() -> None:
    types = [
        parse_filter(MS1),
        parse_filter(MS1.replace("850.00-1000.00", "100.00-850.00")),
        parse_filter(MS2),
    ]
    number = np.array([0, 1, 2])
    assert find_parents(types, number, ["a", "b", "c"], [""] * 3) == [(), (), (0,)]


def test_of_several_full_scans_the_one_that_is_named_counts() -> None:
    types = [parse_filter(MS1), parse_filter(MS1 + " "), parse_filter(MS2)]
    number = np.array([0, 1, 2, 0, 1, 2])
    ids = list("abcdef")
    named = find_parents(types, number, ids, ["", "", "a", "", "", "d"])
    assert named[2] == (0,)
    # Nothing is named: the one before it in the file.
    assert find_parents(types, number, ids, [""] * 6)[2] == (1,)


def test_ions_of_the_other_sign_do_not_belong_together() -> None:
    types = [parse_filter(MS1.replace("+", "-")), parse_filter(MS2)]
    assert find_parents(types, np.array([0, 1]), ["a", "b"], [""] * 2) == [(), ()]


def _scans(level: str, **texts: str) -> Scans:
    collector = Collector()
    collector.add(Form(level, "", None, "", None, None), texts, 0, {}, NO_AXIS)
    return collector.scans()


@pytest.mark.parametrize(
    ("level", "texts", "expected"),
    [
        ("\u00b2", {}, "MS1"),
        ("9" * 5000, {}, "MS1"),
        ("-1", {}, "MS1"),
        ("", {"precursor": "500"}, "MS2 500"),
        ("3", {"precursor": "inf", "energy": "nan"}, "MS3"),
        ("1", {"low": "inf", "high": "-inf"}, "MS1"),
        ("1", {"low": "50", "high": "1e3"}, "MS1 [50-1000]"),
        ("1", {"low": "50"}, "MS1"),
    ],
)
def test_numbers_that_are_none_do_no_harm(
    level: str, texts: dict[str, str], expected: str
) -> None:
    (kind,), number, problems = find_types(_scans(level, **texts))
    assert kind.name == expected
    assert number.tolist() == [0] and problems == []


@given(st.text(max_size=40))
def test_any_filter_string_is_read(text: str) -> None:
    assert parse_filter(text).level >= 0
