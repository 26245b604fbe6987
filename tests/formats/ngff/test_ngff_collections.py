from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.ngff.ngff_stores import (
    pixels,
    set_attributes,
    write_image,
    write_plate,
)

from napari_scope.errors import FormatError
from napari_scope.formats.ngff import open_ngff
from napari_scope.formats.ngff.image_names import image_names

if TYPE_CHECKING:
    from pathlib import Path

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def write_collection(
    root: Path,
    paths: list[str],
    *,
    zarr_format: int = 3,
    series: list[str] | None = None,
    names: list[str] | None = None,
) -> None:
    layout: dict[str, object] = {"bioformats2raw.layout": 3}
    listed: dict[str, object] = {"series": series}
    if zarr_format == 3:
        layout = {"ome": {"version": "0.5", **layout}}
        listed = {"ome": {"version": "0.5", **listed}}
    set_attributes(root, layout, zarr_format)
    for number, path in enumerate(paths):
        write_image(
            root / path,
            "cyx",
            pixels((2, 4, 4 + number), seed=number),
            zarr_format=zarr_format,
            name=f"image {path}",
        )
    if series is not None:
        set_attributes(root / "OME", listed, zarr_format)
    if names is not None:
        (root / "OME").mkdir(exist_ok=True)
        images = "".join(
            f'<Image ID="Image:{i}" Name="{n}"><Pixels/></Image>'
            for i, n in enumerate(names)
        )
        (root / "OME" / "METADATA.ome.xml").write_text(
            f'<?xml version="1.0"?><OME xmlns="{OME}"><Plate><Well><WellSample>'
            f'<ImageRef ID="Image:0"/></WellSample></Well></Plate>{images}</OME>'
        )


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_series_by_consecutive_numbers(tmp_path: Path, zarr_format: int) -> None:
    paths = [str(i) for i in range(11)]
    write_collection(tmp_path, paths, zarr_format=zarr_format)
    dataset = open_ngff(tmp_path)
    assert [i.name for i in dataset.images] == [f"image {p}" for p in paths]
    # 10 comes after 9, not after 1.
    assert [i.levels[0].shape[2] for i in dataset.images] == list(range(4, 15))
    assert dataset.metadata == {"layout": "collection"}
    assert dataset.format_version == {2: "0.4", 3: "0.5"}[zarr_format]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_series_as_listed_with_names_of_the_xml(
    tmp_path: Path, zarr_format: int
) -> None:
    write_collection(
        tmp_path,
        ["a", "b", "0"],
        zarr_format=zarr_format,
        series=["b", "a", "0"],
        names=["Pos &amp; one", "Pos two", ""],
    )
    dataset = open_ngff(tmp_path)
    assert [i.name for i in dataset.images] == ["Pos & one", "Pos two", "image 0"]
    assert [i.metadata["path"] for i in dataset.images] == ["b", "a", "0"]
    np.testing.assert_array_equal(
        np.asarray(dataset.images[0].levels[0]), pixels((2, 4, 5), seed=1)
    )


def test_one_image_of_a_collection_by_its_own_path(tmp_path: Path) -> None:
    write_collection(tmp_path, ["0", "1"])
    assert [i.name for i in open_ngff(tmp_path / "1").images] == ["image 1"]


def test_equal_names_get_the_path(tmp_path: Path) -> None:
    write_collection(tmp_path, ["0", "1", "2"], names=["Pos", "Pos", "Other"])
    assert [i.name for i in open_ngff(tmp_path).images] == [
        "Pos [0]",
        "Pos [1]",
        "Other",
    ]


def test_one_bad_image_leaves_the_others(tmp_path: Path) -> None:
    write_collection(
        tmp_path, ["0", "1", "2"], series=["0", "1", "2", "gone", "../../x"]
    )
    (tmp_path / "1" / "zarr.json").write_text("{")
    dataset = open_ngff(tmp_path)
    assert [i.name for i in dataset.images] == ["image 0", "image 2"]
    assert [p.split(" is left out")[0] for p in dataset.problems] == [
        "image 1",
        "image gone",
        "image ../../x",
    ]
    assert "damaged JSON" in dataset.problems[0]
    assert "leaves it" in dataset.problems[2]


def test_a_damaged_list_of_images_costs_the_list_only(tmp_path: Path) -> None:
    write_collection(tmp_path, ["0", "1"], series=["1", "0"])
    (tmp_path / "OME" / "zarr.json").write_text("{")
    dataset = open_ngff(tmp_path)
    assert [i.name for i in dataset.images] == ["image 0", "image 1"]
    assert "list of images is not read" in dataset.problems[0]


def test_images_that_the_xml_names_and_are_not_there_are_reported(
    tmp_path: Path,
) -> None:
    write_collection(tmp_path, ["0", "2", "3"], names=["a", "b", "c"])
    dataset = open_ngff(tmp_path)
    assert [i.name for i in dataset.images] == ["a", "c", "image 3"]
    assert dataset.problems[0].startswith("image b is left out")


def test_thousands_of_images_and_fields_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_MAX_SERIES", "_MAX_WELLS", "_MAX_FIELDS"):
        monkeypatch.setattr(f"napari_scope.formats.ngff.layouts.{name}", 2)
    series: list[object] = ["0", "0", "1", "2", 7]
    write_collection(tmp_path / "c", ["0", "1", "2"], series=series)  # type: ignore[arg-type]
    found = open_ngff(tmp_path / "c")
    assert [i.metadata["path"] for i in found.images] == ["0", "1"]
    assert [p[:14] for p in found.problems] == ["1 images are l", "only the first"]
    wells = {"A/1": ["0", "1", "2"], "A/2": ["0"], "A/3": ["0"]}
    write_plate(tmp_path / "p", wells)
    found = open_ngff(tmp_path / "p")
    assert [i.name for i in found.images] == ["A/1/0", "A/1/1", "A/2/0"]
    assert len(found.problems) == 2


def test_a_field_without_path_is_reported(tmp_path: Path) -> None:
    write_plate(tmp_path, {"A/1": ["0"]})
    well = {"images": [{"path": ""}, {}, 3, {"path": "/0/"}]}
    set_attributes(tmp_path / "A" / "1", {"ome": {"well": well}}, 3)
    dataset = open_ngff(tmp_path)
    assert [i.name for i in dataset.images] == ["A/1/0"]
    assert len(dataset.problems) == 3
    assert len(open_ngff(tmp_path / "A" / "1").problems) == 3


def test_no_good_image_at_all_is_an_error(tmp_path: Path) -> None:
    write_collection(tmp_path, ["0"])
    shutil.rmtree(tmp_path / "0" / "0")
    with pytest.raises(FormatError, match=r"no image can be read: .*image 0"):
        open_ngff(tmp_path)
    write_collection(tmp_path / "none", [])
    with pytest.raises(FormatError, match="none is listed"):
        open_ngff(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("<OME><Image", "damaged XML"),
        ("", "damaged XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><OME><Image Name="&a;"/></OME>', "refused"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><OME/>', "refused"),
    ],
)
def test_bad_xml_costs_the_names_only(tmp_path: Path, text: str, part: str) -> None:
    write_collection(tmp_path, ["0"], names=[])
    (tmp_path / "OME" / "METADATA.ome.xml").write_text(text)
    dataset = open_ngff(tmp_path)
    assert [i.name for i in dataset.images] == ["image 0"]
    assert part in dataset.problems[0]


def test_names_are_those_of_the_images_of_the_root(tmp_path: Path) -> None:
    xml = (
        f'<o:OME xmlns:o="{OME}"><o:Image ID="Image:0" Name=" one "/>'
        '<o:Image ID="Image:1"/>'
        '<o:StructuredAnnotations><o:Image Name="no"/></o:StructuredAnnotations>'
        "</o:OME>"
    )
    assert image_names(xml.encode(), tmp_path) == ["one", ""]
    assert image_names(xml.encode("utf-16"), tmp_path) == ["one", ""]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plate_is_all_its_fields_in_the_order_of_its_metadata(
    tmp_path: Path, zarr_format: int
) -> None:
    wells = {"B/10": ["0", "1"], "A/2": ["x"], "A/1": ["3"]}
    written = write_plate(tmp_path, wells, zarr_format=zarr_format)
    dataset = open_ngff(tmp_path)
    assert [i.name for i in dataset.images] == ["B/10/0", "B/10/1", "A/2/x", "A/1/3"]
    for image in dataset.images:
        np.testing.assert_array_equal(np.asarray(image.levels[0]), written[image.name])
    assert dataset.problems == ()
    assert dataset.metadata == {
        "layout": "plate",
        "plate": "plate of tests",
        "rows": 2,
        "columns": 3,
        "wells": 3,
    }
    json.dumps(dict(dataset.metadata))


def test_damaged_wells_leave_the_others(tmp_path: Path) -> None:
    write_plate(tmp_path, {"A/1": ["0"], "A/2": ["0"], "A/3": ["0", "1"]})
    shutil.rmtree(tmp_path / "A" / "1")
    set_attributes(tmp_path / "A" / "2", {}, 3)
    shutil.rmtree(tmp_path / "A" / "3" / "0")
    dataset = open_ngff(tmp_path)
    assert [i.name for i in dataset.images] == ["A/3/1"]
    assert [p.split(" is left out")[0] for p in dataset.problems] == [
        "well A/1",
        "well A/2",
        "image A/3/0",
    ]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_well_opens_by_itself(tmp_path: Path, zarr_format: int) -> None:
    written = write_plate(tmp_path, {"A/1": ["0", "1"]}, zarr_format=zarr_format)
    dataset = open_ngff(tmp_path / "A" / "1")
    assert dataset.metadata == {"layout": "well"}
    assert [i.name for i in dataset.images] == ["0", "1"]
    np.testing.assert_array_equal(
        np.asarray(dataset.images[1].levels[0]), written["A/1/1"]
    )
