"""mzML samples, and what other readers say of them and of generated files."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.msi.mzml_files import write_many

from napari_scope.errors import FormatError
from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi.mzml import MzMLReader
from napari_scope.formats.msi.mzml.fast import read_fast
from napari_scope.formats.msi.mzml.pattern import parse_spectrum
from napari_scope.formats.msi.mzml.strict import read_strictly

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[4] / "shared" / "data" / "msi"
needs_samples = pytest.mark.skipif(
    not DATA.is_dir(), reason="the samples (../shared/data/msi) are not here"
)
ORACLE: dict[str, dict[str, Any]] = (
    json.loads((DATA / "oracle.json").read_text())["mzml"] if DATA.is_dir() else {}
)


@needs_samples
@pytest.mark.parametrize("name", sorted(ORACLE))
def test_a_sample_is_what_others_read(name: str) -> None:
    said = ORACLE[name]
    if not said["n_spectra"]:
        with pytest.raises(FormatError, match="no spectrum"):
            open_msi(DATA / name)
        return
    with open_msi(DATA / name) as reader:
        assert isinstance(reader, MzMLReader)
        scans = reader.document.scans
        assert len(scans) == said["n_spectra"]
        assert list(scans.texts["id"][:3]) == said["ids_first3"]
        assert [spot for spot in scans.texts["spot"] if spot] == said["spotIDs"]
        blocks = [block for one in reader.data_sets for block in one.blocks()]
        total = sum(block.totals().sum() for block in blocks)
        assert total == pytest.approx(said["tic_total"], rel=1e-12)
        filters = {
            kind.name: len(spectra)
            for kind, spectra in zip(reader.scan_types, reader.data_sets, strict=True)
            if kind.has_filter
        }
        expected = {
            " ".join(text.split()): n
            for text, n in said["filter_strings"].items()
            if text != "None"
        }
        assert filters == expected
        ranges = [one.mz_range() for one in reader.data_sets if one.mz_range()[1]]
        assert min(r[0] for r in ranges) == pytest.approx(said["mz_min"])
        assert max(r[1] for r in ranges) == pytest.approx(said["mz_max"])
        profiles = [len(one) for one in reader.data_sets if one.is_profile]
        assert sum(profiles) == said["n_profile"]
        levels: dict[str, int] = {}
        for kind, spectra in zip(reader.scan_types, reader.data_sets, strict=True):
            levels[str(kind.level)] = levels.get(str(kind.level), 0) + len(spectra)
        assert levels == said["ms_levels"]
        assert any("no image" in problem for problem in reader.problems)


@needs_samples
def test_what_the_example_says_wrongly_of_itself_is_told() -> None:
    with MzMLReader(DATA / "mzml" / "pymzml_example.mzML") as reader:
        assert any("says 2918 spectra and has 11" in one for one in reader.problems)
        assert any("index" in one for one in reader.problems)
        assert reader.data.pixels.shape == (11, 1, 1)
        assert "Q Exactive" in reader.get_instrument_metadata()
        assert "Xcalibur" in reader.get_method_metadata()


@needs_samples
@pytest.mark.parametrize("name", ["pymzml_example.mzML", "tiny.pwiz.1.1.mzML"])
def test_both_ways_of_finding_scans_agree(name: str) -> None:
    fast, strict = read_fast(DATA / "mzml" / name), read_strictly(DATA / "mzml" / name)
    assert fast is not None
    assert fast.scans.texts == strict.scans.texts
    assert fast.scans.forms == strict.scans.forms
    for column in ("form", "begin", "axis"):
        np.testing.assert_array_equal(
            getattr(fast.scans, column), getattr(strict.scans, column)
        )
    assert [node.tag for node in fast.root.all("cvParam", "run", "cv")] == [
        node.tag for node in strict.root.all("cvParam", "run", "cv")
    ]


def independent(test: Any) -> Any:
    """Let pyteomics and psims read: they leave files to the garbage collection."""
    for what in (
        "ignore:unclosed file:ResourceWarning",
        "ignore::pytest.PytestUnraisableExceptionWarning",
        "ignore:hdf5plugin is missing:UserWarning",
    ):
        test = pytest.mark.filterwarnings(what)(test)
    return test


def _others_read(path: Path) -> Iterator[dict[str, Any]]:
    pytest.importorskip("psims", reason="pyteomics reads mzML with psims only")
    mzml = pytest.importorskip("pyteomics.mzml")
    with mzml.MzML(str(path)) as reader:
        yield from reader


def _assert_as_others(path: Path) -> None:
    others = list(_others_read(path))
    gc.collect()  # of what they leave, while it is not told
    with MzMLReader(path) as reader:
        names = reader.document.scans.texts["id"]
        assert names == [one["id"] for one in others]
        where = {name: n for n, name in enumerate(names)}
        for spectra in reader.data_sets:
            for n, scan in enumerate(spectra._scans):  # type: ignore[attr-defined]
                other = others[where[names[scan]]]
                mz, intensities = spectra.spectrum(n)
                np.testing.assert_array_equal(mz, other["m/z array"])
                np.testing.assert_array_equal(intensities, other["intensity array"])


@independent
@needs_samples
@pytest.mark.parametrize("name", ["pymzml_example.mzML", "tiny.pwiz.1.1.mzML"])
def test_pyteomics_reads_the_same_from_samples(name: str) -> None:
    _assert_as_others(DATA / "mzml" / name)


@independent
@pytest.mark.parametrize("coding", ["none", "zlib"])
@pytest.mark.parametrize("profile", [True, False])
def test_pyteomics_reads_the_same_from_generated_files(
    tmp_path: Path, coding: str, profile: bool
) -> None:
    path = tmp_path / "a.mzML"
    write_many(path, (4, 3), points=50, kinds=2, coding=coding, profile=profile)
    _assert_as_others(path)


def test_texts_that_all_scans_have_are_kept_once(tmp_path: Path) -> None:
    path = write_many(tmp_path / "a.mzML", (30, 10), points=3, kinds=2)
    for document in (read_fast(path), read_strictly(path)):
        assert document is not None
        texts = document.scans.texts
        assert [
            len({id(text) for text in texts[name]})
            for name in ("filter", "low", "length", "energy", "id")
        ] == [2, 1, 1, 2, 600]


@pytest.mark.parametrize("coding", ["none", "zlib"])
@pytest.mark.parametrize("profile", [True, False])
def test_one_spectrum_of_each_form_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: str, profile: bool
) -> None:
    from napari_scope.formats.msi.mzml import fast as module

    parsed = []

    def parse(*given: Any) -> Any:
        parsed.append(given)
        return parse_spectrum(*given)

    path = tmp_path / "a.mzML"
    write_many(path, (5, 4), points=20, kinds=3, coding=coding, profile=profile)
    monkeypatch.setattr(module, "parse_spectrum", parse)
    document = read_fast(path)
    assert document is not None and len(document.scans) == 60
    assert len(parsed) == 2  # kinds of one level differ in values only
