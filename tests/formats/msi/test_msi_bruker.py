from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.msi import flex_files as flex
from tests.formats.msi import msi_brute as brute

from napari_scope.errors import DatasetClosedError, FormatError, ScopeError
from napari_scope.fileio import DataFile
from napari_scope.formats.msi import PixelTable, Spectrum, format_of, open_msi
from napari_scope.formats.msi.bruker import BrukerFlexReader
from napari_scope.formats.msi.bruker import spectra as spectra_module
from napari_scope.formats.msi.bruker.calibration import Calibration
from napari_scope.formats.msi.bruker.fid import FidFiles
from napari_scope.formats.msi.bruker.spectra import BrukerSpectra
from napari_scope.formats.msi.bruker.spots import NoSpotsError
from napari_scope.formats.msi.folder import RawFolderReader

if TYPE_CHECKING:
    from pathlib import Path

in_folders = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
POINTS = 30


def _counts(seed: int = 0, points: int = POINTS) -> dict[tuple[int, int, int], Any]:
    """Return three regions, of which number 1 is missing, away from the border."""
    random = np.random.default_rng(seed)
    places = [(0, 5, 2), (0, 6, 2), (0, 6, 3), (2, 9, 7), (2, 10, 7), (3, 5, 9)]
    return {place: random.integers(-5, 1000, points) for place in places}


def test_an_image(tmp_path: Path) -> None:
    counts = _counts()
    spot_list = flex.write_sample(tmp_path / "sample", counts)
    for path in (spot_list, tmp_path / "sample", tmp_path / "sample" / "tissue"):
        assert format_of(path) is BrukerFlexReader
        with open_msi(path) as reader:
            assert isinstance(reader, BrukerFlexReader)
            assert reader.problems == ()
            assert reader.shape == reader.full_shape == (6, 8, POINTS)
            assert reader.data_type == "int32"
            assert reader.data.pixels.origin == (5, 2, 0)
            cube = np.zeros((6, 8, POINTS), np.int32)
            for (_, x, y), values in counts.items():
                cube[x - 5, y - 2] = values
            np.testing.assert_array_equal(reader[...], cube)
            np.testing.assert_array_equal(reader[:, :, 7], cube[:, :, 7])
            np.testing.assert_array_equal(reader[1, 1, 3:9], cube[1, 1, 3:9])
            np.testing.assert_array_equal(
                reader.data.tic_image(), cube.sum(axis=2, dtype=float).T
            )
            seen = dict(reader.spectrum_iter())
            assert {place: v.tolist() for place, v in seen.items()} == {
                (x - 5, y - 2): v.tolist() for (_, x, y), v in counts.items()
            }
            assert reader.mz[0] == pytest.approx(999.9387911779093)
    assert BrukerFlexReader.size(spot_list) == 6 * 4 * POINTS
    assert BrukerFlexReader.size(tmp_path / "nothing") is None


def test_regions(tmp_path: Path) -> None:
    reader = BrukerFlexReader(flex.write_sample(tmp_path / "s", _counts()))
    assert reader.supports_regions() and reader.supports_multidata()
    assert [(r["index"], r["name"], r["origin"], r["extend"], r["count"])
            for r in reader.region_dicts] == [
        (0, "R00", [5, 2], [2, 2], 3),
        (2, "R02", [9, 7], [2, 1], 2),
        (3, "R03", [5, 9], [1, 1], 1),
    ]  # fmt: skip
    assert [one["link_name"] for one in reader.get_dataset_dependencies()] == [
        "msi_region_0", "msi_region_2", "msi_region_3",
    ]  # fmt: skip
    reader.set_region_selection(2)
    assert reader.shape == (2, 1, POINTS)
    reader.set_region_selection([0, 2])
    assert reader.shape == (6, 6, POINTS)
    assert reader.full_shape == (6, 8, POINTS)
    with pytest.raises(ValueError, match="no region 1"):
        reader.set_region_selection(1)


def test_regions_that_the_list_names(tmp_path: Path) -> None:
    spot_list = flex.write_sample(tmp_path / "s", _counts())
    lines = [
        line[:-1] + "Tumor" if line.endswith(" 3") else line
        for line in spot_list.read_text().splitlines()
    ]
    flex.write_list(spot_list, lines)
    with BrukerFlexReader(spot_list) as reader:
        assert [one["name"] for one in reader.region_dicts] == ["R00", "Tumor", "R03"]
        assert reader.problems == ()
        maps = BrukerFlexReader.s_read_spotlist(spot_list)
        assert maps["regions"].max() == 3
        assert sorted(maps["regions_in_list"].compressed()) == [1, 1, 1, 3, 3, 4]


@in_folders
@given(
    coefficients=st.lists(st.floats(-1e-3, 1e-3), min_size=1, max_size=4),
    low=st.floats(0, 3e4),
    width=st.floats(0, 2e3),
    shift=st.floats(0, 1e-3),
)
def test_windows_with_high_precision_are_those_of_the_axis(
    coefficients: list[float], low: float, width: float, shift: float
) -> None:
    """Also where the correction is so wrong that m/z falls."""
    files = FidFiles([], [], "int32")
    texts = f"V1.0VectorDouble {len(coefficients)} {' '.join(map(repr, coefficients))}"
    acqu = {
        "TD": 300, "DELAY": 21021, "DW": 200, **flex.ML, "HPClUse": True,
        "HPClBLo": 3000, "HPClBHi": 20000, "HPClOrd": 1, "HPCStr": f"{texts} c2 0",
    }  # fmt: skip
    one = Calibration.of(acqu)
    assert one.polynomial is not None
    other = Calibration.of({**acqu, "ML1": flex.ML["ML1"] * (1 + shift), "HPClUse": 0})
    kinds = np.array([0, 1])
    table = PixelTable.of([0, 1], [0, 0])
    spectra = BrukerSpectra("", table, files, [one, other], kinds)
    first, last = spectra._limits(low, low + width)
    for k, calibration in enumerate((one, other)):
        mz = calibration.axis()
        inside = np.flatnonzero((mz >= low) & (mz <= low + width))
        begin, end = (inside[0], inside[-1] + 1) if len(inside) else (0, 0)
        assert last[k] - first[k] == end - begin
        assert end == begin or first[k] == begin


def test_maps_of_the_pixels(tmp_path: Path) -> None:
    spot_list = flex.write_sample(tmp_path / "s", _counts())
    folder = tmp_path / "s" / "tissue"
    with BrukerFlexReader(spot_list) as reader:
        maps = reader.pixel_dict
    assert maps["spotfolder"] == str(folder)
    assert maps["origin"] == (5, 2, 0)
    keys = "fid acqu regions regions_in_list xpos ypos spotname"
    for key in keys.split():
        assert isinstance(maps[key], np.ma.MaskedArray)
        assert maps[key].shape == (6, 8)
        assert maps[key].count() == 6
    assert maps["fid"][0, 0] == str(folder / "0_R00X005Y002/1/1SLin/fid")
    assert maps["acqu"][0, 0] == str(folder / "0_R00X005Y002/1/1SLin/acqu")
    assert maps["spotname"][4, 5] == "0_R02X009Y007"
    assert (maps["regions"][4, 5], maps["regions_in_list"][4, 5]) == (2, 3)
    assert (maps["xpos"][4, 5], maps["ypos"][4, 5]) == (900, 700)
    assert maps["xpos"][1, 5] is np.ma.masked
    statically = BrukerFlexReader.s_read_spotlist(spot_list)
    from_dir = BrukerFlexReader.s_spot_from_dir(folder)
    for key in keys.split():
        assert statically[key].tolist() == maps[key].tolist()
        if key not in ("xpos", "ypos"):
            assert from_dir[key].tolist() == maps[key].tolist()
    assert (from_dir["xpos"][4, 5], from_dir["ypos"][4, 5]) == (9, 7)
    folders = BrukerFlexReader.s_spot_from_dir(folder, spot_folder_only=True)
    assert folders[0] == str(folder / "0_R00X005Y002")
    assert len(folders) == 6
    assert BrukerFlexReader.s_spot_from_dir(tmp_path / "s" / "tissue" / "x") is None


def test_repeats_are_data_sets(tmp_path: Path) -> None:
    for x in range(3):
        name = flex.spot_name(x, 0)
        flex.write_spot(tmp_path, name, [x, 1])
        flex.write_spot(tmp_path, name, [x, 2, 3], repeat="1/1SRef", DELAY=30000)
    flex.write_spot(tmp_path, flex.spot_name(1, 0), [9, 9], repeat="2/1SLin")
    reader = BrukerFlexReader(tmp_path)
    assert [one.name for one in reader.data_sets] == ["1/1SLin", "1/1SRef", "2/1SLin"]
    assert reader.get_number_of_datasets() == 3
    assert reader.select_dataset == 0
    assert reader.shape == (3, 1, 2)
    assert reader.problems == (
        "2/1SLin: spots without it: 2 of 3",
        "the spots were measured 3 times: 1/1SLin, 1/1SRef, 2/1SLin; the first is "
        "chosen",
    )
    reader.set_dataset_selection(1)
    assert reader[2, 0].tolist() == [2, 2, 3]
    assert reader.full_shape == (3, 1, 3)
    assert reader.pixel_dict["fid"][2, 0].endswith("Y000/1/1SRef/fid")
    assert reader.metadata["DELAY"] == 30000
    assert reader.get_dataset_metadata()["DELAY"].unit == "ns"
    links = reader.get_dataset_dependencies()
    assert [(one["dataset"], one["dependency_type"]) for one in links] == [
        (0, "co_modality"), (2, "co_modality"), (1, "contains"),
    ]  # fmt: skip
    reader.set_dataset_selection(2)
    assert reader.data.pixels.origin == (1, 0, 0)
    assert reader.pixel_dict["fid"][0, 0].endswith("2/1SLin/fid")


def test_more_than_one_plane(tmp_path: Path) -> None:
    for z in (3, 4):
        flex.write_spot(tmp_path, f"0_R00X001Y002Z{z}", [z, 0])
    reader = BrukerFlexReader(tmp_path)
    assert reader.shape == (1, 1, 2, 2)
    assert reader[0, 0, :, 0].tolist() == [3, 4]
    assert reader.pixel_dict["xpos"].shape == (1, 1, 2)


def test_spots_of_a_plate_are_a_row(tmp_path: Path) -> None:
    for name in ("0_A10", "0_A2", "0_B1"):
        flex.write_spot(tmp_path / "plate", name, [len(name), 0])
    assert format_of(tmp_path) is BrukerFlexReader
    reader = BrukerFlexReader(tmp_path)
    assert not reader.is_image
    assert reader.shape == (3, 1, 2)
    assert reader[:, 0, 0].tolist() == [4, 5, 4]
    assert "they are no image and are shown in a row" in reader.problems[0]


def test_one_axis_whatever_the_order_of_the_bytes(tmp_path: Path) -> None:
    flex.write_spot(tmp_path, flex.spot_name(0, 0), [1, 2, 3])
    flex.write_spot(tmp_path, flex.spot_name(1, 0), [4, 5, -6], BYTORDA=1)
    flex.write_spot(tmp_path, flex.spot_name(2, 0), [7, 8, 9], acqu="acqus")
    reader = BrukerFlexReader(tmp_path)
    assert reader.data.spectra.common_mz is not None
    assert reader[:, 0].tolist() == [[1, 2, 3], [4, 5, -6], [7, 8, 9]]
    assert reader.pixel_dict["acqu"][2, 0].endswith("acqus")
    assert reader.problems == ()


@pytest.mark.parametrize("encoding", ["<i4", ">i4", "int16", "float32", "uint8"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    place = flex.write_spot(tmp_path, flex.spot_name(0, 0), [1, 2], points=3)
    values = np.array([3, 4, 5], encoding)
    (place / "fid").write_bytes(values.tobytes())
    with BrukerFlexReader(tmp_path, encoding) as reader:
        assert reader[0, 0].tolist() == [3, 4, 5]
        assert reader.data_type == np.dtype(encoding).name
        assert reader.problems == ()
    for bad in ("nonsense", "S4", "O"):
        with pytest.raises(ValueError, match="no type of numbers"):
            BrukerFlexReader(tmp_path, bad)


def test_a_file_that_does_not_have_as_many_values_as_it_should(tmp_path: Path) -> None:
    for x, n in enumerate((2, 4, 3)):
        flex.write_spot(tmp_path, flex.spot_name(x, 0), range(1, n + 1), points=3)
    place = tmp_path / flex.spot_name(0, 0) / "1/1SLin/fid"
    place.write_bytes(place.read_bytes() + b"\1\2")
    reader = BrukerFlexReader(tmp_path)
    assert reader[:, 0].tolist() == [[1, 2, 0], [1, 2, 3], [1, 2, 3]]
    assert reader.data.spectrum_at(0, 0).intensities.tolist() == [1, 2, 0]
    assert reader[:, 0, 2].tolist() == [0, 3, 3]
    assert reader.problems == (
        "spots with fewer values than their parameters say (TD): 1 (0_R00X000Y000); "
        "what is missing is 0",
        "spots with more values than their parameters say (TD): 1 (0_R00X001Y000); "
        "these are passed over",
    )


def test_spots_without_a_calibration_are_left_out(tmp_path: Path) -> None:
    for x in range(3):
        flex.write_spot(tmp_path, flex.spot_name(x, 0), [x, 1])
    (tmp_path / flex.spot_name(1, 0) / "1/1SLin/acqu").unlink()
    reader = BrukerFlexReader(tmp_path)
    assert reader[:, 0, 1].tolist() == [1, 0, 1]
    (problem,) = reader.problems
    assert "spots without a calibration, left out: 1 (0_R00X001Y000)" in problem
    for x in (0, 2):
        path = tmp_path / flex.spot_name(x, 0) / "1/1SLin/acqu"
        path.write_text(flex.acqu_text(2, ML1=None))
    with pytest.raises(FormatError, match="ML1 is missing"):
        BrukerFlexReader(tmp_path)


def test_calibrations_that_are_doubtful_are_told(tmp_path: Path) -> None:
    for x in range(3):
        other = {"NTBCal": "V1.0CTOF2CalibrationConstants 1"} if x else {}
        flex.write_spot(tmp_path, flex.spot_name(x, 0), [x, 1], **other)
    reader = BrukerFlexReader(tmp_path)
    assert reader.data.spectra.common_mz is not None
    assert reader.problems[0].startswith("the constants CTOF2 are not used")
    assert reader.problems[0].endswith("(spots: 2)")


def test_every_way_to_write_a_parameter_counts(tmp_path: Path) -> None:
    for x, text in enumerate(
        (
            flex.acqu_text(2),
            flex.acqu_text(2).replace("##$ML2=", "##$ML2 ="),
            flex.acqu_text(2, ML2=300.0).replace("##$ML2=", "##$ML2 ="),
            flex.acqu_text(2).replace(" \r\n", "\r"),
        )
    ):
        place = flex.write_spot(tmp_path, flex.spot_name(x, 0), [x, 1], acqu=None)
        (place / "acqu").write_bytes(text.encode())
    data = BrukerFlexReader(tmp_path).data
    mz = [data.spectrum_at(x, 0).mz.tolist() for x in range(4)]
    assert mz[0] == mz[1] == mz[3] != mz[2]


def test_high_precision_may_differ_between_spots(tmp_path: Path) -> None:
    plain: dict[str, Any] = {
        "HPClUse": True, "HPClBLo": 900.0, "HPClBHi": 2000.0, "HPClOrd": 2,
        "HPCStr": flex.HPC,
    }  # fmt: skip
    others = [
        {}, {}, {"HPCStr": flex.HPC.replace("2e-05", "3e-05")}, {"HPClBHi": 950.0},
        {"HPClOrd": 0},
    ]  # fmt: skip
    for x, other in enumerate(others):
        flex.write_spot(tmp_path, flex.spot_name(x, 0), [x, 1], **{**plain, **other})
    data = BrukerFlexReader(tmp_path).data
    mz = [data.spectrum_at(x, 0).mz[0] for x in range(5)]
    assert mz[0] == mz[1]
    assert mz[3] == mz[4]
    assert len(set(mz)) == 3


def test_m_z_that_falls_at_the_limit_of_high_precision(tmp_path: Path) -> None:
    for x in range(2):
        flex.write_spot(
            tmp_path, flex.spot_name(x, 0), range(4000), ML2=270.0 + x, HPClUse=True,
            HPClBLo=900.0, HPClBHi=1500.0, HPClOrd=1,
            HPCStr="V1.0VectorDouble 1 -5.0 c2 0",
        )  # fmt: skip
    with BrukerFlexReader(tmp_path) as reader:
        found = reader.data.spectra
        written = [found.spectrum(number) for number in range(2)]
        assert (np.diff(written[0].mz) < 0).sum() == 1
        for window in ((1501.0, 1503.0), (1499.0, 1500.5), (1504.5, 1506.0)):
            expected = brute.window(written, *window, "sum")
            assert found.window(*window).tolist() == expected.tolist()


def test_bins_in_any_order(tmp_path: Path) -> None:
    flex.write_spot(tmp_path, flex.spot_name(0, 0), range(20, 40))
    with BrukerFlexReader(tmp_path) as reader:
        for bins in ([5, 2, 9], [3, 2, 1], [7]):
            found = reader.data.spectra.columns(np.array(bins))
            assert found.tolist() == [[20 + k for k in bins]]


spots = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from([0, 1]),
        st.sampled_from([{}, {"ML2": 280.0}, {"ML3": 0}, {"DW": 4}]),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@in_folders
@given(spots=spots, seed=st.integers(0, 99), data=st.data())
def test_each_spot_has_its_own_calibration(
    tmp_path_factory: pytest.TempPathFactory,
    spots: list[tuple[int, int, dict[str, float], bool]],
    seed: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("flex")
    random = np.random.default_rng(seed)
    written: list[Spectrum] = []
    for x, (n, order, other, high) in enumerate(spots):
        values = random.integers(0, 1000, n)
        known: dict[str, Any] = {"BYTORDA": order, "DELAY": 41000, **other}
        if high:
            known |= {"HPClUse": True, "HPClBLo": 1000.0, "HPClBHi": 3990.0}
            known |= {"HPClOrd": 2, "HPCStr": flex.HPC}
        place = flex.write_spot(
            folder, flex.spot_name(x, 0), values, points=n + 1, **known
        )
        acqu = BrukerFlexReader.s_read_acqu(place / "acqu")
        mz = BrukerFlexReader.s_mz_from_acqu(acqu)
        written.append(Spectrum(mz, np.append(values, 0)))
    with BrukerFlexReader(folder) as reader:
        found = reader.data.spectra
        same = len({(n, *other.items(), high) for n, _, other, high in spots}) == 1
        assert (found.common_mz is not None) == same
        for number, one in enumerate(written):
            got = found.spectrum(number)
            assert got.mz.tolist() == one.mz.tolist()
            assert got.intensities.tolist() == one.intensities.tolist()
        known_mz = np.concatenate([one.mz for one in written])
        some = st.sampled_from(known_mz.tolist()) | st.floats(3900, 4100)
        low, high_mz = data.draw(some), data.draw(some)
        for how in ("sum", "max", "mean"):
            expected = brute.window(written, low, high_mz, how)
            np.testing.assert_allclose(found.window(low, high_mz, how), expected)  # type: ignore[arg-type]
            few = np.arange(len(written))[::-2]
            np.testing.assert_allclose(
                found.window(low, high_mz, how, few),  # type: ignore[arg-type]
                expected[few],
            )
        totals = [one.intensities.sum() for one in written]
        assert reader.data.totals().tolist() == totals
        assert found.mz_range() == (known_mz.min(), known_mz.max())
    shutil.rmtree(folder)


@pytest.mark.parametrize("same", [True, False])
def test_many_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    counts = _counts(points=50)
    for (region, x, y), values in counts.items():
        other = {} if same else {"ML2": 270 + x}
        flex.write_spot(tmp_path, flex.spot_name(x, y, region), values, **other)
    with BrukerFlexReader(tmp_path) as reader:
        whole = reader.data.window(1000, 1100, "sum").tolist()
        blocks = [block.numbers.tolist() for block in reader.data.spectra.blocks()]
        assert blocks == [[0, 1, 2, 3, 4, 5]]
        monkeypatch.setattr(spectra_module, "BLOCK_BYTES", 2 * 50 * 4)
        blocks = [block.numbers.tolist() for block in reader.data.spectra.blocks()]
        assert blocks == [[0, 1], [2, 3], [4, 5]]
        assert reader.data.window(1000, 1100, "sum").tolist() == whole
        assert list(reader.data.spectra.blocks(np.zeros(0, np.int64))) == []


def test_only_the_wanted_bytes_are_read_and_one_file_is_open_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = flex.write_large(tmp_path, 5, 4, points=3000)
    reader = BrukerFlexReader(folder)
    opened: list[DataFile] = []
    sizes: list[int] = []
    plain_open, plain_read = DataFile.open, DataFile.read_at

    def open_one(path: Any, **known: Any) -> DataFile:
        assert all(file._descriptor is None for file in opened)
        opened.append(plain_open(path, **known))
        return opened[-1]

    def read_at(self: DataFile, offset: int, size: int) -> bytes:
        sizes.append(size)
        return plain_read(self, offset, size)

    monkeypatch.setattr(DataFile, "open", staticmethod(open_one))
    monkeypatch.setattr(DataFile, "read_at", read_at)
    image = reader[:, :, 70]
    assert sizes == [4] * 20
    # Each spot has one peak more than the one before; that at 70 is the eleventh.
    assert (image >= 1000).sum() == 10
    sizes.clear()
    mz = reader.mz
    few = reader.data.ion_image((mz[100] + mz[104]) / 2, (mz[104] - mz[100]) / 1.9)
    assert sizes == [5 * 4] * 20
    np.testing.assert_array_equal(few, reader[:, :, 100:105].sum(axis=2).T)
    assert all(file._descriptor is None for file in opened)


def test_many_threads_see_the_same(tmp_path: Path) -> None:
    folder = flex.write_large(tmp_path, 6, 5, points=500)
    with BrukerFlexReader(folder) as reader:
        windows = [(float(mz) - 1, float(mz) + 1) for mz in reader.mz[::50]]
        alone = [reader.data.window(*window).tolist() for window in windows]
        with ThreadPoolExecutor(4) as pool:
            together = list(
                pool.map(lambda w: reader.data.window(*w).tolist(), windows * 3)
            )
        assert together == alone * 3


def test_files_that_went_away(tmp_path: Path) -> None:
    for x in range(3):
        flex.write_spot(tmp_path, flex.spot_name(x, 0), [x + 1, 1], ML2=270 + x)
    reader = BrukerFlexReader(tmp_path)
    (tmp_path / flex.spot_name(1, 0) / "1/1SLin/fid").unlink()
    assert reader.data.totals().tolist() == [2, 0, 4]
    assert reader.data.window(0, 1e9, "sum").tolist() == [2, 0, 4]
    found = reader.data.spectra
    assert isinstance(found, spectra_module.BrukerSpectra)
    assert list(found.damaged) == [1]
    (problem,) = reader.problems
    assert "could not be read so far, empty here: 1 (the file cannot" in problem
    with pytest.raises(FormatError, match=r"cannot be read.*R00X001Y000"):
        reader.data.spectrum_at(1, 0)


def test_closing(tmp_path: Path) -> None:
    flex.write_spot(tmp_path, flex.spot_name(0, 0), [1, 2])
    reader = BrukerFlexReader(tmp_path)
    found = reader.data.spectra
    reader.close_file()
    with pytest.raises(DatasetClosedError):
        reader[0, 0]
    for read in (lambda: found.spectrum(0), lambda: list(found.blocks())):
        with pytest.raises(DatasetClosedError):
            read()


def test_values_of_a_file(tmp_path: Path) -> None:
    place = flex.write_spot(tmp_path, flex.spot_name(0, 0), range(10, 20)) / "fid"
    read = BrukerFlexReader.s_read_fid
    values = np.arange(10, 20)
    for selection in (
        slice(None), slice(2, 7, 2), slice(8, 2, -3), [3, 1, 1, -1], slice(4, 4),
        np.array([True, False] * 5), slice(5, 500),
    ):  # fmt: skip
        assert read(place, "int32", selection).tolist() == values[selection].tolist()
    assert read(place).dtype == np.int32
    assert read(place, "int16").tolist()[:4] == [10, 0, 11, 0]
    assert read(place, ">i4")[0] == 10 << 24
    with pytest.raises(IndexError):
        read(place, "int32", [10])
    with pytest.raises(FormatError, match="cannot be read"):
        read(place.with_name("nothing"))


def test_pixel_size_from_the_stage(tmp_path: Path) -> None:
    stage = {
        (x, y): (-9000.0 - 50 * x + y / 10, 100.0 + 75 * y)
        for x in range(4)
        for y in range(2)
    }
    for (x, y), (left, top) in stage.items():
        flex.write_spot(
            tmp_path / "a", flex.spot_name(x, y), [1], MOTPOS=f"({left},{top})"
        )
        flex.write_spot(
            tmp_path / "b", flex.spot_name(x, y), [1],
            MOTPOS=f"({left * (-1) ** x},{top * (-1) ** (x + y)})",
        )  # fmt: skip
        flex.write_spot(tmp_path / "c", flex.spot_name(x, y), [1], MOTPOS="(,)")
        flex.write_spot(tmp_path / "d", flex.spot_name(x, 0 * y, y), [1])
    size = BrukerFlexReader(tmp_path / "a").data.spectra.pixel_size
    assert size is not None
    assert (size.x_um, size.y_um) == pytest.approx((50, 75), rel=1e-2)
    for name in "bcd":
        assert BrukerFlexReader(tmp_path / name).data.spectra.pixel_size is None


def test_what_is_known_of_instrument_and_sample(tmp_path: Path) -> None:
    flex.write_spot(tmp_path, flex.spot_name(0, 0), [1], CMT1="kidney")
    reader = BrukerFlexReader(tmp_path)
    assert reader.get_instrument_metadata()["INSTRUM"].value == "AUTOFLEX"
    assert reader.get_method_metadata()["CMT1"].value == "kidney"
    assert reader.metadata["Aoffs"] == [51] * 6


def test_foreign_files_are_never_claimed(tmp_path: Path) -> None:
    (tmp_path / "Notes.txt").write_text("1 2 R00X001Y002 1")
    (tmp_path / "a Spot List.txt").write_text("shopping: milk, bread and butter")
    (tmp_path / "acqu").write_text("##TITLE= an NMR spectrum")
    (tmp_path / "fid").write_bytes(bytes(99))
    (tmp_path / "0_R00X001Y001").mkdir()
    for path in (tmp_path, *tmp_path.iterdir(), tmp_path / "nothing"):
        assert not BrukerFlexReader.is_valid_dataset(path)
    assert BrukerFlexReader.get_files_from_dir(tmp_path) == []
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(NoSpotsError):
            BrukerFlexReader(path)
    with pytest.raises(ValueError, match="no spot"):
        BrukerFlexReader(tmp_path / "a Spot List.txt")


def test_what_can_be_opened_in_a_folder(tmp_path: Path) -> None:
    spot_list = flex.write_sample(tmp_path, _counts())
    flex.write_spot(tmp_path / "other", flex.spot_name(0, 0), [1])
    found = BrukerFlexReader.get_files_from_dir(tmp_path)
    assert found == [str(spot_list), str(tmp_path / "other")]
    assert format_of(tmp_path) is RawFolderReader
    # A list among the spots makes no sample of them.
    flex.write_list(tmp_path / "other" / "x Spot List.txt", ["1 2 R00X000Y000 1"])
    assert BrukerFlexReader.get_files_from_dir(tmp_path) == found
    # The folder of a list may have another name; it is not opened twice.
    shutil.rmtree(tmp_path / "other")
    spot_list.parent.joinpath("tissue").rename(tmp_path / "renamed")
    assert BrukerFlexReader.get_files_from_dir(tmp_path) == [str(spot_list)]
    assert format_of(tmp_path) is BrukerFlexReader


@in_folders
@given(
    which=st.sampled_from(["fid", "acqu", "list"]),
    junk=st.binary(max_size=40),
    at=st.integers(0, 700),
    upto=st.integers(0, 700),
)
def test_damaged_files_never_do_harm(
    tmp_path_factory: pytest.TempPathFactory,
    which: str,
    junk: bytes,
    at: int,
    upto: int,
) -> None:
    sample = tmp_path_factory.mktemp("flex")
    spot_list = flex.write_sample(sample, dict(list(_counts().items())[:3]))
    place = sample / "tissue" / "0_R00X006Y002" / "1" / "1SLin"
    path = spot_list if which == "list" else place / which
    plain = path.read_bytes()
    path.write_bytes(plain[:at] + junk + plain[upto:])
    for one in (spot_list, sample / "tissue"):
        try:
            with BrukerFlexReader(one) as reader:
                reader.data.ion_image(1000, 1)
                reader.data.tic_image()
                assert reader.pixel_dict
                good = [spot for spot, _ in reader.spectrum_iter()]
            if which != "list":
                assert len(good) >= 2
        except ScopeError:
            assert which == "list"
    shutil.rmtree(sample)
