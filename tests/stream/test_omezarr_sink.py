"""OME-Zarr stores of every kind, as a model and independent readers see them."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.ngff.test_ngff_writers import KINDS, read_by_all
from tests.stream.streams import frame_of, growing_spec, make_spec

from napari_scope import fileio
from napari_scope.arrays import halve
from napari_scope.errors import ScopeError, SettingsError
from napari_scope.fileio import DataFile, portable_io, uses_portable_io
from napari_scope.formats.ngff.writing import codecs, encoding
from napari_scope.formats.ngff.writing.codecs import CODECS
from napari_scope.formats.opening import open_dataset
from napari_scope.model import Axis, short
from napari_scope.stream import (
    AcquisitionSettings,
    Address,
    ImageSpec,
    OmeZarrSink,
    StoreSpec,
    Stream,
    create_stream,
    dims_from_standard_axes,
    read_journal,
)
from napari_scope.stream.ring import Ring
from napari_scope.stream.sinks.base import checksum
from napari_scope.stream.spec import PlateSpec, StorageSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSIONS = {2: "0.4", 3: "0.5"}


def attributes(folder: Path) -> dict[str, Any]:
    """Return the attributes of a group of either version, those of OME together."""
    if (folder / ".zattrs").exists():
        found: dict[str, Any] = json.loads((folder / ".zattrs").read_text())
        return found
    document = json.loads((folder / "zarr.json").read_text())["attributes"]
    return {**document, **document.get("ome", {})}


def plate_spec(version: str = "0.5", **more: Any) -> StoreSpec:
    """Return the plate of the documentation: four fields in three wells."""
    fields = [("A", "1"), ("A", "2"), ("C", "4"), ("C", "4")]
    storage = {"version": version, **more.pop("storage", {})}
    return make_spec(
        order=("time", "position", "channel", "z"),
        labels={"channel": ("DAPI", "GFP")},
        images=tuple(
            ImageSpec(
                f"field {n}",
                {"position": n},
                {"time": 2, "channel": 2, "z": 3},
                x_um=100.0 * n,
                y_um=50.0,
                well=well,
            )
            for n, well in enumerate(fields)
        ),
        pixel_um=0.5,
        storage=StorageSpec(**storage),
        plate=PlateSpec("Example", tuple("ABCD"), tuple("12345678")),
        n_frames=48,
        **more,
    )


PLATE_PATHS = ["A/1/0", "A/2/0", "C/4/0", "C/4/1"]


def fill(stream: Stream, count: int, shape: tuple[int, ...] = (16, 24)) -> None:
    for number in range(count):
        stream.append(frame_of(number, shape))


# ---------------------------------------------------------------- any store at all


@st.composite
def stores(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what is stored, how, and in which order it comes."""
    axes = draw(
        st.lists(st.sampled_from(["time", "channel", "z"]), unique=True, max_size=3)
    )
    axes = list(draw(st.permutations(axes)))
    sizes = {name: draw(st.integers(1, 4)) for name in axes}
    version = draw(st.sampled_from(["0.4", "0.5"]))
    cut = st.dictionaries(st.sampled_from([*axes, "y", "x"]), st.integers(1, 20))
    places = draw(st.integers(1, 2))
    frames = places * int(np.prod(list(sizes.values())))
    return {
        "sizes": sizes,
        "places": places,
        "frame": draw(st.tuples(st.integers(1, 40), st.integers(1, 40))),
        "dtype": draw(st.sampled_from(["u1", "u2", "i2", "f4"])),
        "growing": bool(axes) and draw(st.booleans()),
        "storage": StorageSpec(
            chunks=draw(cut),
            shards=draw(cut) if version == "0.5" else {},
            compression=draw(st.sampled_from([None, *CODECS])),
            version=version,
            order=draw(st.none() | st.permutations(axes).map(tuple)),
        ),
        "order": draw(st.permutations(range(frames))),
        "skipped": draw(st.sets(st.integers(0, frames - 1), max_size=frames // 3)),
        "look": draw(st.integers(0, frames)),
        "portable": draw(st.booleans()),
    }


@pytest.mark.filterwarnings("ignore:axes stored in the order")
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stores())
def test_any_store_is_what_a_model_says(
    tmp_path_factory: pytest.TempPathFactory, store: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("run") / "out"
    sizes, frame, dtype = store["sizes"], store["frame"], store["dtype"]
    axes = sorted(sizes, key=["time", "channel", "z"].index)
    shape = tuple(sizes[name] for name in axes)
    images = tuple(
        ImageSpec(f"p{n}", {"position": n} if store["places"] > 1 else {}, sizes)
        for n in range(store["places"])
    )
    order = (*(["position"] if store["places"] > 1 else []), *sizes)
    spec = make_spec(
        frame=frame,
        dtype=dtype,
        order=order,
        images=images,
        storage=store["storage"],
        growing=store["growing"],
        growing_axes=tuple(sizes)[:1] if store["growing"] else None,
    )
    stored = store["storage"].order or tuple(axes)
    turn = [*map(axes.index, stored), len(axes), len(axes) + 1]
    model = np.zeros((store["places"], *shape, *frame), dtype)
    indices = list(itertools.product(range(store["places"]), *map(range, shape)))
    folders = [path / str(n) if len(images) > 1 else path for n in range(len(images))]

    def compare(level: int = 0) -> None:
        for folder, expected in zip(folders, model, strict=True):
            for name, found in read_by_all(folder / str(level)).items():
                inside = tuple(slice(0, sizes[axis]) for axis in stored)
                np.testing.assert_array_equal(
                    found[inside], expected.transpose(turn), err_msg=name
                )

    with portable_io(store["portable"]):
        with Stream(spec, [OmeZarrSink(path, levels=2)], ring_bytes=1) as stream:
            for count, number in enumerate(store["order"]):
                if count == store["look"] and path.exists():
                    stream.flush()
                    compare()
                place, *index = indices[number]
                where: dict[str, int] = dict(zip(axes, index, strict=True))
                if store["places"] > 1:
                    where["position"] = place
                if number in store["skipped"]:
                    stream.skip(index=where)
                    continue
                pixels = frame_of(number % 80, frame, dtype)
                stream.append(pixels, index=where)
                model[(place, *index)] = pixels
            stream.flush()
            compare()
        for folder, expected in zip(folders, model, strict=True):
            for number in np.ndindex(shape):
                address = Address(folders.index(folder), number)
                found = stream.sinks[0].read(address)
                assert found is None or (found == expected[number]).all()
    compare()
    if max(frame) > 1:
        halved = [halve(f) for f in model.reshape(-1, *frame)]
        model = np.stack(halved).reshape(*model.shape[:-2], *halved[0].shape)
        compare(1)
    if list(stored) == axes:
        validate(path)


def validate(path: Path) -> None:
    from yaozarrs import validate_zarr_store

    validate_zarr_store(str(path))


# ---------------------------------------------------------------- levels


@pytest.mark.parametrize(("compression", "version"), KINDS)
def test_coarse_levels_are_cut_and_compressed_like_the_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    compression: str | None,
    version: int,
) -> None:
    path = tmp_path / "out"
    storage = StorageSpec(
        chunks={"z": 2, "y": 32, "x": 32},
        compression=compression,
        version=VERSIONS[version],
    )
    spec = make_spec({"time": 2, "z": 3}, frame=(70, 90), storage=storage)
    busy = True
    monkeypatch.setattr(Ring, "is_filling", lambda _: busy)
    with Stream(spec, [OmeZarrSink(path, levels=3)]) as stream:
        fill(stream, 6, (70, 90))
        stream.flush()
        assert len(attributes(path)["multiscales"][0]["datasets"]) == 1
        assert not read_by_all(path / "1")["zarr-python"].any(), "put off"
        busy = False
    level = np.stack([frame_of(n, (70, 90)) for n in range(6)])
    for name in "012":
        for reader, found in read_by_all(path / name).items():
            expected = level.reshape(2, 3, *level.shape[1:])
            np.testing.assert_array_equal(found, expected, err_msg=reader)
        level = np.stack([halve(frame) for frame in level])
    documents = [
        json.loads(
            (path / n / (".zarray" if version == 2 else "zarr.json")).read_text()
        )
        for n in "012"
    ]
    if version == 2:
        assert documents[1]["compressor"] == documents[0]["compressor"]
        assert [d["chunks"] for d in documents] == [
            [1, 2, 32, 32],
            [1, 2, 32, 32],
            [1, 2, 18, 23],
        ]
    else:
        inner = [d["codecs"][0]["configuration"]["codecs"] for d in documents]
        assert inner[0] == inner[1] == inner[2]
        assert len(inner[0]) == 1 + (compression is not None)
    listed = attributes(path)["multiscales"][0]["datasets"]
    scales = [d["coordinateTransformations"] for d in listed]
    assert [s[1]["translation"][-1] for s in scales] == [0, 0.5, 1.5]
    validate(path)


# ---------------------------------------------------------------- layouts


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("compression", [None, "blosc-lz4"])
class TestPlates:
    def write(self, path: Path, version: str, compression: str | None) -> StoreSpec:
        spec = plate_spec(version, storage={"compression": compression})
        with Stream(spec, [OmeZarrSink(path, levels=2)]) as stream:
            for image in PLATE_PATHS:
                validate(path / image)
            fill(stream, 48)
        return spec

    def expected(self, image: int) -> Any:
        # Frames come as time, position, channel, z.
        all_ = np.stack([frame_of(n) for n in range(48)])
        return all_.reshape(2, 4, 2, 3, 16, 24)[:, image]

    def test_it_is_valid_and_complete(
        self, tmp_path: Path, version: str, compression: str | None
    ) -> None:
        path = tmp_path / "plate.ome.zarr"
        self.write(path, version, compression)
        validate(path)
        for number, image in enumerate(PLATE_PATHS):
            for reader, found in read_by_all(path / image / "0").items():
                np.testing.assert_array_equal(
                    found, self.expected(number), err_msg=reader
                )
        plate = attributes(path)["plate"]
        assert [w["path"] for w in plate["wells"]] == ["A/1", "A/2", "C/4"]
        assert (plate["wells"][2]["rowIndex"], plate["wells"][2]["columnIndex"]) == (
            2,
            3,
        )
        assert [row["name"] for row in plate["rows"]] == list("ABCD")
        assert len(plate["columns"]) == 8
        assert (plate["name"], plate["field_count"]) == ("Example", 2)
        (acquisition,) = plate["acquisitions"]
        assert acquisition["maximumfieldcount"] == 2
        well = attributes(path / "C" / "4")["well"]
        assert [i["path"] for i in well["images"]] == ["0", "1"]
        assert {i["acquisition"] for i in well["images"]} == {acquisition["id"]}
        own = attributes(path)["napari_scope"]
        assert own["images"] == PLATE_PATHS
        assert read_journal(path / own["journal"]).closed is not None

    def test_each_field_knows_its_place(
        self, tmp_path: Path, version: str, compression: str | None
    ) -> None:
        path = tmp_path / "plate.ome.zarr"
        self.write(path, version, compression)
        image = attributes(path / "C/4/1")["multiscales"][0]
        assert image["name"] == "field 3"
        scale, translation = image["datasets"][0]["coordinateTransformations"]
        assert scale["scale"][-2:] == [0.5, 0.5]
        assert translation["translation"][-2:] == [50 - 7.5 / 2, 300 - 11.5 / 2]

    # The library warns of its own default argument when it is imported.
    @pytest.mark.filterwarnings("ignore:Call to deprecated class Scaler")
    def test_others_open_it(
        self,
        tmp_path: Path,
        version: str,
        compression: str | None,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        # One of its messages of lower levels cannot be formatted.
        caplog.set_level("WARNING", "ome_zarr")
        caplog.set_level("WARNING", "ome_zarr.reader")
        from napari_ome_zarr import napari_get_reader
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Reader

        path = tmp_path / "plate.ome.zarr"
        self.write(path, version, compression)
        place = parse_url(str(path))
        assert place is not None
        (node, *_) = list(Reader(place)())
        found = np.asarray(node.data[0])
        # It shows the first field of each well: 3 rows by 4 columns of wells.
        assert found.shape[:3] == (2, 2, 3)
        np.testing.assert_array_equal(found[..., :16, :24], self.expected(0))
        reader = napari_get_reader(str(path))
        assert reader is not None
        assert reader(str(path))

    def test_iohub_finds_every_field(
        self, tmp_path: Path, version: str, compression: str | None
    ) -> None:
        iohub = pytest.importorskip("iohub")
        path = tmp_path / "plate.zarr"
        self.write(path, version, compression)
        with iohub.open_ome_zarr(path, mode="r") as plate:
            assert sorted(name for name, _ in plate.positions()) == PLATE_PATHS
            for name, position in plate.positions():
                np.testing.assert_array_equal(
                    np.asarray(position["0"]), self.expected(PLATE_PATHS.index(name))
                )


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_collection_of_either_version(tmp_path: Path, version: str) -> None:
    path = tmp_path / "out"
    spec = make_spec(
        order=("position", "channel"),
        images=tuple(ImageSpec(n, {"position": n}, {"channel": 2}) for n in "AB"),
        storage=StorageSpec(version=version, compression="zstd"),
    )
    with Stream(spec, [OmeZarrSink(path)]) as stream:
        validate(path)
        fill(stream, 4)
    validate(path)
    assert attributes(path)["bioformats2raw.layout"] == 3
    assert attributes(path / "OME")["series"] == ["0", "1"]
    for number in range(2):
        expected = [frame_of(2 * number), frame_of(2 * number + 1)]
        for found in read_by_all(path / str(number) / "0").values():
            np.testing.assert_array_equal(found, expected)
    zarr_names = {p.name for p in path.rglob("*") if p.name.startswith((".z", "zarr"))}
    expected_names = {".zgroup", ".zattrs", ".zarray"}
    assert zarr_names == (expected_names if version == "0.4" else {"zarr.json"})


def test_a_growing_collection_with_deep_chunks(tmp_path: Path) -> None:
    path = tmp_path / "out"
    storage = StorageSpec(chunks={"time": 3}, compression="blosc-zstd")
    spec = growing_spec(storage=storage)
    with Stream(spec, [OmeZarrSink(path)]) as stream:
        for number in range(7):
            for place in "AB":
                stream.append(
                    frame_of(number), index={"position": place, "time": number}
                )
        stream.flush()
        for number in range(2):
            for found in read_by_all(path / str(number) / "0").values():
                assert len(found) >= 7
                np.testing.assert_array_equal(found[6], frame_of(6))
    for number in range(2):
        for found in read_by_all(path / str(number) / "0").values():
            np.testing.assert_array_equal(found, [frame_of(n) for n in range(7)])


@pytest.mark.parametrize(
    ("dtype", "depth", "expected"),
    [
        ("u1", None, (0, 255)),
        ("u2", None, (0, 65535)),
        ("u2", 12, (0, 4095)),
        ("i2", None, (-32768, 32767)),
        ("f4", None, (0, 250.0)),
    ],
)
def test_the_display_window_is_that_of_the_pixels(
    tmp_path: Path, dtype: str, depth: int | None, expected: tuple[float, float]
) -> None:
    path = tmp_path / "out"
    spec = make_spec({"time": 1}, dtype=dtype, bit_depth=depth)
    with Stream(spec, [OmeZarrSink(path)]) as stream:
        stream.append(frame_of(0, dtype=dtype))
    (channel,) = attributes(path)["omero"]["channels"]
    window = channel["window"]
    assert window["min"] == expected[0]
    if dtype == "f4":
        assert window["max"] == window["end"] > 200
    else:
        assert window["max"] == expected[1]
    assert window["min"] <= window["start"] < window["end"] <= window["max"]


def test_web_viewers_read_a_finished_store(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "formats" / "ngff" / "zarrita.mjs"
    node = shutil.which("node")
    if node is None or not any(
        (folder / "node_modules" / "zarrita").exists() for folder in script.parents
    ):
        pytest.skip("needs node and, in a folder above, `npm install zarrita`")
    expected = np.stack([frame_of(n) for n in range(5)])
    for cut, storage in enumerate(CUTS):
        path = tmp_path / str(cut)
        with Stream(make_spec(storage=storage), [OmeZarrSink(path)]) as stream:
            fill(stream, 5)
        output = subprocess.run(
            [node, str(script), str(path / "0")], capture_output=True, check=True
        )
        found = json.loads(output.stdout)
        assert found["shape"] == [5, 16, 24]
        assert found["data"] == expected.ravel().tolist(), storage


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        (StorageSpec(compression="lzw"), "lzw"),
        (StorageSpec(version="0.3"), "0.3"),
        (StorageSpec(version="0.4", shards={"time": 2}), "shards"),
        (StorageSpec(chunks={"lambda": 2}), "lambda"),
        (StorageSpec(chunks={"time": 0}), "from 1"),
        (StorageSpec(shards={"x": -1}), "from 1"),
        (StorageSpec(order=("time",)), "the stream has time, z"),
    ],
)
def test_storage_that_cannot_be_is_refused_before_anything_is_made(
    tmp_path: Path, storage: StorageSpec, message: str
) -> None:
    spec = make_spec({"time": 2, "z": 2}, storage=storage)
    with pytest.raises(SettingsError, match=message):
        Stream(spec, [OmeZarrSink(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_frames_are_put_in_the_order_of_the_format(tmp_path: Path) -> None:
    storage = StorageSpec(order=("time", "channel", "z"), chunks={"z": 3})
    spec = make_spec({"z": 3, "time": 2, "channel": 2}, storage=storage)
    with Stream(spec, [OmeZarrSink(tmp_path / "out")]) as stream:
        fill(stream, 12)
    taken = np.stack([frame_of(n) for n in range(12)]).reshape(3, 2, 2, 16, 24)
    for found in read_by_all(tmp_path / "out" / "0").values():
        np.testing.assert_array_equal(found, taken.transpose(1, 2, 0, 3, 4))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("compression", [None, "blosc-lz4"])
@pytest.mark.parametrize("order", [("z", "time", "channel"), ("channel", "time", "z")])
def test_an_order_that_is_forbidden_is_written_with_a_warning(
    tmp_path: Path, version: str, compression: str | None, order: tuple[str, ...]
) -> None:
    path = tmp_path / "out"
    storage = StorageSpec(
        order=order, chunks={"z": 2}, version=version, compression=compression
    )
    spec = make_spec({"z": 3, "time": 2, "channel": 2}, storage=storage)
    with pytest.warns(UserWarning, match="do not follow OME-NGFF") as caught:
        stream = Stream(spec, [OmeZarrSink(path, levels=2)])
    assert len(caught) == 1
    names = [short(name) for name in order] + ["y", "x"]
    assert f"the order {', '.join(names)} do" in str(caught[0].message)
    with stream:
        fill(stream, 12)
        stream.flush()
        found = stream.sinks[0].read(Address(0, (1, 0, 2)))
        np.testing.assert_array_equal(found, frame_of(10), err_msg="t, c, z as ever")
    taken = np.stack([frame_of(n) for n in range(12)]).reshape(3, 2, 2, 16, 24)
    axes = [*map(["z", "time", "channel"].index, order), 3, 4]
    for reader, array in read_by_all(path / "0").items():
        np.testing.assert_array_equal(array, taken.transpose(axes), err_msg=reader)
    stored = attributes(path)["multiscales"][0]["axes"]
    assert [axis["name"] for axis in stored] == names
    image = open_dataset(path).images[0]
    assert [axis.name for axis in image.axes] == names
    np.testing.assert_array_equal(image.levels[0], taken.transpose(axes))
    assert [channel.name for channel in image.channels] == ["Channel 0", "Channel 1"]


@pytest.mark.parametrize("order", ["acquisition", ["c", "z", "t"]])
def test_settings_ask_for_an_order_that_is_forbidden(
    tmp_path: Path, order: Any
) -> None:
    settings = AcquisitionSettings(
        root_path=tmp_path / "a.ome.zarr",
        dtype="uint16",
        dimensions=dims_from_standard_axes({"t": 2, "z": 3, "c": 2, "y": 16, "x": 24}),
        storage_order=order,
    )
    with pytest.warns(UserWarning, match='storage_order="ome" follows it'):
        stream = create_stream(settings)
    with stream:
        fill(stream, 12)
    image = open_dataset(tmp_path / "a.ome.zarr").images[0]
    wanted = "tzc" if order == "acquisition" else "".join(order)
    assert "".join(axis.name for axis in image.axes) == wanted + "yx"
    taken = np.stack([frame_of(n) for n in range(12)]).reshape(2, 3, 2, 16, 24)
    axes = [*map("tzc".index, wanted), 3, 4]
    np.testing.assert_array_equal(image.levels[0], taken.transpose(axes))


@pytest.mark.parametrize("order", [None, ("channel", "depth")])
def test_a_custom_axis_of_space_follows_the_channel(
    tmp_path: Path, order: tuple[str, ...] | None
) -> None:
    path = tmp_path / "out"
    axes = (
        Axis("depth", "space", "micrometer", 2.0),
        Axis("c", "channel"),
        Axis("x", "space", "micrometer", 0.5, 7.0),
        Axis("y", "space", "micrometer", 0.25),
    )
    sizes = {"depth": 3, "channel": 2}
    spec = make_spec(
        sizes,
        images=(ImageSpec("run", sizes=sizes, axes=axes),),
        storage=StorageSpec(order=order, chunks={"depth": 2, "x": 4, "y": 24}),
    )
    assert spec.index_axes == ("depth", "channel")
    with Stream(spec, [OmeZarrSink(path, levels=2)]) as stream:
        fill(stream, 5)
        stream.skip()
        stream.flush()
        found = stream.sinks[0].read(Address(0, (2, 0)))
        np.testing.assert_array_equal(found, frame_of(4))
    validate(path)
    image = attributes(path)["multiscales"][0]
    assert [a["name"] for a in image["axes"]] == ["c", "depth", "x", "y"]
    scales = image["datasets"][1]["coordinateTransformations"]
    assert scales[0]["scale"] == [1, 2, 1, 0.5]
    assert scales[1]["translation"] == [0, 0, 7.25, 0.125]
    document = json.loads((path / "0" / "zarr.json").read_text())
    assert document["dimension_names"] == ["c", "depth", "x", "y"]
    inner = document["codecs"][0]["configuration"]["chunk_shape"]
    assert inner == [1, 2, 4, 24], "rows run along x"
    expected = np.stack([*(frame_of(n) for n in range(5)), np.zeros_like(frame_of(0))])
    for found in read_by_all(path / "0").values():
        np.testing.assert_array_equal(
            found, expected.reshape(3, 2, 16, 24).transpose(1, 0, 2, 3)
        )


def test_a_chunk_does_not_wait_for_frames_that_were_skipped(tmp_path: Path) -> None:
    storage = StorageSpec(chunks={"time": 4}, compression="zstd")
    spec = make_spec({"time": 8}, frame=(64, 64), storage=storage)
    path = tmp_path / "out"
    with Stream(spec, [OmeZarrSink(path, levels=1)]) as stream:
        fill(stream, 2, (64, 64))
        stream.flush()
        (file,) = (p for p in (path / "0").rglob("0") if p.is_file())
        assert file.stat().st_size > 4 * 64 * 64 * 2
        stream.skip(2)
        stream.flush()
        assert file.stat().st_size < 2 * 64 * 64 * 2, "compressed, the rest given back"
        stream.skip(4)
        growing = json.loads((path / "0" / "zarr.json").read_text())
    finished = json.loads((path / "0" / "zarr.json").read_text())
    places = [
        document["codecs"][0]["configuration"]["index_location"]
        for document in (growing, finished)
    ]
    assert places == ["start", "end"], "where web viewers look for it"


def test_the_metadata_say_what_became_of_the_frames(tmp_path: Path) -> None:
    path = tmp_path / "out"
    spec = make_spec({"time": 3}, summary={"microscope": "demo"})
    with Stream(spec, [OmeZarrSink(path)]) as stream:
        fill(stream, 2)
        stream.skip(reason="autofocus")
    facts = attributes(path / "acquisition")
    assert facts["napari_scope"] == {"microscope": "demo"}
    assert "autofocus" in json.dumps(facts["frames"])
    plan = read_journal(path / "acquisition" / "frames.jsonl").header["plan"]
    assert plan["images"][0]["sizes"] == {"time": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"well": None}, "no well"),
        ({"well": ("E", "1")}, "row 'E'"),
        ({"well": ("A", "9")}, "column '9'"),
    ],
)
def test_a_field_outside_of_the_plate_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    spec = plate_spec()
    images = (replace(spec.images[0], **change), *spec.images[1:])
    with pytest.raises(SettingsError, match=message):
        Stream(replace(spec, images=images), [OmeZarrSink(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("A", "B", "C", "a"), "same name"),
        (("A", "B", "C", "row 4"), "letters and digits"),
        (("A", "B", "C", "OME"), "taken"),
    ],
)
def test_names_that_a_plate_cannot_have(
    tmp_path: Path, rows: Sequence[str], message: str
) -> None:
    spec = plate_spec()
    plate = PlateSpec("x", tuple(rows), tuple("1234"))
    with pytest.raises(SettingsError, match=message):
        Stream(replace(spec, plate=plate), [OmeZarrSink(tmp_path / "out")])


# ---------------------------------------------------------------- killed and broken

CUTS: list[StorageSpec] = [
    StorageSpec(compression="blosc-lz4", chunks={"y": 8, "x": 8}),
    StorageSpec(compression="zstd", chunks={"time": 4, "x": 8}),
    StorageSpec(chunks={"time": 4, "x": 8}, shards={"time": 2}),
    StorageSpec(compression="blosc-zstd", chunks={"time": 3}, version="0.4"),
    StorageSpec(chunks={"time": 3}, version="0.4"),
]

WRITER = """
import sys
from pathlib import Path
from napari_scope.stream import OmeZarrSink, Stream
from tests.stream.streams import frame_of, make_spec
from tests.stream.test_omezarr_sink import CUTS

path, cut, growing = sys.argv[1:]
more = {"growing": True, "growing_axes": ("time",)} if growing == "True" else {}
sizes = {"time": 1 if more else 3000}
spec = make_spec(sizes, storage=CUTS[int(cut)], **more)
stream = Stream(spec, [OmeZarrSink(Path(path), levels=2)], ring_bytes=1 << 16)
for number in range(3000):
    stream.append(frame_of(number))
    if number % 7 == 6:
        stream.flush()
        print(stream.stats().saved, flush=True)
"""


@pytest.mark.parametrize("growing", [False, True])
@pytest.mark.parametrize("cut", range(len(CUTS)))
def test_a_killed_writer_leaves_every_committed_frame(
    tmp_path: Path, cut: int, growing: bool
) -> None:
    path = tmp_path / "out"
    least = int(np.random.default_rng().integers(1, 150))
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(WRITER),
            str(path),
            str(cut),
            str(growing),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NAPARI_SCOPE_PORTABLE_IO": str(int(uses_portable_io()))},
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= least:
            break
    process.kill()
    _, errors = process.communicate()
    assert not errors, errors
    validate(path)
    check_committed(path, least)


def check_committed(path: Path, least: int = 0) -> None:
    """Compare what the journal says with what independent readers find."""
    lines = read_journal(path / "acquisition" / "frames.jsonl").frames
    saved = [line for line in lines if line["status"] == "saved"]
    assert len(saved) >= least
    found = read_by_all(path / "0")
    for line in saved:
        (number,) = line["index"]
        assert line["crc32c"] == checksum(frame_of(number))
        for reader, frames in found.items():
            np.testing.assert_array_equal(
                frames[number], frame_of(number), err_msg=f"{reader}, {number}"
            )


class _Breaking:
    """Lets the n-th operation on files fail, having done half of it, and all after."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.failed = False

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for kind in (fileio._PosixFile, fileio._PortableFile):
            self._wrap(monkeypatch, kind, "write_at")
        self._wrap(monkeypatch, DataFile, "truncate")
        self._wrap(monkeypatch, DataFile, "sync")
        for module in ("formats.ngff.writing.chunkfiles", "stream.sinks.omezarr"):
            name = f"napari_scope.{module}.replace_file"
            monkeypatch.setattr(name, self._counted(fileio.replace_file))

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, kind: Any, name: str) -> None:
        monkeypatch.setattr(kind, name, self._counted(getattr(kind, name)))

    def _counted(self, real: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                self.failed = True
                if real.__name__ == "write_at":
                    # Systems take a write by pages: within one it is whole or not.
                    file, offset, *buffers = arguments
                    data = b"".join(bytes(memoryview(b).cast("B")) for b in buffers)
                    end = (offset + len(data) // 2) // 4096 * 4096
                    real(file, offset, data[: max(0, end - offset)])
                raise OSError(28, "No space left on device")
            return real(*arguments)

        return counted


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("cut", range(len(CUTS)))
def test_whatever_operation_fails_the_error_comes_and_committed_frames_are_there(
    tmp_path: Path, cut: int, portable: bool
) -> None:
    spec = make_spec({"time": 5}, storage=CUTS[cut])
    for at in itertools.count():
        path = tmp_path / str(at)
        breaking = _Breaking(at)
        error: BaseException | None = None
        with pytest.MonkeyPatch.context() as patch, portable_io(portable):
            breaking.install(patch)
            try:
                with Stream(spec, [OmeZarrSink(path, levels=2)]) as stream:
                    for number in range(4):
                        stream.append(frame_of(number))
                        stream.flush(sync=number == 2)
                    stream.skip()
            except (ScopeError, OSError) as failure:
                error = failure
        if not breaking.failed:
            assert error is None
            check_committed(path, 4)
            break
        assert error is not None, f"operation {at} failed in silence"
        if (path / "acquisition" / "frames.jsonl").exists():
            text = (path / "acquisition" / "frames.jsonl").read_bytes()
            if text.count(b"\n") > 0:
                check_committed(path)
    assert at > 10, "every operation had its turn"


@pytest.mark.parametrize("compression", CODECS)
def test_frames_compressed_ahead_are_saved_in_order_with_their_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    monkeypatch.setattr(encoding, "LEAST_BYTES_AHEAD", 1)
    monkeypatch.setattr(codecs.os, "cpu_count", lambda: 2)
    spec = make_spec({"time": 60}, storage=StorageSpec(compression=compression))
    sink = OmeZarrSink(tmp_path / "run.ome.zarr", levels=2)
    with Stream(spec, [sink]) as stream:
        assert sink.ahead > 0
        for number in range(60):
            if number % 20 == 7:
                stream.skip()
            else:
                stream.append(frame_of(number))
    lines = read_journal(sink.path / "acquisition" / "frames.jsonl").frames
    assert [line["n"] for line in lines] == list(range(60))
    for number, line in enumerate(lines):
        saved = number % 20 != 7
        assert line.get("crc32c") == (checksum(frame_of(number)) if saved else None)
        found = sink.read(Address(0, (number,)))
        if saved:
            np.testing.assert_array_equal(found, frame_of(number))
