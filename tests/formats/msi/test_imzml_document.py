from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi.imzml_files import Wild, some

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml.document import read_strictly
from napari_scope.formats.msi.imzml.entry import FIELDS, MISSING

if TYPE_CHECKING:
    from pathlib import Path


def test_columns_and_forms(tmp_path: Path) -> None:
    spectra = some(4)
    spectra[1].total = 12.5
    spectra[2].z = None
    spectra[3].intensity_type = "i4"
    document = read_strictly(Wild(spectra).write(tmp_path / "a.imzML"))
    assert tuple(document.columns) == FIELDS
    assert document.columns["x"].tolist() == [1, 2, 3, 1]
    assert document.columns["z"].tolist() == [1, 1, MISSING, 1]
    np.testing.assert_array_equal(
        document.columns["total"], [np.nan, 12.5, np.nan, np.nan]
    )
    assert document.columns["mz_offset"][0] == 16
    assert document.form.tolist() == [0, 0, 0, 1]
    assert [form.intensity.dtype for form in document.forms] == [
        np.dtype("f4"), np.dtype("i4"),
    ]  # fmt: skip
    # The tree has all but the spectra.
    assert document.root.tag == "mzML"
    (spectrum_list,) = document.root.all("spectrumList")
    assert spectrum_list.get("count") == "4" and spectrum_list.children == []


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), (" -3 ", -3), ("12.0", 12), ("1e3", 1000), ("+4", 4)],
)
def test_integers(tmp_path: Path, text: str, value: int) -> None:
    spectra = some(2)
    spectra[1].instead["x"] = text
    document = read_strictly(Wild(spectra).write(tmp_path / "a.imzML"))
    assert document.columns["x"].tolist() == [1, value]


@pytest.mark.parametrize(
    "text", ["", "x", "1.5", "nan", "inf", "1e400", "9" * 30, "0x10", "9" * 5000]
)
def test_what_is_no_integer(tmp_path: Path, text: str) -> None:
    spectra = some(2)
    spectra[1].instead["mz_length"] = text
    path = Wild(spectra).write(tmp_path / "a.imzML")
    with pytest.raises(FormatError, match=r"spectrum 1: mz length is .* an integer"):
        read_strictly(path)


def test_elements_that_tell_nothing_are_not_kept(tmp_path: Path) -> None:
    def text(text: str) -> str:
        more = '<chromatogramList><chromatogram id="TIC"/></chromatogramList>'
        index = '<indexList><offset id="a">5</offset></indexList>'
        return text.replace("</run>", f"{more}</run>{index}")

    document = read_strictly(Wild(some(2), text=text).write(tmp_path / "a.imzML"))
    assert [node.tag for node in document.root.all("chromatogram", "offset")] == []
    assert document.root.first("indexList") is not None


def test_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read: No such file"):
        read_strictly(tmp_path / "a.imzML")
    with pytest.raises(FormatError, match="cannot be read"):
        read_strictly(tmp_path)
