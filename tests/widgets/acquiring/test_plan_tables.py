"""What the tables show is what was given to them, or they say what they cannot show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import useq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qtpy.QtCore import Qt

from napari_scope.events.plan_compare import plan_differences
from napari_scope.events.plan_text import sequence_from_text, sequence_text
from napari_scope.widgets.common.core_events import GuiCore
from napari_scope.widgets.common.icons import serve_shipped_icons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.acquiring.plan_editor import PlanEditor

pytestmark = pytest.mark.gui

NUMBER = st.integers(-40_000, 40_000).map(lambda n: n / 8)
SIZE = st.integers(1, 4000).map(lambda n: n / 8)
WIDE = st.integers(800, 4000).map(lambda n: n / 8)
NAME = st.text("abcäµ_ 12", max_size=6).map(str.strip)
PRESETS = ("Cy5", "DAPI", "FITC", "Rhodamine")
FIELD = st.one_of(
    st.just({}), st.builds(lambda w, h: {"fov_width": w, "fov_height": h}, WIDE, WIDE)
)


def _merged(*parts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


OVERLAP = st.fixed_dictionaries(
    {
        "overlap": st.tuples(st.integers(-50, 90), st.integers(-50, 90)),
        "mode": st.sampled_from(
            ["row_wise", "column_wise", "row_wise_snake", "column_wise_snake", "spiral"]
        ),
    }
)
CENTRE = st.fixed_dictionaries({"relative_to": st.sampled_from(["center", "top_left"])})
ROWS = st.builds(
    lambda *p: useq.GridRowsColumns(**_merged(*p)),
    st.fixed_dictionaries({"rows": st.integers(1, 4), "columns": st.integers(1, 4)}),
    OVERLAP,
    CENTRE,
    FIELD,
)
AREA = st.builds(
    lambda *p: useq.GridWidthHeight(**_merged(*p)),
    st.fixed_dictionaries({"width": SIZE, "height": SIZE}),
    OVERLAP,
    CENTRE,
    FIELD,
)
EDGES = st.builds(
    lambda *p: useq.GridFromEdges(**_merged(*p)),
    st.fixed_dictionaries(
        {"left": NUMBER, "right": NUMBER, "top": NUMBER, "bottom": NUMBER}
    ),
    OVERLAP,
    FIELD,
)
POLYGON = st.builds(
    lambda x, y, size, offset, hull, *p: useq.GridFromPolygon(
        vertices=[(x, y), (x + size, y), (x, y + size)],
        offset=offset,
        convex_hull=hull,
        **_merged(*p),
    ),
    NUMBER,
    NUMBER,
    SIZE,
    st.none() | SIZE,
    st.booleans(),
    OVERLAP,
    FIELD,
)
RANDOM = st.builds(
    lambda field, **facts: useq.RandomPoints(**facts, **field),
    field=FIELD,
    num_points=st.integers(1, 9),
    max_width=SIZE,
    max_height=SIZE,
    shape=st.sampled_from(["ellipse", "rectangle"]),
    random_seed=st.none() | st.integers(0, 2**31 - 1),
    allow_overlap=st.booleans(),
    order=st.sampled_from(["two_opt", "nearest_neighbor", None]),
)
RELATIVE_GRID = st.one_of(ROWS, AREA, RANDOM)
UP = st.booleans()
STEP = st.integers(1, 40).map(lambda n: n / 8)
RELATIVE_Z = st.one_of(
    st.builds(useq.ZRangeAround, range=SIZE, step=STEP, go_up=UP),
    st.builds(useq.ZAboveBelow, above=SIZE, below=SIZE, step=STEP, go_up=UP),
)
Z = RELATIVE_Z | st.builds(useq.ZTopBottom, top=SIZE, bottom=SIZE, step=STEP, go_up=UP)
LOOPS = st.builds(
    lambda s, n: useq.TIntervalLoops(interval=s, loops=n),
    st.integers(0, 400).map(lambda n: n / 4),
    st.integers(1, 99),
)
DURATION = st.builds(
    lambda s, n: useq.TIntervalDuration(interval=s, duration=s * n),
    st.integers(1, 50),
    st.integers(1, 50),
)
TIMES = st.one_of(
    LOOPS,
    DURATION,
    st.lists(LOOPS, min_size=2, max_size=3).map(
        lambda phases: useq.MultiPhaseTimePlan(phases=phases)
    ),
)
CHANNELS = st.lists(st.sampled_from(PRESETS), unique=True, max_size=3).flatmap(
    lambda names: st.tuples(
        *(
            st.builds(
                useq.Channel,
                config=st.just(name),
                exposure=st.none() | SIZE,
                do_stack=st.booleans(),
                acquire_every=st.just(1),
                z_offset=NUMBER,
            )
            for name in names
        )
    )
)
OWN_PLAN = st.builds(
    lambda grid, z: useq.MDASequence(grid_plan=grid, z_plan=z),
    st.none() | RELATIVE_GRID,
    st.none() | RELATIVE_Z,
)


def _places(with_z: bool, own: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    place = st.builds(
        lambda x, y, z, name, sequence: useq.Position(
            x=x, y=y, z=z if with_z else None, name=name or None, sequence=sequence
        ),
        NUMBER,
        NUMBER,
        NUMBER,
        NAME,
        own,
    )
    return st.lists(place, max_size=3).map(tuple)


PLACES = st.booleans().flatmap(lambda z: _places(z, st.none() | OWN_PLAN))
PLATES = st.builds(
    lambda rows, points: useq.WellPlatePlan(
        plate="24-well",
        a1_center_xy=(10, -20),
        selected_wells=(rows, [0] * len(rows)),
        well_points_plan=points,
    ),
    st.lists(st.integers(0, 3), unique=True, min_size=1),
    st.one_of(st.just(useq.RelativePosition()), ROWS),
)
SHUTTER = st.sampled_from([(), ("z",), ("t",), ("z", "t")])
ORDERS = st.sampled_from(["tpgcz", "tpgzc", "ptgcz", "ptgzc", "pgtzc", "tpcgz"])


@st.composite
def showable(draw: Any) -> useq.MDASequence:
    """Draw a plan of which the tables have to show everything."""
    grid = draw(st.one_of(st.none(), RELATIVE_GRID, EDGES, POLYGON))
    absolute = grid is not None and not grid.is_relative
    places: Any = () if absolute else draw(PLACES | PLATES)
    z = draw(st.none() | Z)
    focus = None
    if not isinstance(z, useq.ZTopBottom) and not any(
        getattr(p, "sequence", None) for p in places
    ):
        focus = draw(
            st.none()
            | st.builds(
                useq.AxesBasedAF,
                axes=st.sampled_from([("p",), ("t",), ("p", "t"), ("p", "t", "g")]),
                autofocus_motor_offset=st.none() | NUMBER,
            )
        )
    if isinstance(places, useq.WellPlatePlan) and grid is not None:
        grid = None  # a plate has its own points
    return useq.MDASequence(
        axis_order=draw(ORDERS),
        stage_positions=places,
        grid_plan=grid,
        z_plan=z,
        time_plan=draw(st.none() | TIMES),
        channels=draw(CHANNELS),
        keep_shutter_open_across=draw(SHUTTER),
        autofocus_plan=focus,
        metadata=draw(st.sampled_from([{}, {"sample": "µ", "n": [1, 2]}])),
    )


ODD_PARTS: list[dict[str, Any]] = [
    {"z_plan": useq.ZRelativePositions(relative=[0, 1, 5])},
    {"z_plan": useq.ZAbsolutePositions(absolute=[0, 1, 5])},
    {"z_plan": useq.ZRangeAround(range=1, step=0.00004)},
    {"channels": [useq.Channel(config="NOPE")]},
    {"channels": [useq.Channel(config="10X", group="Objective")]},
    {
        "channels": [
            useq.Channel(config="DAPI"),
            useq.Channel(config="HighRes", group="Camera"),
        ]
    },
    {"channels": [useq.Channel(config="DAPI", camera="Other")]},
    {
        "stage_positions": [
            useq.Position(x=1, y=2, z=3),
            useq.Position(x=1, y=2),
        ]
    },
    {"stage_positions": [useq.Position(z=3)]},
    {"stage_positions": [useq.Position(x=1, y=2, properties=[("A", "B", 1)])]},
    {"stage_positions": [useq.Position(x=1, y=2, grid_row=3)]},
    {"time_plan": useq.TDurationLoops(duration=10, loops=4)},
    {
        "time_plan": [
            useq.TIntervalLoops(interval=1, loops=2),
            useq.TIntervalDuration(interval=1, duration=9),
        ]
    },
    {"grid_plan": useq.RelativePosition(x=3)},
    {"autofocus_plan": useq.AxesBasedAF(axes=("c",))},
    {"keep_shutter_open_across": ("c",)},
    {"axis_order": "cgztp"},
]


@pytest.fixture
def editor(
    owner: CoreOwner, qtbot: QtBot, no_network: None, recwarn: object
) -> Iterator[PlanEditor]:
    serve_shipped_icons()
    from napari_scope.widgets.acquiring.plan_editor import PlanEditor

    core = GuiCore(owner.core)
    made = PlanEditor(core)
    qtbot.addWidget(made)
    yield made
    made.close_down()
    core.close()


SHARED = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@SHARED
@given(plan=showable())
def test_tables_show_all_of_a_plan(editor: PlanEditor, plan: useq.MDASequence) -> None:
    assert editor.show_plan(plan) == []
    shown = editor.shown()
    assert plan_differences(plan, shown) == []
    # Once more: what was read is shown as it is.
    assert editor.show_plan(shown) == []
    assert plan_differences(shown, editor.shown()) == []
    grid = shown.grid_plan
    assert not isinstance(grid, useq.RandomPoints) or grid.random_seed is not None


@SHARED
@given(plan=showable())
def test_text_says_all_of_a_plan(plan: useq.MDASequence) -> None:
    again = sequence_from_text(sequence_text(plan) or "{}")
    assert plan_differences(plan, again) == []
    assert plan_differences(again, plan) == []
    as_json = sequence_text(plan, as_json=True)
    assert plan_differences(plan, sequence_from_text(as_json, is_json=True)) == []


@SHARED
@given(plan=showable(), odd=st.sampled_from(ODD_PARTS))
def test_what_tables_cannot_show_is_told_and_changes_nothing(
    editor: PlanEditor, plan: useq.MDASequence, odd: dict[str, Any]
) -> None:
    before = useq.MDASequence(channels=["DAPI"], time_plan={"interval": 1, "loops": 3})
    assert editor.show_plan(before) == []
    try:
        whole = plan.replace(**odd)
    except ValueError:
        return  # useq itself refuses this
    reasons = editor.show_plan(whole)
    if reasons:
        assert plan_differences(before, editor.shown()) == []
    else:
        assert plan_differences(whole, editor.shown()) == []


@pytest.mark.parametrize("odd", ODD_PARTS, ids=lambda part: str(next(iter(part))))
def test_each_odd_part_survives_as_text(odd: dict[str, Any]) -> None:
    plan = useq.MDASequence(**{"channels": ["DAPI"], **odd})
    assert plan_differences(plan, sequence_from_text(sequence_text(plan))) == []


# ---- by hand


def test_a_stack_keeps_its_direction(editor: PlanEditor) -> None:
    plan = useq.MDASequence(z_plan={"range": 4, "step": 1, "go_up": False})
    assert editor.show_plan(plan) == []
    z = editor.shown().z_plan
    assert z is not None and z.go_up is False


def test_include_z_survives_a_reload(editor: PlanEditor) -> None:
    plan = useq.MDASequence(stage_positions=[useq.Position(x=1, y=2, z=3)])
    editor.setValue(plan)
    editor.stage_positions.include_z.click()
    without = editor.shown()
    assert without.stage_positions[0].z is None
    editor.setValue(plan)
    assert editor.stage_positions.include_z.isChecked()
    editor.setValue(without)
    assert not editor.stage_positions.include_z.isChecked()
    table = editor.stage_positions.table()
    assert table.isColumnHidden(table.indexOf(editor.stage_positions.Z))


def test_coordinates_of_positions_can_be_read(editor: PlanEditor, qtbot: QtBot) -> None:
    editor.resize(900, 500)  # a dock is wide at first, then it shrinks
    editor.show()
    editor.tab_wdg.setCurrentWidget(editor.stage_positions)
    qtbot.wait(1)
    editor.stage_positions.setValue([useq.AbsolutePosition(x=-12540.5, y=2, z=3)])
    editor.resize(editor.minimumSizeHint())
    table = editor.stage_positions.table()
    x = table.indexOf(editor.stage_positions.X)
    needed = table.fontMetrics().horizontalAdvance("-12540.5")
    qtbot.waitUntil(lambda: table.columnWidth(x) >= needed)


def test_a_list_replaces_a_plate(editor: PlanEditor) -> None:
    plate = useq.WellPlatePlan(plate=24, a1_center_xy=(0, 0), selected_wells=([0], [1]))
    editor.setValue(useq.MDASequence(stage_positions=plate))
    assert isinstance(editor.value().stage_positions, useq.WellPlatePlan)
    editor.setValue(useq.MDASequence(stage_positions=[useq.Position(x=1, y=2)]))
    assert [p.x for p in editor.value().stage_positions] == [1]


def test_a_plate_becomes_a_list_by_its_button(editor: PlanEditor) -> None:
    plate = useq.WellPlatePlan(plate=24, a1_center_xy=(0, 0), selected_wells=([0], [1]))
    editor.setValue(useq.MDASequence(stage_positions=plate))
    table = editor.stage_positions
    assert not table.act_add_row.isEnabled()
    table._edit_hcs_pos.click()
    places = editor.value().stage_positions
    assert isinstance(places, tuple) and [(p.name, p.z) for p in places] == [
        ("A2", None)
    ]
    assert table.act_add_row.isEnabled()


def test_a_camera_that_changes_leaves_own_plans_alone(
    editor: PlanEditor, owner: CoreOwner, qtbot: QtBot
) -> None:
    own = useq.MDASequence(z_plan={"range": 2, "step": 1}, grid_plan={"rows": 2})
    own = own.replace(grid_plan={"rows": 2, "columns": 2}, z_plan=own.z_plan)
    plan = useq.MDASequence(stage_positions=[useq.Position(x=1, y=2, sequence=own)])
    assert editor.show_plan(plan) == []
    owner.core.setROI(0, 0, 64, 64)
    qtbot.wait(50)
    assert plan_differences(plan, editor.shown()) == []


def test_fields_of_a_grid_follow_the_camera(
    editor: PlanEditor, owner: CoreOwner, qtbot: QtBot
) -> None:
    core = owner.core
    editor.setValue(useq.MDASequence(grid_plan={"rows": 2, "columns": 2}))
    assert editor.shown().grid_plan.fov_width is None
    assert editor.sized().grid_plan.fov_width == 512 * core.getPixelSizeUm()
    core.setROI(0, 0, 64, 32)
    pixel = core.getPixelSizeUm()
    qtbot.waitUntil(lambda: editor.sized().grid_plan.fov_width == 64 * pixel)
    assert editor.sized().grid_plan.fov_height == 32 * pixel
    core.clearROI()
    core.setProperty("Camera", "Binning", "2")
    binned = core.getImageWidth() * core.getPixelSizeUm()
    qtbot.waitUntil(lambda: editor.sized().grid_plan.fov_width == binned)
    core.setConfig("Objective", "40X")
    seen = core.getImageWidth() * core.getPixelSizeUm()
    assert seen != binned
    qtbot.waitUntil(lambda: editor.sized().grid_plan.fov_width == seen)


def test_a_field_that_the_plan_states_stays_until_the_camera_is_followed(
    editor: PlanEditor, owner: CoreOwner, qtbot: QtBot
) -> None:
    grid = useq.GridRowsColumns(rows=2, columns=2, fov_width=10, fov_height=20)
    editor.setValue(useq.MDASequence(grid_plan=grid))
    owner.core.setROI(0, 0, 64, 32)
    qtbot.wait(50)
    assert editor.sized().grid_plan.fov_width == 10
    assert "as the plan states" in editor.grid_plan.note.text()
    editor.grid_plan.follow_button.click()
    assert editor.sized().grid_plan.fov_width == 64 * owner.core.getPixelSizeUm()
    assert editor.shown().grid_plan.fov_width is None


def test_a_broken_polygon_is_no_plan(editor: PlanEditor) -> None:
    from napari_scope.errors import PlanError

    grid = useq.GridFromPolygon(vertices=[(0, 0), (100, 0), (0, 100)])
    editor.setValue(useq.MDASequence(grid_plan=grid))
    page = editor.grid_plan.polygon
    page.text.setPlainText("0, 0\n100, 0")
    with pytest.raises(PlanError, match="three corners"):
        editor.shown()
    page.text.appendPlainText("0; x")
    with pytest.raises(PlanError):
        editor.value()
    page.text.setPlainText("0, 0\n100 0\n50; 80")
    assert editor.shown().grid_plan.vertices == [(0, 0), (100, 0), (50, 80)]


def test_edges_are_taken_from_the_stage(
    editor: PlanEditor, owner: CoreOwner, qtbot: QtBot
) -> None:
    owner.core.setXYPosition(30, 40)
    owner.core.waitForSystem()
    editor.tab_wdg.setChecked(editor.grid_plan, True)
    bounds = editor.grid_plan.bounds
    for button in bounds.take_buttons.values():
        button.click()
    assert bounds.facts()["left"] == pytest.approx(30, abs=0.1)
    assert bounds.facts()["bottom"] == pytest.approx(40, abs=0.1)


def test_another_seed_is_another_place(editor: PlanEditor) -> None:
    grid = useq.RandomPoints(num_points=3, max_width=100, max_height=100)
    editor.setValue(useq.MDASequence(grid_plan=grid))
    first = list(editor.shown().grid_plan)
    assert list(editor.shown().grid_plan) == first
    editor.grid_plan.random.seed_button.click()
    assert list(editor.shown().grid_plan) != first


def test_autofocus_offsets_stay_with_their_positions(editor: PlanEditor) -> None:
    focus = useq.AxesBasedAF(axes=("p",), autofocus_motor_offset=7)
    own = useq.MDASequence(autofocus_plan=focus)
    places = [useq.Position(x=x, y=0, z=1, sequence=own) for x in (1, 2)]
    plan = useq.MDASequence(stage_positions=places)
    assert editor.show_plan(plan) == []
    assert editor.stage_positions.af_per_position.isChecked()
    shown = editor.shown()
    assert shown.autofocus_plan is None
    assert plan_differences(plan, shown) == []


def test_no_box_asks_while_a_plan_with_absolute_z_is_shown(editor: PlanEditor) -> None:
    editor.af_axis.use_af_p.setChecked(True)
    plan = useq.MDASequence(z_plan={"top": 4, "bottom": 1, "step": 1})
    assert editor.show_plan(plan) == []
    assert editor.shown().autofocus_plan is None
    assert not editor.af_axis.isEnabled()
    editor.show_plan(useq.MDASequence(z_plan={"range": 4, "step": 1}))
    assert editor.af_axis.isEnabled()


def test_an_exposure_that_is_not_given_is_left_alone(editor: PlanEditor) -> None:
    assert editor.show_plan(useq.MDASequence(channels=["DAPI"])) == []
    (channel,) = editor.shown().channels
    assert channel.exposure is None
    table = editor.channels.table()
    box: Any = table.cellWidget(0, table.indexOf(editor.channels.EXPOSURE))
    assert box.text() == "as it is"
    box.setValue(0.125)
    (channel,) = editor.shown().channels
    assert channel.exposure == 0.125


def test_a_step_is_suggested_where_the_objective_tells_its_aperture(
    editor: PlanEditor, owner: CoreOwner, qtbot: QtBot
) -> None:
    core = owner.core
    assert editor.z_plan.suggestedStep() is None
    core.defineStateLabel("Objective", 0, "Nikon 60X/1.40 Oil")
    core.setState("Objective", 0)
    qtbot.waitUntil(lambda: editor.z_plan.suggestedStep() == 0.27)
    assert not editor.z_plan._use_suggested_btn.isHidden()
    editor.tab_wdg.setChecked(editor.z_plan, True)
    editor.z_plan._use_suggested_btn.click()
    assert editor.z_plan.step.value() == pytest.approx(0.27)


def test_a_positions_own_plan_is_edited_in_a_dialog(
    editor: PlanEditor, qtbot: QtBot
) -> None:
    own = useq.MDASequence(metadata={"kept": 1}, z_plan={"range": 2, "step": 1})
    plan = useq.MDASequence(stage_positions=[useq.Position(x=1, y=2, sequence=own)])
    assert editor.show_plan(plan) == []
    table = editor.stage_positions.table()
    button: Any = table.cellWidget(0, table.indexOf(editor.stage_positions.SEQ))
    button.seq_btn.click()
    dialog = button._dialog
    assert dialog.isVisible()
    tabs = dialog.tabs
    assert type(tabs) is type(editor.tab_wdg) and tabs.core is editor.tab_wdg.core
    assert tabs.isChecked(tabs.z_plan) and not tabs.isChecked(tabs.grid_plan)
    tabs.setChecked(tabs.grid_plan, True)
    tabs.grid_plan.fields.rows.setValue(3)
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    dialog.accept()
    made = editor.shown().stage_positions[0].sequence
    assert made is not None and made.metadata == {"kept": 1}
    assert made.grid_plan.rows == 3 and made.grid_plan.fov_width is None
    assert made.z_plan == own.z_plan


def test_an_own_plan_that_cannot_be_shown_is_not_opened(
    editor: PlanEditor, qtbot: QtBot
) -> None:
    own = useq.MDASequence(z_plan={"relative": [0, 1, 5]})
    plan = useq.MDASequence(stage_positions=[useq.Position(x=1, y=2, sequence=own)])
    assert editor.show_plan(plan) == []  # the button keeps it
    table = editor.stage_positions.table()
    button: Any = table.cellWidget(0, table.indexOf(editor.stage_positions.SEQ))
    with qtbot.waitSignal(editor.failed) as caught:
        button.seq_btn.click()
    assert caught.args is not None and "own plan" in str(caught.args[0])
    assert plan_differences(plan, editor.shown()) == []


def test_the_plate_wizard_uses_this_core_and_gives_a_plate(
    editor: PlanEditor, qtbot: QtBot, tmp_path: Path
) -> None:
    positions = editor.stage_positions
    editor.show()
    editor.tab_wdg.setChecked(positions, True)
    positions._hcs_button.click()
    wizard = positions._hcs
    assert wizard.isVisible()
    assert wizard._mmc is editor.tab_wdg.core
    plate = useq.WellPlatePlan(
        plate="24-well",
        a1_center_xy=(10, 20),
        selected_wells=([0, 1], [1, 1]),
        well_points_plan=useq.RandomPoints(num_points=2, max_width=9, max_height=9),
    )
    wizard.show_plate(plate)
    assert plate.well_points_plan.fov_width is None  # the wizard got a copy
    path = tmp_path / "plate.json"
    wizard.save(str(path))
    assert path.exists()
    with qtbot.waitSignal(positions.failed):
        wizard.load(str(tmp_path / "none.json"))
    wizard.accept()
    made = editor.shown().stage_positions
    assert isinstance(made, useq.WellPlatePlan)
    assert made.well_points_plan.random_seed is not None
    assert [p.name for p in made] == ["A2_0000", "A2_0001", "B2_0000", "B2_0001"]


def test_private_parts_of_pymmcore_widgets_are_there(editor: PlanEditor) -> None:
    from pymmcore_widgets.useq_widgets import _column_info, _mda_sequence, _positions

    assert hasattr(_column_info, "TableDoubleSpinBox")
    assert hasattr(_positions, "SubSeqColumn") and hasattr(_positions, "MDAButton")
    assert hasattr(_mda_sequence, "MDATabs")
    positions = editor.stage_positions
    for name in (
        "_hcs_button",
        "_edit_hcs_pos",
        "_xy_btn_col",
        "_z_btn_col",
        "_btn_row",
        "_plate_plan",
        "_hcs_wizard",
        "_rename_hcs_position_button",
        "_set_position_table_editable",
        "_disconnect",
    ):
        assert hasattr(positions, name), name
    for name in ("_group_combo", "_config_column", "_update_channel_groups"):
        assert hasattr(editor.channels, name), name
    for name in ("_duration_label", "_time_warning", "_enable_af", "_update_af_axes"):
        assert hasattr(editor, name), name
    for name in ("_btn_top_bot", "_btn_range", "_button_above_below"):
        assert hasattr(editor.z_plan, name), name
    assert editor._duration_label.isHidden()
