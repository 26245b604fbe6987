from __future__ import annotations

import pickle
import threading
import types
from typing import Any

import numpy as np
import pytest
from tests.layers.msi_readers import HeldSpectra, each_its_own, held, memory_reader

from napari_scope.arrays import LazyArray
from napari_scope.errors import DatasetClosedError, FormatError
from napari_scope.formats.msi.axes import InterpolatedAxis
from napari_scope.layers.msi import MSILayer
from napari_scope.layers.msi_asking import is_drawing, is_slicing
from napari_scope.layers.msi_planes import planes
from napari_scope.layers.msi_stack import MzStack

# What napari's own slicing does, in a module of the name that it has there.
_slicing = types.ModuleType("napari.layers._scalar_field._slice")
exec(
    "import numpy as np\ndef read(data, index):\n    return np.asarray(data[index])\n",
    _slicing.__dict__,
)


def draw(lazy: LazyArray, index: Any) -> Any:
    return _slicing.read(lazy, index)


def _held() -> tuple[HeldSpectra, MzStack, LazyArray]:
    spectra = held()
    stack = MzStack(MSILayer(memory_reader(spectra), 0, "stack"))
    return spectra, stack, LazyArray(stack)


def _wait_for(stack: MzStack, channel: int) -> None:
    for _ in range(20_000):
        if stack.at_hand(channel) is not None:
            return
        threading.Event().wait(0.001)
    raise AssertionError(f"channel {channel} does not come")


def test_neighbours_come_along_and_the_oldest_go() -> None:
    spectra, stack, lazy = _held()
    spectra.let(1)
    first = np.asarray(lazy[20])
    assert first[0, 0] == spectra.spectrum(0).intensities[20]
    assert stack.at_hand(12) is not None
    assert stack.at_hand(28) is not None
    assert stack.at_hand(29) is None
    assert np.asarray(lazy[28])[0, 0] == spectra.spectrum(0).intensities[28]
    stack._most = 3
    spectra.let(1)
    np.asarray(lazy[50])
    assert sum(stack.at_hand(channel) is not None for channel in range(60)) == 3


def test_what_is_kept_keeps_nothing_else_and_what_is_shown_stays() -> None:
    spectra, stack, lazy = _held()
    stack.listen(lambda: None)
    spectra.let(9)
    draw(lazy, 20)
    _wait_for(stack, 20)
    draw(lazy, 20)
    assert stack.shown == 20
    kept = stack.at_hand(12)
    assert kept is not None and kept.base is None  # a view holds all neighbours
    stack._most = 3
    np.asarray(lazy[50])
    assert stack.at_hand(20) is not None  # the picture until the next one comes
    assert sum(stack.at_hand(channel) is not None for channel in range(60)) == 3


def test_a_file_that_was_closed_is_nothing_to_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, stack, lazy = _held()
    told: list[str] = []
    stack.listen(lambda: None)
    monkeypatch.setattr("napari_scope.layers.msi_stack.warn", told.append)
    for channel, error in ((5, DatasetClosedError("closed")), (6, OSError("gone"))):

        def fail(*_: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr("napari_scope.layers.msi_stack.planes", fail)
        draw(lazy, channel)
        _wait_for(stack, channel)
    for _ in range(20_000):
        if told:
            break
        threading.Event().wait(0.001)
    assert told == ["What cannot be read is black: gone"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["napari.layers.image._slice"], True),
        (["napari.layers.image._slice", "numpy.lib", "napari_scope.arrays"], True),
        (["napari.layers.image._slice", "my_plugin"], False),
        (["my_plugin", "numpy.lib"], False),
        (["napari.layers.image.image"], False),
        (["another._slice"], False),
    ],
)
def test_whether_napari_slices(names: list[str], found: bool) -> None:
    """The last of the names is who asks."""
    ask: Any = is_slicing
    for name in reversed(names):
        module = types.ModuleType(name)
        module.__dict__["ask"] = ask
        exec("def call():\n    return ask()\n", module.__dict__)
        ask = module.__dict__["call"]
    assert ask() is found
    if found:
        assert _in_a_thread(is_drawing) is False


def _in_a_thread(call: Any) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_each_channel_of_profiles_is_that_of_the_cube() -> None:
    data = memory_reader(each_its_own(is_profile=True)).whole(0)
    assert isinstance(data.axis, InterpolatedAxis)
    every = planes(data, range(len(data.axis)))
    for channel in range(0, len(data.axis), 7):
        (one,) = planes(data, range(channel, channel + 1))
        np.testing.assert_allclose(one, every[channel], rtol=1e-6)
    number = 1
    mz, values = data.spectra.spectrum(number)
    expected = np.interp(data.axis.mz, mz, values, left=0, right=0)
    place = np.argwhere(data.image(np.arange(len(data)) == number) > 0)[0]
    np.testing.assert_allclose(every[:, place[0], place[1]], expected, rtol=1e-6)


def test_what_is_returned_belongs_to_who_asked() -> None:
    spectra, _, lazy = _held()
    spectra.let(1)
    expected = np.asarray(lazy[3]).copy()
    np.asarray(lazy[3])[:] = 0
    np.asarray(lazy[3:4])[:] = 0
    np.asarray(lazy[3, :1])[:] = 0
    assert np.array_equal(np.asarray(lazy[3]), expected)


def test_napari_drawing_is_not_made_to_wait() -> None:
    spectra, stack, lazy = _held()
    told: list[int | None] = []
    stack.listen(lambda: told.append(stack.owed))
    assert not draw(lazy, 5).any(), "nothing has been read yet"
    assert (told, stack.owed) == ([5], 5)
    spectra.let(1)
    _wait_for(stack, 5)
    five = draw(lazy, slice(5, 6))[0]
    assert five[0, 0] == spectra.spectrum(0).intensities[5]
    assert (stack.owed, stack.shown) == (None, 5)
    # Until the next one is there the picture stays.
    assert np.array_equal(draw(lazy, 40), five)
    assert np.array_equal(draw(lazy, 50), five)
    assert (told, stack.owed) == ([5, 40, 50], 50)
    spectra.let(2)
    _wait_for(stack, 50)
    assert draw(lazy, 50)[0, 0] == spectra.spectrum(0).intensities[50]
    assert stack.owed is None


def test_a_script_always_gets_what_it_asks_for() -> None:
    spectra, stack, lazy = _held()
    stack.listen(lambda: None)
    threading.Timer(0.2, spectra.let, [1]).start()
    assert np.asarray(lazy[5])[0, 0] == spectra.spectrum(0).intensities[5]


@pytest.mark.parametrize("where", ["without a window", "in a thread of napari"])
def test_napari_waits_where_nobody_would_refresh(where: str) -> None:
    spectra, stack, lazy = _held()
    found: list[Any] = []
    threading.Timer(0.2, spectra.let, [1]).start()
    if where == "without a window":
        found.append(draw(lazy, 5))
    else:
        stack.listen(lambda: None)
        thread = threading.Thread(target=lambda: found.append(draw(lazy, 5)))
        thread.start()
        thread.join(30)
    assert found[0][0, 0] == spectra.spectrum(0).intensities[5]


def test_what_cannot_be_read_raises_for_a_script_and_is_black_when_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr("napari_scope.layers.msi_stack.warn", warned.append)
    spectra, stack, lazy = _held()
    spectra.error = FormatError("the disk is gone")
    spectra.let(100)
    with pytest.raises(FormatError, match="disk is gone"):
        np.asarray(lazy[5])
    stack.listen(lambda: None)
    for channel in (5, 30):
        draw(lazy, channel)
        _wait_for(stack, channel)
        assert not draw(lazy, channel).any()
        assert stack.owed is None
    assert len(warned) == 1, "the same is said once"
    assert "disk is gone" in warned[0]


def test_parts_of_many_channels_come_in_one_pass_and_nobody_waits() -> None:
    spectra, stack, lazy = _held()
    told: list[object] = []
    stack.listen(lambda: told.append(stack.owed))
    index = (slice(None), slice(0, 1))
    assert draw(lazy, index).shape == (1, 1, 1), "napari does not mind"
    ((channels, *_),) = told  # type: ignore[misc]
    assert channels == range(60)
    spectra.let(1)
    for _ in range(20_000):
        if stack.at_hand(stack.owed) is not None:  # type: ignore[arg-type]
            break
        threading.Event().wait(0.001)
    drawn = draw(lazy, index)
    assert stack.owed is None
    expected = [spectra.spectrum(n).intensities for n in range(3)]
    assert np.array_equal(drawn[:, 0].T, expected)
    # Back on the slider the many channels are forgotten.
    spectra.let(1)
    draw(lazy, 5)
    _wait_for(stack, 5)
    draw(lazy, 5)
    assert stack._part is None


def test_what_is_too_large_napari_does_not_get(monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr("napari_scope.layers.msi_stack.warn", warned.append)
    spectra, stack, lazy = _held()
    monkeypatch.setattr("napari_scope.layers.msi_stack._MOST_DRAWN", 4 * 60 * 6 - 1)
    for listener in (None, lambda: None):
        stack.listen(listener)
        assert draw(lazy, slice(None)).shape == (1, 1, 1)
    assert stack.owed is None
    (sentence,) = warned
    assert "60 channels of brain at once" in sentence
    spectra.let(1)
    assert np.asarray(lazy[:]).shape == (60, 2, 3), "a script gets it"


def test_many_channels_that_cannot_be_read_are_black(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr("napari_scope.layers.msi_stack.warn", warned.append)
    spectra, stack, lazy = _held()
    spectra.error = FormatError("the disk is gone")
    spectra.let(10)
    stack.listen(lambda: None)
    draw(lazy, slice(0, 9))
    for _ in range(20_000):
        if stack.at_hand((range(9), range(2), range(3))) is not None:
            break
        threading.Event().wait(0.001)
    assert not draw(lazy, slice(0, 9)).any()
    assert stack.owed is None
    assert len(warned) == 1
    with pytest.raises(FormatError, match="disk is gone"):
        np.asarray(lazy[0:9])


def test_a_stack_is_not_pickled() -> None:
    with pytest.raises(pickle.PicklingError, match="open the file where"):
        pickle.dumps(_held()[1])
