"""An interrupted run, recovered from the Browse dock and from napari's own opening."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject
from tests.stream.streams import frame_of, make_sink, make_spec

from napari_scope._reader import read
from napari_scope.formats import open_dataset
from napari_scope.layers import origin_of
from napari_scope.layers.preferences import CONFIG_VARIABLE
from napari_scope.stream import Stream
from napari_scope.stream import recovery as recovering
from napari_scope.stream.run_state import StoredRun, run_state
from napari_scope.widgets.browsing.recovery_offer import RecoveryOffer, offer_recovery
from napari_scope.widgets.browsing.store_recovery import StoreRecovery, report_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.browsing.browse_dock import BrowseDock

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]

ZARR_AND_NDTIFF = ["ome-zarr", "ndtiff"]


@pytest.fixture(autouse=True)
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "preferences"))


@pytest.fixture
def viewer(shown_viewer: napari.Viewer) -> napari.Viewer:
    return shown_viewer


@pytest.fixture
def dock(browse_dock: BrowseDock) -> BrowseDock:
    return browse_dock


def interrupted(tmp_path: Path, format: str = "ome-zarr") -> Path:
    """Return a store as a kill leaves it, with 3 of 5 frames."""
    path, copy = tmp_path / "alive", tmp_path / "killed"
    with Stream(make_spec(n_frames=5), [make_sink(format, path)]) as stream:
        for number in range(3):
            stream.append(frame_of(number))
        stream.flush()
        shutil.copytree(path, copy)
    return copy


def opened(dock: BrowseDock, path: Path, state: StoredRun, qtbot: QtBot) -> None:
    with qtbot.waitSignal(dock._recovery.looked, timeout=20_000) as looked:
        dock.open_path(str(path))
    assert looked.args == [str(path), state]


@pytest.mark.parametrize("format", ZARR_AND_NDTIFF)
def test_the_dock_offers_to_recover_and_does_it(
    dock: BrowseDock, format: str, tmp_path: Path, qtbot: QtBot
) -> None:
    box = dock.store_box
    path = interrupted(tmp_path, format)
    assert box.recover_button.isHidden()
    opened(dock, path, StoredRun.INTERRUPTED, qtbot)
    assert not box.recover_button.isHidden()
    assert box.recover_button.isEnabled()
    assert box.state_label.text() == "interrupted"
    with qtbot.waitSignal(dock._opener.opened, timeout=20_000):
        box.recover_button.click()
        assert "Recovering" in box.note_label.text()
        assert not box.recover_button.isEnabled()
        assert not box.open_button.isEnabled()
    assert run_state(path) is StoredRun.CLOSED
    assert box.note_label.text() == "Recovered: 3 of 5 frames, 2 missing"
    assert "missing time=4" in box.note_label.toolTip()
    qtbot.waitUntil(lambda: box.recover_button.isHidden())
    qtbot.waitUntil(lambda: box.state_label.text() == "finished")
    (layer,) = dock._viewer.layers
    data = layer.data[0] if layer.multiscale else layer.data
    assert (np.asarray(data[2]) == frame_of(2)).all()
    assert box.open_button.isEnabled()


def test_a_long_note_does_not_widen_the_dock(dock: BrowseDock, qtbot: QtBot) -> None:
    before = dock.minimumSizeHint().width()
    dock.store_box.note_label.setText("Recovered: 1,000,000 of 2,000,000 frames " * 4)
    qtbot.wait(20)
    assert dock.minimumSizeHint().width() == before


def test_a_run_that_goes_on_is_not_offered(
    dock: BrowseDock, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "alive"
    with Stream(make_spec(), [make_sink("ome-zarr", path)]) as stream:
        stream.append(frame_of(0))
        stream.flush()
        opened(dock, path, StoredRun.WRITTEN, qtbot)
        assert dock.store_box.recover_button.isHidden()
        dock.shut_down()


def test_a_failure_is_shown_and_the_button_stays(
    dock: BrowseDock, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = interrupted(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recovering, "_recover", fail)
    opened(dock, path, StoredRun.INTERRUPTED, qtbot)
    with qtbot.waitSignal(dock._recovery.failed, timeout=20_000):
        dock.store_box.recover_button.click()
    assert dock.errors.explanation is not None
    assert "No space left" in dock.errors.explanation.message
    assert dock.store_box.recover_button.isEnabled()
    assert dock.store_box.note_label.text() == ""


def test_a_recovery_is_shown_while_it_goes_on_and_survives_the_dock(
    dock: BrowseDock, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = interrupted(tmp_path)
    go_on = threading.Event()
    real = recovering._recover

    def slow(path: Path, journal: Any, progress: Callable[[int, int], None]) -> Any:
        progress(1, 3)
        go_on.wait(20)
        return real(path, journal, progress)

    monkeypatch.setattr(recovering, "_recover", slow)
    opened(dock, path, StoredRun.INTERRUPTED, qtbot)
    dock.recover()
    dock.recover()  # once is enough
    note = dock.store_box.note_label
    qtbot.waitUntil(lambda: note.text() == "Recovering: 1 of 3 frames")
    dock.shut_down()
    go_on.set()
    qtbot.waitUntil(lambda: run_state(path) is StoredRun.CLOSED)


def test_the_newest_look_counts(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = QObject()
    recovery = StoreRecovery(parent)
    told: list[tuple[str, StoredRun]] = []
    recovery.looked.connect(lambda path, state: told.append((path, state)))
    last = str(interrupted(tmp_path))
    for path in (str(tmp_path), str(tmp_path / "nowhere"), last):
        recovery.look(path)
    qtbot.waitUntil(lambda: bool(told))
    assert told == [(last, StoredRun.INTERRUPTED)]
    recovery.close()


def test_words_of_a_report(tmp_path: Path) -> None:
    first = recovering.recover(interrupted(tmp_path))
    short, long = report_words(first)
    assert short == "Recovered: 3 of 5 frames, 2 missing"
    assert long.splitlines()[0].endswith("recovered, 3 of 5 frames saved, 2 missing")


# ---- opened through napari


def offered() -> list[Any]:
    return [n for n in notification_manager.records if "interrupted" in n.message]


@pytest.mark.parametrize("format", ZARR_AND_NDTIFF)
def test_napari_tells_and_the_button_recovers(
    viewer: napari.Viewer, format: str, tmp_path: Path, qtbot: QtBot
) -> None:
    before = len(offered())
    path = interrupted(tmp_path, format)
    viewer.open(str(path), plugin="napari-scope")
    (notification,) = offered()[before:]
    assert str(path) in notification.message
    ((title, start),) = notification.actions
    assert title == "Recover"
    (old,) = viewer.layers
    name = old.name
    start(None)  # napari hands over its dialog
    start(None)
    qtbot.waitUntil(lambda: run_state(path) is StoredRun.CLOSED, timeout=20_000)
    qtbot.waitUntil(lambda: viewer.layers[0] is not old, timeout=20_000)
    (layer,) = viewer.layers
    qtbot.waitUntil(lambda: layer.name == name)  # no number is added to it
    origin = origin_of(layer.metadata)
    assert origin is not None
    assert origin.dataset.path == str(path)
    window = viewer.window.main_menu.window()
    qtbot.waitUntil(lambda: not window.findChildren(RecoveryOffer))


def test_napari_says_nothing_of_finished_and_foreign_stores(
    viewer: napari.Viewer, tmp_path: Path
) -> None:
    path = interrupted(tmp_path)
    recovering.recover(path)
    before = len(offered())
    viewer.open(str(path), plugin="napari-scope")
    (path / "acquisition" / "frames.jsonl").unlink()
    viewer.open(str(path), plugin="napari-scope")
    assert len(offered()) == before


def test_a_failed_recovery_is_told(
    viewer: napari.Viewer, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = interrupted(tmp_path)
    said: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)

    def fail(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(recovering, "_recover", fail)
    offer = offer_recovery(open_dataset(path))
    assert offer is not None
    offer.start()
    qtbot.waitUntil(lambda: bool(said))
    assert "was not recovered" in said[0]
    assert "Read-only" in said[0]


def test_without_a_viewer_it_is_only_told(qapp: object, tmp_path: Path) -> None:
    before = len(offered())
    path = interrupted(tmp_path)
    assert len(read(str(path))) == 1
    (notification,) = offered()[before:]
    assert not notification.actions
