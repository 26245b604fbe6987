"""Kinds of scans, and which belong together."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scope.formats.msi.mzml.links import find_parents
from napari_scope.formats.msi.mzml.scan_types import ScanType, parse_filter

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
