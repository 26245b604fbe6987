"""One spectrum that somebody picked out of a measurement."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.formats.msi import flex_files as flex

from napari_scope.formats.msi import format_of, open_msi
from napari_scope.formats.msi.bruker import BrukerFlexReader
from napari_scope.formats.msi.bruker.single import SingleSpot, find_single
from napari_scope.formats.msi.bruker.spots import NoSpotsError
from napari_scope.formats.msi_sniff import is_msi

if TYPE_CHECKING:
    from pathlib import Path


def _spot(tmp_path: Path, name: str = "0_A1") -> Path:
    """Return the folder of a spot that was measured three times."""
    for repeat, counts in (("1/1SLin", [1, 2]), ("1/1SRef", [3]), ("2/1SLin", [4])):
        flex.write_spot(tmp_path, name, counts, repeat=repeat)
    return tmp_path / name


@pytest.mark.parametrize(
    ("path", "names", "first"),
    [
        ("", ["1/1SLin", "1/1SRef", "2/1SLin"], [1, 2]),
        ("1", ["1/1SLin", "1/1SRef"], [1, 2]),
        ("2", ["2/1SLin"], [4]),
        ("1/1SRef", ["1/1SRef"], [3]),
        ("1/1SRef/fid", ["1/1SRef"], [3]),
        ("2/1SLin/acqu", ["2/1SLin"], [4]),
    ],
)
def test_what_is_picked_is_there_and_nothing_else(
    tmp_path: Path, path: str, names: list[str], first: list[int]
) -> None:
    spot = _spot(tmp_path)
    flex.write_spot(tmp_path, "0_A2", [9])
    assert is_msi(spot / path)
    assert format_of(spot / path) is BrukerFlexReader
    assert BrukerFlexReader.size(spot / path) == 4 * sum(
        {"1/1SLin": 2}.get(name, 1) for name in names
    )
    with open_msi(spot / path) as reader:
        assert isinstance(reader, BrukerFlexReader)
        assert [one.name for one in reader.data_sets] == names
        assert reader.data.shape == (1, 1, len(first))
        assert reader[0, 0].tolist() == first
        assert reader.title == "0_A1"
        assert not reader.is_image
        told = 1 if len(names) > 1 else 0
        assert len(reader.problems) == told
        assert reader.pixel_dict["spotname"].tolist() == [["0_A1"]]
    with open_msi(tmp_path) as reader:
        assert isinstance(reader, BrukerFlexReader)
        assert reader.shape == (2, 1, 2)
        assert reader.title == tmp_path.name


@pytest.mark.parametrize(
    ("name", "title"),
    [("mouse Spot List.txt", "mouse"), ("a.b SPOT LIST.TXT", "a.b")],
)
def test_a_list_is_called_like_its_sample(
    tmp_path: Path, name: str, title: str
) -> None:
    made = flex.write_sample(tmp_path, {(0, 1, 1): [1, 2]})
    path = made.rename(made.with_name(name))
    with BrukerFlexReader(path, spot_folder=tmp_path / "tissue") as reader:
        assert reader.title == title
    with open_msi(tmp_path / "tissue") as reader:
        assert reader.title == "tissue"


def test_a_pixel_of_an_image_stays_where_it_is(tmp_path: Path) -> None:
    place = flex.write_spot(tmp_path, flex.spot_name(12, 6, 1), [1, 2])
    with open_msi(place / "fid") as reader:
        assert isinstance(reader, BrukerFlexReader)
        assert reader.is_image
        assert reader.data.pixels.origin == (12, 6, 0)
        assert reader.region_dicts[0]["name"] == "R01"


@pytest.mark.parametrize("folder", ["copied", "1/copied", "1", "1/2"])
def test_a_spectrum_that_was_copied_out_of_its_folders(
    tmp_path: Path, folder: str
) -> None:
    place = tmp_path / folder
    place.parent.mkdir(exist_ok=True)
    shutil.copytree(flex.write_spot(tmp_path / "from", "0_A1", [5, 6]), place)
    for path in (place, place / "fid"):
        with open_msi(path) as reader:
            assert isinstance(reader, BrukerFlexReader)
            assert reader[0, 0].tolist() == [5, 6]
            named = tmp_path if folder == "1/copied" or folder == "1/2" else place
            assert reader.title == named.name
            assert reader.pixel_dict["fid"].tolist() == [[str(place / "fid")]]


def test_a_path_that_is_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(_spot(tmp_path) / "1" / "1SLin")
    for path in ("fid", "."):
        with open_msi(path) as reader:
            assert reader[0, 0].tolist() == [1, 2]


def test_other_paths_are_no_single_spot(tmp_path: Path) -> None:
    spot = _spot(tmp_path)
    assert find_single(spot) == SingleSpot(spot, ("1/1SLin", "1/1SRef", "2/1SLin"))
    # A folder of spots is more than what else lies in it.
    (tmp_path / "fid").touch()
    (spot / "1" / "pdata").mkdir()
    (spot / "notes.txt").touch()
    for path in (tmp_path, spot / "1" / "pdata", spot / "notes.txt", tmp_path / "no"):
        assert find_single(path) is None
    assert find_single(tmp_path / "fid") == SingleSpot(tmp_path, ("",))


@pytest.mark.parametrize("text", [None, "##$TD= 2\r\n##$DW= 3\r\n##$SW_h= 1", ""])
def test_spectra_of_other_instruments_are_not_claimed(
    tmp_path: Path, text: str | None
) -> None:
    place = flex.write_spot(tmp_path / "nmr", "0_A1", [5, 6], acqu=None)
    if text is not None:
        (place / "acqus").write_text(text)
    for path in (place / "fid", place, place.parent, place.parent.parent):
        assert find_single(path) is not None
        assert format_of(path) is None
        with pytest.raises(NoSpotsError, match="not of a flex instrument"):
            BrukerFlexReader(path)
    assert BrukerFlexReader.get_files_from_dir(place) == []
    shutil.copy(
        flex.write_spot(tmp_path / "flex", "0_A1", [5, 6], acqu="acqus") / "acqus",
        place,
    )
    assert format_of(place / "fid") is BrukerFlexReader
    assert BrukerFlexReader.get_files_from_dir(place) == [str(place)]
