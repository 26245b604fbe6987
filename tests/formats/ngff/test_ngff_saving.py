"""Stores that are saved: right for everyone, bounded, whole at every moment."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scope.errors import (
    CancelledError,
    DiskSpaceError,
    OutputExistsError,
    ScopeError,  # noqa: F401 - of the scripts below
    SettingsError,
)
from napari_scope.formats.ngff import open_ngff
from napari_scope.formats.ngff.saving import arrays as saving_arrays
from napari_scope.formats.ngff.saving import images as saving
from napari_scope.formats.ngff.saving.images import SavedImage, SavedLabels, save_store
from napari_scope.model import Axis, Channel, axis_kind

UNITS = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}


class Pixels:
    """Pixels in memory that note what was asked of them."""

    def __init__(
        self, array: np.ndarray, chunks: tuple[int, ...] | None = None
    ) -> None:
        self.array = array
        self.chunks = chunks
        self.asked: list[tuple[slice, ...]] = []

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def read(self, block: tuple[slice, ...]) -> np.ndarray:
        self.asked.append(block)
        return self.array[block]


def axes(names: str) -> tuple[Axis, ...]:
    return tuple(
        Axis(name, axis_kind(name), UNITS.get(name), 0.5 + i, 10.0 * i)
        for i, name in enumerate(names)
    )


def image(
    names: str = "czyx",
    shape: tuple[int, ...] = (2, 3, 600, 700),
    dtype: str = "uint16",
    labels: tuple[SavedLabels, ...] = (),
) -> SavedImage:
    rng = np.random.default_rng(len(shape))
    array = rng.integers(0, 255, shape).astype(dtype)
    count = shape[names.index("c")] if "c" in names else 1
    channels = tuple(
        Channel(f"channel {n}", "#FF8000", (1.0, 200.0)) for n in range(count)
    )
    return SavedImage("cells", axes(names), Pixels(array), channels, labels)


def labels(names: str = "zyx", shape: tuple[int, ...] = (3, 600, 700)) -> SavedLabels:
    array = np.zeros(shape, np.uint32)
    array[..., 100:300, 200:500] = 70_000
    array[..., 400:, :150] = 3
    return SavedLabels(
        "nuclei",
        axes("c" + names)[1:],
        Pixels(array),
        {3: (255, 0, 0, 255), 70_000: (0, 255, 0, 128)},
        {3: {"area": 2.5}},
    )


def levels(folder: Path) -> list[np.ndarray]:
    import zarr

    group = zarr.open_group(folder, mode="r")
    block = group.attrs.get("ome", group.attrs)
    paths = [entry["path"] for entry in block["multiscales"][0]["datasets"]]
    return [np.asarray(group[path]) for path in paths]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("names", "shape", "dtype"),
    [
        ("yx", (1100, 1300), "uint8"),
        ("yx", (5, 1), "uint16"),
        ("zyx", (40, 30, 20), "int16"),
        ("tczyx", (2, 2, 3, 530, 20), "float32"),
        ("cyx", (3, 70, 80), "uint32"),
        ("lyx", (3, 70, 80), "float64"),
        ("yx", (70, 80), "bool"),
        ("tyx", (2, 70, 80), "int64"),
        ("yx", (70, 80), "float16"),
    ],
)
def test_pixels_and_levels(
    tmp_path: Path, version: str, names: str, shape: tuple[int, ...], dtype: str
) -> None:
    made = image(names, shape, dtype)
    save_store(tmp_path / "x.zarr", [made], version=version)
    found = levels(tmp_path / "x.zarr")
    np.testing.assert_array_equal(found[0], made.pixels.array)  # type: ignore[attr-defined]
    assert found[0].dtype == np.dtype(dtype)
    assert max(found[-1].shape[-2:]) <= 512
    assert len(found) == (3 if max(shape[-2:]) > 1024 else 2 if 530 in shape else 1)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_everyone_opens_an_image_with_labels(tmp_path: Path, version: str) -> None:
    yaozarrs = pytest.importorskip("yaozarrs")
    path = tmp_path / "x.ome.zarr"
    made = image(labels=(labels(),))
    save_store(path, [made], version=version)
    yaozarrs.validate_zarr_store(str(path))
    array = made.pixels.array  # type: ignore[attr-defined]

    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = list(Reader(parse_url(str(path)))())
        found = next(n for n in nodes if n.data and n.data[0].shape == array.shape)
        assert np.array_equal(np.asarray(found.data[0]), array)
        assert found.metadata["channel_names"] == ["channel 0", "channel 1"]

        import iohub

        with iohub.open_ome_zarr(str(path), mode="r") as position:
            assert position.channel_names == ["channel 0", "channel 1"]
            assert np.array_equal(np.asarray(position["0"]), array)

        from napari_ome_zarr import napari_get_reader

        reader = napari_get_reader(str(path))
        layers = reader(str(path))
    kinds = [layer[2] for layer in layers]
    assert kinds == ["image", "labels"]
    label_data = layers[1][0][0] if isinstance(layers[1][0], list) else layers[1][0]
    expected = made.labels[0].pixels.array  # type: ignore[attr-defined]
    assert np.array_equal(np.squeeze(np.asarray(label_data)), expected)

    import tensorstore

    driver = "zarr3" if version == "0.5" else "zarr"
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{path}/0/"}}
    opened = tensorstore.open(spec, open=True, read=True).result()
    assert np.array_equal(opened.read().result(), array)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_several_images_are_a_collection(tmp_path: Path, version: str) -> None:
    yaozarrs = pytest.importorskip("yaozarrs")
    path = tmp_path / "x.ome.zarr"
    members = [image(), image("yx", (40, 50)), labels()]
    save_store(path, members, version=version)
    yaozarrs.validate_zarr_store(str(path))
    dataset = open_ngff(path)
    assert dataset.metadata["layout"] == "collection"
    assert len(dataset.images) == 3
    assert not dataset.problems
    for found, member in zip(dataset.images, members, strict=True):
        array = member.pixels.array  # type: ignore[attr-defined]
        np.testing.assert_array_equal(np.asarray(found.levels[0]), array)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_are_never_averaged(tmp_path: Path, version: str) -> None:
    made = image("yx", (600, 700), labels=(labels("yx", (600, 700)),))
    save_store(tmp_path / "x.zarr", [made], version=version)
    found = levels(tmp_path / "x.zarr" / "labels" / "nuclei")
    assert len(found) == 2
    assert set(np.unique(found[1])) == {0, 3, 70_000}


def test_the_most_frequent_label_stands_for_four(tmp_path: Path) -> None:
    array = np.full((600, 700), 3, np.uint16)
    array[::2, ::2] = 9
    save_store(tmp_path / "x.zarr", [SavedLabels("l", axes("yx"), Pixels(array))])
    assert (levels(tmp_path / "x.zarr")[1] == 3).all()


def test_places_units_and_display(tmp_path: Path) -> None:
    save_store(tmp_path / "x.zarr", [image(labels=(labels(),))])
    (found,) = open_ngff(tmp_path / "x.zarr").images
    expected = axes("czyx")
    assert [(a.name, a.unit, a.scale, a.translation) for a in found.axes[1:]] == [
        (a.name, a.unit, a.scale, a.translation) for a in expected[1:]
    ]
    assert found.channels[1].contrast_limits == (1.0, 200.0)
    assert found.channels[1].color == "#FF8000"
    document = json.loads((tmp_path / "x.zarr" / "zarr.json").read_bytes())
    second = document["attributes"]["ome"]["multiscales"][0]["datasets"][1]
    scale, translation = second["coordinateTransformations"]
    # Coarse pixels lie between those they cover: half a pixel of full resolution on.
    assert scale["scale"] == [0.5, 1.5, 5.0, 7.0]
    assert translation["translation"] == [0.0, 10.0, 20.0 + 1.25, 30.0 + 1.75]


def test_blosc_with_shuffle_and_shards(tmp_path: Path) -> None:
    save_store(tmp_path / "new.zarr", [image("zyx", (40, 1500, 30))])
    document = json.loads((tmp_path / "new.zarr" / "0" / "zarr.json").read_bytes())
    (sharding,) = document["codecs"]
    assert sharding["name"] == "sharding_indexed"
    assert document["chunk_grid"]["configuration"]["chunk_shape"] == [40, 2048, 30]
    assert sharding["configuration"]["chunk_shape"] == [1, 1024, 30]
    blosc = sharding["configuration"]["codecs"][1]["configuration"]
    assert (blosc["cname"], blosc["shuffle"], blosc["typesize"]) == (
        *("zstd", "shuffle"),
        2,
    )
    save_store(tmp_path / "old.zarr", [image("zyx", (4, 500, 30))], version="0.4")
    document = json.loads((tmp_path / "old.zarr" / "0" / ".zarray").read_bytes())
    assert document["compressor"]["cname"] == "zstd"
    assert document["compressor"]["shuffle"] == 1
    assert document["dimension_separator"] == "/"


# -------------------------------------------------------------------- bounds


class Huge:
    """An image of 100 GB that counts how much of it is read at a time."""

    shape = (500, 100, 1000, 1000)
    dtype = np.dtype(np.uint16)

    def __init__(self, chunks: tuple[int, ...] | None, most_blocks: int) -> None:
        self.chunks = chunks
        self.most_blocks = most_blocks
        self.largest = 0
        self.reads = 0

    def read(self, block: tuple[slice, ...]) -> np.ndarray:
        shape = tuple(part.stop - part.start for part in block)
        self.largest = max(self.largest, 2 * int(np.prod(shape)))
        self.reads += 1
        if self.reads > self.most_blocks:
            raise StopReading
        # One number for all pixels: takes no memory.
        return np.broadcast_to(np.uint16(7), shape)


class StopReading(Exception):
    """Enough was seen."""


@pytest.mark.parametrize("chunks", [None, (1, 1, 1000, 1000), (500, 100, 1000, 1000)])
def test_an_image_larger_than_memory_is_read_in_parts(
    tmp_path: Path, chunks: tuple[int, ...] | None
) -> None:
    huge = Huge(chunks, 3)
    with pytest.raises(StopReading):
        save_store(tmp_path / "x.zarr", [SavedImage("huge", axes("tzyx"), huge)])
    assert huge.reads == 4
    assert huge.largest <= 128 * 2**20
    assert not list(tmp_path.iterdir())


def test_few_blocks_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks that are not written yet are waited for before the next is kept."""
    alive: list[int] = []
    most = 0

    class Counted(Pixels):
        def read(self, block: tuple[slice, ...]) -> np.ndarray:
            nonlocal most
            alive.append(1)
            most = max(most, len(alive))
            return super().read(block)

    real = saving_arrays._wait

    def waited(written: Any, folder: Path) -> None:
        real(written, folder)
        alive.pop()

    monkeypatch.setattr(saving_arrays, "_wait", waited)
    monkeypatch.setattr(saving_arrays, "block_shape", lambda *_: (1, 20, 30))
    pixels = Counted(np.ones((50, 20, 30), np.uint8))
    save_store(
        tmp_path / "x.zarr", [SavedImage("i", axes("zyx"), pixels)], version="0.4"
    )
    assert not alive
    assert most == 2


def test_blocks_share_no_chunk(tmp_path: Path) -> None:
    pixels = Pixels(np.arange(7 * 40 * 50, dtype="u4").reshape(7, 40, 50), (3, 40, 50))
    save_store(tmp_path / "x.zarr", [SavedImage("i", axes("zyx"), pixels)])
    document = json.loads((tmp_path / "x.zarr" / "0" / "zarr.json").read_bytes())
    grid = document["chunk_grid"]["configuration"]["chunk_shape"]
    for block in pixels.asked:
        for part, cell, n in zip(block, grid, pixels.shape, strict=True):
            assert part.start % cell == 0
            assert part.stop % cell == 0 or part.stop == n
    np.testing.assert_array_equal(levels(tmp_path / "x.zarr")[0], pixels.array)


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("member", "match"),
    [
        (SavedImage("i", axes("abyx"), Pixels(np.zeros((1, 1, 2, 2)))), "one channel"),
        (SavedImage("i", axes("x"), Pixels(np.zeros(2))), "2 to 5 axes"),
    ],
)
def test_what_cannot_be_held_is_refused_first(
    tmp_path: Path, member: SavedImage, match: str
) -> None:
    good = image("yx", (4, 4))
    with pytest.raises(SettingsError, match=match):
        save_store(tmp_path / "x.zarr", [good, member])
    assert not good.pixels.asked  # type: ignore[attr-defined]
    assert not list(tmp_path.iterdir())


def test_a_version_that_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"0\.3"):
        save_store(tmp_path / "x.zarr", [image("yx", (4, 4))], version="0.3")


# ------------------------------------------------------------ what goes wrong


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a store that is there already."""
    save_store(tmp_path / "x.zarr", [image("yx", (40, 50))])
    return tmp_path / "x.zarr"


def is_old(path: Path) -> bool:
    found = levels(path)[0]
    expected = image("yx", (40, 50)).pixels.array  # type: ignore[attr-defined]
    return bool(found.shape == (40, 50) and (found == expected).all())


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    save_store(
        tmp_path / "x.zarr",
        [image(labels=(labels(),))],
        progress=lambda done, whole: told.append((done, whole)),
    )
    done = [d for d, _ in told]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == told[-1][1]
    assert len({whole for _, whole in told}) == 1
    assert len(set(done)) > 4


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
def test_cancelled_at_any_time(tmp_path: Path, old: Path, after: int) -> None:
    calls = 0

    def progress(done: int, whole: int) -> None:
        nonlocal calls
        calls += 1

    with pytest.raises(CancelledError, match="nothing was changed"):
        save_store(
            old,
            [image("zyx", (3, 600, 700)), image("tyx", (2, 600, 700))],
            overwrite=True,
            progress=progress,
            cancelled=lambda: calls > after,
        )
    assert is_old(old)
    assert os.listdir(tmp_path) == ["x.zarr"]


def test_an_existing_store_needs_leave(old: Path) -> None:
    with pytest.raises(OutputExistsError, match="exists"):
        save_store(old, [image()])
    assert is_old(old)


@pytest.mark.parametrize("place", ["document", "pixels", "source"])
def test_a_full_disk_changes_nothing(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_: object, **__: object) -> None:
        raise full

    new = image()
    if place == "document":
        monkeypatch.setattr(saving, "replace_file", fail)
    elif place == "pixels":

        class Written:
            def __init__(self, written: Any) -> None:
                self.written = written

            def result(self) -> None:
                self.written.result()
                raise ValueError("RESOURCE: No space left on device [x.zarr/0/c/0]")

        real = saving_arrays._wait
        monkeypatch.setattr(
            saving_arrays, "_wait", lambda w, folder: real(Written(w), folder)
        )
    else:
        monkeypatch.setattr(new.pixels, "read", fail)
    with pytest.raises(DiskSpaceError, match="disk is full"):
        save_store(old, [new], overwrite=True)
    assert is_old(old)
    assert os.listdir(tmp_path) == ["x.zarr"]


SAVE = """
import sys
sys.path.insert(0, {tests!r})
from test_ngff_saving import *
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of a process are of POSIX")
def test_a_disk_that_takes_no_more(tmp_path: Path, old: Path) -> None:
    code = SAVE.format(tests=str(Path(__file__).parent)) + (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        f"    save_store({str(old)!r}, [image()], overwrite=True)\n"
        "except ScopeError as error:\n"
        "    print('refused', error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "refused" in done.stdout, done.stderr
    assert is_old(old)
    assert os.listdir(tmp_path) == ["x.zarr"]


KILLED = """
def told(done, whole):
    print(done, flush=True)

class Slow(Pixels):
    def read(self, block):
        time.sleep(0.02)
        return super().read(block)

saving_arrays.block_shape = lambda *_: (1, 600, 700)
pixels = Slow(np.ones((12, 600, 700), np.uint16))
print("ready", flush=True)
save_store({path!r}, [SavedImage("new", axes("zyx"), pixels)], version="0.4",
           overwrite=True, progress=told)
print("done", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
@pytest.mark.parametrize("lines", [1, 13, 16])
def test_killed_while_saving(tmp_path: Path, old: Path, lines: int) -> None:
    code = SAVE.format(tests=str(Path(__file__).parent))
    code += KILLED.format(path=str(old))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(lines + 1):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    if not is_old(old):
        new = levels(old)
        assert new[0].shape == (12, 600, 700)
        assert all((level == 1).all() for level in new)
    # What is left goes with the next one that is saved there.
    save_store(old, [image("yx", (40, 50))], overwrite=True)
    assert os.listdir(tmp_path) == ["x.zarr"]


@pytest.mark.skipif(sys.platform != "linux", reason="exchanged in one step there")
def test_nobody_sees_less_than_a_store(old: Path) -> None:
    """Another thread looks all the time while the store is replaced again and again."""
    seen: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            if not (old / "zarr.json").is_file():
                seen.append("nothing")
            time.sleep(0)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(5):
            save_store(old, [image("yx", (40, 50))], overwrite=True)
    finally:
        stop.set()
        thread.join()
    assert not seen
