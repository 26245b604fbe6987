from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.msi import msi_brute as brute

from napari_scope.errors import CancelledError, FormatError
from napari_scope.formats.msi import (
    PixelTable,
    Spectrum,
    index_cache,
    peak_count,
    peak_index,
    peak_store,
)
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.peak_count import PeakCount
from napari_scope.formats.msi.peak_index import PeakIndex

if TYPE_CHECKING:
    from pathlib import Path

values = st.one_of(st.sampled_from([100.0, 250.0]), st.floats(90, 1100))
HOWS = ("sum", "max", "mean")


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_index, "_SAMPLE", 4)
    monkeypatch.setattr(peak_index, "_PIECE", 8)
    monkeypatch.setattr(peak_count, "_BUCKETS", 3)


def _memory(seed: int, n: int = 40, identity: str = "a") -> MemorySpectra:
    random = np.random.default_rng(seed)
    spectra = []
    for _ in range(n):
        size = int(random.integers(0, 12))
        mz = random.choice([100.0, 250.0, 400.0, 1000.0], size)
        mz = np.where(random.random(size) < 0.5, mz, random.uniform(90, 1100, size))
        spectra.append(Spectrum(mz, random.integers(-3, 90, size).astype("f4")))
    table = PixelTable.of(range(n), [0] * n)
    return MemorySpectra("", table, spectra, identity=identity)


@given(st.integers(0, 30), values, values)
def test_a_window_is_what_the_spectra_say(seed: int, low: float, high: float) -> None:
    memory = _memory(seed)
    index = PeakIndex.build(memory)
    for how in HOWS:
        expected = memory.window(low, high, how)  # type: ignore[arg-type]
        assert index.window(low, high, how) == pytest.approx(expected)  # type: ignore[arg-type]
        loops = brute.window([memory.spectrum(i) for i in range(40)], low, high, how)
        assert expected == pytest.approx(loops)


def test_a_file_says_the_same_and_is_opened_again(tmp_path: Path) -> None:
    memory = _memory(1)
    path = tmp_path / "peaks"
    built = PeakIndex.build(memory, path)
    expected = memory.window(90, 300, "max")
    assert built.window(90, 300, "max").tolist() == expected.tolist()
    built.close()
    again = PeakIndex.open(path, memory)
    assert again is not None
    assert again.peaks == built.peaks == PeakCount.of(memory).total
    for how in HOWS:
        found = again.window(100, 400, how)  # type: ignore[arg-type]
        assert found == pytest.approx(memory.window(100, 400, how))  # type: ignore[arg-type]
    again.close()


def test_a_file_of_other_data_is_not_taken(tmp_path: Path) -> None:
    memory, path = _memory(1), tmp_path / "peaks"
    built = PeakIndex.build(memory, path)
    built.close()
    assert PeakIndex.open(path, _memory(1, identity="b")) is None
    assert PeakIndex.open(path, _memory(1, n=41)) is None
    assert PeakIndex.open(tmp_path / "nothing", memory) is None
    data = path.read_bytes()
    for wrong in (data[:-1], data[:2000], b"", b"x" * 5000, b"\0" * len(data)):
        path.write_bytes(wrong)
        assert PeakIndex.open(path, memory) is None


def test_what_was_cancelled_leaves_no_file(tmp_path: Path) -> None:
    memory, path = _memory(1), tmp_path / "peaks"
    for last in (0.0, 0.3, 0.8):
        far: list[float] = []
        with pytest.raises(CancelledError):
            PeakIndex.build(
                memory,
                path,
                progress=far.append,
                cancelled=lambda last=last, far=far: bool(far) and far[-1] >= last,  # type: ignore[misc]
            )
        assert not path.exists()


def test_a_full_disk_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "peaks"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(peak_store.FileStore, "put", full)
    with pytest.raises(OSError, match="No space"):
        PeakIndex.build(_memory(1), path)
    assert not path.exists()


def test_one_that_would_be_too_large_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = _memory(1, identity="")
    counted = PeakCount.of(memory)
    size = sum(len(one.mz) for one in map(memory.spectrum, range(40))) * (8 + 2 + 4)
    assert counted.table_bytes == size

    def made(memory_bytes: int, identity: str = "") -> bool:
        memory.identity = identity
        index = index_cache.prepare(
            memory, memory_bytes=memory_bytes, folder=tmp_path / "kept"
        )
        if index is not None:
            index.close()
        return index is not None

    assert made(size)
    assert not made(size - 1)
    assert not (tmp_path / "kept").exists()
    monkeypatch.setattr(index_cache, "_SPARE_BYTES", 0)
    for room, expected in ((size - 1, False), (size, True)):
        monkeypatch.setattr(index_cache, "free_bytes", lambda _, room=room: room)
        assert made(size - 1, "a") is expected
        assert len(list((tmp_path / "kept").iterdir())) == expected


def test_no_peak_at_all() -> None:
    spectra = [Spectrum(np.zeros(0), np.zeros(0, "f4"))] * 3
    memory = MemorySpectra("", PixelTable.of(range(3), [0] * 3), spectra)
    index = PeakIndex.build(memory)
    for how in HOWS:
        assert index.window(0, 1e9, how).tolist() == [0, 0, 0]  # type: ignore[arg-type]


def test_progress_goes_up_to_one() -> None:
    told: list[float] = []
    PeakIndex.build(_memory(2), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1


def test_a_table_that_is_damaged_inside_is_not_believed(tmp_path: Path) -> None:
    memory, path = _memory(1), tmp_path / "peaks"
    built = PeakIndex.build(memory, path)
    built.close()
    n, whole = built.peaks, path.read_bytes()
    head = peak_store.HEAD_BYTES
    # m/z values that do not ascend.
    path.write_bytes(whole[:head] + np.full(1, 5000.0).tobytes() + whole[head + 8 :])
    assert PeakIndex.open(path, memory) is None
    # A spectrum that there is not.
    owners = head + 8 * n
    path.write_bytes(whole[:owners] + b"\xff" * 2 * n + whole[owners + 2 * n :])
    opened = PeakIndex.open(path, memory)
    assert opened is not None
    for how in HOWS:
        with pytest.raises(FormatError, match="damaged"):
            opened.window(90, 1100, how)  # type: ignore[arg-type]
    opened.close()
    # Columns of another type, or no columns.
    for types in ([">f8", "<u2", "<f4"], ["<f8", "<u4", "<f4"], ["<f8"], "abc", None):
        said = json.loads(whole[25:head].split(b"\0", 1)[0]) | {"types": types}
        text = json.dumps(said).encode()
        new = peak_index.MAGIC + struct.pack("<I", len(text)) + text
        path.write_bytes(new.ljust(head, b"\0") + whole[head:])
        assert PeakIndex.open(path, memory) is None


def test_a_long_identity_fits(tmp_path: Path) -> None:
    memory, path = _memory(1, identity="/\u6f22" * 4000), tmp_path / "peaks"
    PeakIndex.build(memory, path).close()
    again = PeakIndex.open(path, memory)
    assert again is not None
    assert again.window(90, 1100) == pytest.approx(memory.window(90, 1100))
    again.close()


def test_values_of_several_types(tmp_path: Path) -> None:
    each = [
        Spectrum(np.array([100.0, 250.0], "f4"), np.array([1, 2], "u1")),
        Spectrum(np.array([100.0]), np.array([2.5])),
    ]
    memory = MemorySpectra("", PixelTable.of([0, 1], [0, 0]), each, identity="a")
    for path in (None, tmp_path / "peaks"):
        index = PeakIndex.build(memory, path)
        assert index.window(90, 110).tolist() == [1, 2.5]
        assert index.window(200, 300, "max").tolist() == [2, 0]
        index.close()
