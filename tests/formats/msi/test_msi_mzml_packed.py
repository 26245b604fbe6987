"""mzML that is packed with gzip: unpacked once, into a cache that is bounded."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi.mzml_files import Scan, peaks, thermo, write_many, write_mzml

from napari_scope.errors import FormatError
from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi.mzml import MzMLReader, packed

if TYPE_CHECKING:
    from pathlib import Path

N = 6


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for unpacked files."""
    monkeypatch.setenv("NAPARI_SCOPE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mzml"


def _file(folder: Path, name: str = "a.mzML.gz") -> Path:
    scans = [thermo(Scan(*peaks(k)), 10 * k, 0) for k in range(N)]
    plain = write_mzml(folder / "plain.mzML", scans)
    path = folder / name
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return path


def _tic(reader: MzMLReader) -> list[float]:
    return [float(value) for value in reader.data.tic_image()[0]]


def _expected(n: int = N) -> list[float]:
    return [float(peaks(k)[1].sum(dtype=float)) for k in range(n)]


def test_a_packed_file_is_unpacked_once(tmp_path: Path, cache: Path) -> None:
    path = _file(tmp_path, "A.MZML.GZ")
    identities = []
    for _ in range(2):
        with open_msi(path) as reader:
            assert isinstance(reader, MzMLReader)
            assert reader.path == path
            assert reader.title == "A"
            assert reader.problems == ()
            np.testing.assert_allclose(_tic(reader), _expected(), rtol=1e-6)
            identities.append(reader.data_sets[0].identity)
        (kept,) = os.listdir(cache)
        (cache / kept).touch()
    # Else sums and peaks that were kept of it would be made again each time.
    assert len(set(identities)) == 1
    assert MzMLReader.size(path) is None


def test_another_file_of_the_name_is_unpacked_again(
    tmp_path: Path, cache: Path
) -> None:
    path = _file(tmp_path)
    MzMLReader(path).close_file()
    plain = write_many(tmp_path / "b.mzML", (2, 2))
    path.write_bytes(gzip.compress(plain.read_bytes()))
    with MzMLReader(path) as reader:
        assert reader.shape[:2] == (2, 2)
    assert len(os.listdir(cache)) == 2


@pytest.mark.parametrize("again", [False, True])
def test_of_a_packed_file_that_was_cut_off_opens_what_there_is(
    tmp_path: Path, cache: Path, again: bool
) -> None:
    path = _file(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    if again:
        MzMLReader(path).close_file()
    with MzMLReader(path) as reader:
        found = _tic(reader)
        assert 0 < len(found) < N
        np.testing.assert_allclose(found, _expected(len(found)), rtol=1e-6)
        assert "the packed file is damaged or was not copied whole" in reader.problems


def test_bits_that_changed_are_told(tmp_path: Path, cache: Path) -> None:
    path = _file(tmp_path)
    data = bytearray(path.read_bytes())
    data[-8] ^= 255  # of the checksum
    path.write_bytes(data)
    with MzMLReader(path) as reader:
        assert any("the packed file is damaged" in one for one in reader.problems)


# Workers must collect the same names: no time of packing in them.
@pytest.mark.parametrize(
    "data", [b"", b"no gzip", gzip.compress(b"", mtime=0)], ids=["empty", "other", "gz"]
)
def test_what_is_no_packed_mzml_is_left_to_others(
    tmp_path: Path, cache: Path, data: bytes
) -> None:
    path = tmp_path / "a.mzML.gz"
    path.write_bytes(data)
    assert not MzMLReader.is_valid_dataset(path)
    with pytest.raises(FormatError):
        MzMLReader(path)
    assert not cache.is_dir() or len(os.listdir(cache)) <= 1


def test_without_room_it_says_what_to_do(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _file(tmp_path)
    monkeypatch.setattr(packed, "free_bytes", lambda folder: (2 << 30) + 100)
    with pytest.raises(FormatError, match=r"no room.* 100 bytes") as caught:
        MzMLReader(path)
    assert "gunzip" in str(caught.value.hint)
    assert os.listdir(cache) == []


def test_a_cache_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, cache: Path
) -> None:
    path = _file(tmp_path)
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(FormatError, match="unpacked into") as caught:
        MzMLReader(path)
    assert "gunzip" in str(caught.value.hint)


def test_what_was_used_longest_ago_goes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (_file(tmp_path, f"{name}.mzML.gz") for name in "abc")
    for n, path in enumerate((first, second)):
        MzMLReader(path).close_file()
        newest = max(cache.iterdir(), key=lambda one: one.stat().st_mtime)
        os.utime(newest, (n + 1, n + 1))
    one = newest.stat().st_size
    MzMLReader(first).close_file()  # used again: the second one is the oldest
    monkeypatch.setattr(packed, "_MOST_BYTES", 2 * one)
    MzMLReader(third).close_file()
    assert len(os.listdir(cache)) == 2
    assert not newest.exists()


def test_a_folder_does_not_unpack_its_files(tmp_path: Path, cache: Path) -> None:
    _file(tmp_path)
    assert not MzMLReader.is_valid_dataset(tmp_path)
    assert MzMLReader.get_files_from_dir(tmp_path) == []
