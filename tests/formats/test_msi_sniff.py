from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

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
    "name", ["0_R00X012Y006", "R00X1Y2", "0_A1", "My Spot List.txt", "fid", "acqus"]
)
def test_folders_of_flex_instruments_are_looked_into(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert may_be_msi(tmp_path)


def test_foreign_paths_import_no_reader(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from napari_scope._reader import napari_get_reader\n"
        f"assert napari_get_reader({str(tmp_path)!r}) is None\n"
        "assert 'napari_scope.formats.msi' not in sys.modules\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
