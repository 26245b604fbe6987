from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.msi.analyze_files import TYPES, header, write

from napari_scope.errors import DatasetClosedError, FormatError, ScopeError
from napari_scope.formats.msi import format_of, open_msi
from napari_scope.formats.msi.analyze import AnalyzeReader
from napari_scope.formats.msi.analyze import spectra as spectra_module
from napari_scope.formats.msi.analyze.header import AnalyzeHeader

DATA = Path(__file__).parents[4] / "shared" / "data" / "msi"
in_folders = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _cube(dtype: str = "i2", shape: tuple[int, int, int] = (3, 2, 5)) -> Any:
    random = np.random.default_rng(1)
    return random.integers(0, 200, shape).astype(dtype)


@in_folders
@given(
    dtype=st.sampled_from(sorted(TYPES)),
    order=st.sampled_from("<>"),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 9)),
    length=st.sampled_from([148, 200, 348, 384, 5000]),
    said=st.sampled_from([None, 348, 0, 77]),
    before=st.binary(max_size=9),
)
def test_every_variant_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: str,
    order: str,
    shape: tuple[int, int, int],
    length: int,
    said: int | None,
    before: bytes,
) -> None:
    folder = tmp_path_factory.mktemp("analyze")
    cube = _cube(dtype, shape)
    mz = 100 + np.arange(shape[2]) / 4
    stem = write(
        folder / "a.b", cube, mz, order, length=length, said=said, before=before
    )
    assert format_of(stem) is AnalyzeReader
    with open_msi(stem) as reader:
        assert reader.problems == ()
        assert reader.shape == (shape[1], shape[0], shape[2])
        assert reader.data_type == np.dtype(dtype).name
        assert reader.mz.tolist() == mz.astype("f4").tolist()
        np.testing.assert_array_equal(reader[...], cube.transpose(1, 0, 2))
        np.testing.assert_array_equal(reader[:, :, 0], cube[:, :, 0].T)
        assert (
            reader.data.tic_image().tolist() == cube.sum(axis=2, dtype=float).tolist()
        )
        image = reader.data.ion_image(100.5, 0.3)
        assert image.tolist() == cube[:, :, 1:4].sum(axis=2, dtype=float).tolist()
        seen = dict(reader.spectrum_iter())
        for (x, y), values in seen.items():
            assert values.tolist() == cube[y, x].tolist()
            assert reader.data.spectrum_at(x, y).intensities.tolist() == values.tolist()
        assert len(seen) == shape[0] * shape[1]
    assert AnalyzeReader.size(stem) == cube.nbytes + len(before)
    shutil.rmtree(folder)


@pytest.mark.skipif(
    not DATA.is_dir(), reason="the samples (../shared/data/msi) are not here"
)
def test_the_sample_is_what_others_read() -> None:
    said = json.loads((DATA / "oracle.json").read_text())["analyze"]
    said = said["analyze/Analyze75"]
    by_header = said["layout_by_header"]
    with open_msi(DATA / "analyze") as reader:
        assert isinstance(reader, AnalyzeReader)
        assert reader.header.bins == len(reader.mz) == by_header["n_mz"]
        assert reader.mz[0] == by_header["mz_first"]
        assert reader.mz[-1] == by_header["mz_last"]
        tic = reader.data.totals()
        assert tic.tolist() == by_header["tic_per_pixel_file_order"]
        mean = reader.data.mean_spectrum()
        highest = mean.mz[mean.intensities.argmax()]
        assert highest == by_header["argmax_sum_spectrum_mz"]
        assert reader.data.spectra.pixel_size is None
        (problem,) = reader.problems
        assert "the m/z axis has 44538 values; the first 3672 are used" in problem


def test_names_that_stand_for_the_three_files(tmp_path: Path) -> None:
    stem = write(tmp_path / "img.hdr.t2m", _cube(), np.arange(5.0))
    write(tmp_path / "z", _cube()[:1], np.arange(5.0))
    paths = [
        stem,
        tmp_path,
        *(tmp_path / f"{stem.name}.{s}" for s in ("hdr", "img", "t2m")),
    ]
    for path in paths:
        assert AnalyzeReader.is_valid_dataset(path)
        for known in ({"basename": path}, {"hdr_filename": path}):
            with AnalyzeReader(**known) as reader:
                assert reader.shape == (2, 3, 5)
    with AnalyzeReader(*(f"{stem}.{s}" for s in ("hdr", "t2m", "img"))) as reader:
        assert reader.shape == (2, 3, 5)
    assert AnalyzeReader.get_files_from_dir(tmp_path) == [
        str(stem),
        str(tmp_path / "z"),
    ]
    assert AnalyzeReader.get_files_from_dir(str(tmp_path))[0].startswith(str(tmp_path))


def test_suffixes_in_capitals(tmp_path: Path) -> None:
    write(tmp_path / "A", _cube(), np.arange(5.0))
    for suffix in ("hdr", "img", "t2m"):
        (tmp_path / f"A.{suffix}").rename(tmp_path / f"A.{suffix.upper()}")
    for path in (tmp_path, tmp_path / "A", tmp_path / "A.IMG"):
        with open_msi(path) as reader:
            assert reader.shape == (2, 3, 5)


def test_arguments_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="either a basename or three files"):
        AnalyzeReader("a.hdr", "a.t2m", "a.img", basename="a")
    with pytest.raises(ValueError, match="2 are given"):
        AnalyzeReader("a.hdr", img_filename="a.img")
    with pytest.raises(ValueError, match="0 are given"):
        AnalyzeReader()
    with pytest.raises(ValueError, match="1 are given"):
        AnalyzeReader(img_filename="a.img")


def test_without_an_axis_it_opens_when_asked_for(tmp_path: Path) -> None:
    cube = _cube()
    stem = write(tmp_path / "a", cube, None)
    for path in (stem, tmp_path, tmp_path / "a.hdr", tmp_path / "a.img"):
        assert format_of(path) is None
    with open_msi(tmp_path / "a.hdr", format="analyze") as reader:
        assert reader.mz.tolist() == [0, 1, 2, 3, 4]
        assert reader[1, 2].tolist() == cube[2, 1].tolist()
        assert reader.problems == (
            "there is no m/z axis (.t2m): the numbers of the bins stand for it",
        )
    with pytest.raises(FormatError, match="not found"):
        open_msi(tmp_path, format="analyze")


def test_more_bins_than_the_header_can_say(tmp_path: Path) -> None:
    cube = _cube("u1", (1, 2, 70_000))
    stem = write(tmp_path / "a", cube, np.arange(70_000.0))
    with open_msi(stem) as reader:
        assert reader.shape == (2, 1, 70_000)
        assert reader[1, 0, 69_990:].tolist() == cube[0, 1, 69_990:].tolist()
        assert "the header says 4464 bins, the m/z axis has 70000" in reader.problems[0]
    cube = cube[:, :, :40_000]
    stem = write(tmp_path / "b", cube, np.arange(40_000.0))
    with open_msi(stem) as reader:
        assert reader.shape == (2, 1, 40_000)
        assert reader.problems == ()


@pytest.mark.parametrize("missing", [1, 10, 21])
def test_what_an_image_that_was_cut_does_not_have_is_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    cube = _cube()
    stem = write(tmp_path / "a", cube, np.arange(5.0))
    path = tmp_path / "a.img"
    path.write_bytes(path.read_bytes()[:-missing])
    whole = cube.tobytes()[:-missing] + bytes(missing)
    expected = np.frombuffer(whole, cube.dtype).reshape(cube.shape)
    with open_msi(stem) as reader:
        np.testing.assert_array_equal(reader[...], expected.transpose(1, 0, 2))
        np.testing.assert_array_equal(reader[:, :, 3], expected[:, :, 3].T)
        assert "what is missing is 0" in reader.problems[0]
        monkeypatch.setattr(spectra_module, "BLOCK_BYTES", 20)
        blocks = list(reader.data.spectra.blocks())
        assert [len(block) for block in blocks] == [2, 2, 2]
        some = np.array([5, 0])
        (block,) = reader.data.spectra.blocks(some)
        assert block.totals().tolist() == [
            expected[2, 1].sum(),
            expected[0, 0].sum(),
        ]


def test_a_few_bins_of_long_spectra(tmp_path: Path) -> None:
    cube = _cube("i2", (2, 2, 9000))
    stem = write(tmp_path / "a", cube, np.arange(9000.0))
    with open_msi(stem) as reader:
        for bins in ([8999, 3, 70], [70, 8, 9]):
            found = reader.data.spectra.columns(np.array(bins), np.array([3, 1]))
            assert found.tolist() == cube.reshape(4, -1)[[3, 1]][:, bins].tolist()
        assert reader[1, 1, 5:70].tolist() == cube[1, 1, 5:70].tolist()
        assert reader.data.spectra.columns(np.array([], int)).shape == (4, 0)
    image = tmp_path / "a.img"
    image.write_bytes(image.read_bytes()[:-6])
    cube[1, 1, -3:] = 0
    with open_msi(stem) as reader:
        assert reader[1, :, 8990:].tolist() == cube[:, 1, 8990:].tolist()


def test_an_axis_that_does_not_ascend(tmp_path: Path) -> None:
    stem = write(tmp_path / "a", _cube(), np.array([1.0, 2, 3, 2, 5]))
    with open_msi(stem) as reader:
        assert "do not ascend" in reader.problems[0]
        assert reader.data.ion_image(2, 0.1).sum() == _cube()[:, :, [1, 3]].sum()
    write(tmp_path / "a", _cube(), np.array([1.0, 2, 3, np.nan, 5]))
    with pytest.raises(FormatError, match="not of numbers"):
        open_msi(stem)


def test_size_of_a_pixel_and_text(tmp_path: Path) -> None:
    stem = write(
        tmp_path / "a", _cube(), np.arange(5.0), pixdim=(0, 1, 0.1, 0.05), text=b"liver"
    )
    with open_msi(stem) as reader:
        size = reader.data.spectra.pixel_size
        assert size is not None
        assert (size.x_um, size.y_um) == (100, 50)
        said = reader.get_dataset_metadata()
        assert {key: one.value for key, one in said.items()} == {
            "description": "liver", "pixel width": 0.1, "pixel height": 0.05,
        }  # fmt: skip
    with open_msi(write(tmp_path / "b", _cube(), np.arange(5.0))) as reader:
        assert reader.get_dataset_metadata() == {}
    for unknown in ((0, 1, 1, 1), (0, 1, 0, 1), (0, 1, np.nan, 1)):
        write(tmp_path / "a", _cube(), np.arange(5.0), pixdim=unknown)
        with open_msi(stem) as reader:
            assert reader.data.spectra.pixel_size is None


def test_a_header_of_two_axes_is_a_row() -> None:
    one = AnalyzeHeader.parse(header((2, 7, 4, 9, 9)), "a.hdr")
    assert (one.bins, one.width, one.height) == (7, 4, 1)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_first_number_is_the_size_of_the_file(order: Literal["<", ">"]) -> None:
    data = header((0, 7, 4, 9, 1), order=order, length=384)
    one = AnalyzeHeader.parse(data, "a.hdr")
    assert (one.order, one.bins, one.width, one.height) == (order, 7, 4, 9)
    assert AnalyzeHeader.parse(data[:200], "a.hdr", 384) == one
    with pytest.raises(FormatError, match="no Analyze header"):
        AnalyzeHeader.parse(data[:200], "a.hdr")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes(100), "100 bytes"),
        (bytes(348), "no Analyze header"),
        (header((4, 5, 2, 3, 7)), "fourth axis of 7"),
        (header((4, 5, 65535, 65535, 1)), "65535 x 65535 pixels"),
        (header((4, 5, 2, 3, 1))[:70] + b"\x20\0" + bytes(278), "type 32 are not read"),
    ],
)
def test_headers_of_something_else(tmp_path: Path, data: bytes, words: str) -> None:
    stem = write(tmp_path / "a", _cube(), np.arange(5.0))
    (tmp_path / "a.hdr").write_bytes(data)
    with pytest.raises(FormatError, match=words):
        AnalyzeReader(stem)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    stem = write(tmp_path / "a", _cube(), np.arange(4.0))
    with pytest.raises(FormatError, match=r"3 pixels of 5 bins.*axis of 4 values"):
        AnalyzeReader(stem)
    with pytest.raises(FormatError, match="cannot be read"):
        AnalyzeReader(f"{stem}.hdr", f"{stem}.t2m", tmp_path / "nothing.img")
    with pytest.raises(FormatError, match="not found"):
        AnalyzeReader(tmp_path / "nothing")
    assert AnalyzeReader.size(tmp_path / "nothing") is None
    assert not AnalyzeReader.is_valid_dataset(tmp_path / "nothing" / "deeper")


def test_closing(tmp_path: Path) -> None:
    reader = AnalyzeReader(write(tmp_path / "a", _cube(), np.arange(5.0)))
    spectra = reader.data.spectra
    reader.close_file()
    bins = np.array([1])
    for read in (
        lambda: spectra.spectrum(0),
        lambda: list(spectra.blocks()),
        lambda: spectra.columns(bins),
    ):
        with pytest.raises(DatasetClosedError):
            read()


@in_folders
@given(
    suffix=st.sampled_from(["hdr", "img", "t2m"]),
    junk=st.binary(max_size=20),
    at=st.integers(0, 400),
    upto=st.integers(0, 400),
)
def test_damaged_files_never_do_harm(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    junk: bytes,
    at: int,
    upto: int,
) -> None:
    stem = write(tmp_path_factory.mktemp("a") / "a", _cube(), np.arange(5.0))
    path = stem.with_name(f"a.{suffix}")
    plain = path.read_bytes()
    path.write_bytes(plain[:at] + junk + plain[upto:])
    AnalyzeReader.is_valid_dataset(stem)
    try:
        with AnalyzeReader(stem) as reader:
            assert len(reader.mz)
            reader.data.tic_image()
            reader.data.ion_image(2, 1)
    except ScopeError:
        pass
    shutil.rmtree(stem.parent)
