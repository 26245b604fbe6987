"""What the tests of the Devices dock share: a microscope, and waiting for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore


@pytest.fixture(scope="session")
def lasting_owner(qapp: object) -> Iterator[CoreOwner]:
    """Own a core for all tests here: letting go of one takes longer than a test."""
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire import CoreOwner

    with CoreOwner(CMMCorePlus()) as made:
        yield made


@pytest.fixture
def microscope(lasting_owner: CoreOwner) -> Iterator[Microscope]:
    """Return the demo microscope as it is when just loaded, in use by this test."""
    from napari_scope.widgets.common.icons import serve_shipped_icons
    from napari_scope.widgets.common.microscope import Microscope

    serve_shipped_icons()
    lasting_owner.load()
    made = Microscope(lasting_owner)
    made.hold(lasting_owner)
    yield made
    made.close()


@pytest.fixture
def table_core(microscope: Microscope) -> TableCore:
    """Return the core as tables may read it."""
    from napari_scope.widgets.devices.table_core import TableCore

    return TableCore(microscope.core)


@pytest.fixture
def settle(microscope: Microscope, qtbot: QtBot) -> Callable[[], None]:
    """Return a function that waits until no call is under way and all is told."""

    def wait() -> None:
        qtbot.waitUntil(lambda: not microscope.calls.busy, timeout=20_000)
        qtbot.wait(40)

    return wait
