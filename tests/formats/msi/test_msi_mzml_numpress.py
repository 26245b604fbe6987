"""MS-Numpress: what pynumpress 0.1.5 has written, and what our own plain writer has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.msi import mzml_files

from napari_scope.formats.msi.mzml.numpress import (
    DECODERS,
    decode_linear,
    decode_pic,
    decode_slof,
)


def test_linear_as_another_program_writes_it() -> None:
    data = bytes.fromhex("40f86a000000000080969800d059990048a162a84d1ea8860d10")
    expected = [100.0, 100.5, 101.25, 250.0001, 250.0002]
    assert decode_linear(data).tolist() == expected
    two = bytes.fromhex("40f86a00000000008096980040548900")
    assert decode_linear(two).tolist() == [100.0, 90.0]
    assert decode_linear(two[:12]).tolist() == [100.0]
    assert decode_linear(two[:8]).tolist() == []


def test_pic_as_another_program_writes_it() -> None:
    data = bytes.fromhex("8775c21307111710")
    assert decode_pic(data).tolist() == [0, 7, 300, 70000, 1]
    assert decode_pic(b"").tolist() == []


def test_slof_as_another_program_writes_it() -> None:
    data = bytes.fromhex("40b388000000000000009d28786fe5d98a0d")
    expected = [0.0, 6.999667673464063, 300.02701152251325, 69995.4636171269]
    np.testing.assert_allclose(
        decode_slof(data), [*expected, 1.0001056416700518], rtol=1e-12
    )


@given(st.lists(st.floats(0, 4000, allow_nan=False), max_size=40))
def test_linear_comes_back_within_half_a_step(values: list[float]) -> None:
    found = decode_linear(mzml_files.encode_linear(np.array(values)))
    np.testing.assert_allclose(found, values, atol=0.5001e-5)


@given(st.lists(st.integers(0, (1 << 31) - 1), max_size=40))
def test_pic_comes_back(values: list[int]) -> None:
    found = decode_pic(mzml_files.encode_pic(np.array(values, float)))
    # A last half byte of zeros is no number: one that ends so loses nothing.
    assert found.tolist() == values


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40))
def test_slof_comes_back_within_a_part_of_the_value(values: list[float]) -> None:
    found = decode_slof(mzml_files.encode_slof(np.array(values)))
    np.testing.assert_allclose(found, values, rtol=3e-4, atol=3e-4)


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=60))
def test_any_bytes_are_numbers_or_an_error(coding: str, data: bytes) -> None:
    try:
        found = DECODERS[coding](data)
    except ValueError as error:
        assert str(error)
    else:
        assert found.dtype == np.float64 and found.ndim == 1


@pytest.mark.parametrize(
    "data", [b"\x40", b"\0" * 16, bytes.fromhex("7ff8000000000000") + b"\0" * 8]
)
def test_a_factor_that_is_none_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"factor|few"):
        decode_linear(data)


def test_a_number_that_is_cut_off_is_an_error() -> None:
    with pytest.raises(ValueError, match="cut off"):
        decode_pic(bytes([0x51]))
