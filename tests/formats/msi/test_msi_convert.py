"""Conversions between the formats, and to ion images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import (
    CancelledError,
    FormatError,
    OutputExistsError,
    SettingsError,
)
from napari_scope.formats import open_dataset
from napari_scope.formats.msi import PixelSize, PixelTable, Spectrum, open_msi
from napari_scope.formats.msi.convert import Ion, convert_msi, parse_ions, read_ions
from napari_scope.formats.msi.convert_compare import compare_spectra
from napari_scope.formats.msi.convert_subset import Subset
from napari_scope.formats.msi.convert_zarr import ion_member
from napari_scope.formats.msi.imzml.writer import write_imzml
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.openmsi.writer import write_openmsi
from napari_scope.formats.msi.passes import never

if TYPE_CHECKING:
    from napari_scope.formats.msi import MSIReader, Spectra

SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "msi"
MZ = np.linspace(100, 200, 40)
RANDOM = np.random.default_rng(3)


def _common(**more: Any) -> Spectra:
    table = PixelTable.of(
        [3, 4, 3, 4, 5], [6, 6, 7, 7, 7], region=[0, 0, 1, 1, 1], names=["top", "low"]
    )
    return MemorySpectra.over(
        MZ, RANDOM.random((5, 40)).astype("f4"), table, more.pop("name", "MS1"), **more
    )


def _ragged() -> Spectra:
    spectra = [
        Spectrum(np.sort(RANDOM.random(n)) * 100 + 100, RANDOM.random(n))
        for n in (4, 0, 9)
    ]
    return MemorySpectra("MS2/a", PixelTable.of([0, 1, 1], [0, 0, 2]), spectra)


@pytest.fixture
def two_sets(tmp_path: Path) -> Path:
    size = PixelSize(10.0, 20.0, 1.0, 100.0, 200.0)
    sets = [_common(pixel_size=size), _ragged()]
    link = {"link_name": "MS2", "dataset": 1, "dependency_type": "co_modality"}
    back = {**link, "link_name": "MS1", "dataset": 0}
    return write_openmsi(sets, tmp_path / "source.h5", dependencies=[[link], [back]])


def _same(one: MSIReader, other: MSIReader) -> None:
    for number, spectra in enumerate(one.data_sets):
        compare_spectra(spectra, other.data_sets[number])


def _samples() -> list[Path]:
    names = [
        *("imzml/Example_Continuous.imzML", "imzml/Example_Processed.imzML"),
        *("imzml/simple_imzml.imzML", "imzml/iontof_sparse.imzML"),
        *("imzml/unit_nanometre.imzML", "analyze/Analyze75.hdr"),
        *("bruker/2010_05_19_Gibb_C8_A1", "mzml/tiny.pwiz.1.1.mzML"),
    ]
    return [SAMPLES / name for name in names]


@pytest.mark.parametrize("source", _samples(), ids=lambda path: path.name)
def test_every_sample_goes_round_and_comes_back(source: Path, tmp_path: Path) -> None:
    if not source.exists():
        pytest.skip(f"the sample {source.name} is not here")
    with open_msi(source) as reader:
        packed = convert_msi(reader, tmp_path / "a.h5", compression="gzip")
        assert packed.compared == sum(
            int((one.pixels.grid >= 0).sum()) for one in reader.data_sets
        )
        again = convert_msi(tmp_path / "a.h5", tmp_path / "b.imzML")
        for number, path in enumerate(again.targets):
            with open_msi(path) as other:
                count = compare_spectra(reader.data_sets[number], other.data_sets[0])
            assert count


def test_each_data_set_is_an_imzml_file(two_sets: Path, tmp_path: Path) -> None:
    report = convert_msi(two_sets, tmp_path / "out.imzML", compression="zlib")
    assert [path.name for path in report.targets] == [
        "out_MS1.imzML",
        "out_MS2_a.imzML",
    ]
    assert report.spectra == 8 and report.compared == 8
    with open_msi(two_sets) as reader:
        for number, path in enumerate(report.targets):
            with open_msi(path) as other:
                compare_spectra(reader.data_sets[number], other.data_sets[0])
                assert other.data_sets[0].pixels.origin == (
                    reader.data_sets[number].pixels.origin
                )
    one = convert_msi(two_sets, tmp_path / "one.imzML", dataset=1)
    assert [path.name for path in one.targets] == ["one.imzML"] and one.spectra == 3


def test_data_sets_of_one_name_are_files_of_different_ones(tmp_path: Path) -> None:
    sets = [_common(name=name) for name in ("MS", "ms", "MS ", "")]
    write_openmsi(sets, tmp_path / "a.h5")
    report = convert_msi(tmp_path / "a.h5", tmp_path / "b.imzML", verify=False)
    # Some file systems take large and small letters for the same.
    names = [path.name.lower() for path in report.targets]
    assert len(set(names)) == 4
    assert all(path.is_file() for path in report.targets)


def test_a_region_alone(two_sets: Path, tmp_path: Path) -> None:
    for name in ("a.h5", "a.imzML"):
        convert_msi(two_sets, tmp_path / name, dataset=0, regions=[1])
        with open_msi(two_sets) as reader, open_msi(tmp_path / name) as part:
            reader.set_dataset_selection(0)  # type: ignore[attr-defined]
            reader.set_region_selection(1)  # type: ignore[attr-defined]
            assert part.shape == reader.shape == (3, 1, 40)
            np.testing.assert_array_equal(part[:], reader[:])
            assert part.data.pixels.origin == (3, 7, 0)


def test_links_stay_with_the_data_sets(two_sets: Path, tmp_path: Path) -> None:
    convert_msi(two_sets, tmp_path / "a.h5")
    with open_msi(tmp_path / "a.h5") as reader:
        for links, expected in zip(
            reader.get_dataset_dependencies(), [("MS2", 1), ("MS1", 0)], strict=True
        ):
            assert [(one["link_name"], one["dataset"]) for one in links] == [expected]
    for number in (0, 1):
        path = tmp_path / f"only {number}.h5"
        convert_msi(two_sets, path, dataset=number)
        with open_msi(path) as reader:
            links = reader.get_dataset_dependencies()[0]
            assert [one for one in links if one["link_name"] in ("MS1", "MS2")] == []


def test_ion_images_as_zarr_reads_them(two_sets: Path, tmp_path: Path) -> None:
    ions = [Ion(150, 20, name="big"), Ion(120.51, 5000, "ppm")]
    target = tmp_path / "a.ome.zarr"
    report = convert_msi(two_sets, target, ions=ions, normalise="tic", dataset=0)
    assert report.channels == ("big", "m/z 120.51 ± 5000 ppm")
    group = zarr.open_group(target, mode="r")
    with open_msi(two_sets) as reader:
        data = reader.whole(0)
        for c, ion in enumerate(ions):
            expected = data.ion_image(ion.mz, ion.tolerance, ion.unit, normalise="tic")
            np.testing.assert_array_equal(group["0"][c], expected)
        regions = data.pixels.image(data.pixels.region + 1)
    ome = group.attrs["ome"]
    axes = [axis["name"] for axis in ome["multiscales"][0]["axes"]]
    assert axes == ["c", "y", "x"]
    moves = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert moves[0]["scale"] == [1.0, 20.0, 10.0]
    # The corner pixel (3, 6) lies 3 and 6 pixels from where the file begins.
    assert moves[1]["translation"] == [0.0, 320.0, 130.0]
    assert [c["label"] for c in ome["omero"]["channels"]] == list(report.channels)
    own = group.attrs["napari_scope"]["msi"]
    assert own["normalise"] == "tic" and own["ions"][0]["mz_low"] == 130.0
    assert own["ions"][1]["unit"] == "ppm" and own["source"] == "source.h5"
    np.testing.assert_array_equal(group["labels/regions/0"][:], regions)
    image = open_dataset(target).images[0]
    assert image.labels[0].properties[2]["name"] == "low"


def test_without_ions_it_is_the_sum_of_all(two_sets: Path, tmp_path: Path) -> None:
    report = convert_msi(two_sets, tmp_path / "a.ome.zarr", version="0.4")
    assert report.channels == ("TIC",)
    dataset = open_dataset(tmp_path / "a.ome.zarr")
    assert [image.name for image in dataset.images] == ["source MS1", "source MS2/a"]
    with open_msi(two_sets) as reader:
        for number, image in enumerate(dataset.images):
            found = np.asarray(image.levels[0][0])
            np.testing.assert_array_equal(found, reader.whole(number).tic_image())


def test_a_volume_becomes_a_volume(tmp_path: Path) -> None:
    table = PixelTable.of([0, 1, 0], [0, 0, 1], [0, 1, 2])
    spectra = MemorySpectra.over(MZ, np.ones((3, 40)), table)
    write_openmsi(spectra, tmp_path / "v.h5")
    convert_msi(tmp_path / "v.h5", tmp_path / "v.ome.zarr", ions=[Ion(150, 200)])
    image = open_dataset(tmp_path / "v.ome.zarr").images[0]
    assert image.axis_names == ("c", "z", "y", "x")
    expected = np.zeros((3, 2, 2))
    expected[0, 0, 0] = expected[1, 0, 1] = expected[2, 1, 0] = 40
    np.testing.assert_array_equal(np.asarray(image.levels[0][0]), expected)


def test_viewers_know_how_bright_an_image_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.zeros((4, 40), "f4")
    values[:, 10], values[1, 20] = (0, 2000, 4000, 5000), 1e-5
    table = PixelTable.of([0, 1, 0, 1], [0, 0, 1, 1])
    write_openmsi(MemorySpectra.over(MZ, values, table), tmp_path / "a.h5")
    ions = [Ion(MZ[10], 0.1), Ion(MZ[20], 0.1), Ion(MZ[30], 0.1)]
    told: list[float] = []
    convert_msi(
        tmp_path / "a.h5", tmp_path / "a.ome.zarr", ions=ions, progress=told.append
    )
    # Most of the time goes into the images, before anything is written.
    assert told == sorted(told) and told[-1] == 1 and any(0 < t < 0.8 for t in told)
    channels = open_dataset(tmp_path / "a.ome.zarr").images[0].channels
    assert channels[0].contrast_limits == (0, pytest.approx(5000, rel=0.01))
    assert channels[1].contrast_limits == (0, pytest.approx(1e-5))
    with open_msi(tmp_path / "a.h5") as reader:
        expected = [reader.data.ion_image(ion.mz, 0.1) for ion in ions]
    # Images that take too much memory are computed while they are written.
    monkeypatch.setattr("napari_scope.formats.msi.convert_zarr._MOST_KEPT", 40)
    convert_msi(tmp_path / "a.h5", tmp_path / "b.ome.zarr", ions=ions)
    for name in ("a", "b"):
        image = open_dataset(tmp_path / f"{name}.ome.zarr").images[0]
        np.testing.assert_array_equal(np.asarray(image.levels[0]), expected)
    # Whoever writes may ask for a channel again.
    with open_msi(tmp_path / "a.h5") as reader:
        pixels = ion_member(reader.data, ions, "", {}, cancelled=never).pixels
        for k in (2, 0, 1, 0):
            found = pixels.read((slice(k, k + 1), slice(None), slice(1, 2)))
            np.testing.assert_array_equal(found, [expected[k][:, 1:2]])


def test_of_many_ions_the_first_are_seen(two_sets: Path, tmp_path: Path) -> None:
    ions = [Ion(mz) for mz in range(110, 170, 10)]
    convert_msi(two_sets, tmp_path / "a.ome.zarr", ions=ions, dataset=0)
    channels = open_dataset(tmp_path / "a.ome.zarr").images[0].channels
    assert [channel.visible for channel in channels] == [True] * 4 + [False] * 2


def test_ion_images_are_not_computed_in_vain(
    two_sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert_msi(two_sets, tmp_path / "a.ome.zarr", dataset=0)
    (tmp_path / "b.ome.zarr").write_text("of somebody")

    def asked(*_: Any, **__: Any) -> Any:
        raise AssertionError("a spectrum was read")

    monkeypatch.setattr("napari_scope.formats.msi.data.MSIData.tic_image", asked)
    with pytest.raises(OutputExistsError, match=r"exists .*another name"):
        convert_msi(two_sets, tmp_path / "a.ome.zarr")
    with pytest.raises(OutputExistsError, match="no OME-Zarr store"):
        convert_msi(two_sets, tmp_path / "b.ome.zarr", overwrite=True)
    with pytest.raises(SettingsError, match=r"0\.3"):
        convert_msi(two_sets, tmp_path / "c.ome.zarr", version="0.3")


@pytest.mark.parametrize("name", ["a.h5", "a.imzML", "a.ome.zarr"])
def test_nothing_is_left_and_nothing_replaced(
    two_sets: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    ions = [Ion(150)] if name.endswith("zarr") else []
    asked = 0

    def counted() -> bool:
        nonlocal asked
        asked += 1
        return asked > most

    most = 0
    while most < 4:
        asked = 0
        with pytest.raises(CancelledError):
            convert_msi(two_sets, folder / name, ions=ions, cancelled=counted)
        assert list(folder.iterdir()) == []
        most += 1
    told: list[float] = []
    convert_msi(two_sets, folder / name, ions=ions, progress=told.append)
    assert told == sorted(told) and told[-1] == pytest.approx(1.0)
    with pytest.raises(OutputExistsError):
        convert_msi(two_sets, folder / name, ions=ions)
    convert_msi(two_sets, folder / name, ions=ions, overwrite=True)


def test_an_imzml_file_that_is_there_stops_all_before_anything(
    two_sets: Path, tmp_path: Path
) -> None:
    (tmp_path / "out_MS2_a.ibd").write_text("of somebody")
    with pytest.raises(OutputExistsError):
        convert_msi(two_sets, tmp_path / "out.imzML")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out_MS2_a.ibd", "source.h5"]
    assert (tmp_path / "out_MS2_a.ibd").read_text() == "of somebody"


def test_what_does_not_come_back_is_an_error(
    two_sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(spectra: Spectra, path: Path, **more: Any) -> Path:
        other = MemorySpectra.over(MZ, np.zeros((5, 40), "f4"), spectra.pixels)
        return write_imzml(other, path)

    monkeypatch.setattr("napari_scope.formats.msi.imzml.writer.write_imzml", wrong)
    with pytest.raises(FormatError, match=r"does not come back.*x 3, y 6, z 0 differs"):
        convert_msi(two_sets, tmp_path / "a.imzML", dataset=0)
    assert [p.name for p in tmp_path.iterdir()] == ["source.h5"]
    convert_msi(two_sets, tmp_path / "a.imzML", dataset=0, verify=False)


def test_settings_that_do_not_fit(two_sets: Path, tmp_path: Path) -> None:
    for target, words, settings in (
        ("a.tif", "suffix", {}),
        ("a.h5", "no compression 'zlib'", {"compression": "zlib"}),
        ("a.ome.zarr", "no compression 'gzip'", {"compression": "gzip"}),
        ("a.imzML", "ions are chosen for OME-Zarr", {"ions": [Ion(150)]}),
        ("a.ome.zarr", "neither normalised", {"normalise": "tic"}),
        ("a.ome.zarr", "nor clipped", {"hotspot": 0.99}),
        ("a.h5", "no data set 2", {"dataset": 2}),
        ("a.h5", "no region 7", {"dataset": 0, "regions": [7]}),
        ("a.ome.zarr", "no region 7", {"dataset": 0, "regions": [7]}),
        ("source.h5", "what is converted", {"overwrite": True}),
    ):
        with pytest.raises(SettingsError, match=words):
            convert_msi(two_sets, tmp_path / target, **settings)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="do not become"):
        convert_msi(two_sets, tmp_path / "a", "tiff")  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["source.h5"]
    convert_msi(two_sets, tmp_path / "b.imzML", dataset=0)
    with pytest.raises(SettingsError, match="what is converted"):
        convert_msi(tmp_path / "b.ibd", tmp_path / "b.imzML", overwrite=True)
    folder = tmp_path / "in"
    folder.mkdir()
    for path in (two_sets, tmp_path / "b.imzML", tmp_path / "b.ibd"):
        path.rename(folder / path.name)  # several files are one source
    for name in ("c.h5", "deep/c.ome.zarr"):
        with pytest.raises(SettingsError, match="lies in, what is converted"):
            convert_msi(folder, folder / name)
    assert sorted(p.name for p in folder.iterdir()) == ["b.ibd", "b.imzML", "source.h5"]


def test_an_ion_beyond_the_spectra_is_told(two_sets: Path, tmp_path: Path) -> None:
    ions = [Ion(100), Ion(900), Ion(200)]  # the ends belong to them
    report = convert_msi(two_sets, tmp_path / "a.ome.zarr", ions=ions, dataset=0)
    assert [note for note in report.notes if "outside" in note] == [
        "m/z 900 ± 0.25 Da lies outside of m/z 100 to 200"
    ]


def test_a_part_acts_as_if_it_were_all() -> None:
    for whole in (_common(), _ragged()):
        numbers = np.array([2, 0])
        part = Subset(whole, numbers)
        assert len(part) == 2
        np.testing.assert_array_equal(part.spectrum(0)[1], whole.spectrum(2)[1])
        chosen = np.array([1, 0, 1])
        blocks = list(part.blocks(chosen))
        assert np.concatenate([b.numbers for b in blocks]).tolist() == [1, 0, 1]
        found = part.window(0, 500, "sum", chosen)
        np.testing.assert_array_equal(found, whole.window(0, 500)[numbers[chosen]])
        np.testing.assert_array_equal(
            np.concatenate([b.window(0, 500, "sum") for b in blocks]), found
        )
    common = Subset(_common(), np.array([4]))
    assert common.columns(np.array([3, 1])).shape == (1, 2)


def test_spectra_of_no_values_among_others_alike(tmp_path: Path) -> None:
    """A reader may see one axis there, and zeros where nothing was written."""
    one, none = Spectrum(MZ, np.ones(40)), Spectrum(MZ[:0], np.ones(0))
    table = PixelTable.of([0, 1, 2], [0, 0, 0])
    spectra = MemorySpectra("", table, [none, one, none])
    write_openmsi(spectra, tmp_path / "a.h5")
    for name in ("a.imzML", "b.h5"):
        assert convert_msi(tmp_path / "a.h5", tmp_path / name).compared == 3
    zeros = MemorySpectra("", table, [Spectrum(MZ, np.zeros(40)), one, none])
    assert compare_spectra(zeros, spectra) == compare_spectra(spectra, zeros) == 3
    other = MemorySpectra("", table, [one, one, none])
    for pair in ((spectra, other), (other, spectra)):
        with pytest.raises(FormatError, match="x 0, y 0, z 0 differs"):
            compare_spectra(*pair)


def test_differences_are_found() -> None:
    one = _common()
    moved = MemorySpectra.over(
        MZ, np.ones((5, 40)), PixelTable.of([0, 1, 2, 0, 1], [0, 0, 0, 1, 1])
    )
    with pytest.raises(FormatError, match="other pixels"):
        compare_spectra(one, moved)
    small = MemorySpectra.over(MZ, np.ones((1, 40)), PixelTable.of([0], [0]))
    with pytest.raises(FormatError, match="shape"):
        compare_spectra(one, small)
    other = [Spectrum(MZ + (k == 3), one.spectrum(k)[1]) for k in range(5)]
    with pytest.raises(FormatError, match="x 4, y 7, z 0 differs"):
        compare_spectra(one, MemorySpectra("", one.pixels, other))
    other = [Spectrum(MZ, one.spectrum(k)[1] * (1 + (k == 2))) for k in range(5)]
    with pytest.raises(FormatError, match="x 3, y 7, z 0 differs"):
        compare_spectra(one, MemorySpectra("", one.pixels, other))
    # A pixel more, or fewer, in an image of the same size.
    more = PixelTable.of([3, 4, 5, 3, 4, 5], [6, 6, 6, 7, 7, 7])
    full = MemorySpectra.over(MZ, np.ones((6, 40), "f4"), more)
    for pair in ((one, full), (full, one)):
        with pytest.raises(FormatError, match="other pixels"):
            compare_spectra(*pair)


# Lists of ions


def test_tables_of_ions_as_people_write_them(tmp_path: Path) -> None:
    table = tmp_path / "ions.csv"
    text = "# of the brain\nm/z\tTolerance\tName\n885,55\t10\tPI\n\n301.2\t\t\n"
    table.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_ions(table, tolerance=5, unit="ppm") == [
        Ion(885.55, 10, "ppm", "PI"),
        Ion(301.2, 5, "ppm"),
    ]
    assert parse_ions("#a;b\n301\n885.55, PI") == [Ion(301), Ion(885.55, name="PI")]
    assert parse_ions("mz,name\n301.2,12") == [Ion(301.2, name="12")]
    assert parse_ions("mz,name\n301.2,PC;Na")[0].name == "PC;Na"
    assert parse_ions('name,mz,unit\n"a, b",5,PPM') == [Ion(5, 0.25, "ppm", "a, b")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_spreadsheets(tmp_path: Path, encoding: str) -> None:
    table = tmp_path / "ions.txt"
    text = "Name\tm/z [Da]\tTolerance (mDa)\nSäure\t885,55\t5\nb\t301,2\t\n"
    table.write_bytes(text.encode(encoding))
    assert read_ions(table, tolerance=7, unit="ppm") == [
        Ion(885.55, 0.005, "Da", "Säure"),
        Ion(301.2, 7, "ppm", "b"),
    ]
    assert parse_ions("mz,ppm\n301.2,5")[0] == Ion(301.2, 5, "ppm")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no ion"),
        ("mz,name\n", "no ion"),
        ("mz\nabc", "line 2: 'abc' is no number"),
        ("mz\n-3", "line 2: -3.0 is no m/z"),
        ("mz,tolerance\n3,-1", "line 2: -1.0 is no tolerance"),
        ("mz,unit\n3,mm", "line 2: the unit is Da or ppm, not 'mm'"),
        ("name,mass of it\na,3", "line 1: 'name' is no number"),
        ("mz\nnan", "no m/z"),
        ("885,55\n301,2", "line 1 has .* a comma in a number"),
        ("mz\n885,55", "line 2 has more columns"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    table = tmp_path / "ions.csv"
    table.write_text(text)
    with pytest.raises(FormatError, match=words) as caught:
        read_ions(table)
    assert caught.value.path == str(table)


def test_files_that_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mz\n\xff\xfe")  # letters of Windows, no number
    for path in (tmp_path / "a", tmp_path / "none", tmp_path):
        with pytest.raises(FormatError):
            read_ions(path)


@given(st.text(max_size=60))
def test_any_text_is_a_table_or_an_error(text: str) -> None:
    try:
        ions = parse_ions(text)
    except FormatError:
        return
    assert ions and all(ion.mz > 0 for ion in ions)
