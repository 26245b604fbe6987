from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.formats.msi.flex_files import write_spot
from tests.formats.msi_folder import (
    counts,
    write_imzml,
    write_mixed,
    write_tissue,
)

from napari_scope.formats.msi_entries import (
    entry_of,
    files_of,
    folders_of_lists,
    is_acquisition,
    parts_of_others,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mixed(tmp_path_factory.mktemp("entries") / "mixed")


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["a.imzML", "a.ibd"], {"a.ibd"}),
        (["a.IMZML", "A.IBD"], {"A.IBD"}),
        (["a.ibd"], set()),
        (["a.imzML", "b.ibd"], set()),
        (["s.hdr", "s.img", "s.t2m"], {"s.hdr", "s.t2m"}),
        (["s.HDR", "s.IMG", "s.T2M"], {"s.HDR", "s.T2M"}),
        (["s.hdr", "s.img"], {"s.img"}),  # of another program
        (["s.img", "s.t2m"], {"s.img"}),
        ([], set()),
    ],
)
def test_parts_of_others(names: list[str], parts: set[str]) -> None:
    assert parts_of_others(names) == parts


def test_what_is_one_acquisition(mixed: Path) -> None:
    for name in (
        "brain.imzML", "brain.ibd", "scans.mzML", "slide.img", "slide.hdr", "slide.t2m",
        "tissue Spot List.txt", "tissue", "loose",
    ):  # fmt: skip
        assert is_acquisition(mixed / name), name
    for name in (
        "", "mri.img", "mri.hdr", "other.h5", "notes.txt", "left over.ibd", "gone",
        "run", "tissue/0_R00X000Y000", "tissue/0_R00X000Y000/1",
    ):  # fmt: skip
        assert not is_acquisition(mixed / name), name


def test_each_file_leads_to_the_entry(mixed: Path) -> None:
    for name in ("brain.ibd", "brain.imzML"):
        assert entry_of(mixed / name) == str(mixed / "brain.imzML")
    for name in ("slide.hdr", "slide.t2m", "slide.img"):
        assert entry_of(mixed / name) == str(mixed / "slide.img")
    for name in ("mri.hdr", "left over.ibd", "run", "gone.ibd"):
        assert entry_of(mixed / name) == str(mixed / name)


def test_the_files_of_an_entry(mixed: Path) -> None:
    def names(place: str) -> list[str]:
        return [os.path.basename(file) for file in files_of(mixed / place)]

    assert names("brain.imzML") == ["brain.imzML", "brain.ibd"]
    assert names("slide.img") == ["slide.img", "slide.hdr", "slide.t2m"]
    assert names("tissue Spot List.txt") == ["tissue Spot List.txt", "tissue"]
    for alone in ("mri.img", "scans.mzML", "cells.zarr", "loose", "gone.imzML"):
        assert names(alone) == [alone]


def test_the_case_of_suffixes_does_not_matter(tmp_path: Path) -> None:
    write_imzml(tmp_path / "a.imzML")
    (tmp_path / "a.imzML").rename(tmp_path / "a.imzml")
    (tmp_path / "a.ibd").rename(tmp_path / "a.IBD")
    assert entry_of(tmp_path / "a.IBD") == str(tmp_path / "a.imzml")
    assert files_of(tmp_path / "a.imzml")[1:] == (str(tmp_path / "a.IBD"),)


def test_a_list_of_another_name_stands_for_the_folder_that_fits(tmp_path: Path) -> None:
    write_tissue(tmp_path).rename(tmp_path / "liver Spot List.txt")
    write_spot(tmp_path / "other", "0_R07X000Y000", counts(1))
    names = os.listdir(tmp_path)
    assert folders_of_lists(str(tmp_path), names) == {"tissue"}
    (tmp_path / "notes Spot List.txt").write_text("no list at all")
    names = os.listdir(tmp_path)
    assert folders_of_lists(str(tmp_path), names) == {"tissue"}


def test_a_list_that_is_none_stands_for_no_folder(tmp_path: Path) -> None:
    listed = write_tissue(tmp_path)
    listed.write_text("no list at all")
    assert is_acquisition(tmp_path / "tissue")
    assert folders_of_lists(str(tmp_path), [listed.name, "tissue"]) == set()
    assert files_of(listed) == (str(listed),)


def test_a_changed_list_is_read_again(tmp_path: Path) -> None:
    listed = write_tissue(tmp_path).rename(tmp_path / "liver Spot List.txt")
    assert folders_of_lists(str(tmp_path), [listed.name]) == {"tissue"}
    listed.write_text("nothing")
    os.utime(listed, ns=(1, 1))
    assert folders_of_lists(str(tmp_path), [listed.name]) == set()
