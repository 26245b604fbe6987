from __future__ import annotations

import copy
import json
import re
from typing import Any

import numpy as np
import pytest
import useq
from hypothesis import given, settings
from hypothesis import strategies as st
from useq import MDAEvent, MDASequence

from napari_scope.errors import PlanError
from napari_scope.events import (
    EVENT_KEYS,
    HARDWARE_ONLY,
    AxisNaming,
    AxisTable,
    acquires_image,
    frame_axes,
    from_pycro,
    is_hardware_only,
    to_pycro,
    to_pycro_events,
)

FULL: dict[str, Any] = {
    "axes": {"time": 2, "position": "left", "channel": "DAPI", "angle": 30},
    "config_group": ["Channel", "DAPI"],
    "exposure": 12.5,
    "min_start_time": 3.0,
    "x": 1.0,
    "y": -2.0,
    "z": 3.5,
    "keep_shutter_open": True,
    "camera": "Camera-2",
    "stage_positions": [["Piezo", 12.5], ["Lens", 0.0]],
    "properties": [["Laser", "Power", "5"], ["Wheel", "State", 3]],
    "slm_pattern": [[0, 255], [255, 0]],
    "tags": {"note": "first", "list": [1, {"a": None}]},
}


class TestReading:
    def test_every_key_finds_its_place(self) -> None:
        event = from_pycro(FULL)
        assert dict(event.index) == {"t": 2, "p": 0, "c": 0, "angle": 30}
        assert event.pos_name == "left"
        assert event.channel is not None
        assert (event.channel.group, event.channel.config) == ("Channel", "DAPI")
        assert (event.exposure, event.min_start_time) == (12.5, 3)
        assert (event.x_pos, event.y_pos, event.z_pos) == (1, -2, 3.5)
        assert event.keep_shutter_open is True
        assert event.properties == [
            ("Core", "Camera", "Camera-2"),
            ("Piezo", "Position", 12.5),
            ("Lens", "Position", 0.0),
            ("Laser", "Power", "5"),
            ("Wheel", "State", 3),
        ]
        assert event.slm_image is not None
        assert event.slm_image.data == [[0, 255], [255, 0]]
        assert event.metadata == {"axes": FULL["axes"], **FULL["tags"]}
        assert event.reset_event_timer is False
        assert frame_axes(event) == FULL["axes"]

    def test_the_table_has_no_key_that_is_not_tested(self) -> None:
        others = {"channel", "row", "col", "column"}
        assert FULL.keys() | others == EVENT_KEYS

    def test_nothing_is_shared_and_nothing_changed(self) -> None:
        given = copy.deepcopy(FULL)
        event = from_pycro(given)
        assert given == FULL
        event.metadata["axes"]["time"] = 9
        event.metadata["list"].append(2)
        assert event.slm_image is not None
        event.slm_image.data[0][0] = 7
        assert given == FULL
        back = to_pycro(from_pycro(given))
        again = to_pycro(from_pycro(given))
        back["axes"]["time"], back["tags"]["list"][0] = 9, 9
        back["slm_pattern"][0][0] = back["properties"][0][2] = 9
        assert again == FULL

    def test_a_channel_is_an_axis_of_its_own(self) -> None:
        channel = {"group": "LED", "config": "green"}
        event = from_pycro({"channel": channel})
        assert frame_axes(event) == {"channel": "green"}
        assert acquires_image(event)
        event = from_pycro({"axes": {"z": 1}, "channel": channel})
        assert frame_axes(event) == {"z": 1, "channel": "green"}

    @pytest.mark.parametrize("name", ["c", "channel"])
    def test_a_channel_that_is_an_axis_already_keeps_its_label(self, name: str) -> None:
        channel = {"group": "LED", "config": "green"}
        event = from_pycro({"axes": {name: 3}, "channel": channel})
        assert frame_axes(event) == {"channel": 3}
        assert event.channel is not None
        assert (event.channel.group, event.channel.config) == ("LED", "green")

    def test_a_config_group_is_no_axis(self) -> None:
        event = from_pycro({"axes": {"z": 0}, "config_group": ("LED", "green")})
        assert frame_axes(event) == {"z": 0}

    @pytest.mark.parametrize(
        "event",
        [
            {"exposure": 5},
            {"config_group": ["LED", "green"]},
            {"properties": [["D", "P", "1"]]},
            {"z": 5, "min_start_time": 2},
        ],
    )
    def test_without_axes_and_channel_no_image_is_taken(
        self, event: dict[str, Any]
    ) -> None:
        found = from_pycro(event)
        assert not acquires_image(found)
        assert is_hardware_only(found)
        assert isinstance(found.action, useq.CustomAction)
        assert found.action.name == HARDWARE_ONLY
        assert found.metadata == {}
        assert to_pycro(found) == event

    def test_axes_without_a_name_take_an_image(self) -> None:
        event = from_pycro({"axes": {}})
        assert acquires_image(event)
        assert frame_axes(event) == {}

    @pytest.mark.parametrize("column", ["col", "column"])
    def test_rows_and_columns_are_axes(self, column: str) -> None:
        event = from_pycro({"axes": {"z": 0}, "row": -1, column: 2})
        assert frame_axes(event) == {"z": 0, "row": -1, "column": 2}
        same = from_pycro({"axes": {"column": 2, "row": 0}, "row": 0, column: 2})
        assert frame_axes(same) == {"column": 2, "row": 0}

    def test_numbers_of_numpy_become_plain(self) -> None:
        event = from_pycro(
            {
                "axes": {np.str_("time"): np.int64(3), "channel": np.str_("A")},
                "exposure": np.float32(2.5),
                "x": np.array(4.0),
                "y": np.int16(5),
                "keep_shutter_open": np.bool_(True),
                "stage_positions": np.array([["Z", 1.0]], object),
                "properties": [["D", np.str_("P"), np.int32(4)]],
                "tags": {"a": np.arange(2), "b": np.float64(0.5)},
            }
        )
        back = to_pycro(event)
        assert json.loads(json.dumps(back)) == back
        assert type(back["axes"]["time"]) is int
        assert type(back["properties"][0][2]) is int
        assert back["tags"] == {"a": [0, 1], "b": 0.5}

    def test_a_table_numbers_labels_in_order_of_appearance(self) -> None:
        table = AxisTable()
        names = ["B", "A", "B", "C"]
        found = [from_pycro({"axes": {"position": n}}, table=table) for n in names]
        assert [e.index["p"] for e in found] == [0, 1, 0, 2]
        assert [e.pos_name for e in found] == names
        assert table.labels("p") == {0: "B", 1: "A", 2: "C"}

    def test_the_stage_of_an_xy_property_may_be_a_pair(self) -> None:
        event = from_pycro({"properties": [["XY", "Position", [1, 2.5]]]})
        assert event.properties == [("XY", "Position", (1.0, 2.5))]
        assert to_pycro(event) == {"properties": [["XY", "Position", [1.0, 2.5]]]}

    def test_patterns(self) -> None:
        pattern = np.array([[0, 1], [2, 3]], np.uint8)
        event = from_pycro({"axes": {}, "slm_pattern": pattern})
        assert event.slm_image is not None
        assert event.slm_image.data is not pattern
        np.testing.assert_array_equal(np.asarray(event.slm_image), pattern)
        np.testing.assert_array_equal(to_pycro(event)["slm_pattern"], pattern)
        event = from_pycro({"axes": {}, "slm_pattern": b"\x01\x02"})
        assert event.slm_image is not None
        np.testing.assert_array_equal(np.asarray(event.slm_image), [1, 2])
        event = from_pycro({"axes": {}, "slm_pattern": 7})
        assert event.slm_image is not None
        assert event.slm_image.data == 7


REFUSED: list[tuple[Any, str]] = [
    (5, "expected a dictionary or a useq.MDAEvent, found int"),
    ({}, "empty"),
    ({"axes": {"z": 0}, "exposre": 5}, "unknown key 'exposre'.*mean 'exposure'"),
    ({"axes": {"z": 0}, 5: 5}, "unknown key 5 .*the keys are axes, camera"),
    ({"special": "acquisition-end"}, "mark_finished"),
    ({"channels": []}, "found.*'channel'"),
    ({"axes": 5}, "'axes' must be a dictionary, found 5"),
    ({"axes": None}, "'axes' must be a dictionary, found None"),
    ({"axes": {5: 1}}, "the name of an axis must be a name, found 5"),
    ({"axes": {"": 1}}, "the name of an axis"),
    ({"axes": {"z": 1.5}}, "axis 'z' must be a whole number or a label, found 1.5"),
    ({"axes": {"z": 1.0}}, "found 1.0: write 1"),
    ({"axes": {"z": True}}, "axis 'z' .*found True"),
    ({"axes": {"z": None}}, "axis 'z' .*found None"),
    ({"axes": {"z": ""}}, "axis 'z' .*found ''"),
    ({"axes": {"z": 2**31}}, "axis 'z' .*up to 2147483647"),
    ({"axes": {"t": 0, "time": 1}}, "the axis 'time' is found twice"),
    ({"axes": {"x": 0}}, "pixels of an image.*'row' and 'column'"),
    ({"axes": {"row": 1}, "row": 2}, "'row' must be the same .*found 2 and 1"),
    ({"axes": {}, "col": 1, "column": 2}, "'column' must be the same"),
    ({"row": 1, "x": 5}, "'row' is the place of an image, but none is taken"),
    ({"channel": "DAPI"}, r"'channel' must be \{'group': .*found 'DAPI'"),
    ({"channel": {"group": "A"}}, "found no 'config'"),
    ({"channel": {"group": "A", "config": 5}}, "'config' of 'channel' .*found 5"),
    ({"channel": {"group": "A", "config": "B", "conf": 5}}, "unknown key 'conf'"),
    ({"config_group": "DAPI"}, r"\[group, preset\], found 'DAPI'"),
    ({"config_group": ["A"]}, r"\[group, preset\], found \['A'\]"),
    ({"config_group": ["A", ""]}, "the preset in 'config_group'"),
    (
        {"channel": {"group": "A", "config": "B"}, "config_group": ["A", "C"]},
        "'channel' and 'config_group' must be the same",
    ),
    ({"exposure": "fast"}, "'exposure' must be a number of milliseconds, found 'fast'"),
    ({"exposure": 0}, "'exposure' .*above 0, found 0"),
    ({"exposure": None}, "'exposure' .*found None"),
    ({"x": float("nan")}, "'x' must be a finite number of micrometers, found nan"),
    ({"y": 10**400}, "'y' must be a number of micrometers"),
    ({"z": [1, 2]}, r"'z' .*found \[1, 2\]"),
    ({"z": np.arange(3)}, "'z' .*found array"),
    ({"z": True}, "'z' .*found True"),
    ({"min_start_time": "1 s"}, "'min_start_time' must be a number of seconds"),
    ({"keep_shutter_open": 1}, "'keep_shutter_open' must be True or False, found 1"),
    ({"camera": 5}, "'camera' must be a device, found 5"),
    ({"stage_positions": {"Z": 5}}, r"'stage_positions' .*list of \[device"),
    ({"stage_positions": [["Z"]]}, r"'stage_positions' .*found \['Z'\]"),
    ({"stage_positions": [["Z", "5"]]}, "the place of 'Z' .*found '5'"),
    ({"properties": [["D", "P"]]}, r"'properties' .*found \['D', 'P'\]"),
    ({"properties": "DPV"}, "'properties' .*found 'DPV'"),
    ({"properties": [["D", "P", None]]}, "the value of D-P .*found None"),
    ({"properties": [["D", "P", [1, 2]]]}, "the value of D-P"),
    ({"properties": [["D", "Position", [1]]]}, r"the value of D-Position .*\[x, y\]"),
    ({"properties": [["D", "P", float("inf")]]}, "the value of D-P .*found inf"),
    ({"axes": {}, "slm_pattern": "chess"}, "'slm_pattern' must be .*found 'chess'"),
    ({"axes": {}, "slm_pattern": [[1, 2], [3]]}, "'slm_pattern' .*equal length"),
    ({"axes": {}, "slm_pattern": [[0.5]]}, "'slm_pattern' must be"),
    ({"axes": {}, "slm_pattern": []}, "'slm_pattern' must be"),
    ({"axes": {}, "slm_pattern": np.ones((2, 2))}, "'slm_pattern' must be"),
    ({"axes": {}, "tags": [1]}, "'tags' must be a dictionary"),
    ({"axes": {}, "tags": {5: 1}}, "a key of 'tags' .*found 5"),
    ({"axes": {}, "tags": {"a": object()}}, "'tags' must be text, numbers"),
    ({"axes": {}, "tags": {"axes": 1}}, "the tag 'axes' .*taken"),
    ({"axes": {}, "tags": {"napari_scope": {"a": 1}}}, "unknown key 'a'"),
    ({"axes": {}, "tags": {"napari_scope": {"roi": 5}}}, "roi.*in the tag"),
]


@pytest.mark.parametrize(("event", "reason"), REFUSED)
def test_what_is_wrong_is_refused_with_event_and_key(event: Any, reason: str) -> None:
    with pytest.raises(PlanError) as caught:
        from_pycro(event, number=3)
    text = str(caught.value)
    assert text.startswith("event 3: ")
    assert re.search(reason, text), text
    with pytest.raises(PlanError) as caught:
        from_pycro(event)
    assert str(caught.value) == text.removeprefix("event 3: ")


def test_deep_tags_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(PlanError, match="nested"):
        from_pycro({"axes": {}, "tags": {"a": deep}})


class TestNormalForm:
    @pytest.mark.parametrize(
        ("given", "normal"),
        [
            (
                {"channel": {"group": "A", "config": "B"}},
                {"axes": {"channel": "B"}, "config_group": ["A", "B"]},
            ),
            (
                {"axes": {"z": 1}, "row": 0, "col": 2},
                {"axes": {"z": 1, "row": 0, "column": 2}},
            ),
            ({"axes": {}, "keep_shutter_open": False}, {"axes": {}}),
            ({"axes": {}, "tags": {}}, {"axes": {}}),
            ({"axes": {}, "stage_positions": []}, {"axes": {}}),
            (
                {"properties": [["Core", "Camera", "B"], ["Z", "Position", 1.5]]},
                {"camera": "B", "stage_positions": [["Z", 1.5]]},
            ),
        ],
    )
    def test_of_two_ways_one_is_written(
        self, given: dict[str, Any], normal: dict[str, Any]
    ) -> None:
        assert to_pycro(from_pycro(given)) == normal

    def test_a_whole_number_or_text_is_no_stage(self) -> None:
        event = {"properties": [["W", "Position", 1], ["V", "Position", "1.5"]]}
        assert to_pycro(from_pycro(event)) == event

    def test_names_of_axes_stay_as_they_were_written(self) -> None:
        event = {"axes": {"t": 0, "polarisation": "s", "p": 2}}
        assert to_pycro(from_pycro(event)) == event
        assert list(to_pycro(from_pycro(event))["axes"]) == ["t", "polarisation", "p"]


_text = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=6
)
_um = st.floats(allow_nan=False, allow_infinity=False)
_sample = st.integers(-(2**31) + 1, 2**31 - 1) | _text
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _text,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(_text, part, max_size=3),
    max_leaves=5,
)
_axis_names = st.sampled_from(
    ["time", "position", "channel", "z", "row", "column", "grid", "camera"]
) | st.sampled_from(["angle", "polarisation", "Z", "täglich"])


def _value() -> st.SearchStrategy[Any]:
    return _text | st.booleans() | st.integers(-9, 9) | _um


def normal_events() -> st.SearchStrategy[dict[str, Any]]:
    """Return dictionaries as `to_pycro` writes them."""
    common: dict[str, st.SearchStrategy[Any]] = {
        "config_group": st.tuples(_text, _text).map(list),
        "exposure": st.floats(1e-3, 1e6),
        "min_start_time": st.floats(0, 1e9),
        "x": _um,
        "y": _um,
        "z": _um,
        "keep_shutter_open": st.just(True),
        "camera": _text,
        "stage_positions": st.lists(
            st.tuples(_text, _um).map(list), min_size=1, max_size=3
        ),
        "properties": st.lists(
            # What is a camera or a stage has keys of its own.
            st.tuples(_text.filter(lambda d: d != "Core"), _text, _value())
            .filter(lambda p: p[1] != "Position")
            .map(list),
            min_size=1,
            max_size=3,
        ),
        "slm_pattern": st.integers(0, 255)
        | st.lists(st.lists(st.integers(0, 255), min_size=2, max_size=2), min_size=1),
        "tags": st.dictionaries(
            _text.filter(lambda n: n not in ("axes", "runner_t0", "napari_scope")),
            _json,
            min_size=1,
            max_size=3,
        ),
    }
    axes = st.dictionaries(_axis_names, _sample, max_size=4)
    image = st.fixed_dictionaries({"axes": axes}, optional=common)
    hardware = st.fixed_dictionaries({}, optional=common).filter(bool)
    return image | hardware


@settings(max_examples=300, deadline=None)
@given(normal_events(), st.booleans())
def test_a_dictionary_comes_back(event: dict[str, Any], shared: bool) -> None:
    before = copy.deepcopy(event)
    table = AxisTable() if shared else None
    found = from_pycro(event, table=table)
    assert event == before
    assert acquires_image(found) is ("axes" in event)
    back = to_pycro(found, table=table)
    assert back == event
    assert list(back.get("axes", ())) == list(event.get("axes", ()))
    json.dumps(back)


def useq_events() -> st.SearchStrategy[MDAEvent]:
    number = st.none() | st.floats(-1e6, 1e6)
    properties = st.lists(
        st.tuples(
            st.sampled_from(["Core", "Z", "Wheel"]),
            st.sampled_from(["Camera", "Position", "State"]),
            st.sampled_from(["A", 1, 2.5, True]),
        )
        | st.just(("XY", "Position", (1.0, 2.0))),
        max_size=4,
    )
    action = st.sampled_from(
        [
            useq.AcquireImage(),
            useq.AcquireImage(),
            useq.HardwareAutofocus(autofocus_motor_offset=3, max_retries=1),
            useq.CustomAction(name="pump", data={"ml": 2}),
            useq.CustomAction(name=HARDWARE_ONLY, data={"a": 1}),
            useq.CustomAction(name=HARDWARE_ONLY),
        ]
    )
    return st.builds(
        MDAEvent,
        index=st.dictionaries(
            st.sampled_from(["t", "p", "g", "c", "z", "cam", "angle"]),
            st.integers(0, 9),
        ),
        channel=st.none() | st.fixed_dictionaries({"config": _text, "group": _text}),
        exposure=st.none() | st.floats(0.1, 1e4),
        min_start_time=st.none() | st.floats(0, 1e4),
        pos_name=st.none() | _text,
        x_pos=number,
        y_pos=number,
        z_pos=number,
        slm_image=st.none()
        | st.builds(
            useq.SLMImage,
            data=st.sampled_from([5, [[1, 2]]]),
            device=st.none() | _text,
            exposure=st.none() | st.floats(1, 9),
        ),
        properties=st.none() | properties,
        roi=st.none() | st.just((1, 2, 30, 40)),
        metadata=st.dictionaries(
            _text.filter(lambda n: n != "axes"), _json, max_size=2
        ),
        action=action,
        keep_shutter_open=st.booleans(),
        reset_event_timer=st.booleans(),
    )


@settings(max_examples=300, deadline=None)
@given(useq_events())
def test_an_event_of_useq_comes_back(event: MDAEvent) -> None:
    table = AxisTable()
    back = to_pycro(event, table=table)
    json.dumps(back)
    again = from_pycro(back, table=table)
    axes = again.metadata.pop("axes", {})
    if acquires_image(event):
        assert axes == frame_axes(event)
    assert dict(again.index) == dict(event.index)
    if event.pos_name is None and isinstance(axes.get("position"), str):
        again = again.model_copy(update={"pos_name": None})
    assert again.model_dump(mode="json") == event.model_dump(mode="json")


def test_metadata_with_the_name_of_our_tag_are_refused() -> None:
    event = MDAEvent(metadata={"napari_scope": 1}, reset_event_timer=True)
    with pytest.raises(PlanError, match=r"'napari_scope'.*taken"):
        to_pycro(event)


class TestSequences:
    sequence = MDASequence(
        time_plan={"interval": 2, "loops": 2},
        channels=["DAPI", "FITC"],
        z_plan={"range": 2, "step": 1},
        stage_positions=[
            {"x": 1, "y": 2, "z": 3, "name": "A"},
            {"x": 4, "y": 5, "z": 6, "name": "B"},
        ],
        autofocus_plan={"autofocus_motor_offset": 5, "axes": ("p",)},
    )

    def test_the_dictionaries_give_the_same_run(self) -> None:
        events = list(self.sequence)
        naming, table = AxisNaming(events), AxisTable()
        dictionaries = to_pycro_events(self.sequence)
        assert len(dictionaries) == len(events)
        json.dumps(dictionaries)
        for event, dictionary in zip(events, dictionaries, strict=True):
            again = from_pycro(dictionary, table=table)
            assert again.action == event.action
            assert dict(again.index) == dict(event.index)
            assert (again.channel, again.min_start_time) == (
                event.channel,
                event.min_start_time,
            )
            assert (again.x_pos, again.z_pos) == (event.x_pos, event.z_pos)
            if acquires_image(event):
                assert frame_axes(again) == naming.axes(event)

    def test_images_have_plain_dictionaries(self) -> None:
        images = [e for e in to_pycro_events(self.sequence) if "axes" in e]
        assert images[0] == {
            "axes": {"time": 0, "position": "A", "channel": "DAPI", "z": 0},
            "config_group": ["Channel", "DAPI"],
            "min_start_time": 0.0,
            "x": 1.0,
            "y": 2.0,
            "z": 2.0,
            "tags": images[0]["tags"],
        }

    def test_an_autofocus_is_hardware_only_for_others(self) -> None:
        focus = next(e for e in to_pycro_events(self.sequence) if "axes" not in e)
        assert focus["tags"]["napari_scope"]["action"]["type"] == "hardware_autofocus"

    def test_equal_names_of_a_sequence_are_numbered(self) -> None:
        sequence = MDASequence(stage_positions=[{"x": 0, "name": "A"}] * 2)
        found = to_pycro_events(sequence)
        assert [e["axes"] for e in found] == [{"position": 0}, {"position": 1}]
        assert [from_pycro(e).pos_name for e in found] == ["A", "A"]

    def test_a_table_remembers_the_numbers_of_labels(self) -> None:
        event = MDAEvent(index={"c": 4}, channel="FITC")
        table = AxisTable()
        assert from_pycro(to_pycro(event, table=table), table=table).index["c"] == 4
        other = from_pycro({"axes": {"channel": "DAPI"}}, table=table)
        assert other.index["c"] != 4
