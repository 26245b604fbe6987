from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_scope.errors import FormatError
from napari_scope.formats import msi_unread
from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi_sniff import may_be_msi
from napari_scope.formats.msi_unread import why_not

if TYPE_CHECKING:
    from pathlib import Path

TIMS = ("analysis.tsf", "analysis.tsf_bin")


def test_raw_data_that_nobody_reads_are_told(tmp_path: Path) -> None:
    for name, files in {
        "Run 1.d": TIMS,
        "tdf.d": ("analysis.tdf", "analysis.tdf_bin"),
        "Solarix.D": ("Analysis.baf", "Analysis.baf_idx"),
        "rapid.d": ("0fb1.mcf", "0fb1.mcf_idx"),
    }.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).touch()
        for path in (tmp_path / name, str(tmp_path / name) + "/"):
            said = why_not(path)
            assert said is not None and said.startswith(f"{name} holds raw data")
            assert said.endswith(
                "as imzML from SCiLS Lab or flexImaging, and open that"
            )
        for file in files:
            assert why_not(tmp_path / name / file) == said
        # Nothing is claimed: another plugin may read it.
        assert not may_be_msi(tmp_path / name)
        assert not may_be_msi(tmp_path / name / files[0])


def test_rapiflex_images_are_told(tmp_path: Path) -> None:
    for name in ("a.dat", "a_poslog.txt", "a_info.txt", "a.mis", "b.dat", "c.mis"):
        (tmp_path / name).touch()
    for path in (tmp_path, tmp_path / "a.dat", tmp_path / "a.mis"):
        said = why_not(path)
        assert said is not None and said.startswith("the spectra of a rapifleX")
        assert not may_be_msi(path)
    for name in ("b.dat", "c.mis", "a_info.txt"):
        assert why_not(tmp_path / name) is None
    (tmp_path / "a.dat").unlink()
    assert why_not(tmp_path) is None


def test_of_foreign_data_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.mcf").touch()
    (tmp_path / "y.dat").touch()
    (tmp_path / "analysis.txt").touch()
    (tmp_path / "empty.d").mkdir()
    for path in (tmp_path, *tmp_path.iterdir(), tmp_path / "gone", "\0", "gone"):
        assert why_not(path) is None


def test_few_names_of_a_large_folder_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(msi_unread, "_MOST_NAMES", 1)
    for name in TIMS:
        (tmp_path / name).touch()
    assert len(msi_unread._names_in(str(tmp_path))) == 1


def test_opening_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.d").mkdir()
    (tmp_path / "a.d" / "analysis.tdf").touch()
    with pytest.raises(FormatError, match=r"a\.d holds raw data.* export them"):
        open_msi(tmp_path / "a.d")


@pytest.mark.parametrize(
    ("name", "missing"),
    [("a.ibd", ".imzML"), ("b.IBD", ".imzML"), ("a.t2m", ".hdr and .img")],
)
def test_a_file_without_its_partner_says_which(
    tmp_path: Path, name: str, missing: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"spectra")
    with pytest.raises(FormatError, match=f"the {missing} file .* is missing"):
        open_msi(path)
    for suffix in (".imzML", ".hdr", ".img"):
        path.with_suffix(suffix).touch()
    assert why_not(path) is None


@pytest.mark.parametrize(
    ("name", "data", "hint"),
    [
        ("a.imzML", b"", "the file is empty"),
        ("a.imzML", b"{}", "does not begin like mzML"),
        ("a.mzML", b"\0\0", "does not begin like mzML"),
        ("a.hdr", b"ncols 3", "three files of one name"),
        ("a.txt", b"text", "the formats are"),
    ],
)
def test_a_file_that_is_called_like_ours_gets_a_hint(
    tmp_path: Path, name: str, data: bytes, hint: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match=hint):
        open_msi(tmp_path / name)
