"""Metadata that are wrong in every way: what can be opened opens, the rest says why."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.ngff.ngff_stores import (
    axes,
    multiscales,
    pixels,
    set_attributes,
    write_image,
    write_levels,
)

from napari_scope.errors import FormatError
from napari_scope.formats.ngff import open_ngff
from napari_scope.layers import dataset_to_layers
from napari_scope.model import LevelArray

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SYSTEMS = {
    "coordinateSystems": [
        {"name": "own", "axes": axes("zyx")},
        {"name": "stage", "axes": axes("zyx")},
    ],
    "datasets": [
        {
            "path": "0",
            "coordinateTransformations": [
                {
                    "type": "sequence",
                    "input": {"path": "0"},
                    "output": {"name": "own"},
                    "transformations": [
                        {"type": "scale", "scale": [1, 2, 3]},
                        {"type": "translation", "translation": [1, 2, 3]},
                    ],
                }
            ],
        }
    ],
    "coordinateTransformations": [
        {
            "type": "affine",
            "affine": [[1, 0, 0, 5], [0, 1, 1, 5], [0, -1, 1, 5]],
            "input": {"name": "own"},
            "output": {"name": "stage"},
        }
    ],
}
IMAGE = {
    "version": "0.5",
    "multiscales": [multiscales("czyx", 2, scale=[1, 2, 3, 4], name="cells")],
    "omero": {
        "channels": [
            {"label": "a", "color": "FF0000", "window": {"start": 0, "end": 9}},
            {"label": "b", "active": True},
        ]
    },
}
LABEL = {
    "version": "0.6",
    "multiscales": [SYSTEMS],
    "image-label": {
        "colors": [{"label-value": 1, "rgba": [1, 2, 3, 4]}],
        "properties": [{"label-value": 1, "class": "cell"}],
    },
}
SCENE = {
    "coordinateSystems": [{"name": "world", "axes": axes("zyx")}],
    "coordinateTransformations": [
        {
            "type": "scale",
            "scale": [2, 2, 2],
            "input": {"name": "stage", "path": "a"},
            "output": {"name": "world"},
        }
    ],
}
OWN = {"layers": [{"name": "a", "gamma": 1.0}, {}], "rgb": False}
GOOD: dict[str, dict[str, Any]] = {
    "": {"ome": {"bioformats2raw.layout": 3, "version": "0.5"}},
    "OME": {"ome": {"series": ["0", "1"]}},
    "0": {"ome": IMAGE, "napari_scope": OWN},
    "0/labels": {"ome": {"labels": ["cells", "more"]}},
    "0/labels/cells": {"ome": LABEL},
    "1": {"ome": {"version": "0.6", "multiscales": [SYSTEMS, SYSTEMS]}},
    "scene": {"ome": {"version": "0.6", "scene": SCENE}},
    "scene/a": {"ome": {"version": "0.6", "multiscales": [SYSTEMS]}},
}
ODD = st.sampled_from(
    [
        *(None, True, 0, -1, 1e308, 10**400, float("nan"), float("inf"), 2**63),
        *("", "..", "0", "labels", "\x00", "a/../..", "C:\\x", "\U0001d518" * 50),
        *([], {}, [[]], [{}], ["x"], [None] * 3, [0] * 3, {"0": []}, {"name": "own"}),
        "sequence", "rotation", "byDimension", "mapAxis", "time", "channel",
    ]
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List the way to everything within a document."""
    items: Any = ()
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list):
        items = enumerate(node)
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


PLACES = [(group, path) for group, good in GOOD.items() for path in places(good)]


def changed(group: str, path: tuple[Any, ...], how: str, value: object) -> Any:
    document = copy.deepcopy(GOOD[group])
    node: Any = document
    for key in path[:-1]:
        node = node[key]
    if how == "set":
        node[path[-1]] = value
    elif how == "remove":
        del node[path[-1]]
    elif isinstance(node, list):
        node.insert(path[-1], value)
    else:
        node[str(value)] = node.pop(path[-1])
    return document


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    write_levels(root / "0", pixels((2, 3, 16, 16)), 2)
    write_levels(root / "0" / "labels" / "cells", pixels((3, 16, 16)))
    write_image(root / "0" / "labels" / "more", "yx", pixels((16, 16)))
    write_levels(root / "1", pixels((3, 16, 16)))
    write_levels(root / "scene" / "a", pixels((3, 16, 16)))
    for group, attributes in GOOD.items():
        set_attributes(root / group, attributes, 3)
    return root


def test_the_store_is_good(store: Path) -> None:
    dataset = open_ngff(store)
    assert dataset.problems == ()
    assert [len(image.labels) for image in dataset.images] == [2, 0, 0]
    assert open_ngff(store / "scene").problems == ()


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PLACES), st.sampled_from(["set", "remove", "insert"]), ODD
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda change: change[0][0],
    )
)
def test_any_change_of_the_metadata_opens_or_says_why(
    store: Path, changes: list[tuple[tuple[str, tuple[Any, ...]], str, object]]
) -> None:
    for (group, path), how, value in changes:
        set_attributes(store / group, changed(group, path, how, value), 3)
    inside = any(group.startswith("scene") for (group, _), _, _ in changes)
    try:
        dataset = open_ngff(store / "scene" if inside else store)
    except FormatError as error:
        assert str(error)
        return
    finally:
        for (group, _), _, _ in changes:
            set_attributes(store / group, GOOD[group], 3)
    assert all(isinstance(problem, str) for problem in dataset.problems)
    json.dumps(dict(dataset.metadata))
    for image in dataset.images:
        assert image.name
        assert len(image.axes) == image.levels[0].ndim
        for level in image.levels:
            assert isinstance(level, LevelArray)
            assert level[(0,) * level.ndim].shape == ()
    for layer in dataset_to_layers(dataset):
        scale: Any = layer[1]["scale"]
        assert all(1e-30 < abs(number) < 1e31 for number in scale)
        json.dumps(layer[1]["metadata"])


@pytest.mark.parametrize("piece", ["[],", '{"a":1},', "1,"])
def test_small_text_that_would_fill_the_memory_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: str
) -> None:
    write_image(tmp_path, "yx", pixels((4, 4)), zarr_format=2)
    block = (tmp_path / ".zattrs").read_text().rstrip("}")
    text = block + '}, "more": [' + piece * 4_100_000
    if len(piece) > 2:  # two marks in each
        text = block + '}, "more": [' + piece * 2_100_000
    (tmp_path / ".zattrs").write_text(text + "0]}")
    with monkeypatch.context() as patch:
        patch.setattr("json.loads", lambda data: pytest.fail("it was parsed"))
        with pytest.raises(FormatError, match="more than 4,000,000 values"):
            open_ngff(tmp_path)
