from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.errors import SettingsError
from napari_scope.stream import AcquisitionSettings, create_stream

if TYPE_CHECKING:
    from pathlib import Path

writers = pytest.importorskip("ome_writers")


def theirs(**more: Any) -> Any:
    return writers.AcquisitionSettings(
        **{
            "root_path": "run.ome.zarr",
            "dtype": "uint16",
            "dimensions": writers.dims_from_standard_axes({"t": 2, "y": 8, "x": 8}),
            **more,
        }
    )


def test_everything_is_converted() -> None:
    other = theirs(
        dimensions=[
            writers.Dimension(name="t", count=None, unit="ms", scale=5),
            writers.Dimension(
                name="p",
                coords=[
                    writers.Position(
                        name="f", plate_row="A", plate_column="1", x_coord=1, y_coord=2
                    ),
                    writers.Position(
                        name="f",
                        plate_row="B",
                        plate_column="1",
                        grid_row=0,
                        grid_column=3,
                    ),
                ],
            ),
            writers.Dimension(
                name="c",
                coords=[
                    writers.Channel(name="D", color="lime", emission_wavelength_nm=450),
                    writers.Channel(name="F", color=(1, 2, 3), fluorophore="GFP"),
                ],
            ),
            writers.Dimension(name="z", count=3, chunk_size=3, scale=2, translation=7),
            writers.Dimension(name="y", count=8, chunk_size=4, unit="nm", scale=100),
            writers.Dimension(
                name="x",
                count=8,
                shard_size_chunks=2,
                chunk_size=4,
                scale=100,
                unit="nm",
            ),
        ],
        format={"name": "ome-zarr", "backend": "zarr-python"},
        plate=writers.Plate(row_names=["A", "B"], column_names=["1"], name="P"),
        compression="blosc-lz4",
        overwrite=True,
    )
    ours = AcquisitionSettings.from_any(other)
    assert ours.shape == other.shape
    assert str(ours.output_path) == other.output_path
    assert ours.overwrite
    assert "zarr-python" in ours.notes[0]
    for one, two in zip(ours.dimensions, other.dimensions, strict=True):
        fields = ("name", "count", "unit", "scale", "translation", "chunk_size")
        for field in (*fields, "shard_size_chunks"):
            assert getattr(one, field) == getattr(two, field)
    assert [p.well for p in ours.positions] == [("A", "1"), ("B", "1")]
    assert ours.positions[1].cell == (0, 3)
    channels = ours.dimensions[2].channels
    assert [c.color for c in channels] == ["#00FF00", "#010203"]
    assert channels[0].emission_wavelength_nm == 450
    assert channels[1].fluorophore == "GFP"
    spec = ours.to_spec()
    assert spec.plate is not None
    assert spec.plate.name == "P"
    assert spec.storage.compression == "blosc-lz4"
    assert (spec.pixel_um, spec.interval_s) == pytest.approx((0.1, 0.005))


@pytest.mark.parametrize(
    ("format", "path"),
    [
        ("tensorstore", "run.ome.zarr"),
        ("ome-tiff", "run.ome.tiff"),
        ({"name": "ome-tiff", "prefer_single_file": "never"}, "run.ome.tiff"),
        ({"name": "scratch", "max_memory_bytes": 1000}, "run"),
    ],
)
def test_formats(format: Any, path: str) -> None:
    ours = AcquisitionSettings.from_any(theirs(root_path="run", format=format))
    assert ours.output_path.name == path
    if path == "run":
        assert ours.format.max_memory_bytes == 1000


@pytest.mark.parametrize("order", ["ome", ["t", "y", "x"]])
def test_storage_order(order: Any) -> None:
    ours = AcquisitionSettings.from_any(theirs(storage_order=order))
    assert ours.storage_order == (order if order == "ome" else tuple(order))


def test_nothing_at_all_is_memory() -> None:
    ours = AcquisitionSettings.from_any(theirs(root_path=""))
    assert ours.format_name == "memory"


@pytest.mark.parametrize("field", ["dimensions", "dtype"])
def test_what_is_not_complete_is_refused(field: str) -> None:
    with pytest.raises(SettingsError, match=f"set {field} before"):
        AcquisitionSettings.from_any(theirs(**{field: () if field != "dtype" else ""}))


def test_what_only_looks_like_it_is_refused() -> None:
    class Other:
        root_path = "a"
        dimensions = ()

    with pytest.raises(SettingsError, match="a Other has no fields"):
        AcquisitionSettings.from_any(Other())


def test_a_sequence_that_ome_writers_converts_is_the_same(tmp_path: Path) -> None:
    useq = pytest.importorskip("useq")
    sequence = useq.MDASequence(
        time_plan={"interval": 1, "loops": 3},
        channels=["A", "B"],
        stage_positions=[{"x": 1, "y": 2, "name": "P"}],
        z_plan={"range": 2, "step": 1},
    )
    fields = writers.useq_to_acquisition_settings(
        sequence, image_width=8, image_height=4
    )
    theirs_ = writers.AcquisitionSettings(
        root_path=str(tmp_path / "a.ome.zarr"), dtype="uint8", **fields
    )
    ours = AcquisitionSettings.from_any(
        sequence,
        root_path=tmp_path / "b.ome.zarr",
        dtype="uint8",
        image_width=8,
        image_height=4,
    )
    one, two = AcquisitionSettings.from_any(theirs_), ours
    assert one.shape == two.shape
    names = [d.name for d in one.dimensions]
    assert names == [d.name for d in two.dimensions]
    spec, other = one.to_spec(), two.to_spec()
    assert spec.labels == other.labels
    assert spec.interval_s == other.interval_s
    with create_stream(one) as stream:
        for number in range(one.num_frames or 0):
            stream.append(np.full((4, 8), number, "u1"))
