"""mzML with images: flavours, kinds of scans, axes, links, the interface of OpenMSI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.msi import msi_brute as brute
from tests.formats.msi.mzml_files import (
    Scan,
    bruker,
    param,
    peaks,
    thermo,
    write_many,
    write_mzml,
    xmass,
)

from napari_scope.errors import DatasetClosedError, FormatError
from napari_scope.formats.msi import (
    Spectrum,
    available_formats,
    format_of,
)
from napari_scope.formats.msi.mzml import MzMLReader

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.formats.msi.mzml.spectra import MzMLSpectra

FULL = "FTMS + p MALDI Full ms [850.00-1000.00]"
PIECES = "ITMS + p MALDI Z ms2 907.73@cid60.00 [500.00-700.00]"


def _scans(n: int, **known: Any) -> list[Scan]:
    return [Scan(*peaks(seed), **known) for seed in range(n)]


def _only(reader: MzMLReader) -> MzMLSpectra:
    (spectra,) = reader.data_sets
    return spectra  # type: ignore[return-value]


# Flavours


def test_places_of_a_stage_keep_rows_that_are_empty(tmp_path: Path) -> None:
    places = [(100, 40), (150, 40), (200, 40), (100, 140), (200, 190)]
    scans = [
        thermo(scan, *place)
        for scan, place in zip(_scans(5, filter=FULL), places, strict=True)
    ]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert reader.mzml_type == "thermo"
        assert reader.problems == ()
        table = reader.data.pixels
        assert table.x.tolist() == [0, 1, 2, 0, 2]
        assert table.y.tolist() == [0, 0, 0, 2, 3]
        assert reader.shape[:2] == (3, 4)
        image = reader.data.ion_image(500.0, 100.0)
        values = brute.window([_spectrum(s) for s in scans], 400.0, 600.0, "sum")
        np.testing.assert_allclose(
            image, brute.image(values, table.x.tolist(), table.y.tolist()), rtol=1e-6
        )


def _spectrum(scan: Scan) -> Spectrum:
    return Spectrum(scan.mz, scan.intensities)


def test_the_folder_of_a_spot_tells_place_and_region(tmp_path: Path) -> None:
    axis = np.linspace(100, 200, 50)
    places = [(12, 6, 0), (13, 6, 0), (40, 9, 1)]
    scans = [
        bruker(Scan(axis, np.full(50, n + 1, np.float32), profile=True), *place)
        for n, place in enumerate(places)
    ]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert reader.mzml_type == "bruker"
        spectra = _only(reader)
        assert spectra.pixels.origin == (12, 6, 0)
        assert spectra.pixels.region.tolist() == [0, 0, 1]
        assert spectra.common_mz is not None
        np.testing.assert_array_equal(spectra.common_mz, axis)
        assert spectra.is_profile
        assert reader.shape == (29, 4, 50)
        assert reader[0, 0, :].tolist() == [1.0] * 50
        assert reader[:, :, 7].sum() == 6.0
        assert [place for place, _ in reader.spectrum_iter()] == [
            (0, 0), (1, 0), (28, 3),
        ]  # fmt: skip


def test_regions_of_spots_can_be_chosen(tmp_path: Path) -> None:
    axis = np.linspace(100, 200, 50)
    places = [(12, 6, 0), (13, 6, 0), (40, 9, 1)]
    scans = [
        bruker(Scan(axis, np.full(50, n + 1, np.float32), profile=True), *place)
        for n, place in enumerate(places)
    ]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert reader.supports_regions() and reader.get_number_of_regions() == 2
        assert [one["origin"] for one in reader.get_regions()] == [[12, 6], [40, 9]]
        reader.set_dataset_selection(0)
        links = reader.get_dataset_dependencies()
        assert [one["link_name"] for one in links] == ["msi_region_0", "msi_region_1"]
        reader.set_region_selection(1)
        assert reader.shape == (1, 1, 50) and reader[0, 0, 3] == 3
        (link,) = reader.get_dataset_dependencies()
        assert (link["link_name"], link["dependency_type"]) == ("msi_full", "subset")
        with pytest.raises(ValueError, match="no region 2"):
            reader.set_region_selection(2)
        reader.set_region_selection([0, 1])
        assert reader.shape == (29, 4, 50)
    with MzMLReader(write_mzml(tmp_path / "b.mzML", scans[:2])) as reader:
        reader.set_dataset_selection(0)
        assert reader.get_dataset_dependencies() == []


@pytest.mark.parametrize("referred", [True, False])
def test_the_name_of_a_source_file_tells_the_place(
    tmp_path: Path, referred: bool
) -> None:
    places = [(12, 34), (13, 34), (12, 35)]
    sources = [xmass(*place) for place in places]
    scans = [
        Scan(*peaks(n), source=source[0] if referred else "")
        for n, source in enumerate(sources)
    ]
    path = write_mzml(tmp_path / "a.mzML", scans, sources=sources)
    with MzMLReader(path) as reader:
        assert reader.mzml_type == "xmass"
        table = reader.data.pixels
        assert list(zip(table.x.tolist(), table.y.tolist(), strict=True)) == places


@pytest.mark.parametrize("name", ["position", "user_position"])
def test_positions_as_in_imzml_count_from_1(tmp_path: Path, name: str) -> None:
    places = [(1, 1, 1), (2, 1, 1), (2, 3, 2)]
    scans = [Scan(*peaks(n), **{name: place}) for n, place in enumerate(places)]  # type: ignore[arg-type]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert reader.mzml_type == "imaging"
        table = reader.data.pixels
        assert table.x.tolist() == [0, 1, 1]
        assert table.y.tolist() == [0, 0, 2]
        assert table.z.tolist() == [0, 0, 1]


def test_spectra_without_a_place_among_others_are_left_out(tmp_path: Path) -> None:
    scans = [thermo(scan, 10 * n, 0) for n, scan in enumerate(_scans(4))]
    scans.append(Scan(*peaks(9)))
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert len(reader.data) == 4
        assert any("1 of 5 spectra have no place" in one for one in reader.problems)
        assert reader.scan_datasets.tolist() == [0, 0, 0, 0, -1]
        assert reader.coordinates.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [-1, -1]]


def test_of_several_spectra_of_a_pixel_the_last_one_is_shown(tmp_path: Path) -> None:
    scans = [thermo(scan, 10 * (n // 2), 0) for n, scan in enumerate(_scans(4))]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        expected = [peaks(1)[1].sum(), peaks(3)[1].sum()]
        np.testing.assert_allclose(reader.data.tic_image(), [expected], rtol=1e-6)
        assert any("2 pixels" in problem for problem in reader.problems)


def test_a_file_without_places_is_a_row_that_says_so(tmp_path: Path) -> None:
    path = write_mzml(tmp_path / "a.mzML", _scans(3))
    with MzMLReader(path) as reader:
        assert reader.mzml_type == "unknown"
        assert reader.data.pixels.shape == (3, 1, 1)
        assert any("no image" in problem for problem in reader.problems)


# Kinds of scans


@pytest.fixture
def two_kinds(tmp_path: Path) -> Path:
    scans = []
    for n in range(4):
        place = (50 * (n % 2), 50 * (n // 2))
        scans.append(thermo(Scan(*peaks(n), filter=FULL), *place))
        scans.append(thermo(Scan(*peaks(10 + n), filter=PIECES, level=2), *place))
    return write_mzml(tmp_path / "two.mzML", scans)


def test_each_kind_of_scan_is_a_data_set(two_kinds: Path) -> None:
    with MzMLReader(two_kinds) as reader:
        assert reader.supports_multidata() and reader.get_number_of_datasets() == 2
        assert [kind.name for kind in reader.scan_types] == [FULL, PIECES]
        assert [len(one) for one in reader.data_sets] == [4, 4]
        assert [shape[:2] for shape in reader.shape] == [(2, 2), (2, 2)]
        with pytest.raises(ValueError, match="choose one"):
            next(iter(reader.spectrum_iter()))
        reader.set_dataset_selection(1)
        np.testing.assert_array_equal(reader.data.spectrum_at(1, 1).mz, peaks(13)[0])
        assert len(list(reader.spectrum_iter())) == 4
        assert reader.scan_datasets.tolist() == [0, 1] * 4
        assert reader.coordinates[::2].tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
        with pytest.raises(ValueError, match="no data set 2"):
            reader.set_dataset_selection(2)


def test_metadata_tell_what_the_filter_string_says(two_kinds: Path) -> None:
    with MzMLReader(two_kinds) as reader:
        assert [one["MSn level"].value for one in reader.get_dataset_metadata()] == [
            1, 2,
        ]  # fmt: skip
        reader.set_dataset_selection(1)
        said = reader.get_dataset_metadata()
    # A name that is not that of the term would make an imzML file of it wrong.
    assert {name: one.ontology for name, one in said.items() if one.ontology} == {
        "filter string": "MS:1000512"
    }
    found = {name: one.value for name, one in said.items()}
    assert found == {
        "scan type": PIECES,
        "MSn level": 2,
        "places": "thermo",
        "filter string": PIECES,
        "polarity": "positive",
        "analyser": "ITMS",
        "precursor m/z": 907.73,
        "dissociation type": "cid",
        "dissociation energy": 60.0,
        "scan window": [500.0, 700.0],
        "representation": "centroid",
    }


def test_full_scans_and_those_of_their_ions_depend_on_each_other(
    two_kinds: Path,
) -> None:
    with MzMLReader(two_kinds) as reader:
        full, pieces = reader.get_dataset_dependencies()
        assert full == [
            {
                "omsi_object": None,
                "link_name": "MS2_907.73@cid60.00_[500.00-700.00]",
                "basename": str(two_kinds),
                "region": None,
                "dataset": 1,
                "help": PIECES,
                "dependency_type": "co_modality",
            }
        ]
        assert [(one["link_name"], one["dataset"]) for one in pieces] == [("MS1", 0)]
        reader.set_dataset_selection(1)
        assert reader.get_dataset_dependencies() == pieces


def test_without_filter_strings_kinds_are_told_by_their_terms(tmp_path: Path) -> None:
    scans = [
        Scan(*peaks(0), window=(100, 1000)),
        Scan(*peaks(1), level=2, precursor=(500.5, "hcd", 30.0), window=(100, 600)),
        Scan(*peaks(2), window=(100, 1000), polarity="negative"),
        Scan(*peaks(3), window=(100, 1000)),
    ]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert [kind.name for kind in reader.scan_types] == [
            "MS1 positive [100-1000]",
            "MS2 positive 500.5@hcd30 [100-600]",
            "MS1 negative [100-1000]",
        ]
        assert [len(one) for one in reader.data_sets] == [2, 1, 1]
        assert [
            [(one["link_name"], one["dataset"]) for one in each]
            for each in reader.get_dataset_dependencies()
        ] == [[("MS2_MS2_positive_500.5@hcd30_[100-600]", 1)], [("MS1", 0)], []]


def test_hundreds_of_precursors_are_one_data_set(tmp_path: Path) -> None:
    one = peaks(0, 3)
    scans = [Scan(*one, filter=FULL)]
    scans += [
        Scan(
            *one,
            filter=f"ITMS + p MALDI ms2 {400 + n}.50@cid35.00 [100.00-900.00]",
            level=2,
        )
        for n in range(250)
    ]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert [len(spectra) for spectra in reader.data_sets] == [1, 250]
        assert reader.problems[0] == (
            "there are 251 kinds of scans; the 250 like 'MS2 positive ITMS' make one "
            "data set"
        )


@pytest.mark.parametrize(("kinds", "each", "found"), [
    (30, 2, 1), (30, 10, 30), (24, 1, 24), (25, 9, 1), (25, 10, 25),
])  # fmt: skip
def test_ions_that_were_chosen_on_the_way_are_one_data_set(
    tmp_path: Path, kinds: int, each: int, found: int
) -> None:
    one = peaks(0, 3)
    scans = [Scan(*one, filter=FULL), Scan(*one, filter=FULL.replace("FT", "IT"))]
    scans += [
        Scan(*one, filter=f"FTMS + p ms2 {400 + n}.50@hcd30.00 [50-900]", level=2)
        for n in range(kinds)
        for _ in range(each)
    ]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        # Full scans of two kinds stay two.
        sizes = [len(spectra) for spectra in reader.data_sets]
        assert sizes == [1, 1] + [kinds * each // found] * found
        assert any("kinds of scans" in one for one in reader.problems) == (found == 1)
        if found == 1:
            assert reader.scan_types[2].name == "MS2 positive FTMS"
            assert reader.scan_types[2].precursor_mz is None
            assert "filter string" not in reader.get_dataset_metadata()[2]
            assert reader.get_dataset_dependencies()[2] != []


def test_spectra_of_light_are_no_mass_spectra(tmp_path: Path) -> None:
    light = param("MS:1000617", "wavelength array")
    path = write_mzml(
        tmp_path / "a.mzML",
        [
            Scan(*peaks(0)),
            Scan(*peaks(1), polarity="", profile=None),
            Scan(*peaks(2)),
        ],
    )
    parts = path.read_text().split(param("MS:1000514", "m/z array"))
    parts[1] += light + parts.pop(2)
    path.write_text(param("MS:1000514", "m/z array").join(parts))
    with MzMLReader(path) as reader:
        assert [len(spectra) for spectra in reader.data_sets] == [2]
        assert any("1 spectra of light" in problem for problem in reader.problems)
        assert not any("without a place" in problem for problem in reader.problems)
        assert reader.data.tic_image().tolist() == [
            [peaks(0)[1].sum(), peaks(2)[1].sum()]
        ]


def test_a_file_of_light_alone_is_refused(tmp_path: Path) -> None:
    path = write_mzml(tmp_path / "a.mzML", [Scan(*peaks(0))])
    old, new = param("MS:1000514", "m/z array"), param("MS:1000617", "wavelengths")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FormatError, match="no mass spectrum"):
        MzMLReader(path)


def test_a_kind_of_scan_without_places_is_left_out(tmp_path: Path) -> None:
    scans = [Scan(*peaks(9), filter="ITMS + p CAL ms")]
    scans += [thermo(Scan(*peaks(k), filter=FULL), 10 * k, 0) for k in range(3)]
    scans += [
        thermo(Scan(*peaks(k), filter=PIECES, level=2), 10 * k, 0) for k in range(3)
    ]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert [kind.name for kind in reader.scan_types] == [FULL, PIECES]
        assert [one.name for one in reader.data_sets] == [FULL, PIECES]
        assert [len(one) for one in reader.data_sets] == [3, 3]
        assert any("'ITMS + p CAL ms'" in problem for problem in reader.problems)
        full, pieces = reader.get_dataset_dependencies()
        assert [one["dataset"] for one in full + pieces] == [1, 0]


def test_without_a_filter_string_counts_what_was_aimed_at(tmp_path: Path) -> None:
    # The ion that was found there is another in each scan.
    scans = [
        Scan(*peaks(n), level=2, precursor=(500.1 + n / 1000, "hcd", 30.0))
        for n in range(3)
    ]
    path = write_mzml(tmp_path / "a.mzML", scans)
    window = (
        f"<isolationWindow>{param('MS:1000827', 'target', 500.5)}</isolationWindow>"
    )
    path.write_text(
        path.read_text().replace("<selectedIonList", window + "<selectedIonList")
    )
    with MzMLReader(path) as reader:
        assert [kind.name for kind in reader.scan_types] == ["MS2 positive 500.5@hcd30"]


# Axes


def test_peaks_go_into_bins_of_the_resolution(tmp_path: Path) -> None:
    path = write_mzml(tmp_path / "a.mzML", _scans(3))
    with MzMLReader(path, resolution=200) as coarse:
        steps = np.diff(coarse.mz) / coarse.mz[1:] * 1e6
        np.testing.assert_allclose(steps, 200, rtol=1e-3)
        assert coarse[0, 0, :].sum() == pytest.approx(peaks(0)[1].sum(), rel=1e-6)
    with pytest.raises(ValueError, match="resolution"):
        MzMLReader(path, resolution=0)


def test_profiles_of_their_own_are_interpolated(tmp_path: Path) -> None:
    axes = [np.linspace(100, 110, 101), np.linspace(100, 110, 91)]
    scans = [Scan(axis, np.ones(len(axis), np.float32), profile=True) for axis in axes]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert _only(reader).common_mz is None
        assert reader.shape == (2, 1, 101)
        np.testing.assert_allclose(reader[:, 0, :], 1.0)


@pytest.mark.parametrize("coding", ["none", "zlib", "linear zlib"])
def test_an_axis_of_all_is_found_without_decoding(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "a.mzML"
    write_many(path, (4, 3), points=30, profile=True, coding=coding)
    with MzMLReader(path) as reader:
        spectra = _only(reader)
        assert spectra.common_mz is not None
        rows = [spectra.spectrum(n).intensities for n in range(12)]
        for low, high in ((100.0, 1000.0), (150.0, 300.0), (5.0, 6.0), (1000.0, 1e9)):
            inside = (spectra.common_mz >= low) & (spectra.common_mz <= high)
            np.testing.assert_allclose(
                spectra.window(low, high), [row[inside].sum() for row in rows]
            )
        np.testing.assert_array_equal(
            spectra.columns(np.array([3, 0, 29])), np.stack(rows)[:, [3, 0, 29]]
        )


@pytest.mark.parametrize("coding", ["none", "zlib", "zstd", "missing"])
def test_empty_spectra_do_not_hide_an_axis_of_all(tmp_path: Path, coding: str) -> None:
    axis = np.linspace(100, 200, 50)
    nothing = np.zeros(0, np.float32)
    how = "none" if coding == "missing" else coding
    forms = {"mz": f"f8 {how}", "intensity": f"f4 {how}"}
    scans = [
        Scan(*((nothing, nothing) if n in (0, 2) else (axis, axis)), forms=forms)
        for n in range(4)
    ]
    path = write_mzml(tmp_path / "a.mzML", scans)
    if coding == "missing":
        empty = r'(?s)(LengthX"0".*?)<binaryDataArrayList.*?</binaryDataArrayList>'
        empty = empty.replace("X", "=")
        path.write_text(re.sub(empty, r"\1", path.read_text()))
    with MzMLReader(path) as reader:
        spectra = _only(reader)
        assert spectra.common_mz is not None
        np.testing.assert_array_equal(spectra.common_mz, axis)
        assert [len(spectra.spectrum(n).mz) for n in range(4)] == [0, 50, 0, 50]
        total = float(axis.astype("f4").sum(dtype=float))
        assert reader.data.tic_image()[0].tolist() == pytest.approx(
            [0.0, total, 0.0, total]
        )
        assert spectra.window(150.0, 151.0).tolist()[::2] == [0.0, 0.0]
        assert spectra.damaged == {}


def test_a_spectrum_shorter_than_the_axis_of_all_is_told(tmp_path: Path) -> None:
    axis = np.linspace(100, 200, 50)
    scans = [
        Scan(axis, np.ones(30 if n == 1 else 50, np.float32), profile=True)
        for n in range(3)
    ]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert reader.data.tic_image().tolist() == [[50.0, 30.0, 50.0]]
        assert _only(reader).damaged == {
            1: "there are 50 m/z values and 30 intensities"
        }


def test_an_axis_that_begins_like_another_is_another(tmp_path: Path) -> None:
    # Of whole groups of letters, so that the text of one begins with that of the other.
    axes = [np.arange(3.0) + 100, np.arange(6.0) + 100]
    scans = [Scan(axis, np.ones(len(axis), np.float32)) for axis in axes]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        assert _only(reader).common_mz is None
        assert [len(_only(reader).spectrum(n).mz) for n in (0, 1)] == [3, 6]


def test_a_number_that_is_none_does_not_hide_the_range(tmp_path: Path) -> None:
    mz = np.array([100.0, np.nan, 300.0, np.inf])
    scans = [Scan(mz, np.ones(4, np.float32)), Scan(*peaks(0))]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        low, high = _only(reader).mz_range()
        assert (low, high) == (100.0, peaks(0)[0].max())


def test_sums_of_the_file_are_used_if_they_are_right(tmp_path: Path) -> None:
    def path(factor: float) -> Path:
        scans = [
            Scan(*peaks(n), total=factor * float(peaks(n)[1].sum(dtype=float)))
            for n in range(3)
        ]
        return write_mzml(tmp_path / f"{factor}.mzML", scans)

    with MzMLReader(path(1.0)) as right, MzMLReader(path(3.0)) as wrong:
        assert _only(right).totals is not None
        assert _only(wrong).totals is None
        np.testing.assert_allclose(right.data.totals(), wrong.data.totals())


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8"])
@pytest.mark.parametrize("how", ["sum", "max", "mean"])
def test_every_type_gives_the_image_of_plain_loops(
    tmp_path: Path, dtype: str, how: Any
) -> None:
    forms = {"mz": "f4 zlib", "intensity": f"{dtype} zlib"}
    scans = _scans(6, forms=forms)
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        spectra = _only(reader)
        assert spectra.intensity_dtype == np.dtype(dtype)
        plain = [spectra.spectrum(n) for n in range(6)]
        expected = brute.window(plain, 300.0, 400.0, how)
        np.testing.assert_allclose(spectra.window(300.0, 400.0, how), expected)
        np.testing.assert_allclose(
            spectra.window(300.0, 400.0, how, np.array([4, 1])), expected[[4, 1]]
        )
        block = np.concatenate([b.window(300, 400, how) for b in spectra.blocks()])
        np.testing.assert_allclose(block, expected)


@pytest.mark.parametrize("profile", [True, False])
def test_blocks_hold_as_much_as_they_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: bool
) -> None:
    from napari_scope.formats.msi.mzml import spectra as module

    # 40 values of 8 and 4 bytes as text, or 40 intensities: and 64 bytes beside them.
    size = 64 + (max(40 * 4, 216) + 428 if profile else 428 + 216)
    monkeypatch.setattr(module, "BLOCK_BYTES", 3 * size)
    mz = peaks(0)[0]
    scans = [
        Scan(mz if profile else peaks(n)[0], peaks(n)[1], profile=profile)
        for n in range(8)
    ]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        numbers = np.array([7, 0, 1, 2, 3, 4, 5, 6])
        blocks = list(_only(reader).blocks(numbers))
        assert [len(block.numbers) for block in blocks] == [3, 3, 2]
        np.testing.assert_array_equal(
            np.concatenate([block.numbers for block in blocks]), numbers
        )
        np.testing.assert_allclose(
            np.concatenate([block.totals() for block in blocks]),
            [peaks(n)[1].sum(dtype=float) for n in numbers.tolist()],
        )


def test_the_range_of_a_single_spectrum_is_its_own(tmp_path: Path) -> None:
    scans = [Scan(*peaks(0), filter=FULL), Scan(*peaks(1), filter=PIECES, level=2)]
    scans.append(Scan(*peaks(2), filter=FULL))
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        mz = peaks(1)[0]
        assert reader.data_sets[1].mz_range() == (mz.min(), mz.max())


@pytest.mark.parametrize("profile", [True, False])
def test_spectra_in_any_order_are_sorted(tmp_path: Path, profile: bool) -> None:
    mz, intensities = peaks(4)
    order = np.random.default_rng(0).permutation(len(mz))
    plain = [Scan(mz + n, intensities, profile=profile) for n in range(3)]
    mixed = [
        Scan((mz + n)[order], intensities[order], profile=profile) for n in range(3)
    ]
    with (
        MzMLReader(write_mzml(tmp_path / "a.mzML", plain)) as expected,
        MzMLReader(write_mzml(tmp_path / "b.mzML", mixed)) as reader,
    ):
        for n in range(3):
            found, right = (one.data.spectrum_at(n, 0) for one in (reader, expected))
            np.testing.assert_array_equal(found.mz, right.mz)
            np.testing.assert_array_equal(found.intensities, right.intensities)
        np.testing.assert_array_equal(reader[:, 0, :], expected[:, 0, :])
        np.testing.assert_allclose(
            reader.data.ion_image(500, 100), expected.data.ion_image(500, 100)
        )


@pytest.mark.parametrize("how", ["sum", "max", "mean"])
def test_what_is_no_number_counts_as_0(tmp_path: Path, how: Any) -> None:
    mz, intensities = peaks(0)
    odd = intensities.copy()
    odd[3:5] = np.nan, np.inf
    scans = [Scan(mz, odd), Scan(*peaks(1))]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans)) as reader:
        spectra = _only(reader)
        block = np.concatenate([b.window(0, 1e9, how) for b in spectra.blocks()])
        np.testing.assert_allclose(spectra.window(0, 1e9, how), block)
        assert np.isfinite(block).all()


# The interface


def test_the_format_is_known_and_claims_nothing_foreign(tmp_path: Path) -> None:
    path = write_mzml(tmp_path / "a.mzML", _scans(1))
    assert available_formats()["mzml"] is MzMLReader
    assert format_of(path) is MzMLReader
    assert format_of(tmp_path) is MzMLReader
    assert MzMLReader.get_files_from_dir(tmp_path) == [str(path)]
    assert MzMLReader.available_mzml_types["thermo"] == "thermo"
    for name, text in {
        "b.imzML": path.read_bytes(),
        "c.mzML": b"<?xml version='1.0'?><mzXML/>",
        "d.mzML": b"",
        "e.mzML": b"mzML",
        "f.xml": path.read_bytes(),
    }.items():
        (tmp_path / name).write_bytes(text)
        assert not MzMLReader.is_valid_dataset(tmp_path / name), name
    assert not MzMLReader.is_valid_dataset(tmp_path / "nowhere.mzML")
    assert not MzMLReader.is_valid_dataset("\0")


def test_of_a_folder_the_first_file_that_is_one_counts(tmp_path: Path) -> None:
    path = write_mzml(tmp_path / "b.mzML", _scans(1))
    (tmp_path / "a.mzML").mkdir()
    (tmp_path / "._b.mzML").write_bytes(b"\0\5\x16\7")  # as macOS leaves them
    assert MzMLReader.get_files_from_dir(tmp_path) == [str(path)]
    with MzMLReader(tmp_path) as reader:
        assert reader.path == path
        assert not any("folder" in problem for problem in reader.problems)


@pytest.mark.parametrize("most", [10, 1000])
def test_the_size_is_about_that_of_the_intensities(tmp_path: Path, most: int) -> None:
    path = write_many(tmp_path / "a.mzML", (20, 10), points=100)
    found = MzMLReader.size(path, max_num_reads=most)
    assert found == pytest.approx(200 * 100 * 4, rel=0.15)
    assert MzMLReader.size(tmp_path / "nowhere.mzML") is None
    path.write_text(path.read_text().replace('"', "'"))
    assert MzMLReader.size(path, max_num_reads=most) == found
    path.write_text("<mzML></mzML>")
    assert MzMLReader.size(path) is None


@pytest.mark.parametrize("profile", [True, False])
def test_a_closed_reader_says_so(tmp_path: Path, profile: bool) -> None:
    path = write_many(tmp_path / "a.mzML", (2, 2), profile=profile, coding="none")
    reader = MzMLReader(path)
    spectra = _only(reader)
    reader.close_file()
    with pytest.raises(DatasetClosedError):
        spectra.spectrum(0)
    with pytest.raises(DatasetClosedError):
        spectra.window(100.0, 200.0)
    with pytest.raises(DatasetClosedError):
        next(spectra.blocks())
    with pytest.raises(DatasetClosedError):
        _ = reader.data


def test_opening_decodes_no_array_but_a_shared_axis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.formats.msi.mzml import spectra as module

    calls = []

    def decode(*given: Any) -> Any:
        calls.append(given)
        raise ValueError("not now")

    monkeypatch.setattr(module, "decode", decode)
    MzMLReader(write_mzml(tmp_path / "a.mzML", _scans(5))).close_file()
    assert calls == []
