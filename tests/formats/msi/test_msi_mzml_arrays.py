"""Arrays of mzML: every type and coding, and texts that are none."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numcodecs.zstd import Zstd
from tests.formats.msi.mzml_files import CODINGS, TYPES, Array

from napari_scope.formats.msi.mzml import terms
from napari_scope.formats.msi.mzml.arrays import (
    ArrayForm,
    Coding,
    decode,
    decode_part,
    stored_dtype,
)
from napari_scope.formats.msi.mzml.zstd import unpacked, without_dictionary

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
        (base64.b64encode(b"no zlib at all"), Coding("zlib"), "unpacked"),
        (
            base64.b64encode(zlib.compress(VALUES.tobytes())[:-6]),
            Coding("zlib"),
            "unpacked",
        ),
        (b"AAAA", Coding("zlib", numpress="linear"), "unpacked"),
        (b"AAAAAAAA", Coding("zstd"), "no Zstandard"),
        (b"KLUv/Q==", Coding("zstd"), "end is missing"),
        (
            base64.b64encode(Zstd().encode(VALUES.tobytes())[:-2]),
            Coding("zstd"),
            "end is missing|unpacked",
        ),
        (b"AAAA", Coding(numpress="linear"), "numpress linear"),
        (b"AAAA", Coding(unknown="delta (MS:1003089)"), "delta"),
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
        decode(bomb, ArrayForm(np.dtype("<f8"), Coding("zlib")), 5)


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


@pytest.mark.parametrize("n", [0, 1, 255, 256, 70_000])
@pytest.mark.parametrize("coding", ["zstd", "shuffled zstd", "dictionary zstd"])
def test_arrays_of_zstandard_of_any_length(n: int, coding: str) -> None:
    # A dictionary of 255 values has indices of one byte, of 256 of two, and so on.
    values = np.arange(n, dtype="<f8") * 1.5
    form = ArrayForm(np.dtype("<f8"), terms.CODINGS[CODINGS[coding][0]])
    text = base64.b64encode(Array("mz", values, "f8", coding).data())
    np.testing.assert_array_equal(decode(text, form, n), values)


def test_values_that_come_again_are_once_in_a_dictionary() -> None:
    values = np.array([5.0, 1.0, 5.0, 5.0, 2.0], "<f4")
    form = ArrayForm(np.dtype("<f4"), Coding("zstd", "dictionary"))
    data = Array("intensity", values, "f4", "dictionary zstd").data()
    assert decode(base64.b64encode(data), form, 5).tolist() == values.tolist()


def _frames(*sizes: int, told: bool) -> bytes:
    """Return frames of zeros, in blocks that repeat a byte."""
    found = b""
    for size in sizes:
        head = b"\xa0" + struct.pack("<I", size) if told else b"\x00\x58"
        found += b"\x28\xb5\x2f\xfd" + head
        while size:
            part = min(size, 128 << 10)
            size -= part
            found += struct.pack("<I", part << 3 | 2 | (not size))[:3] + b"\0"
    return found


@pytest.mark.parametrize("told", [True, False])
def test_zstandard_unpacks_to_what_it_holds_and_not_to_any_size(told: bool) -> None:
    frames = _frames(300_000, 20, told=told)
    assert unpacked(frames, 300_020) == bytes(300_020)
    with pytest.raises(ValueError, match="more than 300,019"):
        unpacked(frames, 300_019)


@given(st.data())
def test_damaged_zstandard_is_an_error_or_bytes(data: st.DataObject) -> None:
    packed = bytearray(Zstd(level=3).encode(VALUES.tobytes() * 9))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(packed) - 1))
        packed[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3)
        )
        if not packed:
            return
    for order in ("", "shuffled", "dictionary"):
        form = ArrayForm(np.dtype("<f8"), Coding("zstd", order))
        try:
            decode(base64.b64encode(packed), form, 45)
        except ValueError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"12345", "too few"),
        (struct.pack("<QQ", 24, 2) + bytes(16), "does not end"),
        (struct.pack("<QQ", 1 << 60, (1 << 60) // 8 - 2), "does not end"),
        (struct.pack("<QQ", 24, 1) + bytes(8) + b"\1", "beyond"),
        (struct.pack("<QQ", 16 + 2400, 300) + bytes(2400) + b"\0", "whole number"),
    ],
)
def test_a_dictionary_that_is_none_is_an_error(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        without_dictionary(data, np.dtype("<f8"))
