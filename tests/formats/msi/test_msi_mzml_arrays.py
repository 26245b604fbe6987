"""Arrays of mzML: every type and coding, and texts that are none."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.msi.mzml_files import CODINGS, TYPES, Array

from napari_scope.formats.msi.mzml import terms
from napari_scope.formats.msi.mzml.arrays import (
    ArrayForm,
    Coding,
    decode,
    decode_part,
    stored_dtype,
)

VALUES = np.array([0.0, 1.0, 2.0, 500.0, 7000.0])


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_and_coding_comes_back(dtype: str, coding: str) -> None:
    form = ArrayForm(terms.TYPES[TYPES[dtype][0]], terms.CODINGS[CODINGS[coding][0]])
    text = base64.b64encode(Array("mz", VALUES, dtype, coding).data())
    found = decode(text, form, len(VALUES))
    assert found.dtype == stored_dtype(form)
    np.testing.assert_allclose(found, VALUES, rtol=3e-4 if "slof" in coding else 0)


def test_lines_in_the_text_are_passed_over() -> None:
    text = base64.b64encode(VALUES.tobytes())
    broken = b"\r\n  ".join([b"", text[:8], text[8:20], text[20:], b""])
    form = ArrayForm(np.dtype("<f8"), Coding())
    assert decode(broken, form, 5).tolist() == VALUES.tolist()


@pytest.mark.parametrize(
    ("text", "coding", "words"),
    [
        (b"AAA*", Coding(), "base64"),
        (b"AAAAA", Coding(), "base64"),
        (base64.b64encode(b"12345"), Coding(), "no whole number"),
        (base64.b64encode(b"no zlib at all"), Coding(zlib=True), "unpacked"),
        (
            base64.b64encode(zlib.compress(VALUES.tobytes())[:-6]),
            Coding(zlib=True),
            "unpacked",
        ),
        (b"AAAA", Coding(zlib=True, numpress="linear"), "unpacked"),
        (b"AAAA", Coding(numpress="linear"), "numpress linear"),
        (b"AAAA", Coding(unknown="zstd (MS:1003780)"), "zstd"),
    ],
)
def test_a_damaged_text_is_an_error(text: bytes, coding: Coding, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode(text, ArrayForm(np.dtype("<f8"), coding), 5)


def test_a_type_that_is_not_told_is_an_error() -> None:
    with pytest.raises(ValueError, match="type"):
        decode(b"AAAA", ArrayForm(None, Coding()), 1)


def test_an_array_does_not_unpack_to_any_size() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(80 << 20)))
    with pytest.raises(ValueError, match="more than"):
        decode(bomb, ArrayForm(np.dtype("<f8"), Coding(zlib=True)), 5)


@given(st.integers(0, 30), st.integers(1, 8), st.sampled_from(["<f4", "<f8", "<i4"]))
def test_a_part_of_a_text_is_a_part_of_its_values(
    first: int, count: int, dtype: str
) -> None:
    values = np.arange(40).astype(dtype)
    width = values.dtype.itemsize
    text = base64.b64encode(values.tobytes())
    begin, end = first * width, (first + count) * width
    group = begin // 3
    part = text[4 * group : 4 * -(-end // 3)]
    form = ArrayForm(values.dtype, Coding())
    found = decode_part(part, begin - 3 * group, end - begin, form)
    assert found.tolist() == values[first : first + count].tolist()
