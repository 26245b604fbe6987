"""What the tests of the stage and the explorer share: a quick microscope."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope


@pytest.fixture
def microscope(owner: CoreOwner) -> Iterator[Microscope]:
    """A microscope with small images and a quick stage."""
    from napari_scope.widgets.common.microscope import Microscope

    core = owner.core
    core.setProperty("Camera", "OnCameraCCDXSize", 64)
    core.setProperty("Camera", "OnCameraCCDYSize", 64)
    core.setProperty("XY", "Velocity", 1000)
    core.setExposure(1)
    made = Microscope(owner)
    yield made
    made.close()
