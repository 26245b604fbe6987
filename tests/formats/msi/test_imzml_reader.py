"""Which files a reader opens, and what it says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.formats.msi.imzml_files import Wild, over_one_axis, some, term
from tests.formats.msi.imzml_reading import assert_holds, only, opened

from napari_scope.errors import FormatError
from napari_scope.fileio import portable_io
from napari_scope.formats.msi import PixelTable, format_of, open_msi
from napari_scope.formats.msi.imzml import ImzMLReader
from napari_scope.formats.msi.imzml.writer import ImzMLWriter


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("a.IMZML", "a.IBD"), ("a.ImzML", "a.Ibd"), ("a.imzML", "A.ibd")],
)
def test_names_in_any_case(tmp_path: Path, ours: str, theirs: str) -> None:
    path = Wild(some(), ibd_name=theirs).write(tmp_path / ours)
    for name in (path, tmp_path / theirs, tmp_path):
        assert format_of(name) is ImzMLReader
        with open_msi(name) as reader:
            assert reader.problems == ()
    assert ImzMLReader.size(path) == (tmp_path / theirs).stat().st_size


def test_files_whose_names_differ_in_case_only(tmp_path: Path) -> None:
    (tmp_path / "B.x").touch()
    if (tmp_path / "b.x").exists():
        pytest.skip("this file system does not tell cases apart")
    first, second = some(seed=1), some(seed=2)
    Wild(first, ibd_name="a.IBD").write(tmp_path / "a.imzML")
    Wild(second, ibd_name="A.ibd").write(tmp_path / "A.imzml")
    with ImzMLReader(tmp_path / "a.imzML") as reader:
        assert_holds(reader, first)
        assert reader.problems == ()
    with ImzMLReader(tmp_path / "A.imzml") as reader:
        assert_holds(reader, second)
    # None of them has its name: one is taken, and told.
    (tmp_path / "a.IBD").rename(tmp_path / "aA.ibd")
    (tmp_path / "a.imzML").rename(tmp_path / "Aa.imzML")
    (tmp_path / "AA.ibd").write_bytes((tmp_path / "A.ibd").read_bytes())
    with ImzMLReader(tmp_path / "Aa.imzML") as reader:
        assert "AA.ibd, aA.ibd could belong to Aa.imzML: AA.ibd is taken" in (
            reader.problems
        )


def test_a_folder_of_several_files(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        Wild(some()).write(tmp_path / f"{name}.imzML")
    files = ImzMLReader.get_files_from_dir(tmp_path)
    assert [Path(name).name for name in files] == ["a.imzML", "b.imzML", "c.imzML"]
    with ImzMLReader(tmp_path) as reader:
        assert reader.path.name == "a.imzML"
        assert only(reader) == (
            "the folder has 3 .imzML files, a.imzML is opened; the next one is b.imzML"
        )


def test_hidden_files_of_other_systems_are_passed_over(tmp_path: Path) -> None:
    path = Wild(some()).write(tmp_path / "brain.imzML")
    (tmp_path / "._brain.imzML").write_bytes(b"\0\5\x16\7")
    (tmp_path / "._brain.ibd").write_bytes(b"\0\5\x16\7")
    assert ImzMLReader.get_files_from_dir(tmp_path) == [str(path)]
    assert ImzMLReader.is_valid_dataset(tmp_path)
    with ImzMLReader(tmp_path) as reader:
        assert reader.path == path
        assert reader.problems == ()


def test_links_lead_to_the_partner(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    spectra = some()
    path = Wild(spectra).write(tmp_path / "there" / "brain.imzML")
    link = tmp_path / "link.imzML"
    try:
        link.symlink_to(path)
    except OSError:
        pytest.skip("links cannot be made here")
    with ImzMLReader(link) as reader:
        assert reader.ibd_path.resolve() == path.with_suffix(".ibd")
    # What lies beside the link comes first.
    beside = link.with_suffix(".ibd")
    beside.write_bytes(path.with_suffix(".ibd").read_bytes())
    with ImzMLReader(link) as reader:
        assert reader.ibd_path == beside
    beside.unlink()
    path.with_suffix(".ibd").unlink()
    with pytest.raises(FormatError, match=r"link\.ibd is missing"):
        ImzMLReader(link)


def test_what_is_no_imzml(tmp_path: Path) -> None:
    assert not ImzMLReader.is_valid_dataset(tmp_path)
    assert not ImzMLReader.is_valid_dataset(tmp_path / "a.imzML")
    (tmp_path / "a.imzML").write_text("text")
    (tmp_path / "a.ibd").touch()
    (tmp_path / "b.ibd").touch()
    (tmp_path / "c.xml").write_text("<mzML/>")
    for name in ("a.imzML", "b.ibd", "c.xml", "a.ibd", ""):
        assert not ImzMLReader.is_valid_dataset(tmp_path / name)
    assert not ImzMLReader.is_valid_dataset("a\0b.imzML")
    assert ImzMLReader.size(tmp_path / "b.ibd") is None
    with pytest.raises(FormatError, match=r"no \.imzML file"):
        ImzMLReader(tmp_path / "b.ibd")


def test_missing_partners(tmp_path: Path) -> None:
    path = Wild(some()).write(tmp_path / "a.imzML")
    path.with_suffix(".ibd").unlink()
    with pytest.raises(FormatError, match=r"the file a\.ibd is missing") as caught:
        open_msi(path)
    assert "same folder" in str(caught.value.hint)
    path.with_suffix(".ibd").mkdir()
    with pytest.raises(FormatError, match="missing"):
        open_msi(path)


def test_what_the_file_says(tmp_path: Path) -> None:
    head = term("MS:1000129", "negative scan")
    with opened(tmp_path, some(), head=head) as reader:
        assert reader.uuid == "5a17b2f09a3e4c3c8f6e0123456789ab"
        assert reader.get_dataset_metadata()["polarity"].value == "negative"
        assert reader.get_instrument_metadata() == {}
        assert reader.data_type == "float32"
        assert reader.data.spectra.identity.startswith("imzml|")


def test_the_width_of_the_bins(tmp_path: Path) -> None:
    path = Wild(some()).write(tmp_path / "a.imzML")
    with ImzMLReader(path) as fine, ImzMLReader(path, resolution=1000) as coarse:
        assert len(coarse.mz) < len(fine.mz)


@pytest.mark.parametrize("continuous", [False, True])
def test_files_are_read_without_positional_calls_of_the_system(
    tmp_path: Path, continuous: bool
) -> None:
    spectra = over_one_axis(bins=2000) if continuous else some()
    with portable_io(), opened(tmp_path, spectra, continuous=continuous) as reader:
        assert_holds(reader, spectra)
        low = spectra[0].mz[0]
        assert reader.data.spectra.window(low, low)[0] == spectra[0].intensities[0]


def test_many_threads_read_the_same(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(3)
    path = tmp_path / "a.imzML"
    table = PixelTable.of(range(200), [0] * 200)
    with ImzMLWriter(path, compression="zlib") as writer:
        for x in table.x.tolist():
            writer.write(x, 0, np.arange(50) + 0.5, rng.random(50, np.float32))
    with ImzMLReader(path) as reader:
        spectra = reader.data.spectra
        alone = [spectra.spectrum(k).intensities.tobytes() for k in range(200)]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(3):
                found = pool.map(lambda k: spectra.spectrum(k).intensities, range(200))
                assert [one.tobytes() for one in found] == alone
