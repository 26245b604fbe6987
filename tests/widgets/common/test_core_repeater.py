"""Signals of either binding and of psygnal are heard on the thread that emits."""

from __future__ import annotations

import threading
from typing import Any

import psygnal
import pytest
from qtpy.QtCore import QObject, Qt, Signal  # type: ignore[attr-defined]
from tests.threads import Thread

from napari_scope.widgets.common.core_repeater import connect_directly

pytestmark = pytest.mark.gui


class _OfQt(QObject):
    told = Signal(int)


class _OfPsygnal:
    told = psygnal.Signal(int)


@pytest.mark.parametrize("kind", [_OfQt, _OfPsygnal])
def test_heard_where_it_is_emitted(kind: type[Any], qapp: object) -> None:
    heard: list[tuple[int, int]] = []
    emitter = kind()
    connect_directly(
        emitter.told, lambda value: heard.append((value, threading.get_ident()))
    )
    thread = Thread(lambda: emitter.told.emit(7))
    thread.start()
    thread.join()
    assert heard == [(7, thread.ident)]


def test_signals_of_pyside_are_connected_directly() -> None:
    found: list[object] = []

    class SignalInstance:
        __module__ = "PySide6.QtCore"

        def connect(self, slot: object, kind: object = None) -> None:
            found.append(kind)

    connect_directly(SignalInstance(), print)
    assert found == [Qt.ConnectionType.DirectConnection]
