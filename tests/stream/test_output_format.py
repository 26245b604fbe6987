from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_scope.stream import FORMATS, OutputFormat
from napari_scope.stream.output_format import BACKENDS, chosen_format, format_of_suffix


@pytest.mark.parametrize("name", [n for n in FORMATS if n != "memory"])
def test_every_suffix_chooses_its_format(name: str) -> None:
    for suffix in FORMATS[name]:  # type: ignore[index]
        assert format_of_suffix(f"a.b{suffix.upper()}") == name
        found = chosen_format(f"a{suffix}", "auto")
        assert found is not None
        assert found.name == name
        assert found.path(f"x/a{suffix}") == Path(f"x/a{suffix}")


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_stands_for_its_format(backend: str) -> None:
    short = chosen_format("a", backend)
    name = BACKENDS[backend]
    assert short == chosen_format("a", {"name": name, "backend": backend})
    assert short == chosen_format("a", {"backend": backend})
    assert short is not None
    assert (short.name, short.backend) == (name, backend)
    assert bool(short.note) == (backend != "scratch")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("jpeg", "use one of the formats ome-zarr, .* or the backends tensorstore, "),
        ({}, "has no 'name'"),
        ({"name": "jpeg"}, "there is no format"),
        ({"name": "ome-zarr", "backend": "tifffile"}, "use one of auto, tensorstore"),
        ({"name": "ndtiff", "backend": "x"}, "use one of auto"),
        ({"name": "ome-zarr", "suffix": ".tif"}, "use one of .ome.zarr, .zarr"),
        ({"name": "memory", "suffix": ".tif"}, "use one of none"),
        ({"name": "ome-zarr", "max_memory_bytes": 1}, "for memory only"),
        ({"name": "memory", "max_memory_bytes": 0}, "greater than or equal to 1"),
        ({"name": "ndtiff", "prefer_single_file": "always"}, "for ome-tiff only"),
        ({"name": "ome-tiff", "prefer_single_file": "never"}, "'auto' or 'always'"),
        ({"name": "ome-zarr", "level": 1}, "not permitted"),
        (3, "neither a name nor a mapping"),
    ],
)
def test_what_is_no_format(asked: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chosen_format("a", asked)


def test_a_suffix_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="change one of them"):
        chosen_format("a.ome.tiff", "ome-zarr")
    assert chosen_format("a.ome.tiff", "memory") == OutputFormat(name="memory")


def test_nothing_chooses() -> None:
    assert chosen_format("a", "auto") is None
    assert chosen_format("a", None) is None
    assert chosen_format("", "auto") == OutputFormat(name="memory")


@pytest.mark.parametrize(
    ("root", "images", "single", "expected"),
    [
        ("x/a.b.ome.tiff", 1, "auto", "x/a.b.ome.tiff"),
        ("x/a.b.ome.tiff", 2, "auto", "x/a.b"),
        ("x/a.b", 2, "auto", "x/a.b"),
        ("x/a.b", 1, "auto", "x/a.b.ome.tiff"),
        ("x/a.tif", 2, "always", "x/a.tif"),
        ("x/a", 2, "always", "x/a.ome.tiff"),
    ],
)
def test_several_images_of_tiff_are_a_folder(
    root: str, images: int, single: Any, expected: str
) -> None:
    found = OutputFormat(name="ome-tiff", prefer_single_file=single)
    assert found.path(root, images) == Path(expected)


def test_all_fields_of_a_format_make_it_again() -> None:
    for name in FORMATS:
        found = chosen_format("a", name)
        assert found is not None
        assert chosen_format("a", found.model_dump()) == found
