from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.stream.streams import all_images, frame_of

from napari_scope.errors import OutputExistsError, SettingsError
from napari_scope.stream import (
    FORMATS,
    AcquisitionSettings,
    Channel,
    Dimension,
    Position,
    create_stream,
    dims_from_standard_axes,
    make_sink,
    next_free_name,
    output_path,
)


def settings(dimensions: Any, **more: Any) -> AcquisitionSettings:
    return AcquisitionSettings(
        **{
            "root_path": "run.ome.zarr",
            "dtype": "uint16",
            "dimensions": dimensions,
            **more,
        }
    )


def dims(**counts: int | None) -> list[Dimension]:
    return dims_from_standard_axes({**counts, "y": 16, "x": 24})


def test_what_ome_writers_users_know() -> None:
    found = settings(dims(p=2, t=3, c=2, z=4))
    assert found.shape == (2, 3, 2, 4, 16, 24)
    assert found.num_frames == 48
    assert not found.is_unbounded
    assert found.format_name == "ome-zarr"
    spec = found.to_spec()
    assert spec.order == ("position", "time", "channel", "z")
    assert [i.name for i in spec.images] == ["Pos000", "Pos001"]
    assert spec.n_frames == 48


def test_unbounded_time() -> None:
    found = settings(dims(t=None, c=2))
    assert found.is_unbounded
    assert found.num_frames is None
    spec = found.to_spec()
    assert (spec.growing, spec.growing_axes) == (True, ("time",))
    assert spec.grows("time")
    assert not spec.grows("channel")


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ([], "last two"),
        ([Dimension(name="x", count=3), Dimension(name="y", count=3)], "last two"),
        (dims(t=2)[:-1], "last two"),
        ([Dimension(name="t", count=2), *dims(t=3)], "same name"),
        ([Dimension(name="time", count=2), *dims(t=3)], "same name"),
        ([Dimension(name="t", count=2), Dimension(name="c"), *dims()], "no count"),
        ([Dimension(name="y"), Dimension(name="x", count=2)], "no count"),
        ([Dimension(name="p", count=2), Dimension(name="g", count=2), *dims()], "one"),
        (dims(p=None), "unbounded"),
        ([Dimension(name="c", coords=["A", "A"]), *dims()], "equal names"),
        ([Dimension(name="c", count=2, scale=3), *dims()], "scale"),
        ([Dimension(name="t", count=2, translation=3), *dims()], "translation"),
        (
            [
                Dimension(name="y", count=2, scale=1.0),
                Dimension(name="x", count=2, scale=2.0),
            ],
            "square",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_when_made(
    dimensions: list[Dimension], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(dimensions)


@pytest.mark.parametrize(
    "more",
    [
        {"dtype": "complex64"},
        {"dtype": "nonsense"},
        {"dtype": "bool"},
        {"format": "tiff"},
        {"overwrite": True},
        {"compresion": "zstd"},
    ],
)
def test_other_wrong_settings_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(dims(t=2), **more)


def test_coords_give_count_and_names() -> None:
    found = settings(
        [
            Dimension(name="p", coords=["A", Position(name="B", x_coord=7.0)]),
            Dimension(name="c", coords=["DAPI", Channel(name="X", color="#102030")]),
            *dims(),
        ]
    )
    assert found.shape[:2] == (2, 2)
    spec = found.to_spec()
    assert spec.labels == {"channel": ("DAPI", "X")}
    assert [i.place for i in spec.images] == [{"position": "A"}, {"position": "B"}]
    assert [i.x_um for i in spec.images] == [None, 7.0]
    assert spec.display_channels()[1].color == "#102030"
    with pytest.raises(ValidationError, match="leave count out"):
        Dimension(name="c", count=3, coords=["A", "B"])


def test_the_callers_dictionary_is_not_changed() -> None:
    data = {"name": "c", "coords": ["A", "B"]}
    before = copy.deepcopy(data)
    Dimension.model_validate(data)
    assert data == before


def test_scales_and_translations_become_sizes_and_places() -> None:
    found = settings(
        [
            Dimension(name="t", count=2, scale=500, unit="ms"),
            Dimension(name="z", count=2, scale=2000, unit="nm", translation=5000),
            Dimension(name="y", count=5, scale=0.5, unit="micrometer", translation=10),
            Dimension(name="x", count=3, scale=0.5, unit="um", translation=-1),
        ]
    )
    spec = found.to_spec()
    assert (spec.interval_s, spec.z_um, spec.pixel_um) == (0.5, 2.0, 0.5)
    axes = spec.axes(spec.images[0])
    assert [a.translation for a in axes] == [0, 5, 10, -1]
    assert [a.scale for a in axes] == [0.5, 2, 0.5, 0.5]


def test_a_unit_that_means_something_else_is_refused() -> None:
    z = Dimension(name="z", count=2, scale=1, unit="second")
    with pytest.raises(SettingsError, match="second"):
        settings([z, *dims()]).to_spec()


@pytest.mark.parametrize(
    ("path", "format", "expected"),
    [
        ("a.ome.zarr", "auto", "a.ome.zarr"),
        ("a.zarr", "auto", "a.zarr"),
        ("a.NDTIFF", "auto", "a.NDTIFF"),
        ("a", "ndtiff", "a.ndtiff"),
        ("a", "ome-zarr", "a.ome.zarr"),
        ("a", "memory", "a"),
    ],
)
def test_suffix_and_format_choose_each_other(
    path: str, format: str, expected: str
) -> None:
    found = settings(dims(t=2), root_path=path, format=format)
    assert found.output_path == Path(expected)


def test_a_path_that_says_nothing_is_stored_as_ome_zarr_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="chooses a format"):
        assert settings(dims(t=2), root_path="a").format_name == "ome-zarr"


def test_the_standard_axes_only() -> None:
    with pytest.raises(SettingsError, match="'angle'"):
        dims_from_standard_axes({"angle": 2, "y": 2, "x": 2})


@pytest.mark.parametrize("suffix", [".ome.zarr", ".ndtiff"])
@pytest.mark.parametrize("unbounded", [False, True])
def test_a_stream_from_settings(tmp_path: Path, suffix: str, unbounded: bool) -> None:
    path = tmp_path / f"run{suffix}"
    found = settings(dims(t=None if unbounded else 3, c=2), root_path=path)
    with create_stream(found, levels=1) as stream:
        for number in range(6):
            stream.append(frame_of(number))
    (image,) = all_images(stream)
    assert image.shape == (3, 2, 16, 24)
    for number in range(6):
        np.testing.assert_array_equal(image[number // 2, number % 2], frame_of(number))
    with pytest.raises(OutputExistsError):
        create_stream(found)


# ---------------------------------------------------------------- outputs


def test_formats_and_their_paths(tmp_path: Path) -> None:
    for name in FORMATS:
        path = output_path(tmp_path, "run", name)
        assert path.parent == tmp_path
        sink = make_sink(path, name)
        assert sink.format == name
        assert sink.path in (path, None)
    with pytest.raises(SettingsError, match="'tiff'"):
        make_sink("a", "tiff")  # type: ignore[arg-type]


def test_names_count_up_past_every_output(tmp_path: Path) -> None:
    both = ["ome-zarr", "ndtiff"]
    assert next_free_name(tmp_path, "exp", both) == "exp_001"
    (tmp_path / "exp_001.ome.zarr").mkdir()
    (tmp_path / "exp_002.ndtiff").mkdir()
    assert next_free_name(tmp_path, "exp", both) == "exp_003"
    assert next_free_name(tmp_path, "exp_001", both) == "exp_003"
    assert next_free_name(tmp_path, "exp", ["ndtiff"]) == "exp_001"
    assert next_free_name(tmp_path, "exp_041", both) == "exp_041"
    assert next_free_name(tmp_path, "", both) == "run_001"
    assert next_free_name(tmp_path, "a_12", both) == "a_12_001"


@given(st.text("ab_0123", max_size=12))
def test_a_name_that_is_free_stays(name: str) -> None:
    found = next_free_name("/nowhere", name, ["ome-zarr"])
    assert next_free_name("/nowhere", found, ["ome-zarr"]) == found
