from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.msi import flex_files as flex

from napari_scope.errors import FormatError
from napari_scope.formats.msi.bruker.measurements import measurements
from napari_scope.formats.msi.bruker.names import (
    SpotName,
    is_plate_spot,
    parse_spot,
    repeats_of,
    spot_folders,
    spot_names,
)
from napari_scope.formats.msi.bruker.spot_list import (
    looks_like_list,
    parse_spot_list,
    read_spot_list,
)
from napari_scope.formats.msi.bruker.spots import NoSpotsError, find_spots

if TYPE_CHECKING:
    from pathlib import Path

numbers = st.integers(0, 999_999)


@given(numbers, numbers, numbers, st.none() | numbers, st.none() | numbers)
def test_names_of_spots(
    region: int, x: int, y: int, z: int | None, chip: int | None
) -> None:
    name = f"R{region:02d}X{x:03d}Y{y:03d}"
    name += "" if z is None else f"Z{z}"
    name = name if chip is None else f"{chip}_{name}"
    assert parse_spot(name) == SpotName(region, x, y, z or 0, chip or 0)
    assert not is_plate_spot(name)


@pytest.mark.parametrize(
    "name",
    ["", "0_A1", "R00X1", "R00X1Y", "xR00X1Y1", "R00X1Y1x", "R0X1234567Y1", "R-1X1Y1"],
)
def test_other_names_are_no_spots_of_an_image(name: str) -> None:
    assert parse_spot(name) is None
    assert is_plate_spot(name) == (name == "0_A1")


def test_a_list() -> None:
    listed, problems = parse_spot_list(
        "# positions\n\n 10 20 R00X001Y002 1 # the first\n-1.5\t2,5 R01X003Y004 2\n"
    )
    assert [(s.name, s.xpos, s.ypos, s.region) for s in listed] == [
        ("R00X001Y002", 10, 20, 1),
        ("R01X003Y004", -1.5, 2.5, 2),
    ]
    assert listed[1].spot == SpotName(1, 3, 4)
    assert isinstance(listed[0].xpos, int)
    assert problems == []


def test_what_is_wrong_with_a_list_is_told() -> None:
    listed, problems = parse_spot_list(
        "1 2 R00X001Y002 1\n"
        "1 2\n"
        "a b R00X009Y002 1\n"
        "1 2 A1 1\n"
        "1 inf R00X008Y002 1\n"
        "1 2 R00X001Y002 1\n"
        "1 2 R02X001Y002 2\n"
        "1 2 R03X001Y002\n"
    )
    assert [(one.spot.region, one.region) for one in listed] == [
        (0, 1),
        (2, 2),
        (3, None),
    ]
    assert problems == [
        "lines of the spot list that are no spots of an image: 4 (line 2, line 3, line "
        "4, ...)",
        "spots that are in the list again; their first line is used: 1 (R00X001Y002 in "
        "line 6)",
        "spots whose names, which count regions from 0, and whose lines, which count "
        "from 1, say different regions; the names are used: 1 (R02X001Y002 in region "
        "2)",
    ]


def test_regions_that_somebody_named() -> None:
    listed, problems = parse_spot_list(
        "1 2 R00X001Y002 Tumor margin  # a\n1 2 R01X001Y003 3b\n1 2 R02X001Y004 -1\n"
        f"1 2 R03X1Y1 {'n' * 300}\n1 2 R03X1Y2 {'1' * 20}\n"
    )
    assert problems == []
    assert [(one.region, one.region_name) for one in listed] == [
        (None, "Tumor margin"), (None, "3b"), (None, "-1"), (None, "n" * 100),
        (None, "1" * 20),
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_encodings_of_a_list(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a Spot List.txt"
    path.write_bytes("# \xe4\r\n1 2 R00X001Y002 1\r\n".encode(encoding))
    listed, problems = read_spot_list(path)
    assert (len(listed), problems) == (1, [])
    assert looks_like_list(path)


@given(st.binary(max_size=200))
def test_no_text_does_harm_as_a_list(data: bytes) -> None:
    listed, problems = parse_spot_list(data.decode("latin-1"))
    assert len(listed) <= 200
    assert all(problems)


def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read_spot_list(tmp_path / "nothing")
    assert not looks_like_list(tmp_path / "nothing")


def _sample(tmp_path: Path) -> Path:
    """Return a list of two regions, of which the second has number 2."""
    counts = {(r, x, 1): [r, x, 3] for r in (0, 2) for x in (4 * r + 5, 4 * r + 6)}
    return flex.write_sample(tmp_path / "sample", counts)


def test_a_path_is_a_list_spots_or_what_is_around_them(tmp_path: Path) -> None:
    spot_list = _sample(tmp_path)
    folder = spot_list.parent / "tissue"
    for path in (spot_list, spot_list.parent, folder):
        found = find_spots(path)
        assert found.folder == folder
        assert [spot.name for spot in found.spots] == [
            "0_R00X005Y001", "0_R00X006Y001", "0_R02X013Y001", "0_R02X014Y001",
        ]  # fmt: skip
        assert found.is_image
        assert found.problems == []
        assert found.spot_list == (None if path == folder else spot_list)
    assert spot_folders(folder) == spot_folders(spot_list.parent) == [folder]
    assert [name for name, _ in spot_names(folder)[0]] == [
        spot.name for spot in found.spots
    ]


def test_spots_that_only_the_list_or_only_the_folder_has(tmp_path: Path) -> None:
    spot_list = _sample(tmp_path)
    folder = spot_list.parent / "tissue"
    shutil.rmtree(folder / "0_R00X006Y001")
    flex.write_spot(folder, "0_R00X099Y001", [1])
    found = find_spots(spot_list)
    assert len(found.spots) == 3
    assert found.problems == [
        "spots of the list without a folder: 1 (R00X006Y001)",
        "spots in tissue that are not in the list and not shown: 1 (0_R00X099Y001); "
        "open the folder itself to see them",
    ]
    assert len(find_spots(folder).spots) == 4


def test_a_list_whose_folder_has_another_name(tmp_path: Path) -> None:
    spot_list = _sample(tmp_path)
    sample = spot_list.parent
    (sample / "tissue").rename(sample / "renamed")
    flex.write_spot(sample / "another", "0_R00X005Y001", [1])
    found = find_spots(spot_list)
    assert found.folder == sample / "renamed"
    assert len(found.spots) == 4
    elsewhere = tmp_path / "elsewhere"
    (sample / "renamed").rename(elsewhere)
    shutil.rmtree(sample / "another")
    with pytest.raises(NoSpotsError, match="beside the list, or name it by"):
        find_spots(spot_list)
    assert len(find_spots(spot_list, elsewhere).spots) == 4
    with pytest.raises(NoSpotsError, match="no spots"):
        find_spots(sample)


def test_a_damaged_list_leaves_the_folder(tmp_path: Path) -> None:
    spot_list = _sample(tmp_path)
    spot_list.write_text("nothing of that kind")
    found = find_spots(spot_list.parent)
    assert len(found.spots) == 4
    assert found.problems[0].startswith("the spot list is not used: ")
    with pytest.raises(NoSpotsError, match="has no spot of an image"):
        find_spots(spot_list)


def test_a_list_of_other_spots(tmp_path: Path) -> None:
    spot_list = _sample(tmp_path)
    flex.write_list(spot_list, ["1 2 R07X001Y001 8"])
    with pytest.raises(NoSpotsError, match="no spot of the list is in the folder"):
        find_spots(spot_list)


def test_other_folders_and_lists_are_told(tmp_path: Path) -> None:
    for name in ("b", "a"):
        flex.write_spot(tmp_path / name, "0_R00X005Y001", [1])
    assert find_spots(tmp_path).folder == tmp_path / "a"
    assert find_spots(tmp_path).problems == [
        "a is opened; there are also b, to be opened alone"
    ]
    for name in ("b", "a"):
        flex.write_list(tmp_path / f"{name} Spot List.txt", ["1 1 R00X005Y001 1"])
    assert find_spots(tmp_path).problems == [
        "a is opened; there are also b Spot List.txt, to be opened alone"
    ]


def test_spots_at_one_place(tmp_path: Path) -> None:
    for chip in (0, 1):
        flex.write_spot(tmp_path, flex.spot_name(3, 4, chip=chip), [1])
    flex.write_spot(tmp_path, "0_A1", [1])
    found = find_spots(tmp_path)
    assert [spot.place.chip for spot in found.spots] == [0, 1]
    assert found.problems == [
        "spots without x and y in their names, passed over: 1 (0_A1)",
        "spots that lie where another one lies, of another chip or region: 1; images "
        "show the last one of each place",
    ]
    spot_list = flex.write_list(tmp_path / "a Spot List.txt", ["1 1 1_R00X003Y004 1"])
    by_list = find_spots(spot_list)
    assert [spot.name for spot in by_list.spots] == ["1_R00X003Y004"]


def test_measurements(tmp_path: Path) -> None:
    for x in range(40):
        flex.write_spot(tmp_path, flex.spot_name(x, 0), range(x))
    # Measured again, in one spot that is not looked into for that.
    flex.write_spot(tmp_path, flex.spot_name(7, 0), [1, 2], repeat="2/1SLin")
    flex.write_spot(tmp_path, flex.spot_name(0, 0), [1], repeat="old/1SLin")
    (tmp_path / flex.spot_name(3, 0) / "1/1SLin/fid").unlink()
    found = find_spots(tmp_path)
    first, second = measurements(found)
    assert (first.name, second.name) == ("1/1SLin", "2/1SLin")
    assert len(first.spots) == 39
    assert first.sizes == [4 * x for x in range(40) if x != 3]
    assert [spot.place.x for spot in second.spots] == [7]
    assert second.sizes == [8]
    assert found.problems == ["spots without a file 'fid': 1 (0_R00X003Y000)"]


def test_a_spot_that_was_measured_in_another_way(tmp_path: Path) -> None:
    for x in range(40):
        kind = "1SRef" if x == 7 else "1SLin"
        flex.write_spot(tmp_path, flex.spot_name(x, 0), [1], repeat=f"1/{kind}")
    flex.write_spot(tmp_path, flex.spot_name(0, 0), [1], repeat="10/1SLin")
    names = ["1/1SLin", "10/1SLin"]
    assert repeats_of(str(tmp_path / flex.spot_name(0, 0))) == names
    found = measurements(find_spots(tmp_path))
    assert [(one.name, len(one.spots)) for one in found] == [
        ("1/1SLin", 39), ("1/1SRef", 1), ("10/1SLin", 1),
    ]  # fmt: skip


def test_no_spot_with_a_spectrum(tmp_path: Path) -> None:
    spot_list = _sample(tmp_path)
    for fid in spot_list.parent.rglob("fid"):
        fid.unlink()
    with pytest.raises(NoSpotsError, match="no spots with a file 'fid'"):
        find_spots(spot_list.parent)
    with pytest.raises(ValueError, match="no spot has a file 'fid'"):
        measurements(find_spots(spot_list, spot_list.parent / "tissue"))
