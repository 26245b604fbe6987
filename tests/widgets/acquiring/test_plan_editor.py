from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import useq

from napari_scope.errors import PlanError
from napari_scope.events import sequence_from_text
from napari_scope.widgets.common.core_events import GuiCore
from napari_scope.widgets.common.icons import serve_shipped_icons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.acquiring.plan_editor import PlanEditor

pytestmark = pytest.mark.gui

PLAN = useq.MDASequence(
    axis_order="tpzc",
    stage_positions=[
        useq.Position(x=1, y=2, z=3, name="a"),
        useq.Position(x=4, y=5, z=6, name="b"),
    ],
    time_plan={"interval": 2, "loops": 3},
    z_plan={"range": 4, "step": 2},
    channels=[{"config": "DAPI", "exposure": 20}, {"config": "FITC", "exposure": 10}],
)


@pytest.fixture
def gui_core(owner: CoreOwner) -> Iterator[GuiCore]:
    made = GuiCore(owner.core)
    yield made
    made.close()


@pytest.fixture
def editor(gui_core: GuiCore, qtbot: QtBot, no_network: None) -> Iterator[PlanEditor]:
    serve_shipped_icons()
    from napari_scope.widgets.acquiring.plan_editor import PlanEditor

    made = PlanEditor(gui_core)
    qtbot.addWidget(made)
    yield made
    made.close_down()


def _events(plan: useq.MDASequence) -> list[tuple[dict[str, int], str | None]]:
    return [(dict(e.index), e.channel.config if e.channel else None) for e in plan]


def test_first_plan_is_one_frame_of_the_first_channel(editor: PlanEditor) -> None:
    plan = editor.value()
    assert [c.config for c in plan.channels] == ["Cy5"]
    assert plan.channels[0].group == "Channel"
    assert len(list(plan)) == 1
    assert editor.stage_positions.table().rowCount() == 0
    assert editor.stage_positions.include_z.isChecked()


def test_a_plan_that_is_shown_is_the_plan_that_is_read(editor: PlanEditor) -> None:
    editor.setValue(PLAN)
    shown = editor.value()
    assert _events(shown) == _events(PLAN)
    assert [(p.x, p.y, p.z) for p in shown.stage_positions] == [(1, 2, 3), (4, 5, 6)]
    assert shown.channels[0].exposure == 20


def test_a_relative_stack_starts_where_the_stage_is(
    editor: PlanEditor, owner: CoreOwner
) -> None:
    owner.core.setZPosition(50)
    owner.core.setXYPosition(7, 8)
    owner.core.waitForSystem()
    editor.setValue(useq.MDASequence(z_plan={"range": 4, "step": 2}, channels=["DAPI"]))
    plan = editor.value()
    assert [e.z_pos for e in plan] == pytest.approx([48, 50, 52], abs=0.1)
    assert [e.x_pos for e in plan] == pytest.approx([7, 7, 7], abs=0.1)


def test_positions_without_z_get_that_of_the_focus_for_a_relative_stack(
    editor: PlanEditor, owner: CoreOwner
) -> None:
    owner.core.setZPosition(20)
    owner.core.waitForSystem()
    editor.setValue(PLAN)
    editor.stage_positions.include_z.setChecked(False)
    z = sorted({round(e.z_pos or 0, 1) for e in editor.value()})
    assert z == pytest.approx([18, 20, 22], abs=0.1)


def test_a_plan_without_space_needs_no_stage(editor: PlanEditor) -> None:
    editor.setValue(
        useq.MDASequence(time_plan={"interval": 0, "loops": 2}, channels=["DAPI"])
    )
    assert not editor.value().stage_positions


def test_a_bad_positions_file_is_reported(
    editor: PlanEditor, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "positions.json"
    path.write_text("{")
    with qtbot.waitSignal(editor.failed) as caught:
        editor.stage_positions.load(path)
    assert caught.args is not None
    assert isinstance(caught.args[0], PlanError)


def test_channels_survive_a_reload_of_the_microscope(
    editor: PlanEditor, owner: CoreOwner, qtbot: QtBot
) -> None:
    editor.setValue(PLAN)
    with qtbot.waitSignal(editor.valueChanged):
        owner.load()
    qtbot.wait(50)
    assert [c.config for c in editor.value().channels] == ["DAPI", "FITC"]


def test_a_plan_without_channels_stays_so_when_a_preset_is_made(
    editor: PlanEditor,
) -> None:
    editor.tab_wdg.setChecked(editor.channels, False)
    editor._fit_to_core()  # as after a preset was defined
    assert not editor.value().channels


def test_channels_of_another_microscope_are_dropped(
    editor: PlanEditor, owner: CoreOwner, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "other.cfg"
    path.write_text(
        "Device,Cam,DemoCamera,DCam\n"
        "Property,Core,Initialize,1\n"
        "Property,Core,Camera,Cam\n"
        "ConfigGroup,Light,Bright,Cam,Binning,1\n"
        "ConfigGroup,Light,Dim,Cam,Binning,2\n"
    )
    editor.setValue(PLAN)
    owner.load(path)
    qtbot.wait(50)
    channels = editor.value().channels
    assert {(c.group, c.config) for c in channels} == {("Light", "Bright")}
    assert editor.af_row.isHidden()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("channels: [{config: NOPE}]", "NOPE"),
        ("channels: [{config: DAPI}, {config: 10x, group: Objective}]", "channels"),
        ("z_plan: {relative: [0, 1, 5]}", "z stack"),
    ],
)
def test_a_plan_that_the_tables_would_change_is_not_shown(
    content: str, words: str, editor: PlanEditor
) -> None:
    editor.setValue(PLAN)
    (reason,) = editor.show_plan(sequence_from_text(content))
    assert words in reason
    assert _events(editor.value()) == _events(PLAN)


def test_a_plan_of_another_group_is_shown(editor: PlanEditor) -> None:
    text = "channels: [{config: HighRes, group: Camera}]"
    assert editor.show_plan(sequence_from_text(text)) == []
    (channel,) = editor.value().channels
    assert (channel.group, channel.config) == ("Camera", "HighRes")
