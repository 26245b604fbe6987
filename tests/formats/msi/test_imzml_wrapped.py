"""Offsets that were written with 32 bits, with a sign and without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi.imzml_files import One, Wild, some
from tests.formats.msi.imzml_reading import assert_holds, only
from tests.formats.msi.test_imzml_layout import PACKED, PLAIN, document

from napari_scope.formats.msi.imzml import ImzMLReader
from napari_scope.formats.msi.imzml.layout import lay_out
from napari_scope.formats.msi.imzml.wrapped import ascending

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.formats.msi.imzml.document import Document
    from napari_scope.formats.msi.imzml.layout import Layout

GB = 1 << 30
WRAP = 4 * GB


def over_one_axis(offsets: list[int], length: int) -> Document:
    """Return a document of which the intensities (4 bytes each) lie at offsets."""
    n = len(offsets)
    return document(
        {
            "mz_offset": [16] * n,
            "mz_length": [length] * n,
            "intensity_offset": offsets,
            "intensity_length": [length] * n,
        },
        [PLAIN],
        [0] * n,
    )


def intensities(layout: Layout) -> list[int]:
    (part,) = layout.parts
    return part.intensity.offset.tolist()


def test_steps_back_are_steps_on() -> None:
    real = [8, 3 * GB, 4 * GB + 5, 7 * GB, 8 * GB, 8 * GB + 1]
    assert ascending(np.array(real) % WRAP).tolist() == real
    # A step of half the range or less is none.
    assert ascending(np.array([2 * GB, 0])).tolist() == [2 * GB, 0]
    assert ascending(np.zeros(0, np.int64)).tolist() == []


def contiguous(n: int, length: int) -> tuple[list[int], int]:
    """Return offsets of n arrays one behind the other, and where the last one ends."""
    begin = 16 + 8 * length
    return [begin + k * 4 * length for k in range(n)], begin + n * 4 * length


@pytest.mark.parametrize("n", [7, 24])
def test_offsets_without_a_sign(n: int) -> None:
    length = 256 << 20  # 1 GB of each spectrum, 2 GB of the axis
    real, size = contiguous(n, length)
    wrapped = [value % WRAP for value in real]
    layout = lay_out(over_one_axis(wrapped, length), size, "a.imzML")
    assert intensities(layout) == real
    (problem,) = layout.problems
    assert "begin again at 0 beyond 4 GB, from spectrum 2 on" in problem
    # Of a file that was not copied whole, too: what is there is read rightly.
    cut = lay_out(over_one_axis(wrapped, length), size - 5, "a.imzML")
    assert intensities(cut) == [*real[:-1], 0]
    assert f"the first is number {n - 1}" in cut.problems[1]


def test_offsets_without_a_sign_that_do_not_lie_upon_each_other() -> None:
    # Only the end of the file tells it: nothing is told twice.
    length = 16
    real = [3 * GB, 4 * GB - 64, 4 * GB, 4 * GB + 64]
    wrapped = [value % WRAP for value in real]
    wrapped[2:] = [value + 1024 for value in wrapped[2:]]
    real[2:] = [value + 1024 for value in real[2:]]
    end = real[-1] + 4 * length
    assert intensities(lay_out(over_one_axis(wrapped, length), end, "a")) == real
    # With more behind them, they may lie where they are told to.
    layout = lay_out(over_one_axis(wrapped, length), end + 1, "a")
    assert intensities(layout) == wrapped
    assert layout.problems == ()


def test_offsets_in_another_order_are_left_as_they_are() -> None:
    length = 16
    for offsets in ([5 * GB, 3 * GB, 256], [4 * GB - 64, 256, 3 * GB, 512, 1 * GB]):
        layout = lay_out(over_one_axis(offsets, length), 6 * GB, "a.imzML")
        assert intensities(layout) == offsets
        assert layout.problems == ()
    # Numbers of more than 32 bits among them: the file ends where they say.
    more = [5 * GB, 3 * GB, 256]
    layout = lay_out(over_one_axis(more, length), 5 * GB + 4 * length, "a.imzML")
    assert intensities(layout) == more
    # Neither is a file that begins with an array at 0.
    layout = lay_out(over_one_axis([0, GB], 1), 3 * GB, "a.imzML")
    assert intensities(layout) == [0, GB]
    assert layout.problems == ()
    # As ascending ones, they would lie upon each other as well.
    upon = [3 * GB, 256, 256 + 32, 4 * GB - 64]
    layout = lay_out(over_one_axis(upon, length), 6 * GB, "a.imzML")
    assert intensities(layout) == upon


def test_empty_spectra_are_no_step_back() -> None:
    said = over_one_axis([3 * GB, 0, 3 * GB + 64, 0, 3 * GB + 128], 16)
    said.columns["intensity_length"][[1, 3]] = 0
    layout = lay_out(said, 3 * GB + 192, "a.imzML")
    (part,) = layout.parts
    assert part.intensity.offset[[0, 2, 4]].tolist() == [
        3 * GB, 3 * GB + 64, 3 * GB + 128,
    ]  # fmt: skip
    assert part.intensity.length.tolist() == [16, 0, 16, 0, 16]
    # Nor where offsets are negative.
    said = over_one_axis([2 * GB - 64, 0, -2 * GB, 0, 4 * GB // 2 - WRAP + 64], 16)
    said.columns["intensity_length"][[1, 3]] = 0
    layout = lay_out(said, 5 * GB, "a.imzML")
    (part,) = layout.parts
    assert part.intensity.offset[[0, 2, 4]].tolist() == [
        2 * GB - 64, 2 * GB, 2 * GB + 64,
    ]  # fmt: skip


def test_below_4_gb_the_order_does_not_matter() -> None:
    real = [3 * GB, 256, 2 * GB, 1024, 3 * GB + 64]
    signed = [(value + 2 * GB) % WRAP - 2 * GB for value in real]
    layout = lay_out(over_one_axis(signed, 16), 3 * GB + 128, "a.imzML")
    assert intensities(layout) == real
    assert len(layout.problems) == 1


def test_a_negative_offset_of_a_small_file_is_an_error() -> None:
    layout = lay_out(over_one_axis([256, -8], 16), 1024, "a.imzML")
    (problem,) = layout.problems
    assert problem.endswith("the first is number 1, at byte -8")


def test_packed_arrays_have_the_bytes_that_are_told() -> None:
    n = 5
    real = [16 + k * GB for k in range(n)]
    said = document(
        {
            "mz_offset": [value % WRAP for value in real],
            "mz_length": [100] * n,
            "mz_encoded": [GB - 32] * n,
            "intensity_offset": [(value + GB - 32) % WRAP for value in real],
            "intensity_length": [100] * n,
            "intensity_encoded": [32] * n,
        },
        [PACKED],
        [0] * n,
    )
    (part,) = lay_out(said, 16 + n * GB, "a.imzML").parts
    assert part.mz.offset.tolist() == real
    assert part.intensity.offset.tolist() == [value + GB - 32 for value in real]


def test_a_file_beyond_4_gb(tmp_path: Path) -> None:
    spectra: list[One] = some(4)
    path = Wild(spectra).write(tmp_path / "a.imzML")
    ibd = path.with_suffix(".ibd")
    data = ibd.read_bytes()
    offset, pieces = 16, []
    for number, one in enumerate(spectra):
        # Nothing but the last array shows how large the file is.
        base = {0: 0, 1: 3 * GB, 2: 4 * GB + 4096, 3: 4 * GB + 8192}[number]
        for kind, width in (("mz", 8), ("intensity", 4)):
            count = width * len(one.mz)
            pieces.append((offset, base + offset, count))
            one.instead[f"{kind}_offset"] = str((base + offset) % WRAP)
            offset += count
    Wild(spectra).write(path)
    with ibd.open("r+b") as file:
        for at, target, count in pieces:
            file.seek(target)
            file.write(data[at : at + count])
    try:
        with ImzMLReader(path) as reader:
            assert_holds(reader, spectra)
            assert "begin again at 0 beyond 4 GB, from spectrum 2 on" in only(reader)
    finally:
        ibd.unlink()
