"""The plan as tables, text and script, as a user edits it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import useq
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_scope.errors import PlanError
from napari_scope.events import Plan, load_plan
from napari_scope.widgets.acquiring import plan_box as module
from napari_scope.widgets.common.icons import serve_shipped_icons
from napari_scope.widgets.common.microscope import Microscope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.acquiring.plan_box import PlanBox

pytestmark = pytest.mark.gui

TEXT = """\
# neurons
channels:
- {config: DAPI, exposure: 12.5}  # the nuclei
- {config: FITC, exposure: 20}
z_plan: {range: 4, step: 1}
"""


@pytest.fixture
def microscope(owner: CoreOwner) -> Iterator[Microscope]:
    made = Microscope(owner)
    made.hold(owner)
    yield made
    made.release(owner)
    made.close()


@pytest.fixture
def new_box(
    microscope: Microscope,
    qtbot: QtBot,
    no_network: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[], PlanBox]]:
    serve_shipped_icons()
    monkeypatch.setattr(module, "notify", lambda *args, **kwargs: None)
    made: list[PlanBox] = []

    def make() -> PlanBox:
        box = module.PlanBox(microscope)
        qtbot.addWidget(box)
        box.show()
        made.append(box)
        return box

    yield make
    for box in made:
        box.close_down()


@pytest.fixture
def box(new_box: Callable[[], PlanBox]) -> PlanBox:
    return new_box()


@pytest.fixture
def no_code_is_left() -> Iterator[None]:
    """Fail where a thread of the box outlives the test; the microscope has its own."""
    yield
    for thread in threading.enumerate():
        if thread.name in ("napari-scope user code", "napari-scope plan text"):
            thread.join(10)
            assert not thread.is_alive(), thread.name


def names(box: PlanBox) -> list[str]:
    plan = box.plan()
    assert isinstance(plan, useq.MDASequence)
    return [c.config for c in plan.channels]


def type_text(box: PlanBox, text: str, qtbot: QtBot) -> None:
    """Type a text and wait until it was read."""
    box.tabs.setCurrentIndex(1)
    box.text.text.setFocus()
    box.text.text.selectAll()
    qtbot.keyClicks(box.text.text, text)
    qtbot.waitUntil(lambda: not box.text.pending)


def test_the_first_plan_is_that_of_the_tables_in_both_views(box: PlanBox) -> None:
    assert names(box) == ["Cy5"]
    assert "config: Cy5" in box.text.plain_text()
    assert box.ready


def test_typing_changes_the_tables_after_a_pause(box: PlanBox, qtbot: QtBot) -> None:
    type_text(box, "channels: [DAPI, FITC] # two", qtbot)
    assert [c.config for c in box.editor.shown().channels] == ["DAPI", "FITC"]
    assert names(box) == ["DAPI", "FITC"]
    assert "# two" in box.text.plain_text()


def test_comments_stay_while_the_text_is_the_master(
    box: PlanBox, qtbot: QtBot, owner: CoreOwner
) -> None:
    box.set_text(TEXT)
    owner.core.setROI(0, 0, 64, 64)  # what the camera does changes no plan
    qtbot.wait(200)
    assert box.text.plain_text() == TEXT
    assert box.plan_text() == TEXT


def test_the_tables_write_the_text_anew(box: PlanBox, qtbot: QtBot) -> None:
    box.set_text(TEXT)
    box.tabs.setCurrentIndex(0)
    box.editor.z_plan.step.setValue(2)
    qtbot.waitUntil(lambda: "step: 2" in box.text.plain_text())
    assert "# neurons" not in box.text.plain_text()
    box.text.text.undo()
    assert "# neurons" in box.text.plain_text()


def test_an_error_keeps_the_text_and_says_where(box: PlanBox, qtbot: QtBot) -> None:
    type_text(box, "z_plan: {range: 4, step: 1, up: 2}", qtbot)
    assert "Line 1" in box.text.status.text() and "up" in box.text.status.text()
    assert box.text.text.extraSelections()
    assert box.text.plain_text() == "z_plan: {range: 4, step: 1, up: 2}"
    with pytest.raises(PlanError, match="up"):
        box.plan()
    assert not box.ready and "up" in box.why_not
    box.tabs.setCurrentIndex(0)
    assert not box.editor.isEnabled()
    box.back_button.click()
    assert box.editor.isEnabled() and names(box) == ["Cy5"]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("channels:\n- DAPI\nb: }", 3, "yaml"),
        ("channels: [DAPI]\nchanels: 1", 2, "did you mean 'channels'"),
        ("a: [", 1, ""),
        ("time_plan: {interval: 1, loops: -2}", 1, "loops"),
        ("channels:\n- {config: DAPI, exposure: -1}", 2, "greater than 0"),
    ],
)
def test_errors_name_the_line(box: PlanBox, text: str, line: int, word: str) -> None:
    box.set_text(text)
    problem = box.text.problem
    assert problem is not None
    assert getattr(problem, "line", None) in (line, line + 1)
    assert word in str(problem)


def test_a_plan_that_is_still_being_typed_is_read_for_a_run(box: PlanBox) -> None:
    box.tabs.setCurrentIndex(1)
    box.text.text.setPlainText("channels: [FITC]")
    assert box.text.pending
    assert names(box) == ["FITC"]


def test_what_tables_cannot_show_stays_in_the_text(box: PlanBox, qtbot: QtBot) -> None:
    box.set_text("z_plan: {relative: [0, 1, 5]}\nchannels: [DAPI]")
    box.tabs.setCurrentIndex(0)
    assert "cannot show" in box.note.text() and "z stack" in box.note.text()
    assert not box.editor.isEnabled()
    plan = box.plan()
    assert isinstance(plan, useq.MDASequence)
    assert isinstance(plan.z_plan, useq.ZRelativePositions)
    assert len(plan.stage_positions) == 1  # where the stage is
    box.back_button.click()
    assert box.editor.isEnabled() and box.note.isHidden()
    assert "relative" not in box.text.plain_text()


def test_metadata_is_carried_and_told(box: PlanBox, qtbot: QtBot) -> None:
    box.set_text("metadata: {sample: a}\nchannels: [DAPI]")
    box.tabs.setCurrentIndex(0)
    assert "metadata" in box.note.text() and box.editor.isEnabled()
    box.editor.tab_wdg.setChecked(box.editor.z_plan, True)
    plan = box.plan()
    assert isinstance(plan, useq.MDASequence) and plan.metadata == {"sample": "a"}


def test_a_plan_for_another_microscope_is_shown_when_that_is_loaded(
    box: PlanBox, owner: CoreOwner, qtbot: QtBot, tmp_path: Path
) -> None:
    box.set_text("channels: [{group: Light, config: Dim}]")
    assert not box.editor.isEnabled()
    path = tmp_path / "other.cfg"
    path.write_text(
        "Device,Cam,DemoCamera,DCam\n"
        "Property,Core,Initialize,1\n"
        "Property,Core,Camera,Cam\n"
        "ConfigGroup,Light,Bright,Cam,Binning,1\n"
        "ConfigGroup,Light,Dim,Cam,Binning,2\n"
    )
    owner.load(path)
    qtbot.waitUntil(lambda: box.editor.isEnabled())
    assert [c.config for c in box.editor.shown().channels] == ["Dim"]


# ---- scripts


def check(box: PlanBox, text: str, qtbot: QtBot) -> None:
    box.tabs.setCurrentIndex(2)
    box.script.set_text(text)
    qtbot.mouseClick(box.script.check_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not box.script.code.busy)


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("[{'axes': {'z': 0}, 'z': 1.5}, {'axes': {'z': 1}, 'z': (2)}]", 2),
        ('[{"axes": {"z": 0}, "keep_shutter_open": true}]', 1),
        (
            "from napari_scope import multi_d_acquisition_events\n"
            "multi_d_acquisition_events(num_time_points=3)",
            3,
        ),
        ("def plan():\n    return [{'axes': {'time': t}} for t in range(4)]", 4),
        ("import useq\nplan = useq.MDASequence(channels=['DAPI'])", 1),
        ("- axes: {z: 0}\n- axes: {z: 1}\n", 2),
    ],
)
def test_scripts_give_plans(box: PlanBox, text: str, frames: int, qtbot: QtBot) -> None:
    check(box, text, qtbot)
    assert Plan.from_any(box.plan()).n_frames == frames
    assert box.ready


def test_a_generator_is_made_anew_for_each_run(box: PlanBox, qtbot: QtBot) -> None:
    check(box, "def plan():\n    yield {'axes': {'time': 0}}\n    1 / 0", qtbot)
    assert "generator" in box.script.status.text()
    for _ in range(2):
        events = Plan.from_any(box.plan()).source
        assert dict(next(iter(events)).index) == {"t": 0}
    rest = iter(Plan.from_any(box.plan()).source)
    next(rest)
    with pytest.raises(PlanError, match="line 3: ZeroDivisionError"):
        next(rest)


def test_an_iterator_that_was_used_is_made_again(box: PlanBox, qtbot: QtBot) -> None:
    check(box, "def plan():\n    return iter([{'axes': {'time': 0}}])", qtbot)
    assert len(list(Plan.from_any(box.plan()).source)) == 1
    with pytest.raises(PlanError, match="run again"):
        box.plan()
    qtbot.waitUntil(lambda: not box.script.code.busy)
    assert len(list(Plan.from_any(box.plan()).source)) == 1


def test_an_error_of_a_script_names_the_line(box: PlanBox, qtbot: QtBot) -> None:
    check(box, "def plan():\n    x = 1\n    return [{'axes': {}, 'exposre': x}]", qtbot)
    assert "exposre" in box.script.status.text()
    check(box, "x = 1\nraise RuntimeError('no light')", qtbot)
    assert "Line 2" in box.script.status.text()
    assert "no light" in box.script.status.text()
    assert box.script.text.extraSelections()
    with pytest.raises(PlanError, match="no light"):
        box.plan()


def test_a_script_that_never_ends_is_given_up(
    box: PlanBox, qtbot: QtBot, no_code_is_left: None
) -> None:
    box.script.code.limit_s = 0.2
    check(box, "while True:\n    pass", qtbot)
    assert "did not end" in box.script.status.text()
    assert not box.ready


def test_a_script_is_not_run_while_it_is_typed(box: PlanBox, qtbot: QtBot) -> None:
    box.tabs.setCurrentIndex(2)
    box.script.text.selectAll()
    qtbot.keyClicks(box.script.text, "1/0")
    qtbot.wait(100)
    assert "not checked" in box.script.status.text().lower()
    with pytest.raises(PlanError, match="not checked"):
        box.plan()
    qtbot.keyClick(
        box.script.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier
    )
    qtbot.waitUntil(lambda: "ZeroDivision" in box.script.status.text())


def test_a_script_file_is_opened_edited_saved_and_watched(
    box: PlanBox, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "neighbour.py").write_text("N = 2")
    path = tmp_path / "mine.py"
    path.write_text("import neighbour\nevents = [{'axes': {'z': 0}}] * neighbour.N")
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *args, **kwargs: (str(path), "")
    )
    box.presets.open_action.trigger()
    qtbot.waitUntil(lambda: box.script.script is not None)
    assert box.source == "script" and "mine.py" in box.script.path_label.text()
    assert "2 events" in box.script.status.text()
    qtbot.waitUntil(lambda: box.script._stamp is not None)
    path.write_text("events = [{'axes': {'z': n}} for n in range(7)]")
    qtbot.waitUntil(lambda: "7 events" in box.script.status.text(), timeout=8000)
    box.script.text.insertPlainText("# mine\n")
    assert box.script.is_edited and "edited" in box.script.path_label.text()
    box.script.save(path)
    qtbot.waitUntil(lambda: not box.script.is_edited)
    assert path.read_text().startswith("# mine")


# ---- hooks

HOOKS = """
ACTIONS = {"bleach": lambda event, core: None}
def post_hardware_hook_fn(event):
    return event
def image_process_fn(image, metadata):
    return image, metadata
"""


def test_hooks_are_chosen_shown_and_removed(
    box: PlanBox, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "hooks.py"
    path.write_text(HOOKS)
    chooser = box.hook_files
    assert box.hooks() is None and box.processor() is None
    chooser.add([path])
    qtbot.waitUntil(lambda: box.ready)
    hooks = box.hooks()
    assert hooks is not None and hooks.pre_hardware is None
    assert hooks.post_hardware is not None
    assert box.processor() is not None and list(box.custom_actions()) == ["bleach"]
    item = chooser.tree.topLevelItem(0)
    assert item is not None
    shown = [item.child(i).text(0) for i in range(item.childCount())]  # type: ignore[union-attr]
    assert "post_hardware_hook_fn" in shown and "action 'bleach'" in shown
    assert box.hooks_fold.button.text() == "Hooks: 1 of 1 file"
    item.setCheckState(0, Qt.CheckState.Unchecked)
    assert box.hooks() is None
    item.setSelected(True)
    box.hooks_fold.button.click()
    chooser.remove_button.click()
    assert chooser.tree.topLevelItemCount() == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n1 / 0", "line 2: ZeroDivisionError"),
        ("x = 1", "no hooks"),
        ("def pre_hardware_hook_fn(event, queue): return event", "event queue"),
        ("def event_generation_hook_fn(event): return event", "Acquisition"),
        ("ACTIONS = 3", "dictionary"),
        ("ACTIONS = {'a': lambda: 1}", "'a' takes 0 arguments"),
    ],
)
def test_wrong_hooks_are_told_and_no_run_goes_without_them(
    box: PlanBox, qtbot: QtBot, tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "hooks.py"
    path.write_text(text)
    box.hook_files.add([path])
    qtbot.waitUntil(lambda: words in box.why_not)
    with pytest.raises(PlanError, match="cannot be used"):
        box.hooks()


def test_hooks_of_an_earlier_session_are_not_run(
    box: PlanBox, new_box: Callable[[], PlanBox], qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "hooks.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'a').close()\n{HOOKS}")
    box.hook_files.add([path])
    qtbot.waitUntil(lambda: box.hooks() is not None if box.ready else False)
    (tmp_path / "ran").unlink()
    other = new_box()
    other.restore(box.state())
    qtbot.wait(100)
    assert not (tmp_path / "ran").exists() and other.hooks() is None
    item: Any = other.hook_files.tree.topLevelItem(0)
    item.setCheckState(0, Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: other.hooks() is not None if other.ready else False)


# ---- presets and files


def test_presets_are_kept_chosen_renamed_and_deleted(
    box: PlanBox, new_box: Callable[[], PlanBox], qtbot: QtBot
) -> None:
    presets = box.presets
    box.set_text(TEXT)
    presets.keep_button.click()
    presets.name_edit.clear()
    qtbot.keyClicks(presets.name_edit, "neurons")
    qtbot.keyClick(presets.name_edit, Qt.Key.Key_Return)
    assert presets.current == "neurons"
    box.set_text("channels: [FITC]")
    other = new_box()
    combo = other.presets.combo
    combo.setCurrentIndex(combo.findData("neurons"))
    combo.activated.emit(combo.currentIndex())
    assert other.text.plain_text() == TEXT  # with its comments
    other.presets.rename_action.trigger()
    other.presets.name_edit.setText("cells")
    other.presets.name_button.click()
    assert other.presets.current == "cells"
    other.presets.delete_action.trigger()
    assert other.presets.current == ""
    recent = [kept.name for kept in other._shelf.recent()]
    assert "cells (deleted)" in recent and "replaced" in recent


def test_runs_are_among_the_earlier_plans(box: PlanBox) -> None:
    box.set_text(TEXT)
    box.note_run("cells_001")
    box.set_text("channels: [FITC]")
    box.presets._fill_recent()
    action = box.presets.recent_menu.actions()[0]
    assert "cells_001" in action.text()
    action.trigger()
    assert box.text.plain_text() == TEXT


@pytest.mark.parametrize("suffix", [".yaml", ".json", ""])
def test_plan_files_go_round(
    box: PlanBox, suffix: str, qtbot: QtBot, tmp_path: Path
) -> None:
    box.set_text(TEXT)
    path = tmp_path / f"plan{suffix}"
    box.save(path)
    saved = path if suffix else path.with_suffix(".yaml")
    qtbot.waitUntil(lambda: saved.exists() and not box._saver.busy)
    plan = load_plan(saved)
    assert isinstance(plan, useq.MDASequence) and len(plan.channels) == 2
    box.set_text("channels: [Cy5]")
    box.open(saved)
    qtbot.waitUntil(lambda: names(box) == ["DAPI", "FITC"])
    assert ("# the nuclei" in box.text.plain_text()) == (suffix != ".json")


def test_a_file_of_events_opens_as_a_script(
    box: PlanBox, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "events.yaml"
    path.write_text("- axes: {z: 0}\n- axes: {z: 1}\n")
    box.open(path)
    qtbot.waitUntil(lambda: "2 events" in box.script.status.text())
    assert box.source == "script"


def test_a_bad_file_is_told(box: PlanBox, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("chanels: [DAPI]")
    with qtbot.waitSignal(box.failed) as caught:
        box.open(path)
    assert caught.args is not None and "chanels" in str(caught.args[0])
    assert names(box) == ["Cy5"]


def test_the_last_plan_is_restored(
    box: PlanBox, new_box: Callable[[], PlanBox], qtbot: QtBot
) -> None:
    box.set_text(TEXT)
    box.script.set_text("raise SystemExit")
    box.tabs.setCurrentIndex(1)
    other = new_box()
    other.restore(box.state())
    assert other.plan_text() == TEXT and other.source == "text"
    assert other.script.text.toPlainText() == "raise SystemExit"
    other.restore({"tab": 3, "text": [], "script": 1, "hooks": {}})
    assert other.plan_text() == TEXT


# ---- places from other docks


def test_places_of_other_docks_arrive(
    box: PlanBox, microscope: Microscope, qtbot: QtBot
) -> None:
    inbox = module.PlanInbox.of(microscope)
    assert module.PlanInbox.of(microscope) is inbox
    told: list[object] = []
    inbox.plan_changed.connect(told.append)
    box.set_text("channels: [DAPI]\nstage_positions: [{x: 1, y: 2, z: 3}]")
    inbox.offer_positions([useq.Position(x=4, y=5, name="b")])
    plan = box.sequence()
    assert [(p.x, p.z is None) for p in plan.stage_positions] == [
        (1, False),
        (4, False),
    ]
    assert told and inbox.planned is not None
    inbox.offer_positions([useq.Position(x=7, y=8)], replace=True)
    assert [p.x for p in box.sequence().stage_positions] == [7]
    corners = [(0, 0), (900, 0), (0, 900)]
    inbox.offer_grid(useq.GridFromPolygon(vertices=corners))
    assert box.editor.isEnabled(), box.note.text()
    assert isinstance(box.sequence().grid_plan, useq.GridFromPolygon)
    inbox.offer_positions([useq.Position(x=7, y=8)])
    assert box.sequence().grid_plan is None
    plate = useq.WellPlatePlan(plate=24, a1_center_xy=(0, 0), selected_wells=([0], [1]))
    inbox.offer_positions(plate)
    assert isinstance(box.sequence().stage_positions, useq.WellPlatePlan)
    inbox.offer_plan(useq.MDASequence(channels=["FITC"]))
    assert names(box) == ["FITC"]


def test_what_is_offered_before_waits(
    microscope: Microscope, new_box: Callable[[], PlanBox]
) -> None:
    inbox = module.PlanInbox.of(microscope)
    inbox.offer_positions([useq.Position(x=4, y=5, z=6)])
    box = new_box()
    assert [p.x for p in box.sequence().stage_positions] == [4]


def test_nothing_is_left_when_it_is_closed(
    new_box: Callable[[], PlanBox], qtbot: QtBot, no_code_is_left: None
) -> None:
    box = new_box()
    box.set_text(TEXT)
    box.text.text.appendPlainText("# more")
    box.script.check()
    box.close_down()
    box.close_down()
    qtbot.wait(20)
