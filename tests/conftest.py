"""What all tests share: the user's settings stay untouched, no display means a skip."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from pathlib import Path

import hypothesis
import pytest

# napari reads this once, when its settings are first imported. One directory per run:
# two runs at the same time must not write the same file.
_settings = tempfile.TemporaryDirectory(prefix="napari-scope-tests-")
os.environ["NAPARI_CONFIG"] = str(Path(_settings.name) / "settings.yaml")
os.environ["NAPARI_SCOPE_CONFIG_DIR"] = str(Path(_settings.name) / "ours")

# pymmcore-widgets sets this to "qt" when it is imported, and the commands that later
# tests start would inherit it. This is what it is without that.
os.environ.setdefault("PYMM_SIGNALS_BACKEND", "auto")

# No test is about time: a machine may be busy.
hypothesis.settings.register_profile("napari-scope", deadline=None)
hypothesis.settings.load_profile("napari-scope")


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


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the thousands of tests that were collected.

    napari's fixtures and our tests for leaks collect garbage very often; looking at
    what stays to the end anyway would take most of their time.
    """
    gc.collect()
    gc.freeze()
