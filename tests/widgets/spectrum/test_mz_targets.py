from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.msi.convert_ions import parse_ions
from napari_scope.widgets.spectrum.mz_targets import (
    MzTarget,
    parse_targets,
    targets_csv,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("885.55", MzTarget("", 885.55)),
        ("PI 38:4, 885.55", MzTarget("PI 38:4", 885.55)),
        ("885.55\t10 ppm\tPI", MzTarget("PI", 885.55, 10)),
        ("heme;616,18;0,3 Da", MzTarget("heme", 616.18, 0.3, "Da")),
        ('"a, b",100.5,5', MzTarget("a, b", 100.5, 5)),
        ("m/z,ppm,Name\n100.5,7,x", MzTarget("x", 100.5, 7)),
        ("name;mz;tolerance (Da)\nx;100,5;0,25", MzTarget("x", 100.5, 0.25, "Da")),
        ("mz,tolerance,unit\n100.5,20,mDa", MzTarget("", 100.5, 0.02, "Da")),
        ("\ufeffmz\n# a remark\n\n100.5", MzTarget("", 100.5)),
        ("x, 100.5, -1", MzTarget("x", 100.5)),
        ("m/z [Da];tol (mDa)\n100,5;20", MzTarget("", 100.5, 0.02, "Da")),
        (
            "# SCiLS\nm/z;Interval Width (+/- Da);Color;Name\n100.5;0.25;#fff;x",
            MzTarget("x", 100.5, 0.25, "Da"),
        ),
    ],
)
def test_lists_as_people_have_them(text: str, expected: MzTarget) -> None:
    assert parse_targets(text) == ((expected,), ())


def test_what_has_no_mz_is_told() -> None:
    targets, skipped = parse_targets("a, b\n-4\nnan\n1e999\n200")
    assert [t.mz for t in targets] == [200]
    assert skipped == ("line 1: a, b", "line 2: -4", "line 3: nan", "line 4: 1e999")


names = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), max_size=12
)


windows = st.tuples(st.floats(0, 1e4), st.sampled_from(["Da", "ppm"]))


@given(
    st.lists(
        st.builds(MzTarget, names, st.floats(1e-3, 1e5))
        | st.builds(
            lambda name, mz, window: MzTarget(name, mz, *window),
            names,
            st.floats(1e-3, 1e5),
            windows,
        )
    )
)
def test_what_was_saved_is_read_again(targets: list[MzTarget]) -> None:
    found, skipped = parse_targets(targets_csv(targets))
    assert (list(found), skipped) == (targets, ())


@given(st.text(max_size=200))
def test_any_text_is_read_or_told(text: str) -> None:
    targets, _ = parse_targets(text)
    assert all(target.mz > 0 for target in targets)


def test_the_command_line_reads_a_saved_list() -> None:
    targets = [MzTarget("a;b", 500.25, 5.0, "ppm"), MzTarget("", 7.5)]
    found = parse_ions(targets_csv(targets), tolerance=0.3, unit="Da")
    assert [(i.name, i.mz, i.tolerance, i.unit) for i in found] == [
        ("a;b", 500.25, 5.0, "ppm"),
        ("", 7.5, 0.3, "Da"),
    ]
