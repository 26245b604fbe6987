from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
from dask.array import Array
from dask.callbacks import Callback

from napari_scope.formats.ndtiff import FrameItem, NDTiffWriter, whole_array
from napari_scope.formats.ndtiff.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

PIXELS = np.random.default_rng(0).integers(0, 4000, (3, 2, 5, 4), np.uint16)


@pytest.fixture
def array(tmp_path: Path) -> Iterator[Array]:
    """Return the array of a store of 3 times and 2 planes."""
    with NDTiffWriter(tmp_path / "run", summary={}) as writer:
        writer.put_many(
            [
                FrameItem({"time": t, "z": z}, PIXELS[t, z])
                for t, z in np.ndindex(PIXELS.shape[:2])
            ]
        )
    with Dataset(tmp_path / "run") as dataset:
        yield dataset.as_array(verbose=False)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Return the shapes of the arrays that dask computes, as it does."""
    shapes: list[tuple[int, ...]] = []
    real = Array.compute

    def compute(self: Array, **kwargs: Any) -> object:
        shapes.append(self.shape)
        return real(self, **kwargs)

    monkeypatch.setattr(Array, "compute", compute)
    return shapes


def _check(found: object, expected: npt.NDArray[Any] = PIXELS) -> None:
    assert type(found) is np.ndarray
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_all_pixels_are_read_without_dask(
    array: Array, computed: list[tuple[int, ...]]
) -> None:
    _check(array.compute())
    _check(np.asarray(array))
    assert computed == []
    found = array.compute()
    found[:] = 0  # it belongs to the caller
    _check(array.compute())


def test_the_rest_is_left_to_dask(
    array: Array, computed: list[tuple[int, ...]]
) -> None:
    _check(array[1].compute(), PIXELS[1])
    _check((array + 1).compute(), PIXELS + 1)
    _check(array.max(axis=0).compute(), PIXELS.max(axis=0))
    assert len(computed) == 3
    (both, plus) = dask.compute(array, array + 1)
    _check(both)
    _check(plus, PIXELS + 1)
    assert type(array.persist()) is Array


def test_an_array_that_was_changed_is_another(array: Array) -> None:
    array[0] = 7
    expected = PIXELS.copy()
    expected[0] = 7
    _check(array.compute(), expected)


def test_a_certain_scheduler_is_asked(
    array: Array, computed: list[tuple[int, ...]]
) -> None:
    _check(array.compute(scheduler="synchronous"))
    with dask.config.set(scheduler="synchronous"):
        _check(array.compute())
    assert computed == [PIXELS.shape] * 2


def test_a_client_of_a_cluster_is_asked(
    array: Array,
    computed: list[tuple[int, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A client makes itself the default of this function.
    monkeypatch.setattr(whole_array, "get_scheduler", lambda **_: object())
    _check(array.compute())
    assert computed == [PIXELS.shape]


def test_a_progress_bar_sees_the_tasks(array: Array) -> None:
    class Count(Callback):
        tasks = 0

        def _posttask(self, *_: object) -> None:
            self.tasks += 1

    with Count() as count:
        _check(array.compute())
    assert count.tasks


def test_it_is_sent_as_a_plain_array(array: Array) -> None:
    sent = pickle.loads(pickle.dumps(array))
    assert type(sent) is Array
    assert sent.name == array.name
    _check(sent.compute())
