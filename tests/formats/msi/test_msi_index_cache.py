from __future__ import annotations

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.errors import CancelledError
from napari_scope.formats.msi import MSIData, PixelTable, Spectrum, index_cache
from napari_scope.formats.msi.index_cache import cache_folder, prepare
from napari_scope.formats.msi.memory import MemorySpectra

if TYPE_CHECKING:
    from pathlib import Path


def _memory(identity: str = "a", n: int = 30) -> MemorySpectra:
    random = np.random.default_rng(n)
    spectra = [
        Spectrum(random.uniform(100, 900, 20), random.random(20)) for _ in range(n)
    ]
    table = PixelTable.of(range(n), [0] * n, region=[i % 2 for i in range(n)])
    return MemorySpectra("", table, spectra, identity=identity)


@pytest.fixture(autouse=True)
def there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk of the tests has left is not the question."""
    monkeypatch.setattr(index_cache, "free_bytes", lambda _: 1 << 40)


def test_a_small_table_stays_in_memory(tmp_path: Path) -> None:
    index = prepare(_memory(), folder=tmp_path)
    assert index is not None
    assert not any(tmp_path.iterdir())


def test_a_large_one_is_kept_and_found_again(tmp_path: Path) -> None:
    memory = _memory()
    first = prepare(memory, memory_bytes=10, folder=tmp_path)
    assert first is not None
    first.close()
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    os.utime(file, (1, 1))
    # Nothing is read of the spectra.
    memory.blocks = None  # type: ignore[method-assign, assignment]
    again = prepare(memory, memory_bytes=10, folder=tmp_path)
    assert again is not None
    assert again.peaks == 600
    assert file.stat().st_mtime_ns >= written
    again.close()


def test_what_has_no_identity_is_not_kept(tmp_path: Path) -> None:
    assert prepare(_memory(""), memory_bytes=10, folder=tmp_path) is None
    assert not any(tmp_path.iterdir())


def test_the_folder_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        index = prepare(_memory(name), memory_bytes=10, folder=tmp_path)
        assert index is not None
        index.close()
    assert len(list(tmp_path.iterdir())) == 3
    for age, file in enumerate(sorted(tmp_path.iterdir())):
        os.utime(file, (age + 1, age + 1))
    oldest = min(tmp_path.iterdir(), key=lambda file: file.stat().st_mtime)
    size = oldest.stat().st_size
    monkeypatch.setattr(index_cache, "_MOST_BYTES", 3 * size)
    index = prepare(_memory("d"), memory_bytes=10, folder=tmp_path)
    assert index is not None
    index.close()
    assert len(list(tmp_path.iterdir())) == 3
    assert not oldest.exists()


def test_no_room_means_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(index_cache, "free_bytes", lambda _: 1000)
        assert prepare(_memory(), memory_bytes=10, folder=tmp_path) is None
    blocked = tmp_path / "file"
    blocked.touch()
    assert prepare(_memory(), memory_bytes=10, folder=blocked / "in") is None
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_cancelled(tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        prepare(_memory(), memory_bytes=10, folder=tmp_path, cancelled=lambda: True)
    assert not any(tmp_path.iterdir())


def test_images_are_the_same_with_it(tmp_path: Path) -> None:
    memory = _memory()
    data = MSIData(memory)
    odd = data.of_regions([1])
    before = data.ion_image(300, 50), odd.ion_image(300, 50, how="max")
    assert not data.index_ready
    assert data.prepare_index(cache_dir=tmp_path)
    assert odd.index_ready
    memory.blocks = None  # type: ignore[method-assign, assignment]
    after = data.ion_image(300, 50), odd.ion_image(300, 50, how="max")
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    data.close_index()
    assert not odd.index_ready


def test_a_common_axis_needs_none(tmp_path: Path) -> None:
    data = MSIData(MemorySpectra.over([1.0], [[1]], PixelTable.of([0], [0])))
    assert data.index_ready
    assert data.prepare_index(cache_dir=tmp_path)
    assert prepare(data.spectra, folder=tmp_path) is None


def test_the_folder_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SCOPE_CACHE_DIR", "elsewhere")
    assert cache_folder().parts == ("elsewhere", "peaks")
    monkeypatch.delenv("NAPARI_SCOPE_CACHE_DIR")
    assert cache_folder().name == "peaks"


def test_two_may_make_the_same_table_at_once(tmp_path: Path) -> None:
    start = threading.Barrier(4)

    def make(_: int) -> list[float]:
        memory = _memory(n=200)
        start.wait(10)
        index = prepare(memory, memory_bytes=10, folder=tmp_path)
        assert index is not None
        found = index.window(300, 400).tolist()
        index.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(make, range(4)))
    assert found == [found[0]] * 4
    assert [file.suffix for file in tmp_path.iterdir()] == [".peaks"]


def test_what_a_killed_program_left_goes_after_a_day(tmp_path: Path) -> None:
    for name, age in (("old.1.part", 2 * 86400), ("new.1.part", 60)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    index = prepare(_memory(), memory_bytes=10, folder=tmp_path)
    assert index is not None
    index.close()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".part", ".peaks"]
    assert not (tmp_path / "old.1.part").exists()


def test_spectra_are_read_twice_for_a_table(tmp_path: Path) -> None:
    for size in (0, 1 << 20):
        memory = _memory()
        blocks, passes = memory.blocks, list[int]()
        told: list[float] = []

        def counted(
            numbers: Any = None, blocks: Any = blocks, passes: list[int] = passes
        ) -> Any:
            passes.append(1)
            return blocks(numbers)

        memory.blocks = counted  # type: ignore[method-assign]
        index = prepare(
            memory, memory_bytes=size, folder=tmp_path, progress=told.append
        )
        assert index is not None
        index.close()
        assert len(passes) == 2
        assert told == sorted(told)
        assert told[-1] == 1
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()


def test_a_table_of_another_version_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (b"napari-scope peaks 1\n", b"napari-scope peaks 9\n"):
        monkeypatch.setattr(index_cache, "MAGIC", version)
        index = prepare(_memory(), memory_bytes=10, folder=tmp_path)
        assert index is not None
        index.close()
    assert len(list(tmp_path.iterdir())) == 2
