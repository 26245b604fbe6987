"""Any run into any format is what a model of numpy says, at every moment.

Dimensions, orders, chunks, shards, codecs, types, frames that are skipped or come out
of order, flushes and views in between are drawn at random. What is stored is read back
through the view, by this package, and by a library that is not of it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.ngff.oracles import by_zarr_python
from tests.formats.ometiff.tiffs import series
from tests.stream.streams import frame_of

from napari_scope.fileio import portable_io
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import Dataset
from napari_scope.stream import (
    AcquisitionSettings,
    Address,
    Dimension,
    create_stream,
    read_journal,
)
from napari_scope.stream.outputs import COMPRESSIONS, FORMATS
from napari_scope.stream.recovery_journal import find_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_scope.stream import Stream

AXES = ("t", "c", "z")
LABELS = ["DAPI", "GFP", "Cy5", "RFP"]
PLACES = ["left", "right", "middle"]
COORDS = {"c": LABELS, "p": PLACES}


@dataclass(frozen=True)
class Run:
    """A run as it was drawn: settings, and what comes when."""

    format: str
    sizes: dict[str, int]  # in the order of acquisition, "p" among them
    frame: tuple[int, int]
    dtype: str
    compression: str | None
    storage_order: Any
    unbounded: bool
    chunks: dict[str, int]
    shards: dict[str, int]
    named: str | None  # how frames say where they belong; None: they come in order
    order: list[int]
    skipped: set[int]
    looks: dict[int, str] = field(default_factory=dict)
    portable: bool = False

    @property
    def axes(self) -> list[str]:
        """The index axes, as every reader here orders them."""
        return [name for name in AXES if name in self.sizes]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.sizes[name] for name in self.axes)

    @property
    def places(self) -> int:
        return self.sizes.get("p", 1)

    def index(self, number: int, where: dict[str, int]) -> dict[str, int | str] | None:
        """Return how the caller says where a frame belongs."""
        if self.named is None:
            return None
        labels = self.named == "labels" or (self.named == "either" and number % 2)
        if not labels:
            return dict(where)
        return {
            name: COORDS[name][i] if name in COORDS else i for name, i in where.items()
        }

    def settings(self, path: Path) -> AcquisitionSettings:
        dimensions = []
        for number, (name, count) in enumerate(self.sizes.items()):
            cut = {}
            if self.format == "ome-zarr" and name != "p":
                cut["chunk_size"] = self.chunks.get(name)
                cut["shard_size_chunks"] = self.shards.get(name)
            if self.unbounded and number == 0:
                dimensions.append(Dimension(name=name, count=None, **cut))
            elif name in COORDS:
                some = COORDS[name][:count]
                dimensions.append(Dimension(name=name, coords=some, **cut))
            else:
                dimensions.append(Dimension(name=name, count=count, **cut))
        for name, count in zip("yx", self.frame, strict=True):
            cut = {}
            if self.format == "ome-zarr":
                cut["chunk_size"] = min(count, self.chunks.get(name, count))
            dimensions.append(Dimension(name=name, count=count, **cut))
        return AcquisitionSettings(
            root_path=path / "run",
            format=self.format,
            dimensions=dimensions,
            dtype=self.dtype,
            compression=self.compression,
            storage_order=self.storage_order,
        )


@st.composite
def runs(draw: st.DrawFn) -> Run:
    kind = draw(st.sampled_from(sorted(FORMATS)))
    names = draw(st.lists(st.sampled_from([*AXES, "p"]), unique=True, max_size=4))
    sizes = {
        name: draw(st.integers(1, 3 if name == "p" else 4))
        for name in draw(st.permutations(names))
    }
    axes = [name for name in sizes if name != "p"]
    count = math.prod(sizes.values())
    unbounded = next(iter(sizes), None) in ("t", "z") and draw(st.booleans())
    named = draw(st.sampled_from([None, "numbers", "labels", "either"]))
    cut = st.dictionaries(st.sampled_from([*AXES, "y", "x"]), st.integers(1, 9))
    orders: Any = st.sampled_from(["ome", "acquisition"])
    if axes and kind == "ome-tiff":
        orders |= st.permutations(axes)
    return Run(
        format=kind,
        sizes=sizes,
        frame=draw(st.tuples(st.integers(1, 24), st.integers(1, 24))),
        dtype=draw(st.sampled_from(["uint8", "uint16"])),
        compression=draw(st.sampled_from([None, *COMPRESSIONS[kind]])),
        storage_order=draw(orders),
        unbounded=unbounded,
        chunks=draw(cut),
        shards=draw(cut),
        named=named,
        order=draw(st.permutations(range(count))) if named else list(range(count)),
        skipped=draw(st.sets(st.integers(0, count - 1), max_size=count // 2)),
        looks=draw(
            st.dictionaries(
                st.integers(0, count - 1),
                st.sampled_from(["view", "flush", "sync"]),
                max_size=3,
            )
        ),
        portable=draw(st.booleans()),
    )


def padded(found: Any, shape: tuple[int, ...]) -> Any:
    """Return an array with zeros where it ends before the run did."""
    found = np.asarray(found)
    assert all(n <= m for n, m in zip(found.shape, shape, strict=True))
    gaps = [(0, m - n) for n, m in zip(found.shape, shape, strict=True)]
    return np.pad(found, gaps)


def by_view(stream: Stream, run: Run) -> list[Any]:
    return [image.levels[0] for image in stream.view().images]


def by_us(path: Path, run: Run) -> list[Any]:
    """Read with the readers of this package, whatever the order of storage."""
    if run.format == "ndtiff":
        # Its images have no samples for what never came; frames keep their axes.
        with Dataset(path) as frames:
            return by_coordinates(frames, run)
    dataset = open_dataset(path)
    assert dataset.problems == ()
    found = []
    for image in dataset.images:
        turn = [image.axis_names.index(name) for name in (*run.axes, "y", "x")]
        found.append(np.asarray(image.levels[0]).transpose(turn))
    return found


def by_zarr(path: Path, run: Run) -> list[Any]:
    """Read with zarr-python; the order of the axes is that of the settings."""
    folders = [path / str(n) for n in range(run.places)] if run.places > 1 else [path]
    stored = run.axes
    if run.storage_order == "acquisition":
        stored = [name for name in run.sizes if name != "p"]
    turn = [*map(stored.index, run.axes), len(stored), len(stored) + 1]
    return [by_zarr_python(folder / "0").transpose(turn) for folder in folders]


def by_tifffile(path: Path, run: Run) -> list[Any]:
    files = [path]
    if run.places > 1:
        files = [path / f"{name}.ome.tiff" for name in PLACES[: run.places]]
    keep = [slice(None) if name in run.axes else 0 for name in AXES]
    found = []
    for file in files:
        with tifffile.TiffFile(file) as tif:
            if tif.series[0].kind == "ome":
                found.append(series(file)[tuple(keep)])
                continue
            # Of this place nothing came: the file says so, around an empty page.
            assert "MetadataOnly" in (tif.ome_metadata or "")
            assert not tif.asarray().any()
            found.append(np.zeros((*run.shape, *run.frame), run.dtype))
    return found


def by_coordinates(dataset: Any, run: Run) -> list[Any]:
    """Read each frame of an NDTiff data set by the axes under which it is stored."""
    found = np.zeros((run.places, *run.shape, *run.frame), run.dtype)
    names = {"t": "time", "c": "channel", "z": "z"}
    for axes in dataset.get_image_coordinates_list():
        index = [
            LABELS.index(axes["channel"]) if name == "c" else axes[names[name]]
            for name in run.axes
        ]
        place = PLACES.index(axes["position"]) if "p" in run.sizes else 0
        found[(place, *index)] = dataset.read_image(**axes)
    return list(found)


def by_ndstorage(path: Path, run: Run) -> list[Any]:
    import ndstorage

    with contextlib.redirect_stdout(io.StringIO()):  # it tells of its progress
        dataset: Any = ndstorage.Dataset(str(path))
    try:
        return by_coordinates(dataset, run)
    finally:
        dataset.close()


OTHERS: dict[str, Callable[[Path, Run], list[Any]]] = {
    "ome-zarr": by_zarr,
    "ome-tiff": by_tifffile,
    "ndtiff": by_ndstorage,
}


def equal(found: list[Any], model: Any, what: str) -> None:
    assert len(found) == len(model), what
    for image, expected in zip(found, model, strict=True):
        np.testing.assert_array_equal(
            padded(image, expected.shape), expected, err_msg=what
        )


# OME-Zarr says so where an order is not that of its specification.
@pytest.mark.filterwarnings("ignore:axes stored in the order")
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(runs())
def test_any_run_is_what_a_model_says(
    tmp_path_factory: pytest.TempPathFactory, run: Run
) -> None:
    asked = run.settings(tmp_path_factory.mktemp("any"))
    model = np.zeros((run.places, *run.shape, *run.frame), run.dtype)
    indices = list(itertools.product(*map(range, run.sizes.values())))
    seen = 0
    with portable_io(run.portable):
        with create_stream(asked, ring_bytes=1) as stream:
            for number in run.order:
                where = dict(zip(run.sizes, indices[number], strict=True))
                index = run.index(number, where)
                if number in run.skipped:
                    stream.skip(index=index)
                else:
                    frame = frame_of(number, run.frame, run.dtype)
                    stream.append(frame, {"n": number}, index=index)
                    frame[...] = 0  # it is the caller's again
                    place = tuple(where[name] for name in run.axes)
                    model[(where.get("p", 0), *place)] = frame_of(
                        number, run.frame, run.dtype
                    )
                    seen += 1
                look = run.looks.get(number)
                if look == "view":
                    equal(by_view(stream, run), model[: images(stream)], "view")
                elif look is not None:
                    stream.flush(sync=look == "sync")
                    assert stream.stats().saved == seen
        equal(by_view(stream, run), model[: images(stream)], "view after the end")
        for key in np.ndindex(model.shape[:-2]):
            found = stream.read(Address(key[0], key[1:]))
            assert found is None or (found == model[key]).all()
        stats = stream.stats()
        assert (stats.saved, stats.skipped) == (seen, len(run.skipped))
        if run.format == "memory":
            return
        check_stored(asked.output_path, run, model)


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff", "ndtiff"])
def test_numbers_and_labels_name_the_same_frame(tmp_path: Path, format: str) -> None:
    """Whatever the caller gave, what is stored has the labels."""
    settings = AcquisitionSettings(
        root_path=tmp_path / "run",
        format=format,
        dtype="uint16",
        dimensions=[
            Dimension(name="c", coords=LABELS),
            Dimension(name="p", coords=PLACES[:2]),
            Dimension(name="y", count=4),
            Dimension(name="x", count=5),
        ],
    )
    with create_stream(settings) as stream:
        stream.append(frame_of(0, (4, 5)))
        stream.append(frame_of(5, (4, 5)), index={"c": 2, "p": 1})
        stream.append(frame_of(2, (4, 5)), index={"p": "left", "c": 1})
        stream.append(frame_of(1, (4, 5)))
    journal = find_journal(settings.output_path)
    assert journal is not None
    assert [line["axes"] for line in read_journal(journal).frames] == [
        {"channel": "DAPI", "position": "left"},
        {"channel": "Cy5", "position": "right"},
        {"channel": "GFP", "position": "left"},
        {"channel": "DAPI", "position": "right"},
    ]


def images(stream: Stream) -> int:
    return len(stream.view().images)


def check_stored(path: Path, run: Run, model: Any) -> None:
    journal = find_journal(path)
    assert journal is not None
    content = read_journal(journal)
    assert content.closed is not None
    saved = [line for line in content.frames if line["status"] == "saved"]
    numbers = sorted(line["metadata"]["n"] for line in saved)
    assert numbers == sorted(set(run.order) - run.skipped)
    if not saved and run.format == "ndtiff":
        return
    if run.format != "ome-tiff":
        equal(by_us(path, run), model, "this package")
    if run.compression == "lzw":
        return  # tifffile has no codec for it
    equal(OTHERS[run.format](path, run), model, "another library")
