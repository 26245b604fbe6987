"""The process of an image function, seen from the thread that uses it."""

from __future__ import annotations

from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.acquire import Processed
from napari_scope.acquire.worker import _InMemory, _packed, worker_function

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def memory() -> Iterator[SharedMemory]:
    memory = SharedMemory(create=True, size=64)
    yield memory
    memory.close()
    memory.unlink()


def test_one_process_works_on_images_of_all_sizes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import imagefn

    call, close = worker_function(imagefn.invert)
    pids = []
    for shape in ((4, 6), (2, 3), (40, 50)):
        image = np.arange(np.prod(shape), dtype="u2").reshape(shape)[::-1]
        (found,) = call(Processed(image, {"time": 1}, {"exposure_ms": 5.0}))
        np.testing.assert_array_equal(found.image, image.max() - image)
        assert found.axes == {"time": 1}
        assert found.facts["exposure_ms"] == 5.0
        pids.append(found.facts["pid"])
    assert pids[0] == pids[1] != pids[2]  # a larger image needs a larger memory
    close()
    close()


def test_the_first_image_that_fits_goes_through_the_memory(
    memory: SharedMemory,
) -> None:
    small, large = np.arange(8, dtype="u2").reshape(2, 4), np.zeros((90, 90))
    packed = _packed([(large, {"a": 1}), small, (small, {"b": 2})], memory)
    kinds = [type(pixels) for pixels, _ in packed]
    assert kinds == [np.ndarray, _InMemory, np.ndarray]
    assert [tags for _, tags in packed] == [{"a": 1}, None, {"b": 2}]
    there: Any = np.ndarray((2, 4), "u2", buffer=memory.buf)
    np.testing.assert_array_equal(there, small)
    del there
    with pytest.raises(TypeError, match="str"):
        _packed(["no"], memory)
