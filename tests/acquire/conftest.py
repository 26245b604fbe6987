"""A demo microscope of its own for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pymmcore_plus import CMMCorePlus

from napari_scope.acquire import CoreOwner

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def owner() -> Iterator[CoreOwner]:
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        yield owner


@pytest.fixture
def core(owner: CoreOwner) -> CMMCorePlus:
    return owner.core


@pytest.fixture(scope="module")
def quick() -> Iterator[CoreOwner]:
    """A microscope for all tests of a module: small images, short exposures."""
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        owner.core.setROI(0, 0, 32, 24)
        owner.core.setExposure(1)
        yield owner
