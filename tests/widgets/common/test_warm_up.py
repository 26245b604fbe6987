"""What napari loads for its first image is loaded while nothing goes on, once."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import QObject

from napari_scope.widgets.common import warm_up
from napari_scope.widgets.common.warm_up import LayerWarmUp

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Begin as a new process does; tell how often Python searched its objects."""
    monkeypatch.setattr(warm_up, "_taken", False)
    found: list[int] = []
    collect = gc.collect
    monkeypatch.setattr(warm_up.gc, "collect", lambda: found.append(collect()))
    return found


def test_waits_for_a_moment_without_a_run(qtbot: QtBot, sweeps: list[int]) -> None:
    owner = QObject()
    may_rest = False
    first = LayerWarmUp(owner, lambda: may_rest)
    first.start()
    qtbot.waitUntil(first._timer.isActive)
    qtbot.wait(120)
    assert first.busy
    assert not sweeps
    second = LayerWarmUp(owner, lambda: True)
    second.start()
    assert not second.busy
    may_rest = True
    qtbot.waitUntil(lambda: not first.busy)
    assert len(sweeps) == 1
    second.start()
    assert not second.busy
    first.close()
    second.close()


def test_close_in_the_middle(qtbot: QtBot, sweeps: list[int]) -> None:
    owner = QObject()
    one = LayerWarmUp(owner, lambda: True)
    one.start()
    one.close()
    one.close()
    qtbot.wait(120)
    assert not one.busy
    assert not sweeps
    # What the closed one left undone is done by the next.
    other = LayerWarmUp(owner, lambda: True)
    other.start()
    qtbot.waitUntil(lambda: not other.busy)
    assert len(sweeps) == 1
    other.close()


def test_units_that_were_read_are_kept(qtbot: QtBot) -> None:
    pint = pytest.importorskip("pint")
    pixel = pint.get_application_registry().pixel
    before = pint.get_application_registry().get()
    warm_up._take_units(warm_up._read_units())
    assert pint.get_application_registry().get() is before
    assert pixel == pint.get_application_registry().pixel


PROGRAM = """
import sys
from napari_scope.widgets.common.warm_up import _build_layer, _read_units, _take_units
_take_units(_read_units())
_build_layer()
missing = {"pint", "xarray", "scipy.ndimage"} - set(sys.modules)
before = set(sys.modules)
import numpy as np
from napari.components import ViewerModel
ViewerModel().add_image(np.ones((2, 9, 9), "u2"), units=("s", "um", "um"))
late = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(missing), sorted(late & {"pint", "xarray", "pandas", "scipy", "dask"}))
"""


def test_nothing_large_is_imported_later() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "[] []", done.stdout


def test_no_thread_meets_units_that_are_half_read() -> None:
    program = """
import sys, threading
import pint
import napari_scope.widgets.common.warm_up as warm_up
sys.setswitchinterval(1e-5)
read = []
thread = threading.Thread(target=lambda: read.append(warm_up._read_units()))
thread.start()
while thread.is_alive():
    kept = pint.get_application_registry().get()
    if type(kept).__name__ != "LazyRegistry":
        kept.pixel
thread.join()
warm_up._take_units(read[0])
assert pint.get_application_registry().get() is read[0]
assert str(pint.get_application_registry().pixel) == "pixel"
"""
    subprocess.run([sys.executable, "-c", program], check=True)
