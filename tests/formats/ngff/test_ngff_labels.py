from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.ngff_stores import (
    multiscales,
    pixels,
    set_attributes,
    write_image,
    write_levels,
    write_plate,
)

from napari_scope.errors import FormatError
from napari_scope.formats.ngff import open_ngff
from napari_scope.formats.ngff.label_images import labels_listed, read_labels
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, Any] = {
    "colors": [
        {"label-value": 0, "rgba": [0, 0, 128, 128]},
        {"label-value": 1, "rgba": [0, 128, 0, 255]},
    ],
    "properties": [
        {"label-value": 1, "class": "cell", "area": 12.5},
        {"label-value": 2, "class": "debris", "outline": [[1, 2], [3, 4]]},
    ],
    "source": {"image": "../../"},
}


def set_block(group: Path, block: dict[str, Any], zarr_format: int) -> None:
    if zarr_format == 3:
        set_attributes(group, {"ome": {"version": "0.5", **block}}, 3)
    else:
        set_attributes(group, block, 2)


def write_labels(
    image: Path,
    name: str,
    data: Any,
    names: str = "zyx",
    *,
    zarr_format: int = 3,
    about: Any = None,
    listed: Any = None,
    **metadata: Any,
) -> None:
    group = image / "labels" / name
    block: dict[str, Any] = {"multiscales": [multiscales(names, 1, **metadata)]}
    if about is not None:
        block["image-label"] = about
    set_block(group, block, zarr_format)
    write_levels(group, data, zarr_format=zarr_format)
    set_block(
        image / "labels", {"labels": [name] if listed is None else listed}, zarr_format
    )


def make(root: Path, zarr_format: int = 3, **options: Any) -> Any:
    write_image(root, "czyx", pixels((2, 3, 8, 10)), zarr_format=zarr_format)
    data = pixels((3, 8, 10), "uint32", 1) % 3
    write_labels(root, "cells", data, zarr_format=zarr_format, **options)
    return data


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_labels_with_colours_and_properties(tmp_path: Path, zarr_format: int) -> None:
    data = make(tmp_path, zarr_format, about=GOOD, scale=[2.0, 0.5, 0.5])
    dataset = open_ngff(tmp_path)
    assert dataset.problems == ()
    (image,) = dataset.images
    (labels,) = image.labels
    assert not image.only_labels
    assert labels.name == "cells"
    assert labels.axis_names == ("z", "y", "x")
    assert [axis.scale for axis in labels.axes] == [2.0, 0.5, 0.5]
    np.testing.assert_array_equal(np.asarray(labels.levels[0]), data)
    assert labels.colors == {0: (0, 0, 128, 128), 1: (0, 128, 0, 255)}
    assert labels.properties == {
        1: {"class": "cell", "area": 12.5},
        2: {"class": "debris", "outline": "[[1, 2], [3, 4]]"},
    }
    json.dumps(dict(labels.metadata))


def test_labels_without_any_word_on_them(tmp_path: Path) -> None:
    make(tmp_path)
    (labels,) = open_ngff(tmp_path).images[0].labels
    assert (labels.colors, labels.properties) == ({}, {})


@pytest.mark.parametrize(
    ("about", "part"),
    [
        ({"colors": 3}, "colors is no list"),
        ({"colors": [{"label-value": 1, "rgba": [0, 0, 300, 0]}]}, "1 colours"),
        ({"colors": [{"label-value": 1, "rgba": [0, 0]}, 7]}, "2 colours"),
        ({"colors": [{"label-value": "one", "rgba": [0, 0, 0, 0]}]}, "1 colours"),
        ({"colors": [{"label-value": float("nan"), "rgba": [1, 1, 1]}]}, "1 colours"),
        ({"colors": [{"label-value": 1e300, "rgba": [1, 1, 1]}]}, "1 colours"),
        ({"properties": {"1": "cell"}}, "properties is no list"),
        ({"properties": [{"class": "cell"}, None]}, "2 properties"),
    ],
)
def test_odd_words_on_labels_are_problems(
    tmp_path: Path, about: Any, part: str
) -> None:
    make(tmp_path, about=about)
    dataset = open_ngff(tmp_path)
    (labels,) = dataset.images[0].labels
    assert (labels.colors, labels.properties) == ({}, {})
    assert part in dataset.problems[0]


def test_other_spellings_of_colours_and_values(tmp_path: Path) -> None:
    colors = [
        {"label-value": 1.0, "rgba": [1, 2, 3]},
        {"label-value": 2},
        {"label-value": -1, "rgba": [9, 9, 9, 9]},
    ]
    make(tmp_path, about={"colors": colors})
    dataset = open_ngff(tmp_path)
    assert dataset.problems == ()
    colors_read = dataset.images[0].labels[0].colors
    assert colors_read == {1: (1, 2, 3, 255), -1: (9, 9, 9, 9)}


def test_what_is_listed_and_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    make(tmp_path, listed=["gone", "cells", "../0", "", 3, "..", "cells", "/cells/"])
    write_image(tmp_path / "labels" / "float", "yx", pixels((4, 4), "float32"))
    dataset = open_ngff(tmp_path)
    assert [one.name for one in dataset.images[0].labels] == ["cells"]
    text = " | ".join(dataset.problems)
    assert "labels/gone are left out" in text
    assert "labels/../0 are left out" in text
    assert "leaves it" in text
    assert "2 labels without name" in text
    assert len(dataset.images[0].levels) == 1


def test_labels_are_integers(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((4, 4)))
    write_labels(tmp_path, "map", pixels((4, 4), "float32"), "yx")
    dataset = open_ngff(tmp_path)
    assert dataset.images[0].labels == ()
    assert "these are float32" in dataset.problems[0]


@pytest.mark.parametrize("text", ["{", "[]", '{"attributes": {"ome": {"labels": 3}}}'])
def test_a_damaged_list_of_labels_leaves_the_image(tmp_path: Path, text: str) -> None:
    make(tmp_path)
    (tmp_path / "labels" / "zarr.json").write_text(text)
    dataset = open_ngff(tmp_path)
    assert len(dataset.images) == len(dataset.problems) == 1
    assert dataset.images[0].labels == ()


def test_labels_listed_by_the_image_itself(tmp_path: Path) -> None:
    """One writer lists them there and leaves the group without a word."""
    make(tmp_path)
    set_attributes(tmp_path / "labels", {}, 3)
    block = {"multiscales": [multiscales("czyx", 1)], "labels": ["cells"]}
    set_block(tmp_path, block, 3)
    assert [one.name for one in open_ngff(tmp_path).images[0].labels] == ["cells"]


def test_labels_that_point_to_themselves_end(tmp_path: Path) -> None:
    make(tmp_path, listed=["cells", ".", "labels", "cells/labels/cells"])
    inner = tmp_path / "labels" / "cells" / "labels"
    shutil.copytree(tmp_path / "labels" / "cells", inner / "cells")
    set_block(inner, {"labels": ["cells", ".", "../cells"]}, 3)
    dataset = open_ngff(tmp_path)
    names = [one.name for one in dataset.images[0].labels]
    assert names == ["cells", "cells/labels/cells"]
    assert len(dataset.problems) == 2


def test_thousands_of_labels_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path, "yx", pixels((4, 4)))
    set_block(tmp_path / "labels", {"labels": [f"n{i}" for i in range(9000)]}, 3)
    asked: list[str] = []
    attributes = Store.attributes
    monkeypatch.setattr(
        Store,
        "attributes",
        lambda store, path="": asked.append(path) or attributes(store, path),
    )
    dataset = open_ngff(tmp_path)
    assert len(asked) < 300
    assert "only the first 256" in dataset.problems[0]


def test_thousands_of_colours_are_bounded(tmp_path: Path) -> None:
    entries = [{"label-value": i, "rgba": [1, 2, 3, 4]} for i in range(70_000)]
    make(tmp_path, about={"colors": entries})
    dataset = open_ngff(tmp_path)
    assert len(dataset.images[0].labels[0].colors) == 65_536
    assert "only the first 65536 colors" in dataset.problems[0]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_labels_of_fields_wells_and_collections(
    tmp_path: Path, zarr_format: int
) -> None:
    write_plate(tmp_path, {"A/1": ["0", "1"]}, zarr_format=zarr_format, names="zyx")
    field = tmp_path / "A" / "1" / "1"
    data = pixels((3, 6, 8), "uint8", 5)
    write_labels(field, "nuclei", data, zarr_format=zarr_format)
    for path in (tmp_path, tmp_path / "A" / "1"):
        images = open_ngff(path).images
        assert [len(image.labels) for image in images] == [0, 1]
        labels = images[1].labels[0]
        assert labels.name == "nuclei"
        np.testing.assert_array_equal(np.asarray(labels.levels[0]), data)
    collection = tmp_path / "collection"
    set_block(collection, {"bioformats2raw.layout": 3}, zarr_format)
    shutil.copytree(field, collection / "0")
    assert [len(i.labels) for i in open_ngff(collection).images] == [1]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_group_of_labels_opens_by_itself(tmp_path: Path, zarr_format: int) -> None:
    data = make(tmp_path, zarr_format, about=GOOD, listed=["cells", "gone"])
    dataset = open_ngff(tmp_path / "labels")
    assert dataset.metadata == {"layout": "labels"}
    (image,) = dataset.images
    assert image.only_labels
    assert image.name == image.labels[0].name == "cells"
    assert image.labels[0].colors[1] == (0, 128, 0, 255)
    np.testing.assert_array_equal(np.asarray(image.levels[0]), data)
    assert "gone" in dataset.problems[0]


def test_a_segmentation_opens_by_itself(tmp_path: Path) -> None:
    make(tmp_path, about=GOOD)
    (image,) = open_ngff(tmp_path / "labels" / "cells").images
    assert image.only_labels
    assert image.name == image.labels[0].name == "cells"
    # Without a word on it, it is an image like others.
    make(tmp_path / "bare")
    (image,) = open_ngff(tmp_path / "bare" / "labels" / "cells").images
    assert not image.only_labels


def test_a_segmentation_of_no_integers_is_refused_by_itself(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((4, 4), "float32"))
    block = {"multiscales": [multiscales("yx", 1)], "image-label": {}}
    set_block(tmp_path, block, 3)
    with pytest.raises(FormatError, match="float32"):
        open_ngff(tmp_path)


def test_labels_are_found_by_their_store(tmp_path: Path) -> None:
    make(tmp_path)
    problems: list[str] = []
    assert labels_listed(Store(tmp_path), "", problems) == ["labels/cells"]
    assert [one.name for one in read_labels(Store(tmp_path))[0]] == ["cells"]
    assert problems == []
