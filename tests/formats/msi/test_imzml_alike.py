"""Spectra that are like one that is known are read as if each were looked at."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.msi.imzml_files import Wild, some
from tests.formats.msi.test_imzml_fast import SAMPLES, assert_same, mutated

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml import document
from napari_scope.formats.msi.imzml.alike import Alike
from napari_scope.formats.msi.imzml.document import read_strictly
from napari_scope.formats.msi.imzml.entry import INTEGERS, MISSING, read_entry
from napari_scope.formats.msi.xml_tree import nodes_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.formats.msi.xml_tree import Flat


def term(accession: str, value: str) -> Flat:
    said = ("accession", accession, "name", "a", "value", value)
    return ["cvParam", 3, *said, None]


def spectrum(x: str = "3", total: str = "7.5", level: str = "1", **more: str) -> Flat:
    said = {"id": "a", **more}
    return [
        "spectrum", len(said), *(text for pair in said.items() for text in pair),
        *term("MS:1000511", level), *term("MS:1000285", total),
        *term("MS:1000016", more.get("time", "5")),
        "scan", 0, *term("IMS:1000050", x), None, None,
    ]  # fmt: skip


def known(flat: Flat) -> Alike:
    (node,) = nodes_of(flat)
    return Alike(flat, read_entry(node, {}), 5)


def row(x: int) -> list[int]:
    return [x if field == "x" else MISSING for field in INTEGERS]


def test_numbers_are_taken_from_where_they_stand() -> None:
    alike = known(spectrum())
    assert alike.form == 5
    assert alike.numbers(spectrum()) == (row(3), 7.5)
    other = spectrum(" 12 ", "1e3", id="b")
    assert alike.numbers(other) == (row(12), 1000.0)
    # One spectrum leaves nothing behind for the next.
    assert alike.numbers(spectrum("-4")) == (row(-4), 7.5)


@pytest.mark.parametrize(
    "other",
    [
        spectrum(level="2"),
        spectrum("3.0"),
        spectrum("many"),
        spectrum(total="many"),
        spectrum(str(1 << 62)),
        spectrum(str(-(1 << 62))),
        spectrum("9" * 5000),
        spectrum(index="1"),
        spectrum()[:-1],
        [*spectrum()[:-1], "scan", 0, None, None],
        [text if text != "IMS:1000050" else "IMS:1000051" for text in spectrum()],
    ],
)
def test_all_else_is_looked_at_closely(other: Flat) -> None:
    assert known(spectrum()).numbers(other) is None


def test_the_largest_number() -> None:
    alike = known(spectrum())
    assert alike.numbers(spectrum(str((1 << 62) - 1))) == (row((1 << 62) - 1), 7.5)


def test_a_spectrum_without_a_number_is_no_example() -> None:
    said = spectrum()
    at = said.index("IMS:1000050") + 3
    assert said[at] == "value"
    said[at] = "valve"
    with pytest.raises(ValueError, match="could not convert"):
        known(said)
    said = spectrum()
    said[said.index("MS:1000285") + 3] = "valve"
    with pytest.raises(ValueError, match="has no value"):
        known(said)


@pytest.mark.parametrize("seed", range(2))
def test_it_makes_no_difference_on_mutated_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    spectra = some(12)
    spectra[5].total = 3.5
    spectra[7].z = None
    spectra[8].instead["x"] = "2.0"
    path = tmp_path / "a.imzML"
    sources = [one.read_bytes() for one in SAMPLES]
    for how in ({}, {"inline": True}):
        sources.append(Wild(spectra, **how).write(path).read_bytes())
    same = 0
    for _ in range(150):
        data = mutated(rng, rng.choice(sources)) or b"<"
        path.write_bytes(data)
        found: list[Any] = []
        for most in (24, 0):
            monkeypatch.setattr(document, "_MOST_KNOWN", most)
            try:
                found.append(read_strictly(path))
            except FormatError as error:
                found.append(str(error))
        if isinstance(found[0], str):
            assert found[0] == found[1]
        else:
            assert_same(*found)
            same += 1
    assert same > 50


def test_spectra_in_spectra_are_read_one_by_one(tmp_path: Path) -> None:
    spectra = some(3)
    path = Wild(spectra).write(tmp_path / "a.imzML")
    plain = read_strictly(path)
    data = path.read_bytes()
    path.write_bytes(
        re.sub(rb"(<spectrum .*?)(</spectrum>)", rb"\1\1\2\2", data, flags=re.DOTALL)
    )
    found = read_strictly(path)
    assert found.columns["x"].tolist() == [1, 1, 2, 2, 3, 3]
    np.testing.assert_array_equal(
        found.columns["mz_offset"][::2], plain.columns["mz_offset"]
    )
