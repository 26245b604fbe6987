"""What a stream stores, other programs open: every layout, codec and version.

Each store is written once, through settings as a user gives them, and then read by
libraries that know nothing of this package. Where a library knows no layout as a whole
(a collection of images, fields of a well), it opens the images of it one by one.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.formats.ngff.test_ngff_writers import read_by_all
from tests.formats.ometiff.tiffs import series, validate, xml_of
from tests.stream.streams import frame_of

from napari_scope.arrays import halve
from napari_scope.formats import open_dataset
from napari_scope.stream import (
    AcquisitionSettings,
    Channel,
    Dimension,
    OmeZarrSink,
    Plate,
    Position,
    Stream,
    create_stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.stream import StoreSpec

FRAME = (40, 28)
LEVELS = 2


@dataclass(frozen=True)
class Layout:
    """Dimensions of a run, slowest first, and what becomes of its frames."""

    dimensions: tuple[Dimension, ...]
    skipped: frozenset[int] = frozenset()
    plate: Plate | None = None
    folders: tuple[str, ...] = ("",)
    unbounded: int = 0  # samples that come on the first axis


TIME = Dimension(name="t", count=2, scale=0.5, unit="second")
CHANNEL = Dimension(name="c", coords=["DAPI", Channel(name="GFP", color="#00FF00")])
DEPTH = Dimension(name="z", count=3, scale=2.0, unit="micrometer")
WELLS = [("fov0", "A", "1"), ("fov1", "A", "1"), ("fov0", "B", "3")]

LAYOUTS = {
    "single": Layout((TIME, CHANNEL, DEPTH)),
    "multi-position": Layout(
        (
            TIME,
            Dimension(
                name="p",
                coords=[
                    Position(name="left", x_coord=100, y_coord=50),
                    Position(name="right"),
                ],
            ),
            CHANNEL,
        ),
        folders=("0", "1"),
    ),
    "plate": Layout(
        (
            TIME,
            Dimension(
                name="p",
                coords=[
                    Position(name=name, plate_row=row, plate_column=column)
                    for name, row, column in WELLS
                ],
            ),
            CHANNEL,
        ),
        plate=Plate(name="x", row_names=["A", "B"], column_names=["1", "2", "3"]),
        folders=("A/1/0", "A/1/1", "B/3/0"),
    ),
    "permuted": Layout((DEPTH, CHANNEL, TIME)),
    "unbounded": Layout((Dimension(name="t", count=None), CHANNEL), unbounded=3),
    "skipped": Layout((TIME, CHANNEL, DEPTH), skipped=frozenset({1, 6, 11})),
}


@dataclass(frozen=True)
class Stored:
    """A store on disk and what should be in it: one array for each of its images."""

    path: Path
    layout: Layout
    spec: StoreSpec
    expected: tuple[Any, ...]

    @property
    def images(self) -> list[tuple[Path, Any]]:
        """The folder of each image in OME-Zarr, and its pixels."""
        folders = [self.path / folder for folder in self.layout.folders]
        return list(zip(folders, self.expected, strict=True))

    @property
    def arrays(self) -> list[tuple[Path, Any]]:
        """All arrays of OME-Zarr, the coarse levels, too."""
        found = []
        for folder, pixels in self.images:
            for level in range(LEVELS):
                found.append((folder / str(level), pixels))
                frames = pixels.reshape(-1, *pixels.shape[-2:])
                halved = np.stack([halve(frame) for frame in frames])
                pixels = halved.reshape(*pixels.shape[:-2], *halved.shape[1:])
        return found

    def index(self, number: int, image: int) -> dict[str, int | str]:
        """Return the axes by which NDTiff knows a frame of an image."""
        names = self.spec.index_axes
        shape = self.expected[image].shape[:-2]
        axes: dict[str, int | str] = {}
        for name, i in zip(names, np.unravel_index(number, shape), strict=True):
            labels = self.spec.labels.get(name)
            axes[name] = labels[i] if labels else int(i)
        return {**self.spec.images[image].place, **axes}


def write(
    path: Path,
    layout: Layout,
    *,
    compression: str | None = None,
    version: str | None = None,
) -> Stored:
    """Acquire a run; its frames come in the order of the dimensions."""
    frame = [
        Dimension(name=name, count=count, scale=0.5, unit="micrometer")
        for name, count in zip("yx", FRAME, strict=True)
    ]
    settings = AcquisitionSettings(
        root_path=path,
        dtype="uint16",
        dimensions=[*layout.dimensions, *frame],
        plate=layout.plate,
        compression=compression,
    )
    if version is None:
        more = {"levels": LEVELS} if settings.format_name == "ome-zarr" else {}
        stream = create_stream(settings, **more)
    else:
        spec = settings.to_spec()
        spec = replace(spec, storage=replace(spec.storage, version=version))
        stream = Stream(spec, [OmeZarrSink(settings.output_path, levels=LEVELS)])
    sizes = [d.count or layout.unbounded for d in layout.dimensions]
    names = [d.name for d in layout.dimensions]
    stored = [n for n in ("t", "c", "z") if n in names]
    shape = [sizes[names.index(name)] for name in stored]
    expected = [np.zeros((*shape, *FRAME), "u2") for _ in layout.folders]
    with stream:
        for number, index in enumerate(itertools.product(*map(range, sizes))):
            if number in layout.skipped:
                stream.skip(reason="no focus")
                continue
            stream.append(frame_of(number, FRAME), {"exposure_ms": 5, "n": number})
            where = dict(zip(names, index, strict=True))
            place = tuple(where[name] for name in stored)
            expected[where.get("p", 0)][place] = frame_of(number, FRAME)
    return Stored(settings.output_path, layout, stream.spec, tuple(expected))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Stored]:
    """Return a function that returns a store; each is written once."""
    known: dict[tuple[object, ...], Stored] = {}

    def get(layout: str, suffix: str, **more: Any) -> Stored:
        key = (layout, suffix, *more.items())
        if key not in known:
            path = tmp_path_factory.mktemp("interop") / f"run{suffix}"
            known[key] = write(path, LAYOUTS[layout], **more)
        return known[key]

    return get


# ---------------------------------------------------------------- OME-Zarr

VERSIONS = ["0.5", "0.4"]
CODECS = [None, "blosc-lz4", "zstd"]
ZARRS = [
    pytest.param(layout, version, codec, id=f"{layout}-{version}-{codec}")
    for layout in LAYOUTS
    for version in VERSIONS
    for codec in CODECS
]


@pytest.fixture
def zarr(
    request: pytest.FixtureRequest,
    store: Callable[..., Stored],
    caplog: pytest.LogCaptureFixture,
) -> Stored:
    # ome-zarr-py has messages of low levels that cannot be formatted.
    for name in ("ome_zarr", "ome_zarr.reader"):
        caplog.set_level(logging.WARNING, name)
    layout, version, codec = request.param
    return store(layout, ".ome.zarr", version=version, compression=codec)


def every_zarr(function: Any) -> Any:
    parameters = [pytest.param(p.values, id=p.id) for p in ZARRS]
    return pytest.mark.parametrize("zarr", parameters, indirect=True)(function)


@every_zarr
def test_yaozarrs_finds_it_valid(zarr: Stored) -> None:
    from yaozarrs import validate_zarr_store

    validate_zarr_store(str(zarr.path))
    for folder, _ in zarr.images:
        validate_zarr_store(str(folder))


@every_zarr
def test_libraries_of_arrays_read_every_level(zarr: Stored) -> None:
    for path, expected in zarr.arrays:
        for reader, found in read_by_all(path).items():
            np.testing.assert_array_equal(found, expected, err_msg=f"{reader} {path}")


@every_zarr
def test_this_package_reads_it(zarr: Stored) -> None:
    dataset = open_dataset(zarr.path)
    assert dataset.problems == ()
    assert len(dataset.images) == len(zarr.expected)
    for image, expected in zip(dataset.images, zarr.expected, strict=True):
        assert [c.name for c in image.channels] == ["DAPI", "GFP"]
        np.testing.assert_array_equal(np.asarray(image.levels[0]), expected)


# The library warns of its own default argument when it is imported.
@pytest.mark.filterwarnings("ignore:Call to deprecated class Scaler")
@every_zarr
def test_ome_zarr_py_opens_it(zarr: Stored) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    def nodes(path: Path) -> list[Any]:
        location = parse_url(str(path))
        assert location is not None
        return list(Reader(location)())

    for folder, expected in zarr.images:
        (node,) = nodes(folder)
        assert len(node.data) == LEVELS
        np.testing.assert_array_equal(np.asarray(node.data[0]), expected)
        assert node.metadata["channel_names"] == ["DAPI", "GFP"]
    if zarr.layout.plate is not None:
        (node, *_) = nodes(zarr.path)
        np.testing.assert_array_equal(np.asarray(node.data[0]), mosaic(zarr))


def mosaic(zarr: Stored) -> Any:
    """Return the plate as others show it: the first field of each well in its place."""
    plate = zarr.layout.plate
    assert plate is not None
    rows, columns = plate.row_names, plate.column_names
    height, width = FRAME
    before = zarr.expected[0].shape[:-2]
    # Rows and columns without any well are left out by none of the readers.
    found = np.zeros((*before, len(rows) * height, len(columns) * width), "u2")
    for (name, row, column), pixels in zip(WELLS, zarr.expected, strict=True):
        if name == "fov0":
            y, x = rows.index(row) * height, columns.index(column) * width
            found[..., y : y + height, x : x + width] = pixels
    return found


@pytest.mark.filterwarnings("ignore:Call to deprecated class Scaler")
@every_zarr
def test_napari_ome_zarr_shows_it(zarr: Stored) -> None:
    from napari_ome_zarr import napari_get_reader

    reader = napari_get_reader(str(zarr.path))
    assert reader is not None
    layers = reader(str(zarr.path))
    expected = zarr.expected
    if zarr.layout.plate is not None:
        expected = (mosaic(zarr),)
    assert len(layers) == len(expected)
    for (data, settings, *_), pixels in zip(layers, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(data[0]), pixels)
        assert settings["channel_axis"] == 1
        assert [name.split(": ")[-1] for name in settings["name"]] == ["DAPI", "GFP"]


@every_zarr
def test_iohub_opens_it(zarr: Stored) -> None:
    iohub = pytest.importorskip("iohub", reason="iohub is not installed")
    if zarr.layout.plate is not None:
        with iohub.open_ome_zarr(zarr.path, mode="r") as plate:
            assert [n for n, _ in plate.positions()] == list(zarr.layout.folders)
            for (_, position), pixels in zip(
                plate.positions(), zarr.expected, strict=True
            ):
                np.testing.assert_array_equal(np.asarray(position["0"]), pixels)
        return
    for folder, pixels in zarr.images:
        with iohub.open_ome_zarr(folder, mode="r") as position:
            np.testing.assert_array_equal(np.asarray(position["0"]), pixels)
            assert position.channel_names == ["DAPI", "GFP"]
            assert position.scale[-2:] == [0.5, 0.5]


def node_modules() -> Path | None:
    """Return the folder of modules in which zarrita is installed."""
    places = [folder / "node_modules" for folder in Path(__file__).parents]
    places += map(Path, filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep)))
    npm = shutil.which("npm")
    if npm is not None:
        done = subprocess.run([npm, "root", "-g"], capture_output=True, text=True)
        places.append(Path(done.stdout.strip() or "nowhere"))
    return next((p.resolve() for p in places if (p / "zarrita").is_dir()), None)


def test_web_viewers_read_every_level(
    store: Callable[..., Stored], tmp_path: Path
) -> None:
    """All arrays in one go: what takes its time is to start the program."""
    node, modules = shutil.which("node"), node_modules()
    if node is None or modules is None:
        pytest.skip("needs node, and `npm install zarrita @zarrita/storage`")
    # The modules have to be beside the script.
    script = tmp_path / "zarrita.mjs"
    (tmp_path / "node_modules").symlink_to(modules)
    shutil.copy(Path(__file__).parents[1] / "formats/ngff/zarrita.mjs", script)
    arrays: list[tuple[Path, Any]] = []
    for parameters in ZARRS:
        layout, version, codec = parameters.values
        stored = store(layout, ".ome.zarr", version=version, compression=codec)
        arrays += stored.arrays
    done = subprocess.run(
        [node, str(script), *(str(path) for path, _ in arrays)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(arrays) > 100
    for line, (path, expected) in zip(lines, arrays, strict=True):
        found = json.loads(line)
        pixels = np.array(found["data"], "u2").reshape(found["shape"])
        np.testing.assert_array_equal(pixels, expected, err_msg=str(path))


# ---------------------------------------------------------------- OME-TIFF


def tiff_files(stored: Stored) -> list[Path]:
    """Return the file of each image."""
    if len(stored.expected) == 1:
        return [stored.path]
    ome = validate(xml_of(next(stored.path.glob("*.companion.ome"))))
    names = [image.pixels.tiff_data_blocks[0].uuid.file_name for image in ome.images]
    return [stored.path / name for name in names]


def by_pillow(path: Path) -> Any:
    """Return an image as Pillow reads its pages, put in place by the OME-XML."""
    pixels = validate(xml_of(path)).images[0].pixels
    sizes = (pixels.size_t, pixels.size_c, pixels.size_z)
    found = np.zeros((*sizes, *FRAME), "u2")
    with Image.open(path) as file:
        for block in pixels.tiff_data_blocks:
            assert (block.plane_count, block.ifd) != (None, None)
            # Planes that were skipped are said to be behind the last page.
            if block.ifd < file.n_frames:
                file.seek(block.ifd)
                found[block.first_t, block.first_c, block.first_z] = np.asarray(file)
    return found


@pytest.mark.parametrize("codec", [None, "zlib", "lzw"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_others_open_ome_tiff(
    store: Callable[..., Stored], layout: str, codec: str | None
) -> None:
    stored = store(layout, ".ome.tiff", compression=codec)
    files = tiff_files(stored)
    assert len(set(files)) == len(stored.expected)
    names = stored.spec.index_axes
    for path, expected in zip(files, stored.expected, strict=True):
        for axis, name in enumerate(("time", "channel", "z")):
            if name not in names:
                expected = np.expand_dims(expected, axis)
        np.testing.assert_array_equal(by_pillow(path), expected)
        # tifffile unpacks LZW only where imagecodecs is installed.
        if codec != "lzw" or find_spec("imagecodecs"):
            np.testing.assert_array_equal(series(path), expected)
        pixels = validate(xml_of(path)).images[0].pixels
        assert [c.name for c in pixels.channels] == ["DAPI", "GFP"]
        assert pixels.physical_size_x == 0.5


# ---------------------------------------------------------------- NDTiff


@pytest.mark.parametrize("layout", LAYOUTS)
def test_ndstorage_opens_ndtiff(store: Callable[..., Stored], layout: str) -> None:
    from ndstorage import Dataset

    stored = store(layout, ".ndtiff")
    dataset: Any = Dataset(str(stored.path))
    try:
        left = len(list(dataset.get_image_coordinates_list()))
        for image, pixels in enumerate(stored.expected):
            frames = pixels.reshape(-1, *FRAME)
            for number, expected in enumerate(frames):
                axes = stored.index(number, image)
                assert dataset.has_image(**axes) == bool(expected.any()), axes
                if expected.any():
                    found = dataset.read_image(**axes)
                    np.testing.assert_array_equal(found, expected)
                    # A plate is positions here: the format knows no wells.
                    assert dataset.read_metadata(**axes)["Exposure"] == 5
                    left -= 1
        assert left == 0, "and nothing else"
    finally:
        dataset.close()
    for path in sorted(stored.path.glob("*.tif")):
        with tifffile.TiffFile(path) as file:
            assert len(file.pages) > 1
