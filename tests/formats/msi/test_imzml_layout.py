from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml.arrays import Arrays
from napari_scope.formats.msi.imzml.document import Document
from napari_scope.formats.msi.imzml.entry import FIELDS, MISSING, ArrayForm, Form
from napari_scope.formats.msi.imzml.layout import lay_out
from napari_scope.formats.msi.xml_nodes import Node

if TYPE_CHECKING:
    from napari_scope.formats.msi.imzml.layout import Layout

F4, F8 = np.dtype("<f4"), np.dtype("<f8")
PLAIN = Form(ArrayForm(F8, "none"), ArrayForm(F4, "none"), None, "", "", ())
PACKED = Form(ArrayForm(F8, "zlib"), ArrayForm(F4, "zlib"), None, "", "", ())
ANY = st.one_of(
    st.integers(-8, 300),
    st.sampled_from([MISSING, -(1 << 31), (1 << 31) - 1, 1 << 32, (1 << 62) - 1]),
    st.integers(-(1 << 62) + 1, (1 << 62) - 1),
)


def document(
    rows: dict[str, list[int]], forms: list[Form], form: list[int]
) -> Document:
    n = len(form)
    columns: dict[str, Any] = {
        name: np.array(rows.get(name, [MISSING] * n), np.int64) for name in FIELDS
    }
    columns["total"] = np.full(n, np.nan)
    columns["x"] = np.array(rows.get("x", range(1, n + 1)))
    columns["y"] = np.ones(n, np.int64)
    return Document(Node("mzML", {}, 0), columns, np.array(form), tuple(forms))


def arrays(layout: Layout) -> list[Arrays]:
    return [one for part in layout.parts for one in (part.mz, part.intensity)]


@given(
    st.lists(st.tuples(*[ANY] * 6, st.integers(0, 2)), min_size=1, max_size=6),
    st.integers(0, 300),
)
@settings(max_examples=200, deadline=None)
def test_whatever_the_numbers_are_nothing_beyond_the_file_is_read(
    rows: list[tuple[int, ...]], size: int
) -> None:
    names = [f"{kind}_{part}" for kind in ("mz", "intensity")
             for part in ("offset", "length", "encoded")]  # fmt: skip
    columns = {name: [row[k] for row in rows] for k, name in enumerate(names)}
    unknown = Form(ArrayForm(None, "none"), ArrayForm(F4, "none"), None, "", "", ())
    said = document(columns, [PLAIN, PACKED, unknown], [row[6] for row in rows])
    try:
        layout = lay_out(said, size, "a.imzML")
    except FormatError as error:
        assert "a.imzML" in str(error)
        return
    numbers = np.concatenate([part.numbers for part in layout.parts])
    assert sorted(numbers.tolist()) == list(range(len(rows)))
    for one in arrays(layout):
        assert (one.offset >= 0).all() and (one.size >= 0).all()
        assert (one.offset + one.size <= size).all()
        assert (one.length >= 0).all()
        if one.compression == "none":
            assert (one.size == one.length * one.dtype.itemsize).all()
        else:
            assert (one.length * one.dtype.itemsize <= one.size * 1100 + 64).all()
    for part in layout.parts:
        if part.mz.shared is None:
            empty = (part.mz.length == 0) | (part.intensity.length == 0)
            assert ((part.mz.size == 0) == empty).all()
            assert ((part.intensity.size == 0) == empty).all()


def plain(offsets: list[int]) -> Document:
    n = len(offsets)
    return document(
        {
            "mz_offset": [16] * n,
            "mz_length": [2] * n,
            "intensity_offset": offsets,
            "intensity_length": [2] * n,
        },
        [PLAIN],
        [0] * n,
    )


def test_wrapped_offsets_ascend() -> None:
    gb = 1 << 30
    real = [32, 2 * gb - 8, 2 * gb, 3 * gb, 4 * gb - 8, 4 * gb, 6 * gb, 7 * gb]
    wrapped = [(value + 2 * gb) % (4 * gb) - 2 * gb for value in real]
    layout = lay_out(plain(wrapped), 10 * gb, "a.imzML")
    (part,) = layout.parts
    assert part.intensity.offset.tolist() == real
    assert part.mz.offset.tolist() == [16] * 8
    assert len(layout.problems) == 1


def test_one_negative_offset_among_large_ones_is_no_wrap() -> None:
    gb = 1 << 30
    layout = lay_out(plain([32, 5 * gb, -8, 6 * gb]), 10 * gb, "a.imzML")
    assert layout.parts[0].intensity.offset.tolist() == [32, 5 * gb, 0, 6 * gb]
    assert "number 2, at byte -8" in layout.problems[0]


def test_shared_arrays() -> None:
    def of(offset: list[int], length: list[int]) -> Arrays:
        numbers = np.array(length)
        return Arrays(np.array(offset), numbers * 4, numbers, F4, "none")

    assert of([16, 16, 16], [5, 5, 5]).shared == 0
    assert of([0, 16, 0, 16], [0, 5, 0, 5]).shared == 1
    assert of([16, 20], [5, 5]).shared is None
    assert of([16, 16], [5, 4]).shared is None
    assert of([0, 0], [0, 0]).shared is None


def test_forms_that_mean_the_same_are_one_part() -> None:
    other = Form(PLAIN.mz, PLAIN.intensity, True, "positive", "1", ("odd",))
    third = Form(PLAIN.mz, PLAIN.intensity, False, "", "", ("odd",))
    said = plain([32, 40, 48])
    said = Document(said.root, said.columns, np.array([0, 1, 2]), (PLAIN, other, third))
    layout = lay_out(said, 100, "a.imzML")
    assert len(layout.parts) == 1
    assert layout.problems == ("odd",)


def test_problems_of_many_spectra_are_one_sentence() -> None:
    layout = lay_out(plain([32, 96, 97, 98, 99]), 100, "a.imzML")
    (problem,) = layout.problems
    assert problem == (
        "4 of 5 intensity arrays do not lie in the .ibd file of 100 bytes; these "
        "spectra are empty, the first is number 1, at byte 96"
    )


def test_every_array_beyond_the_file() -> None:
    with pytest.raises(FormatError, match=r"no m/z array lies in the \.ibd file of 9"):
        lay_out(plain([32, 40]), 9, "a.imzML")
