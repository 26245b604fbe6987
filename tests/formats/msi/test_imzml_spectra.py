"""Blocks, columns and windows of imzML, however the arrays lie in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.msi import msi_brute as brute
from tests.formats.msi.imzml_files import One, over_one_axis, some
from tests.formats.msi.imzml_reading import opened

from napari_scope.formats.msi.imzml import gather
from napari_scope.formats.msi.imzml import spectra as module
from napari_scope.formats.msi.imzml.scan import can_scan, scan_window

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = [None, np.array([], np.int64), np.array([3]), np.array([11, 2, 2, 7, 0])]


def chosen(spectra: list[One], numbers: Any) -> list[One]:
    if numbers is None:
        return spectra
    return [spectra[number] for number in numbers.tolist()]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("block", [1, 60, 1 << 24])
def test_blocks_of_any_size(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    continuous: bool,
    packed: bool,
    block: int,
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    monkeypatch.setattr(gather, "_PIECE", block)
    spectra = over_one_axis(12) if continuous else some(12)
    spectra[4].arrays = False
    with opened(tmp_path, spectra, continuous=continuous, packed=packed) as reader:
        found = reader.data.spectra
        for numbers in NUMBERS:
            wanted = chosen(spectra, numbers)
            each = [
                one.spectrum(k)
                for one in found.blocks(numbers)
                for k in range(len(one))
            ]
            assert len(each) == len(wanted)
            for one, other in zip(each, wanted, strict=True):
                values = other.intensities if other.arrays else other.intensities * 0
                if continuous:
                    np.testing.assert_array_equal(one.intensities, values)
                elif other.arrays:
                    np.testing.assert_array_equal(one.mz, other.mz)
                    np.testing.assert_array_equal(one.intensities, values)
                else:
                    assert len(one.mz) == 0
            for how in ("sum", "max", "mean"):
                expected = brute.window(each, 150.0, 600.25, how)
                np.testing.assert_allclose(
                    found.window(150.0, 600.25, how, numbers), expected
                )
        assert (len(list(found.blocks())) > 1) == (block < 1 << 24)


@pytest.mark.parametrize("packed", [False, True])
def test_columns(tmp_path: Path, packed: bool) -> None:
    # Spectra of more than 4 kB, so that a part of each is read alone.
    spectra = over_one_axis(5, bins=3000)
    spectra[2].arrays = False
    spectra[3].intensities = spectra[3].intensities[:100]
    with opened(tmp_path, spectra, continuous=True, packed=packed) as reader:
        whole = np.zeros((5, 3000))
        for number, one in enumerate(spectra):
            if one.arrays:
                whole[number, : len(one.intensities)] = one.intensities
        found = reader.data.spectra
        for bins in ([0], [2999], [5, 6, 7], [90, 110], [7, 2], [], list(range(3000))):
            index = np.array(bins, np.int64)
            np.testing.assert_array_equal(found.columns(index), whole[:, index])
            numbers = np.array([4, 2, 3])
            np.testing.assert_array_equal(
                found.columns(index, numbers), whole[numbers][:, index]
            )
        low, high = spectra[0].mz[98], spectra[0].mz[105]
        np.testing.assert_array_equal(
            found.window(low, high), whole[:, 98:106].sum(axis=1)
        )
        assert found.mz_range() == (spectra[0].mz[0], spectra[0].mz[-1])


def test_little_is_read_for_a_window_of_a_continuous_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spectra = over_one_axis(5, bins=3000)
    with opened(tmp_path, spectra, continuous=True) as reader:
        assert reader._file is not None
        read: list[int] = []
        real = reader._file.read_pieces

        def counted(offsets: Any, size: int) -> list[bytes]:
            read.append(size * len(offsets))
            return real(offsets, size)

        monkeypatch.setattr(reader._file, "read_pieces", counted)
        monkeypatch.setattr(reader._file, "read_at", None)
        monkeypatch.setattr(reader._file, "read_into", None)
        low, high = spectra[0].mz[100], spectra[0].mz[103]
        reader.data.spectra.window(low, high)
        assert read == [5 * 4 * 4]


def test_arrays_in_any_order_of_the_file(tmp_path: Path) -> None:
    """All m/z values first, then all intensities, from the last spectrum on."""
    spectra = some(12, bins=30)
    order = list(range(12))[::-1]
    at = 16
    places: dict[tuple[str, int], int] = {}
    for kind, size in (("mz", 8), ("intensity", 4)):
        for number in order:
            places[kind, number] = at
            at += size * len(spectra[number].mz)
    for (kind, number), offset in places.items():
        spectra[number].instead[f"{kind}_offset"] = str(offset)

    def sorted_data(data: bytes) -> bytes:
        mz = b"".join(spectra[k].mz.astype("<f8").tobytes() for k in order)
        values = [spectra[k].intensities.astype("<f4").tobytes() for k in order]
        return data[:16] + mz + b"".join(values)

    with opened(tmp_path, spectra, ibd=sorted_data) as reader:
        assert reader.problems == ()
        found = reader.data.spectra
        for number, one in enumerate(spectra):
            np.testing.assert_array_equal(found.spectrum(number).mz, one.mz)
            np.testing.assert_array_equal(
                found.spectrum(number).intensities, one.intensities
            )
        each = [(one.mz, one.intensities) for one in spectra]
        np.testing.assert_allclose(
            found.window(200, 800),
            brute.window(each, 200, 800, "sum"),  # type: ignore[arg-type]
        )


def test_arrays_that_lie_far_apart_are_not_scanned(tmp_path: Path) -> None:
    spectra = some(4)
    size = sum(12 * len(one.mz) for one in spectra) + 16
    gap = bytes(1 << 20)
    spectra[3].instead["intensity_offset"] = str(
        size - 4 * len(spectra[3].mz) + len(gap)
    )

    def spread(data: bytes) -> bytes:
        tail = 4 * len(spectra[3].mz)
        return data[:-tail] + gap + data[-tail:]

    with opened(tmp_path, spectra, ibd=spread) as reader:
        found: Any = reader.data.spectra
        assert can_scan(found._part)
        numbers = np.arange(4)
        assert (
            scan_window(found._read_into, found._part, numbers, 0, 1e4, "sum") is None
        )
        assert found.window(0, 1e4).tolist() == [
            one.intensities.sum() for one in spectra
        ]


def test_unsorted_mz_values(tmp_path: Path) -> None:
    spectra = [
        One(np.array([500.0, 100.0, 300.0]), np.array([1, 2, 4])),
        One(np.array([300.0, 300.0]), np.array([8, 16]), 2),
    ]
    with opened(tmp_path, spectra) as reader:
        found = reader.data.spectra
        assert found.window(300, 500).tolist() == [5, 24]
        assert found.window(100, 100).tolist() == [2, 0]
        assert found.window(300, 300, "mean").tolist() == [4, 12]


def test_edges_of_a_window_are_those_of_the_values(tmp_path: Path) -> None:
    # 0.1 is a little more as a float of 4 bytes, 0.7 a little less.
    mz = np.array([0.1, 0.7], np.float32)
    with opened(tmp_path, [One(mz, np.array([1, 2]))] * 2, mz_type="f4") as reader:
        found: Any = reader.data.spectra
        part = found._part
        for low, high in ((0.1, 0.7), (float(mz[0]), float(mz[1])), (0.11, 0.69)):
            inside = (mz.astype(float) >= low) & (mz.astype(float) <= high)
            values = scan_window(
                found._read_into, part, np.array([0]), low, high, "sum"
            )
            assert values is not None
            assert values[0] == np.array([1, 2])[inside].sum()
