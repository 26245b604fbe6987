"""What all tests share: the user's settings stay untouched, no display means a skip."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from pytestqt.qtbot import QtBot

if TYPE_CHECKING:
    from collections.abc import Iterator

# napari reads this once, when its settings are first imported. One directory per run:
# two runs at the same time must not write the same file.
_settings = tempfile.TemporaryDirectory(
    prefix="napari-scope-tests-", ignore_cleanup_errors=True
)
os.environ["NAPARI_CONFIG"] = str(Path(_settings.name) / "settings.yaml")
os.environ["NAPARI_SCOPE_CONFIG_DIR"] = str(Path(_settings.name) / "ours")

# What tests, examples and the processes that they start leave among the temporary files
# goes with it; only the folders of pytest itself stay where pytest puts them, for the
# tests that failed. A disk is not filled by running the tests each day.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
tempfile.tempdir = str(Path(_settings.name) / "tmp")
Path(tempfile.tempdir).mkdir()
os.environ["TMPDIR"] = tempfile.tempdir


def pytest_unconfigure() -> None:
    """Remove all that; a worker of xdist ends without running what is due at exit."""
    _settings.cleanup()


# pymmcore-widgets sets this to "qt" when it is imported, and the commands that later
# tests start would inherit it. This is what it is without that.
os.environ.setdefault("PYMM_SIGNALS_BACKEND", "auto")

# No test is about time: a machine may be busy.
hypothesis.settings.register_profile("napari-scope", deadline=None)
hypothesis.settings.load_profile("napari-scope")
# Nor is how long a test waits: five seconds, the default, are not enough for a machine
# that does something else as well.
for _wait in (
    QtBot.waitActive,
    QtBot.waitCallback,
    QtBot.waitExposed,
    QtBot.waitSignal,
    QtBot.waitSignals,
    QtBot.waitUntil,
):
    if _wait.__kwdefaults__ and "timeout" in _wait.__kwdefaults__:
        _wait.__kwdefaults__["timeout"] = 30_000

# What a core has for its images. The 250 MB of a new one take a second or two to be
# laid out, longer than most runs, and stay until the garbage collector comes by.
_BUFFER_MB, _USUAL_MB = 32, 250


# What an owner that lets go of its core waits for the last callbacks. The process would
# abort without it where it ends at once; here it goes on, and waits at its own end.
_DRAIN_S = 0.02


@pytest.fixture(scope="session", autouse=True)
def quick_cores() -> Iterator[None]:
    """Give each core that a test owns little memory for images, and a quick end."""
    from napari_scope.acquire import CoreOwner
    from napari_scope.acquire import core as owners

    real, drain = CoreOwner.__init__, owners._DRAIN_S

    def small(self: CoreOwner, core: Any = None) -> None:
        real(self, core)
        size = getattr(self.core, "getCircularBufferMemoryFootprint", None)
        if size is not None and size() == _USUAL_MB:
            self.core.setCircularBufferMemoryFootprint(_BUFFER_MB)

    CoreOwner.__init__ = small  # type: ignore[method-assign]
    owners._DRAIN_S = _DRAIN_S
    yield
    CoreOwner.__init__ = real  # type: ignore[method-assign]
    owners._DRAIN_S = drain
    time.sleep(drain)


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _has_display():
        return
    skip = pytest.mark.skip(
        reason="needs a display: run `make test`, or pytest under xvfb-run"
    )
    for item in items:
        # Qt aborts the whole run where it finds no display, so a test that asks for the
        # application is skipped even if its mark was forgotten.
        fixtures = getattr(item, "fixturenames", ())
        if item.get_closest_marker("gui") or "qapp" in fixtures:
            item.add_marker(skip)


# Objects that the garbage collector looks at, above which it is told to pass over those
# that stay: what was imported by the tests of a module, for the most part.
_MANY_OBJECTS = 40_000


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the thousands of tests that were collected.

    napari's fixtures and our tests for leaks collect garbage very often; looking at
    what stays to the end anyway would take most of their time.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    """Let it pass over what the tests of a module imported, too, once they are over."""
    done = yield
    if nextitem is not None and nextitem.path != item.path:
        if len(gc.get_objects()) > _MANY_OBJECTS:
            gc.collect()
            gc.freeze()
    return done
