from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from napari_scope.widgets.devices.pixel_facts import affine_words, read_pixels

if TYPE_CHECKING:
    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui

_C, _S = math.cos(math.radians(30)) / 2, math.sin(math.radians(30)) / 2


@pytest.mark.parametrize(
    ("affine", "size", "words"),
    [
        ((0.5, 0, 0, 0.5), 0.5, "along the stage"),
        ((1, 0, 0, 1), 1.0, "along the stage"),
        ((1.0, 0.0, 0.0, 1.0), 0.5, "not calibrated: taken to lie along the stage"),
        ((_C, -_S, _S, _C), 0.5, "turned by 30°"),
        ((-0.5, 0, 0, -0.5), 0.5, "turned by 180°"),
        ((-0.5, 0, 0, 0.5), 0.5, "turned by 180°, mirrored"),
        ((0.5, 0, 0, 0.6), 0.5, "pixels of 0.5 × 0.6 µm"),
        ((0.5, 0.05, 0, 0.5), 0.5, "pixels of 0.5 × 0.5025 µm, sheared by 5.7°"),
        ((0, 0, 0, 0), 0.5, "not usable: it has no area"),
        ((math.nan, 0, 0, 1), 0.5, "not usable: it has no area"),
    ],
)
def test_transforms_in_words(
    affine: tuple[float, float, float, float], size: float, words: str
) -> None:
    assert affine_words(affine, size) == words


def test_what_holds_now_is_read_with_binning(owner: CoreOwner) -> None:
    core = owner.core
    core.setConfig("Objective", "20X")
    core.setProperty("Camera", "Binning", "2")
    facts = read_pixels(core)
    assert facts.preset == "Res20x" and facts.size_um == 1.0
    assert facts.frame == (256, 256)
    assert [preset.size_um for preset in facts.presets] == [1.0, 0.5, 0.25]
    core.unloadAllDevices()
    empty = read_pixels(core)
    assert empty.frame == (0, 0) and empty.preset == ""
