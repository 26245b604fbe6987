"""Mutated bytes of real stores: an error that says where, or what is whole."""

from __future__ import annotations

import random
import shutil
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_scope.errors import FormatError, ScopeError
from napari_scope.formats.ndtiff import NDTiffReader, open_ndtiff
from napari_scope.formats.ndtiff.recovery import recover

if TYPE_CHECKING:
    from pathlib import Path

_STORES = [
    "v2/ndtiffv2.0_test",
    "v3/ndtiffv3.0_stitched_test",
    "v3/ndtiff3.2_magellan_explore_rgb",
    "v3/12_bit_pycromanager_mda",
]
_MOST_PIXELS = 1 << 22


def _mutate(path: Path, random_: random.Random, how: str) -> None:
    """Change some bytes of a file, mostly where they matter."""
    data = bytearray(path.read_bytes())
    if how == "cut":
        del data[random_.randrange(len(data) + 1) :]
    elif how == "numbers":
        for _ in range(random_.randint(1, 4)):
            place = random_.randrange(max(1, min(len(data), 4096) - 4))
            value = random_.choice(
                [0, 1, 2**31 - 1, 2**31, 2**32 - 1, len(data), random_.getrandbits(32)]
            )
            data[place : place + 4] = value.to_bytes(4, "little")
    elif how == "bytes":
        for _ in range(random_.randint(1, 40)):
            data[random_.randrange(len(data))] = random_.randrange(256)
    elif how == "text":
        place = random_.randrange(len(data))
        data[place : place + 1] = random_.choice(
            [
                b"[" * 3000,
                b"\xff\xfe",
                b'"' * 9,
                b"{" * 2000,
                b"1e999",
                b"-",
                b"\0" * 64,
            ]
        )
    else:
        piece = random_.randrange(len(data))
        data = data[piece:] + data[:piece]
    path.write_bytes(data)


def _use_everything(store: Path) -> None:
    """Open a store and read what it offers, within reason."""
    dataset = open_ndtiff(store)
    assert dataset.images
    for image in dataset.images:
        for level in image.levels:
            shape = level.shape
            corner = tuple(slice(0, 2) for _ in shape[:-3])
            part = level[corner]
            if np.prod([float(n) for n in part.shape]) < _MOST_PIXELS:
                try:
                    pixels = np.asarray(part)
                    assert pixels.shape == part.shape
                except FormatError:
                    pass
        assert image.frames is not None
        try:
            image.frames.metadata({})
        except FormatError as error:
            assert error.path is not None
    assert dataset.reload is not None
    dataset.reload()


@pytest.mark.parametrize("name", _STORES)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**32),
    how=st.sampled_from(["cut", "numbers", "bytes", "text", "turn"]),
    index=st.booleans(),
)
def test_mutated_stores(
    real_stores: Path,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    seed: int,
    how: str,
    index: bool,
) -> None:
    store = tmp_path_factory.mktemp("fuzz") / "run"
    shutil.copytree(real_stores / name, store)
    random_ = random.Random(seed)
    suffix = ".index" if index else ".tif"
    _mutate(random_.choice(sorted(store.rglob(f"*{suffix}"))), random_, how)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            _use_everything(store)
        except ScopeError as error:
            assert error.path is not None or error.hint is not None
        try:
            recover(store)
        except ScopeError:
            pass
    shutil.rmtree(store.parent)


def test_every_cut_of_an_index_opens(real_stores: Path, tmp_path: Path) -> None:
    """At each byte: every record that is whole is there, and no other."""
    store = tmp_path / "run"
    shutil.copytree(real_stores / "v3" / "12_bit_pycromanager_mda", store)
    index = store / "NDTiff.index"
    whole = index.read_bytes()
    with NDTiffReader(store) as reader:
        expected = {
            tuple(sorted(reader.table.axes(row).items())): reader.read_row(row)
            for row in range(len(reader.table))
        }
    for size in range(len(whole) + 1):
        index.write_bytes(whole[:size])
        with NDTiffReader(store) as reader:
            # Java keeps the axes in the metadata, so nothing is lost with the index.
            assert len(reader) == len(expected)
            assert bool(reader.problems) == (size < len(whole))
            if size % 37 == 0:
                for axes, pixels in expected.items():
                    found = reader.read_frame(dict(axes))
                    np.testing.assert_array_equal(found, pixels)  # type: ignore[arg-type]
    assert len(expected) == 8
