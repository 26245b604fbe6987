from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from napari_scope.errors import SettingsError
from napari_scope.stream import (
    AcquisitionSettings,
    Channel,
    Dimension,
    Plate,
    PlateSpec,
    Position,
    dims_from_standard_axes,
)
from napari_scope.stream.settings_check import storage_names


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


BAD_DIMENSIONS: list[tuple[Any, str]] = [
    (lambda: [], "last two"),
    (lambda: [Dimension(name="x", count=3)], "last two"),
    (lambda: dims(t=2)[:-1], "last two"),
    (lambda: [Dimension(name="t", count=2), *dims(t=3)], "same name"),
    (lambda: [Dimension(name="time", count=2), *dims(t=3)], "same name"),
    (lambda: [Dimension(name="t", count=2), Dimension(name="c"), *dims()], "no count"),
    (lambda: [Dimension(name="y"), Dimension(name="x", count=2)], "no count"),
    (
        lambda: [Dimension(name="p", count=2), Dimension(name="g", count=2), *dims()],
        "only one dimension may be of type 'position'",
    ),
    (
        lambda: [Dimension(name="f", count=2, type="time"), *dims(t=2)],
        "only one dimension may be of type 'time'",
    ),
    (lambda: dims(p=None), "unbounded"),
    (lambda: dims(t=100_000, c=100_000), "unbounded"),
    (
        lambda: [Dimension(name="a", count=2), Dimension(name="b", count=2), *dims()],
        "one channel or custom axis",
    ),
    (
        lambda: [
            Dimension(name="p", coords=[Position(name="A", sizes={"t": 4})]),
            *dims(t=3),
        ],
        "at most that count",
    ),
    (
        lambda: [
            Dimension(name="p", coords=[Position(name="A", sizes={"q": 1})]),
            *dims(t=3),
        ],
        "sizes are for other dimensions",
    ),
]


@pytest.mark.parametrize(("dimensions", "message"), BAD_DIMENSIONS)
def test_what_cannot_be_stored_is_refused_when_made(
    dimensions: Any, message: str
) -> None:
    made = dimensions()
    with pytest.raises(ValidationError, match=message):
        settings(made)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"dtype": "complex64"}, "'uint8', 'uint16' or 'float32'"),
        ({"dtype": "nonsense"}, "'uint16', for example"),
        ({"dtype": None}, "cannot be stored"),
        ({"dtype": "bool"}, "cannot be stored"),
        ({"format": "jpeg"}, "use one of the formats ome-zarr, "),
        ({"format": "tifffile"}, "means ome-zarr, but format= says ome-tiff"),
        ({"format": 3}, "neither a name nor a mapping"),
        ({"backend": "tensorstore"}, "give the backend as format="),
        ({"root_path": "", "format": "ome-zarr"}, "needs a root_path"),
        ({"root_path": 3}, "is not a path"),
        ({"compresion": "zstd"}, "not permitted"),
        ({"compression": "lzw"}, "use blosc-lz4, .* or format='ome-tiff'"),
        ({"compression": "nonsense"}, "use blosc-lz4, blosc-zstd, zstd or none"),
        (
            {"root_path": "a.ndtiff", "compression": "zstd"},
            "leave compression out, or format='ome-zarr'",
        ),
        ({"storage_order": "tzcyx"}, "storage_order"),
        ({"storage_order": ["t"]}, "does not name each dimension once"),
        ({"storage_order": ["t", "c", "c"]}, "does not name each dimension once"),
        ({"storage_order": ["c", "t", "x", "y"]}, "must end with 'y', 'x'"),
        ({"storage_order": ["y", "x", "t", "c"]}, "must end with 'y', 'x'"),
        ({"root_path": "a.ndtiff", "dtype": "float32"}, "choose another pixel type"),
        ({"plate": Plate.from_standard_wells(6)}, "a plate needs positions"),
        ({"gaps": [{"index": {"t": [2]}}]}, "outside of the dimensions"),
        ({"gaps": [{"index": {"z": [0]}}]}, "outside of the dimensions"),
        ({"gaps": [{"index": {"t": [-1]}}]}, "greater than or equal to 0"),
    ],
)
def test_other_wrong_settings_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(dims(t=2, c=2), **more)


def test_gaps_of_an_unbounded_run_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"call Stream\.skip"):
        settings(dims(t=None, c=2), gaps=[{"index": {"c": [1]}}])


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


def test_the_callers_dictionary_is_not_changed() -> None:
    data = {
        "root_path": "a",
        "format": {"name": "memory"},
        "dtype": "u1",
        "dimensions": dims(t=2),
    }
    before = copy.deepcopy(data)
    AcquisitionSettings.model_validate(data)
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


def test_axes_that_numbers_of_a_store_cannot_tell() -> None:
    """Not square, a scale of a custom axis, a start in time: kept for each image."""
    spec = settings(
        [
            Dimension(name="t", count=2, scale=1, unit="min", translation=2),
            Dimension(name="p", coords=[Position(name="A", x_coord=1, y_coord=2), "B"]),
            Dimension(name="angle", count=3, scale=90, unit="degree", translation=45),
            Dimension(name="y", count=5, scale=2, unit="um", translation=7),
            Dimension(name="x", count=3, scale=500, unit="nm"),
        ]
    ).to_spec()
    assert spec.pixel_um is None
    one, two = (spec.axes(image) for image in spec.images)
    assert [(a.name, a.kind, a.unit) for a in one] == [
        ("t", "time", "second"),
        ("angle", "other", "degree"),
        ("y", "space", "micrometer"),
        ("x", "space", "micrometer"),
    ]
    assert [a.scale for a in one] == [60, 90, 2, 0.5]
    # Stage positions are in the unit of x (nanometers) and y: centres of the image.
    assert [a.translation for a in one] == pytest.approx([120, 45, -2, 0.001 - 0.5])
    assert [a.translation for a in two] == pytest.approx([120, 45, 7, 0])


def test_frames_may_have_x_before_y(tmp_path: Path) -> None:
    found = settings(
        [Dimension(name="x", count=3), Dimension(name="y", count=5)],
        root_path=tmp_path / "a.ome.zarr",
    )
    spec = found.to_spec()
    assert spec.frame_shape == (3, 5)
    assert [a.name for a in spec.axes(spec.images[0])] == ["x", "y"]


def test_a_custom_axis_of_space_is_stored_after_the_channels() -> None:
    depth = Dimension(name="depth", count=2, unit="um", scale=3)
    # Whether a format has this order is for its sink to say; memory has any.
    found = AcquisitionSettings(
        format="memory", dtype="u1", dimensions=[depth, *dims(c=2)]
    )
    spec = found.to_spec()
    assert spec.index_axes == ("depth", "channel")
    assert spec.storage.order == ("channel", "depth")
    assert spec.axes(spec.images[0])[0].kind == "space"


def test_a_custom_name_keeps_its_type() -> None:
    dye = Dimension(name="dye", type="channel", count=2)
    spec = settings([dye, *dims()]).to_spec()
    assert [a.kind for a in spec.axes(spec.images[0])] == ["channel", "space", "space"]


def test_storage_is_passed_on() -> None:
    found = settings(
        dims_from_standard_axes(
            {"t": 3, "z": 4, "c": 2, "y": 16, "x": 24},
            chunk_shapes={"t": 2, "z": 9, "y": 8, "x": 100},
            shard_shapes={"t": 7, "z": 1, "c": 1, "y": 9},
        ),
        compression="zstd",
    )
    storage = found.to_spec().storage
    assert storage.chunks == {"time": 2, "z": 4, "y": 8, "x": 24}
    assert storage.shards == {"time": 2, "z": 1, "channel": 1, "y": 2}
    assert (storage.compression, storage.order) == ("zstd", None)
    none = found.model_copy(update={"compression": "none"})
    assert none.to_spec().storage.compression is None


def test_chunks_of_an_unbounded_axis_are_kept() -> None:
    made = dims_from_standard_axes(
        {"t": None, "y": 16, "x": 24}, {"t": 5}, shard_shapes={"t": 9}
    )
    storage = settings(made).to_spec().storage
    assert (storage.chunks, storage.shards) == ({"time": 5}, {"time": 9})


@pytest.mark.parametrize(
    ("order", "suffix", "expected"),
    [
        ("ome", "ome.zarr", None),
        ("ome", "ome.tiff", ("z", "time", "channel")),
        ("acquisition", "ome.zarr", ("z", "time", "channel")),
        (["c", "z", "t"], "ome.zarr", ("channel", "z", "time")),
        (["c", "z", "p", "t", "y", "x"], "ome.tiff", ("channel", "z", "time")),
        (["channel", "z", "time"], "ome.zarr", ("channel", "z", "time")),
    ],
)
def test_storage_order(
    order: Any, suffix: str, expected: tuple[str, ...] | None
) -> None:
    # No sink is asked: which orders a format has is for its own tests.
    made = dims(z=2, p=2, t=2, c=2)
    names = storage_names(order, made)
    if order == "ome":
        found = settings(made, root_path=f"a.{suffix}", storage_order=order)
        names = found.to_spec().storage.order
    assert names == expected


def test_a_plate_gives_each_image_its_well() -> None:
    found = settings(
        [
            Dimension(
                name="p",
                coords=[
                    Position(name="f0", plate_row="A", plate_column="1"),
                    Position(name="f0", plate_row="B", plate_column="3"),
                    Position(name="f1", plate_row="B", plate_column="3"),
                ],
            ),
            *dims(t=2),
        ],
        plate=Plate.from_standard_wells(6),
    )
    spec = found.to_spec()
    assert spec.plate == PlateSpec("run", ("A", "B"), ("1", "2", "3"))
    assert [i.well for i in spec.images] == [("A", "1"), ("B", "3"), ("B", "3")]
    assert [i.name for i in spec.images] == ["A1_f0", "B3_f0", "B3_f1"]
    assert spec.images[1].place == {"position": "B3_f0"}
    off = [Position(name="f", plate_row="C", plate_column="1")]
    bad = [Dimension(name="p", coords=off), *dims(t=2)]
    with pytest.raises(ValidationError, match="it has the rows A, B and the columns"):
        settings(bad, plate=found.plate, format="memory")
    assert "no plate" in settings(bad).notes[0]
    assert settings(bad).to_spec().images[0].well is None
    none = [Dimension(name="p", coords=["f"]), *dims(t=2)]
    with pytest.raises(ValidationError, match="give it plate_row and plate_column"):
        settings(none, plate=found.plate)


def test_positions_have_sizes_of_their_own() -> None:
    found = settings(
        [
            Dimension(name="p", coords=["A", Position(name="B", sizes={"z": 1})]),
            *dims(t=2, z=3),
        ]
    )
    assert found.num_frames == 2 * 3 + 2 * 1
    assert [dict(i.sizes) for i in found.to_spec().images] == [
        {"time": 2, "z": 3},
        {"time": 2, "z": 1},
    ]


def test_what_a_store_has_no_field_for_is_in_its_summary() -> None:
    spec = settings(
        [
            Dimension(name="p", coords=[Position(name="A", grid_row=1, grid_column=2)]),
            Dimension(name="c", coords=[Channel(name="D", fluorophore="DAPI")]),
            Dimension(name="z", coords=[0, 1, 5]),
            *dims(),
        ]
    ).to_spec()
    known = spec.summary["settings"]
    assert isinstance(known, dict)
    place, channel, z = known["dimensions"][:3]
    assert place["coords"][0]["grid_column"] == 2
    assert channel["coords"][0]["fluorophore"] == "DAPI"
    assert z["coords"] == [0, 1, 5]
    assert "root_path" not in known


def test_what_is_not_used_is_noted() -> None:
    made = dims_from_standard_axes({"t": 2, "y": 4, "x": 4}, {"t": 2})
    assert settings(made, root_path="a", format="tensorstore").notes == (
        "the backend 'tensorstore' is not used: ome-zarr is written by the writer of "
        "this package",
    )
    assert "for t are not used" in settings(made, root_path="a.ndtiff").notes[0]
    assert settings(made).notes == ()


@pytest.mark.parametrize("places", [[5.0, 3.0, 1.0], [0.0, 1.0, 3.0]])
def test_places_that_no_scale_tells_are_noted(places: list[float]) -> None:
    found = settings([Dimension(name="z", coords=places, unit="um"), *dims()])
    (note,) = found.notes
    assert "'z' do not rise by equal steps" in note
    even = settings([Dimension(name="z", coords=[1.0, 3.0, 5.0], unit="um"), *dims()])
    assert even.notes == ()


def test_a_wrong_storage_order_is_one_error() -> None:
    with pytest.raises(ValidationError) as caught:
        settings([Dimension(name="t", count=2), *dims()], storage_order="tyx")
    (only,) = caught.value.errors()
    assert "no storage order 'tyx'" in only["msg"]


def test_settings_of_any_kind() -> None:
    found = settings(dims(t=2))
    assert AcquisitionSettings.from_any(found) is found
    other = AcquisitionSettings.from_any(found, root_path="b.ndtiff", format="auto")
    assert (other.format_name, other.dimensions) == ("ndtiff", found.dimensions)
    data = {"format": "memory", "dtype": "u1", "dimensions": dims(t=2)}
    assert AcquisitionSettings.from_any(data, dtype="u2").dtype == "uint16"
    with pytest.raises(SettingsError, match="ome_writers"):
        AcquisitionSettings.from_any(3)


@pytest.mark.parametrize(
    ("path", "format", "expected"),
    [
        ("a.ome.zarr", "auto", "a.ome.zarr"),
        ("a.zarr", "auto", "a.zarr"),
        ("a.NDTIFF", "auto", "a.NDTIFF"),
        ("a", "ndtiff", "a.ndtiff"),
        ("a", "ome-zarr", "a.ome.zarr"),
        ("a", "memory", "a"),
        ("a.b", "tifffile", "a.b.ome.tiff"),
        ("a.TIF", "auto", "a.TIF"),
        ("a", {"name": "ome-zarr", "suffix": ".zarr"}, "a.zarr"),
        ("", "auto", ""),
    ],
)
def test_suffix_and_format_choose_each_other(
    path: str, format: Any, expected: str
) -> None:
    found = settings(dims(t=2), root_path=path, format=format)
    assert found.output_path == Path(expected)


def test_a_path_that_says_nothing_is_stored_as_ome_zarr_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="chooses a format") as told:
        found = AcquisitionSettings(root_path="a", dtype="u1", dimensions=dims(t=2))
    assert found.format_name == "ome-zarr"
    assert told[0].filename == __file__


@pytest.mark.parametrize("name", ["float128", "longdouble", "complex64", "bool"])
def test_pixels_that_no_format_has_are_refused(name: str) -> None:
    if name == "float128" and np.dtype("longdouble").itemsize <= 8:
        pytest.skip("there is no such type here")
    if name == "longdouble" and np.dtype(name).itemsize <= 8:
        pytest.skip("it is an ordinary one here")
    with pytest.raises(ValidationError, match=r"cannot be stored|not the name"):
        settings(dims(t=2), dtype=name)


def test_settings_survive_json() -> None:
    places = ["A", Position(name="B", x_coord=3, sizes={"z": 1})]
    for more in (
        {},
        {"root_path": "run.ome.tiff", "compression": "zlib"},
        {"root_path": "run", "format": {"name": "memory", "max_memory_bytes": 9}},
    ):
        found = settings(
            [
                Dimension(name="p", coords=places),
                Dimension(name="c", coords=["DAPI", Channel(name="GFP", color="red")]),
                *dims(z=3),
            ],
            **more,
        )
        again = AcquisitionSettings.model_validate_json(found.model_dump_json())
        assert again == found


def test_paths_of_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    home = settings(dims(t=2), root_path="~/a/run.ome.zarr")
    assert home.output_path == tmp_path / "a" / "run.ome.zarr"
    other = settings(dims(t=2), root_path="a~b.ome.zarr")
    assert other.output_path == Path("a~b.ome.zarr")


def test_a_path_that_no_system_takes() -> None:
    with pytest.raises(ValidationError, match="zero character"):
        settings(dims(t=2), root_path="a\0b.ome.zarr")
