"""Reading a camera that somebody changes meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pymmcore_plus import CMMCorePlus
from tests.threads import wait_until

from napari_scope.acquire import CoreOwner
from napari_scope.acquire.live_reader import CameraReader

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def scope() -> Iterator[CoreOwner]:
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        owner.core.setExposure(1)
        yield owner


def _do_not(back: int) -> None:
    raise AssertionError(f"image {back} was read beyond its end")


@pytest.mark.parametrize(
    ("name", "value"), [("PixelType", "32bit"), ("OnCameraCCDXSize", "2048")]
)
def test_images_from_before_a_change_are_not_read(
    scope: CoreOwner, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are shorter than the core takes them to be: memory behind them is read."""
    core, reader = scope.core, CameraReader(scope.core)
    before = core.getProperty("Camera", name)
    reader.begin()
    wait_until(reader.has_news)
    assert not reader.was_changed()
    core.stopSequenceAcquisition()
    core.setProperty("Camera", name, value)
    try:
        assert core.getRemainingImageCount() > 0
        with monkeypatch.context() as patched:
            patched.setattr(core, "getNBeforeLastImageAndMD", _do_not)
            assert reader.was_changed() and reader.read(None) == ()
    finally:
        core.setProperty("Camera", name, before)
    assert reader.read(None)  # the size is as it was
    reader.end()


def test_a_change_while_an_image_is_read_is_noticed(
    scope: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, reader = scope.core, CameraReader(scope.core)
    reader.begin()
    wait_until(reader.has_news)
    core.stopSequenceAcquisition()
    answers = iter([False, True])
    monkeypatch.setattr(reader, "was_changed", lambda: next(answers))
    assert reader.read(None) == ()
    reader.end()


def test_room_for_a_few_images(scope: CoreOwner) -> None:
    core, reader = scope.core, CameraReader(scope.core)
    before = core.getCircularBufferMemoryFootprint()
    core.setCircularBufferMemoryFootprint(1)
    core.setProperty("Camera", "OnCameraCCDXSize", "2048")  # 2 MB an image: none fits
    try:
        reader.begin()
        assert core.getBufferTotalCapacity() == 4
        reader.end()
    finally:
        core.setProperty("Camera", "OnCameraCCDXSize", "512")
        core.setCircularBufferMemoryFootprint(before)
