from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.errors import CancelledError, FormatError
from napari_scope.formats.msi import (
    MSIData,
    PixelTable,
    Spectrum,
    index_cache,
    open_msi,
    peak_store,
)
from napari_scope.formats.msi.imzml.writer import write_imzml
from napari_scope.formats.msi.memory import MemorySpectra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _memory(n: int = 60, identity: str = "a") -> MemorySpectra:
    random = np.random.default_rng(n)
    each = [
        Spectrum(np.sort(random.uniform(100, 900, 30)), random.random(30).astype("f4"))
        for _ in range(n)
    ]
    table = PixelTable.of(
        [i % 8 for i in range(n)], [i // 8 for i in range(n)], region=np.arange(n) % 3
    )
    return MemorySpectra("", table, each, identity=identity)


@pytest.fixture(autouse=True)
def there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk of the tests has left is not the question."""
    monkeypatch.setattr(index_cache, "free_bytes", lambda _: 1 << 40)


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_letting_go_of_the_index_while_it_is_read(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = MSIData(_memory())
    expected = data.ion_image(500, 200)
    size = 0 if where == "disk" else 256
    assert data.prepare_index(memory_mb=size, cache_dir=tmp_path)
    store: Any = peak_store.FileStore if where == "disk" else peak_store.MemoryStore
    inside, closed = threading.Event(), threading.Event()
    take = store.take

    def held(self: Any, column: int, start: int, stop: int) -> Any:
        if column:
            inside.set()
            assert closed.wait(10)
        return take(self, column, start, stop)

    monkeypatch.setattr(store, "take", held)
    with ThreadPoolExecutor(1) as pool:
        image = pool.submit(data.ion_image, 500, 200)
        assert inside.wait(10)
        data.close_index()
        closed.set()
        np.testing.assert_array_equal(image.result(10), expected)
    assert not data.index_ready


def test_a_damaged_index_is_passed_over(tmp_path: Path) -> None:
    data = MSIData(_memory())
    expected = data.ion_image(500, 200)
    assert data.prepare_index(memory_mb=0, cache_dir=tmp_path)
    (file,) = tmp_path.iterdir()
    with file.open("r+b") as opened:
        opened.truncate(5000)
    np.testing.assert_array_equal(data.ion_image(500, 200), expected)
    assert not data.index_ready
    # The next one is made anew.
    assert data.prepare_index(memory_mb=0, cache_dir=tmp_path)
    np.testing.assert_allclose(data.ion_image(500, 200), expected, rtol=1e-6)
    data.close_index()


def test_closing_gives_up_what_is_being_sorted() -> None:
    memory = _memory()
    data = MSIData(memory)
    reached, closed = threading.Event(), threading.Event()
    read: list[int] = []

    def blocks(numbers: Any = None) -> Iterator[Any]:
        for number in range(len(memory)):
            reached.set()
            assert closed.wait(10)
            read.append(number)
            yield from MemorySpectra.blocks(memory, np.array([number]))

    memory.blocks = blocks  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(data.prepare_index)
        assert reached.wait(10)
        other = pool.submit(data.prepare_index, cancelled=lambda: True)
        # The second one waits for the first, and need not.
        with pytest.raises(CancelledError):
            other.result(10)
        data.close_index()
        closed.set()
        with pytest.raises(CancelledError):
            one.result(10)
    # It ends at once, not when it would be done.
    assert read == [0]
    assert not data.index_ready


def test_what_was_sorted_too_late_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_scope.formats.msi import shared

    data = MSIData(_memory())
    real = shared.prepare

    def late(*arguments: Any, **known: Any) -> Any:
        index = real(*arguments, **known)
        data.close_index()
        return index

    monkeypatch.setattr(shared, "prepare", late)
    with pytest.raises(CancelledError, match="nobody needs"):
        data.prepare_index()
    assert not data.index_ready


def test_no_spectrum_has_no_value() -> None:
    nothing = MSIData(_memory(), np.zeros(0, np.int64))
    told: list[float] = []
    assert nothing.window(1, 1000).shape == (0,)
    assert nothing.window(1, 1000, progress=told.append).shape == (0,)
    with pytest.raises(CancelledError):
        MSIData(_memory()).window(1, 1000, cancelled=lambda: True)


def test_an_error_of_the_data_is_not_hidden() -> None:
    memory = _memory()

    def broken(*_: Any) -> Any:
        raise FormatError("the file was cut")

    memory.window = broken  # type: ignore[method-assign]
    with pytest.raises(FormatError, match="was cut"):
        MSIData(memory).ion_image(500, 1)


@pytest.mark.parametrize("mode", ["processed", "continuous"])
def test_eight_threads_see_the_same(tmp_path: Path, mode: str) -> None:
    memory = _memory(200)
    if mode == "continuous":
        rows = np.random.default_rng(0).random((200, 300)).astype("f4")
        memory = MemorySpectra.over(np.linspace(100, 900, 300), rows, memory.pixels)
    path = write_imzml(memory, tmp_path / "a.imzML")
    with open_msi(path) as reader:
        quiet = MSIData(memory)
        masses = np.linspace(150, 850, 12)
        images = [quiet.ion_image(float(mz), 20) for mz in masses]
        numbers = memory.pixels.numbers_of([1])
        odd = quiet.of_regions([1]).ion_image(500, 200)
        start = threading.Barrier(8)

        def work(seed: int) -> None:
            random = np.random.default_rng(seed)
            start.wait(10)
            data = reader.data
            for turn in range(25):
                which = int(random.integers(len(masses)))
                image = data.ion_image(float(masses[which]), 20)
                np.testing.assert_allclose(image, images[which], rtol=1e-5)
                x, y = int(random.integers(8)), int(random.integers(25))
                found = data.spectrum_at(x, y)
                expected = quiet.spectrum_at(x, y)
                np.testing.assert_array_equal(found.intensities, expected.intensities)
                np.testing.assert_array_equal(found.mz, expected.mz)
                some = MSIData(data.spectra, numbers, None, data.shared)
                part = some.ion_image(500, 200)
                np.testing.assert_allclose(part, odd, rtol=1e-5)
                if turn % 9 == seed % 9:
                    data.prepare_index(cache_dir=tmp_path, memory_mb=seed % 2)
                if turn == 12 and seed == 0:
                    data.close_index()
                assert data[x, y, :].shape == data.mz.shape

        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(work, seed) for seed in range(8)]:
                try:
                    done.result(60)
                except CancelledError:  # of the index that was nobody needs
                    assert mode == "processed"
