"""Stores that other programs wrote and read: the same pixels, axes and metadata.

Cases are made from seeds, so that a process with another hash seed can make the same
ones: the reference library walks over sets, and orders that depend on hashing show up
between processes only.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.formats.ndtiff import FrameItem, NDTiffReader, NDTiffWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Frame = npt.NDArray[np.generic]

ndstorage = pytest.importorskip("ndstorage", reason="the reference library")
tifffile = pytest.importorskip("tifffile")

_NAMES = [
    "time",
    "channel",
    "z",
    "position",
    "row",
    "column",
    "custom",
    "100%d",
    "Größe",
]
_TEXTS = ["DAPI", "GFP", "Pos0", "µ 1", 'say "x"', "%d", "", "a\\b"]


@dataclass(frozen=True)
class Case:
    """Frames in the order of saving, all of one type."""

    dtype: str
    rgb: bool
    axes: tuple[dict[str, int | str], ...]
    metadata: tuple[dict[str, object], ...]
    frames: tuple[Frame, ...]

    @property
    def last(self) -> dict[frozenset[tuple[str, int | str]], int]:
        """The frame that counts for each key: a later one replaces an earlier one."""
        return {frozenset(axes.items()): n for n, axes in enumerate(self.axes)}


def _case(
    seed: int, *, dtypes: tuple[str, ...] = ("u1", "u2"), rgb: bool = True
) -> Case:
    chance = random.Random(seed)
    names = chance.sample(_NAMES, chance.randint(0, 4))
    values: dict[str, list[int | str]] = {}
    for name in names:
        count = chance.randint(1, 3)
        if name in ("row", "column", "time", "z") or chance.random() < 0.5:
            start = chance.choice([0, 0, 1, -2, 2**31 - 10, -(2**31)])
            values[name] = list(range(start, start + count))
        else:
            values[name] = list(chance.sample(_TEXTS, count))
    keys: list[dict[str, int | str]] = [{}]
    for name in names:
        keys = [{**key, name: value} for key in keys for value in values[name]]
    chance.shuffle(keys)
    keys = keys[: chance.randint(1, 12)]
    if chance.random() < 0.3:
        keys.append(keys[0])
    # The order of names within a key may differ from frame to frame.
    axes = tuple(dict(chance.sample(list(k.items()), len(k))) for k in keys)
    dtype = chance.choice(["u1", "u2"])
    colour = rgb and dtype == "u1" and chance.random() < 0.4
    shape = (chance.randint(1, 40), chance.randint(1, 40), *((3,) if colour else ()))
    rng = np.random.default_rng(seed)
    frames = tuple(rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype) for _ in axes)
    metadata = tuple(
        {"n": n, "text": "µ" * chance.randint(0, 9), "list": [1.5, None, {"a": True}]}
        for n in range(len(axes))
    )
    return Case(dtype, colour, axes, metadata, frames)


def _ours_to_others(case: Case, folder: Path, seed: int) -> None:
    summary = {"seed": seed, "µ": [1, 2]}
    with NDTiffWriter(
        folder, summary=summary, max_file_bytes=20_000, prefix="p" * (seed % 2)
    ) as writer:
        items = list(map(FrameItem, case.axes, case.frames, case.metadata))
        half = seed % (len(items) + 1)
        for item in items[:half]:
            writer.put(item.axes, item.frame, item.metadata)
        writer.put_many(items[half:])
    dataset = ndstorage.Dataset(str(folder))
    try:
        assert dataset.summary_metadata == summary
        keys = {frozenset(key.items()) for key in dataset.get_image_coordinates_list()}
        assert keys == set(case.last)
        for key, number in case.last.items():
            axes = dict(key)
            frame = case.frames[number]
            if case.axes[number]:  # the reference cannot ask for a frame without axes
                assert dataset.has_image(**axes)
                image = dataset.read_image(**axes)
                assert image.dtype == frame.dtype
                np.testing.assert_array_equal(image, frame)
                about = dataset.read_metadata(**axes)
                assert about == {"Axes": axes, **case.metadata[number]}
    finally:
        dataset.close()
    pages = []
    for path in sorted(folder.glob("*.tif"), key=lambda p: (len(p.name), p.name)):
        with tifffile.TiffFile(path) as stack:
            assert stack.is_ndtiff
            for page in stack.pages:
                assert page.photometric == (2 if case.rgb else 1)
                pages.append(page.asarray())
    assert len(pages) == len(case.frames)
    for page, frame in zip(pages, case.frames, strict=True):
        assert page.dtype == frame.dtype
        np.testing.assert_array_equal(page, frame)
    _read_with_ours(case, folder, {"Axes"})


def _theirs_to_ours(case: Case, folder: Path) -> None:
    dataset = ndstorage.NDTiffDataset(
        str(folder), summary_metadata={"a": 1}, writable=True
    )
    for axes, frame, about in zip(case.axes, case.frames, case.metadata, strict=True):
        dataset.put_image(axes, frame, about)
    # The writer keeps a second reader of the file that nobody closes.
    leaked = dataset.current_writer.reader
    dataset.finish()
    leaked.close()
    dataset.close()
    _read_with_ours(case, folder, set())


def _read_with_ours(case: Case, folder: Path, added: set[str]) -> None:
    with NDTiffReader(folder) as reader:
        assert reader.problems == []
        assert reader.finished
        assert len(reader) == len(case.last)
        found: dict[str, set[int | str]] = {}
        for axes in case.axes:
            for name, value in axes.items():
                found.setdefault(name, set()).add(value)
        assert {name: set(values) for name, values in reader.axes.items()} == found
        for key, number in case.last.items():
            axes = dict(key)
            frame = reader.read_frame(axes)
            assert frame is not None
            assert frame.dtype == case.frames[number].dtype
            np.testing.assert_array_equal(frame, case.frames[number])
            about = reader.read_metadata(axes)
            assert about is not None
            assert {k: v for k, v in about.items() if k not in added} == (
                case.metadata[number]
            )
            assert not added or about["Axes"] == axes


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_ours_is_read_by_all(seed: int) -> None:
    with TemporaryDirectory() as folder:
        _ours_to_others(_case(seed), Path(folder) / "run", seed)


# The reference makes a file of 4 GiB, sparse where the file system can.
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_theirs_is_read_by_ours(seed: int) -> None:
    with TemporaryDirectory() as folder:
        _theirs_to_ours(_case(seed, rgb=False), Path(folder) / "run")


_BOTH_WAYS = """
import sys
from pathlib import Path
from tests.formats.ndtiff import test_ndtiff_exchange as exchange

folder = Path(sys.argv[1])
for seed in range(12):
    exchange._ours_to_others(exchange._case(seed), folder / f"ours{seed}", seed)
    case = exchange._case(seed + 100, rgb=False)
    exchange._theirs_to_ours(case, folder / f"theirs{seed}")
"""


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_no_order_depends_on_hashes(tmp_path: Path, hash_seed: str) -> None:
    root = Path(__file__).parents[3]
    paths = os.pathsep.join([str(root), *(p for p in sys.path if p)])
    subprocess.run(
        [sys.executable, "-c", _BOTH_WAYS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
    )
    # The bytes of our stores are the same in every process.
    for seed in range(12):
        again = tmp_path / f"again{seed}"
        _ours_to_others(_case(seed), again, seed)
        for path in again.iterdir():
            assert (
                tmp_path / f"ours{seed}" / path.name
            ).read_bytes() == path.read_bytes()


def test_the_reference_reads_what_the_writer_adds(tmp_path: Path) -> None:
    """Axes in place of those of another frame, and the display settings."""
    folder = tmp_path / "run"
    all_axes = [{"time": i, "channel": name} for i in range(3) for name in ("µ", "b")]
    with NDTiffWriter(folder) as writer:
        for number, axes in enumerate(all_axes):
            about = {"Axes": all_axes[0], "number": number}
            writer.put(axes, np.full((4, 5), number, "u2"), about)
    assert list(json.loads((folder / "display_settings.txt").read_bytes())) == [
        "All channel settings",
        "µ",
        "b",
    ]
    dataset = ndstorage.Dataset(str(folder))
    try:
        for number, axes in enumerate(all_axes):
            assert (dataset.read_image(**axes) == number).all()
            about = dataset.read_metadata(**axes)
            assert (about["Axes"], about["number"]) == (axes, number)
            assert about.get("OriginalAxes", axes) == all_axes[0]
    finally:
        dataset.close()


_ENDLESS = """
import itertools, sys
import numpy as np
from napari_scope.formats.ndtiff import FrameItem, NDTiffWriter

writer = NDTiffWriter(sys.argv[1], max_file_bytes=300_000)
size = int(sys.argv[2])

def item(number):
    frame = np.random.default_rng(number).integers(0, 65535, (size, size), "u2")
    axes = {"time": number, "channel": "µ" if number % 2 else "b"}
    return FrameItem(axes, frame, {"sum": int(frame.sum())})

for number in itertools.count(0, 3):
    writer.put(*item(number)[:3])
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    writer.put_many([item(number + 1), item(number + 2)])
    sys.stdout.write(f"{number + 2}\\n")
    sys.stdout.flush()
"""


def _killed(folder: Path, size: int, seed: int) -> Iterator[int]:
    """Write until a random moment; yields the last frame that was announced."""
    chance = random.Random(seed)
    paths = os.pathsep.join(p for p in sys.path if p)
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(folder), str(size)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(chance.randint(1, 400)):
            process.stdout.readline()
        process.kill()
        yield from map(int, process.stdout.read().split("\n")[-2:-1])


@pytest.mark.parametrize(("size", "seed"), [(8, 0), (8, 1), (40, 2), (200, 3)])
def test_a_kill_loses_nothing_that_was_announced(
    tmp_path: Path, size: int, seed: int
) -> None:
    folder = tmp_path / "run"
    announced = max(_killed(folder, size, seed), default=0)
    with NDTiffReader(folder) as reader:
        assert not reader.finished
        count = len(reader)
        assert count > announced
        for number in range(count):
            axes = {"time": number, "channel": "µ" if number % 2 else "b"}
            frame = reader.read_frame(axes)
            assert frame is not None
            expected = np.random.default_rng(number).integers(
                0, 65535, (size, size), "u2"
            )
            np.testing.assert_array_equal(frame, expected)
            about = reader.read_metadata(axes)
            assert about == {"Axes": axes, "sum": int(expected.sum())}
    dataset = ndstorage.Dataset(str(folder))
    try:
        assert len(dataset.get_image_coordinates_list()) == count
    finally:
        dataset.close()
    # As a plain stack: what is linked is right and in order, from each file's first on.
    number = 0
    for path in sorted(folder.glob("*.tif"), key=lambda p: (len(p.name), p.name)):
        with tifffile.TiffFile(path) as stack:
            pages = [page.asarray() for page in stack.pages]
        for offset, page in enumerate(pages):
            expected = np.random.default_rng(number + offset).integers(
                0, 65535, (size, size), "u2"
            )
            np.testing.assert_array_equal(page, expected)
        number += len(pages)
    # Full files are linked to their end, so at most the last lacks its last group.
    assert count - 64 <= number <= count + 2
