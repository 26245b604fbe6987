"""The list of spectra, without a viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.formats.msi import Spectrum
from napari_scope.widgets.spectrum.trace import Trace
from napari_scope.widgets.spectrum.trace_list import TraceList

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


def trace(name: str, height: float = 1.0) -> Trace:
    return Trace(name, Spectrum(np.array([100.0]), np.array([height])))


def test_spectra_keep_the_name_of_their_own_data_set(qtbot: QtBot) -> None:
    traces = TraceList()
    qtbot.addWidget(traces)
    traces.put(trace("Mean", 1))
    traces.put_aside("a", "/x/a")
    traces.put(trace("Mean", 2))
    traces.put_aside("a", "/y/a")
    traces.put(trace("Mean", 3))
    assert [t.name for t in traces.traces] == ["a: Mean", "a: Mean", "Mean"]

    # The first one is looked at again: it has each spectrum once.
    color = traces.traces[0].color
    traces.put_aside("c", "/x/c")
    traces.take_back("/x/a")
    traces.put(trace("Mean", 4))
    assert [(t.name, t.highest) for t in traces.traces] == [
        ("Mean", 4.0),
        ("a: Mean", 2.0),
        ("c: Mean", 3.0),
    ]
    assert traces.traces[0].color == color
