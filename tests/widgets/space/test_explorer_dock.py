"""The Stage and explorer dock as a user works with it, and what can go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from qtpy.QtCore import Qt

from napari_scope.formats import open_dataset
from napari_scope.layers import origin_of
from napari_scope.widgets.common.closing import main_window_of
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.space.explorer_dock import ExplorerDock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]

WAIT_MS = 30_000


@pytest.fixture
def dock(
    request: pytest.FixtureRequest,
    make_napari_viewer: Callable[..., napari.Viewer],
    microscope: Microscope,
    qtbot: QtBot,
    tmp_path: Path,
) -> Iterator[ExplorerDock]:
    viewer = make_napari_viewer(show=getattr(request, "param", False))
    made = ExplorerDock(viewer, microscope)
    viewer.window.add_dock_widget(made, name="Stage and explorer", area="right")
    qtbot.waitUntil(
        lambda: made.driver.facts.grid is not None and made.driver.place is not None,
        timeout=WAIT_MS,
    )
    made.explore.folder.setText(str(tmp_path / "data"))
    yield made
    made.shut_down()


def click(qtbot: QtBot, button: Any) -> None:
    assert button.isEnabled(), button.text()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def outline(dock: ExplorerDock, qtbot: QtBot, *corners: tuple[float, float]) -> None:
    dock.planner.draw("polygon")
    dock.planner.layer.add_polygons(np.array(corners))
    dock.planner.layer.mode = "pan_zoom"
    qtbot.waitUntil(lambda: dock.planner.plan is not None, timeout=WAIT_MS)


def begin(dock: ExplorerDock, qtbot: QtBot) -> None:
    qtbot.waitUntil(dock.explore.start_button.isEnabled, timeout=WAIT_MS)
    click(qtbot, dock.explore.start_button)
    qtbot.waitUntil(lambda: dock.session.running, timeout=WAIT_MS)


def finish(dock: ExplorerDock, qtbot: QtBot) -> None:
    click(qtbot, dock.explore.finish_button)
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=WAIT_MS)


def taken(dock: ExplorerDock) -> int:
    return 0 if dock._explored is None else len(dock._explored.taken)


def mosaic(dock: ExplorerDock) -> list[Any]:
    return [one for one in dock.viewer.layers if origin_of(one.metadata) is not None]


def test_a_click_moves_the_stage_and_snaps_after_it(
    dock: ExplorerDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapped: list[tuple[float, ...]] = []
    core = dock.microscope.real_core
    monkeypatch.setattr(
        dock.microscope.live,
        "snap",
        lambda: snapped.append(tuple(core.getXYPosition())),
    )
    click(qtbot, dock.move_button)
    dock.snap_box.setChecked(True)
    dock.clicks.pointed.emit(120.0, -40.0)
    qtbot.waitUntil(lambda: bool(snapped), timeout=WAIT_MS)
    assert snapped == [pytest.approx((120, -40), abs=0.1)]
    field = next(x for x in dock.viewer.layers if x.name == "Field of view")
    qtbot.waitUntil(
        lambda: np.allclose(field.translate[-2:], (-40, 120), atol=0.1), timeout=WAIT_MS
    )
    dock.clicks.stepped.emit(1, 0, 0, False)
    qtbot.waitUntil(lambda: core.getXYPosition()[0] > 160, timeout=WAIT_MS)
    click(qtbot, dock.move_button)
    assert dock.clicks.mode == ""


def test_outlines_become_a_mosaic_that_is_saved_and_shown(
    dock: ExplorerDock, qtbot: QtBot
) -> None:
    outline(dock, qtbot, (100, 100), (100, 300), (200, 300))
    plan = dock.planner.plan
    assert plan is not None
    channels = dock.explore.channels
    for row in (1, 2):
        channels.item(row).setCheckState(Qt.CheckState.Checked)
    dock.explore.above.setValue(1)
    assert f"{len(plan.tiles)} tiles x 4 images" in dock.planner.summary.text()
    click(qtbot, dock.planner.explore_button)
    qtbot.waitUntil(lambda: dock.session.running, timeout=WAIT_MS)
    assert dock.session.grid == plan.grid
    qtbot.waitUntil(lambda: taken(dock) == len(plan.tiles), timeout=WAIT_MS)
    path = dock.session.path
    assert path is not None
    qtbot.waitUntil(lambda: len(mosaic(dock)) == 2, timeout=WAIT_MS)
    assert dock.map.places("planned").shape[0] == 0
    assert dock.map.places("taken").shape[0] == len(plan.tiles)
    # A tile more, farther to the left: the mosaic grows and stays where it is.
    layer = mosaic(dock)[0]
    columns = len({column for _, column in plan.tiles})

    def width() -> float:
        return float(np.ptp(layer.extent.world[:, -1]))

    whole = columns * plan.grid.step_px[0]
    qtbot.waitUntil(lambda: width() > whole - 2, timeout=WAIT_MS)
    right = layer.extent.world[1, -1]
    left = min(plan.grid.stage(*t)[0] for t in plan.tiles)
    dock.clicks.pointed.emit(left - 60, 150.0)
    qtbot.waitUntil(lambda: layer.extent.world[0, -1] < left - 60, timeout=WAIT_MS)
    assert layer.extent.world[1, -1] == pytest.approx(right, abs=0.01)
    dock.clicks.painted.emit([(left, -50.0), (left + 120, -50.0)])
    qtbot.waitUntil(lambda: taken(dock) >= len(plan.tiles) + 3, timeout=WAIT_MS)
    finish(dock, qtbot)
    assert dock.errors.error is None
    assert dock.clicks.mode == ""
    assert "tiles saved" in dock.explore.status.text()
    (image,) = open_dataset(path).images
    assert [c.name for c in image.channels] == ["DAPI", "FITC"]
    assert image.metadata["tiles"] == taken(dock)
    qtbot.waitUntil(dock.control.home_button.isEnabled, timeout=WAIT_MS)
    field = next(x for x in dock.viewer.layers if x.name == "Field of view")
    core = dock.microscope.real_core
    qtbot.waitUntil(
        lambda: np.allclose(field.translate[::-1], core.getXYPosition(), atol=0.1),
        timeout=WAIT_MS,
    )


def test_pause_and_clear(dock: ExplorerDock, qtbot: QtBot) -> None:
    begin(dock, qtbot)
    assert dock.take_button.isChecked()
    assert dock.clicks.mode == "explore"
    click(qtbot, dock.explore.pause_button)
    dock.session.take([(0, column) for column in range(30)])
    qtbot.waitUntil(lambda: "Paused" in dock.explore.status.text(), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: "wait" in dock.explore.status.text(), timeout=WAIT_MS)
    assert len(dock.map.places("waiting")) > 20
    click(qtbot, dock.explore.clear_button)
    qtbot.waitUntil(lambda: len(dock.map.places("waiting")) == 0, timeout=WAIT_MS)
    click(qtbot, dock.explore.pause_button)
    finish(dock, qtbot)
    assert taken(dock) < 10
    begin(dock, qtbot)  # and once more
    finish(dock, qtbot)


def test_tiles_that_fail_are_said_and_the_others_taken(
    dock: ExplorerDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = dock.microscope.real_core
    original = core.setXYPosition

    def limited(*arguments: Any) -> None:
        if arguments[-2] > 100:
            raise RuntimeError("out of range")
        original(*arguments)

    monkeypatch.setattr(core, "setXYPosition", limited)
    begin(dock, qtbot)
    dock.session.take([(0, 0), (0, 9), (0, 1)])
    qtbot.waitUntil(
        lambda: "out of range" in dock.explore.status.text(), timeout=WAIT_MS
    )
    qtbot.waitUntil(lambda: taken(dock) == 2, timeout=WAIT_MS)
    finish(dock, qtbot)
    assert "1 image skipped" in dock.explore.status.text()


def test_a_full_disk_ends_it_and_what_was_saved_stays(
    dock: ExplorerDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.formats.ndtiff import TiledNDTiffWriter

    begin(dock, qtbot)
    dock.session.take([(0, 0), (0, 1)])
    qtbot.waitUntil(lambda: taken(dock) == 2, timeout=WAIT_MS)
    path = dock.session.path

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TiledNDTiffWriter, "put_many", full, raising=False)
    monkeypatch.setattr(TiledNDTiffWriter, "put", full, raising=False)
    dock.session.take([(3, 0)])
    qtbot.waitUntil(lambda: dock.errors.error is not None, timeout=WAIT_MS)
    assert "2 tiles are saved" in dock.errors._title
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=WAIT_MS)
    assert path is not None
    (image,) = open_dataset(path).images
    assert image.metadata["tiles"] == 2


def test_what_cannot_begin(dock: ExplorerDock, qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    dock.explore.folder.setText(str(file / "below"))
    click(qtbot, dock.explore.start_button)
    qtbot.waitUntil(lambda: dock.errors.error is not None, timeout=WAIT_MS)
    assert not dock.session.busy
    dock.explore.folder.setText(str(tmp_path))
    dock.planner.unit.setCurrentText("px")
    dock.planner.overlap.setValue(64)
    click(qtbot, dock.explore.start_button)
    assert "cannot overlap" in str(dock.errors.error)
    assert not dock.session.busy
    dock.planner.overlap.setValue(6)
    begin(dock, qtbot)
    assert dock.errors.error is None
    finish(dock, qtbot)


def test_a_run_of_somebody_else(dock: ExplorerDock, qtbot: QtBot) -> None:
    from napari_scope.acquire import Acquisition

    begin(dock, qtbot)
    dock.microscope.run.cancel()
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=WAIT_MS)
    with Acquisition(core=dock.microscope.owner):
        qtbot.waitUntil(
            lambda: not dock.explore.start_button.isEnabled(), timeout=WAIT_MS
        )
        assert not dock.planner.explore_button.isEnabled()
        click(qtbot, dock.move_button)
        dock.clicks.pointed.emit(50.0, 50.0)
        dock.positions.go_requested.emit(useq.AbsolutePosition(x=9, y=9))
        assert not dock.driver.moving
    qtbot.waitUntil(dock.explore.start_button.isEnabled, timeout=WAIT_MS)


def test_positions_and_plans(dock: ExplorerDock, qtbot: QtBot) -> None:
    outline(dock, qtbot, (0, 0), (0, 100), (100, 100), (100, 0))
    plan = dock.planner.plan
    assert plan is not None
    with qtbot.waitSignal(dock.plan_made) as told:
        click(qtbot, dock.planner.offer_button)
    (sequence,) = told.args
    assert [(p.x, p.y) for p in sequence.stage_positions] == [
        plan.grid.stage(*t) for t in plan.tiles
    ]
    click(qtbot, dock.planner.list_button)
    assert dock.tabs.currentIndex() == 1
    assert len(dock.positions.positions) == len(plan.tiles)
    assert len(dock.map.places("position")) == len(plan.tiles)
    target = dock.positions.positions[-1]
    dock.positions.go_requested.emit(target)
    core = dock.microscope.real_core
    qtbot.waitUntil(
        lambda: np.allclose(core.getXYPosition(), (target.x, target.y), atol=0.1),
        timeout=WAIT_MS,
    )


def test_the_map_is_hidden_and_comes_back(dock: ExplorerDock, qtbot: QtBot) -> None:
    field = next(x for x in dock.viewer.layers if x.name == "Field of view")
    click(qtbot, dock.map_button)
    assert not field.visible
    click(qtbot, dock.map_button)
    assert field.visible
    dock.viewer.layers.remove(field)
    assert not dock.map_button.isChecked()
    click(qtbot, dock.map_button)
    assert any(x.name == "Field of view" for x in dock.viewer.layers)


@pytest.mark.parametrize("dock", [True], indirect=True, ids=["shown"])
def test_closing_while_it_explores_and_the_state_afterwards(
    dock: ExplorerDock, qtbot: QtBot, microscope: Microscope
) -> None:
    viewer = dock.viewer
    before = list(viewer.mouse_double_click_callbacks)
    dock.control.xy_step.setValue(33)
    dock.positions.model.add([useq.AbsolutePosition(x=1, y=2, name="kept")])
    microscope.hold("the test")
    begin(dock, qtbot)
    assert list(viewer.mouse_double_click_callbacks) != before
    dock.session.take([(0, column) for column in range(500)])
    path = dock.session.path
    qtbot.waitUntil(lambda: taken(dock) > 0, timeout=WAIT_MS)
    # Tiles wait: the window asks before it closes.
    window, guard = main_window_of(dock), dock.session._guard
    assert window is not None and dock.session._explorer is not None
    assert window.isVisible()
    run = dock.session._explorer.acquisition.run
    answers = [True, False]
    guard._ask = lambda _window: answers.pop()
    assert not guard.may_close() and not run.done
    assert guard.may_close() and run.done and answers == []
    dock.shut_down()
    assert list(viewer.mouse_double_click_callbacks) == before
    assert path is not None
    (image,) = open_dataset(path).images
    assert 0 < int(str(image.metadata["tiles"])) < 500
    qtbot.waitUntil(lambda: not microscope.lock_reason, timeout=WAIT_MS)
    again = ExplorerDock(viewer, microscope)
    qtbot.addWidget(again)
    assert again.control.xy_step.value() == 33
    assert [p.name for p in again.positions.positions] == ["kept"]
    again.shut_down()
    microscope.release("the test")


def test_without_a_stage_or_a_pixel_size(
    make_napari_viewer: Callable[..., napari.Viewer],
    empty_owner: CoreOwner,
    qtbot: QtBot,
) -> None:
    microscope = Microscope(empty_owner)
    dock = ExplorerDock(make_napari_viewer(), microscope)
    qtbot.addWidget(dock)
    qtbot.waitUntil(lambda: dock.driver.facts.why_not != "", timeout=WAIT_MS)
    assert not dock.explore.start_button.isEnabled()
    assert dock.map.layers == []
    microscope.load(None)
    qtbot.waitUntil(lambda: dock.driver.facts.grid is not None, timeout=WAIT_MS)
    assert dock.explore.channels.count() == 4
    core = empty_owner.core
    for name in core.getAvailablePixelSizeConfigs():
        core.deletePixelSizeConfig(name)
    dock.driver.ask()
    qtbot.waitUntil(lambda: dock.driver.facts.grid is None, timeout=WAIT_MS)
    assert "size of a pixel" in dock.planner.summary.text()
    assert not dock.explore.start_button.isEnabled()
    assert not any(layer.visible for layer in dock.map.layers)
    dock.shut_down()
    dock.shut_down()
    microscope.close()
