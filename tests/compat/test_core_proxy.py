"""The core under the names of Java and of pycro-manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymmcore_plus import CMMCorePlus

from napari_scope.acquire import CoreOwner
from napari_scope.compat.core_proxy import CoreProxy, StrVector, _snake

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def core() -> Iterator[CoreProxy]:
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        owner.core.setROI(0, 0, 32, 24)
        yield CoreProxy(owner.core)


@pytest.mark.parametrize(
    ("java", "snake"),
    [
        ("getXYPosition", "get_xy_position"),
        ("setROI", "set_roi"),
        ("getImageBitDepth", "get_image_bit_depth"),
        ("getCameraDevice", "get_camera_device"),
        ("getPixelSizeUm", "get_pixel_size_um"),
        ("snapImage", "snap_image"),
        ("setSLMImage", "set_slm_image"),
    ],
)
def test_names(java: str, snake: str) -> None:
    assert _snake(java) == snake


def test_every_method_has_both_names(core: CoreProxy) -> None:
    names = [n for n in dir(core.mmc) if not n.startswith("_")]
    assert len(names) > 300
    for name in names:
        assert hasattr(core, _snake(name)), name
    assert {"getExposure", "get_exposure", "get_tagged_image"} <= set(dir(core))


def test_calls(core: CoreProxy) -> None:
    core.set_exposure(3)
    assert core.getExposure() == core.get_exposure() == core.mmc.getExposure() == 3
    core.set_property("Camera", "Gain", 2)
    assert core.get_property("Camera", "Gain") == "2"
    core.set_xy_position(5, 6)
    core.wait_for_system()
    place = core.get_xy_stage_position()
    assert (place.x, place.get_y()) == pytest.approx((5, 6), abs=0.1)
    assert (place.get_x(), place.y) == tuple(place)
    assert core.get_xy_position() == pytest.approx((5, 6), abs=0.1)


def test_lists_of_names(core: CoreProxy) -> None:
    devices = core.get_loaded_devices()
    assert isinstance(devices, StrVector)
    assert devices.size() == len(devices)
    assert devices.get(0) == devices[0]
    assert "Camera" in list(devices)


def test_images(core: CoreProxy) -> None:
    core.snap_image()
    one = core.get_tagged_image()
    assert one.pix.shape == (24 * 32,)
    assert (one.tags["Height"], one.tags["Width"]) == (24, 32)
    assert one.tags["Camera"] == "Camera"
    assert one.tags["PixelSizeUm"] == 1.0
    core.start_sequence_acquisition(2, 0, True)
    while core.is_sequence_running():
        pass
    last = core.get_last_tagged_image()
    assert last.tags["ImageNumber"] == "1"
    tags: list[Any] = [core.pop_next_tagged_image().tags for _ in range(2)]
    assert [t["ImageNumber"] for t in tags] == ["0", "1"]
    assert core.popNextTaggedImage is not None


def test_unknown(core: CoreProxy) -> None:
    with pytest.raises(AttributeError, match="no method 'get_nothing'"):
        core.get_nothing()
    assert not hasattr(core, "__fspath__")
