from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.formats import msi_sniff
from napari_scope.formats.msi import opening, registry
from napari_scope.formats.msi.imzml.writer import ImzMLWriter
from napari_scope.formats.msi_sniff import is_msi, may_be_msi

if TYPE_CHECKING:
    from pathlib import Path


def _imzml(folder: Path) -> Path:
    with ImzMLWriter(folder / "a.imzML", mz=np.array([1.0, 2.0])) as writer:
        writer.write(0, 0, None, np.array([3.0, 4.0]))
    return folder / "a.imzML"


def test_what_is_ours(tmp_path: Path) -> None:
    path = _imzml(tmp_path)
    for one in (path, path.with_suffix(".ibd"), tmp_path, str(tmp_path) + "/"):
        assert is_msi(one), one


@pytest.mark.parametrize(
    "name", ["scan.img", "scan.hdr", "other.h5", "notes Spot List.txt", "a.mzML"]
)
def test_foreign_files_of_the_same_suffix_are_not(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89HDF something else of 40 bytes or so ...")
    assert may_be_msi(tmp_path / name)
    assert not is_msi(tmp_path / name)


def test_foreign_things_are_told_from_names_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "b.hdr").write_text("x")
    for one in (
        tmp_path / "notes.txt",
        tmp_path,
        tmp_path / "gone",
        tmp_path / "inner",
    ):
        assert not may_be_msi(one), one


@pytest.mark.parametrize(
    "name",
    [
        "0_R00X012Y006", "R00X1Y2", "R00X1Y2Z3", "0_A1/1", "AB24/2", "My Spot List.txt",
        "fid", "acqus", "1SLin", "2SRef", "1Ref", "1/1SLin", "tissue/0_R00X012Y006",
        "run/0_A1/1", "0_A1/1/1SLin", "sample/a Spot List.txt",
    ],
)  # fmt: skip
def test_folders_of_flex_instruments_are_looked_into(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    assert may_be_msi(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "A1", "0_A1/tiff", "S100/a", "inner/A1/images", "R00X1.tif", "0_R00X0000001Y1",
        "a/b/0_A1/1", "1SLin.zip", "fid.txt", "1/2", "2010/05",
    ],
)  # fmt: skip
def test_folders_of_others_are_not(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    assert not may_be_msi(tmp_path)


def test_few_names_of_a_large_folder_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(msi_sniff, "_MOST_NAMES", 3)
    monkeypatch.setattr(msi_sniff, "_MOST_FOLDERS", 2)
    monkeypatch.setattr(msi_sniff, "_MOST_INSIDE", 2)
    asked: list[str] = []
    scandir = os.scandir

    def counted(path: str) -> object:
        asked.append(str(path))
        return scandir(path)

    for well in ("A1", "A2", "A3", "A4", "A5"):
        (tmp_path / well).mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", counted)
        assert not may_be_msi(tmp_path)
    # The folder, two of its wells, and two of its folders.
    assert len(asked) == 5
    assert len(msi_sniff._entries(tmp_path, 3)) == 3
    assert msi_sniff._entries(tmp_path / "gone", 3) == []


def test_foreign_paths_import_no_reader(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from napari_scope._reader import napari_get_reader\n"
        f"assert napari_get_reader({str(tmp_path)!r}) is None\n"
        "assert 'napari_scope.formats.msi' not in sys.modules\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_formats_of_other_packages_are_asked_about_every_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.strange").touch()
    asked: list[str] = []

    def format_of(path: object) -> type[object]:
        asked.append(str(path))
        return object

    monkeypatch.setattr(opening, "format_of", format_of)
    assert not msi_sniff._installed_formats()
    assert not is_msi(tmp_path / "a.strange")
    with monkeypatch.context() as patched:
        patched.setattr(registry, "has_foreign", lambda: True)
        assert is_msi(tmp_path / "a.strange")
    with monkeypatch.context() as patched:
        patched.setattr(msi_sniff, "_installed_formats", lambda: True)
        assert is_msi(tmp_path / "a.strange")
    assert len(asked) == 2
