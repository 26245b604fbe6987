"""The dialog: work in a thread, windows alive, cancel, errors."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.errors import CancelledError
from napari_scope.widgets.browsing.save_layers import with_dialog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtpy.QtWidgets import QApplication

pytestmark = pytest.mark.gui


def dialogs() -> list[object]:
    from qtpy.QtWidgets import QApplication, QProgressDialog

    return [w for w in QApplication.topLevelWidgets() if isinstance(w, QProgressDialog)]


def test_work_is_done_in_a_thread_while_windows_live(qapp: QApplication) -> None:
    from qtpy.QtCore import QTimer

    ticks: list[threading.Thread] = []
    enough = threading.Event()

    def tick() -> None:
        ticks.append(threading.current_thread())
        if len(ticks) == 3:
            enough.set()

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(5)
    ran: list[threading.Thread] = []

    def work(progress: Callable[[int, int], object], cancelled: object) -> str:
        ran.append(threading.current_thread())
        progress(1, 2)
        assert enough.wait(20), "the windows stood still"
        return "made"

    assert with_dialog("Saving x", work) == "made"
    timer.stop()
    assert ran[0] is not threading.current_thread()
    assert set(ticks) == {threading.current_thread()}


def test_what_is_raised_is_raised(qapp: QApplication) -> None:
    def work(progress: object, cancelled: object) -> None:
        raise ZeroDivisionError("in the thread")

    with pytest.raises(ZeroDivisionError, match="in the thread"):
        with_dialog("Saving x", work)


def test_the_button_cancels(qapp: QApplication) -> None:
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QPushButton

    started = threading.Event()
    never = threading.Event()

    def press() -> None:
        if started.is_set():
            for dialog in dialogs():
                dialog.findChild(QPushButton).click()  # type: ignore[attr-defined]
            timer.stop()

    timer = QTimer()
    timer.timeout.connect(press)
    timer.start(10)

    def work(progress: object, cancelled: Callable[[], bool]) -> None:
        started.set()
        for _ in range(4000):  # a test that fails must end
            if cancelled():
                break
            never.wait(0.005)
        else:
            raise AssertionError("nobody pressed the button")
        raise CancelledError("cancelled")

    with pytest.raises(CancelledError):
        with_dialog("Saving x", work)


def test_it_says_how_far_it_is(qapp: QApplication) -> None:
    from qtpy.QtCore import QTimer

    seen: list[tuple[int, str]] = []
    done = threading.Event()

    def look() -> None:
        for dialog in dialogs():
            seen.append((dialog.value(), dialog.labelText()))  # type: ignore[attr-defined]
            if seen[-1][0] == 250:
                done.set()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(10)

    def work(progress: Callable[[int, int], object], cancelled: object) -> None:
        progress(1_000_000_000, 4_000_000_000)
        done.wait(20)

    with_dialog("Saving cells.ome.zarr", work)
    timer.stop()
    assert (250, "Saving cells.ome.zarr\n1.0 GB of 4.0 GB") in seen


def test_the_writer_uses_it_where_there_are_windows(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope import _writer
    from napari_scope.widgets.browsing import save_layers

    threads: list[str] = []
    real = save_layers.with_dialog

    def noted(title: str, work: save_layers.Work) -> object:
        threads.append(title)
        return real(title, work)

    monkeypatch.setattr(save_layers, "with_dialog", noted)
    layers = [(np.ones((4, 5), "u2"), {"name": "a"}, "image")]
    made = _writer.write_ome_zarr(str(tmp_path / "x"), layers)
    assert made == [str(tmp_path / "x.ome.zarr")]
    assert (tmp_path / "x.ome.zarr" / "zarr.json").is_file()
    assert threads == ["Saving x.ome.zarr"]
