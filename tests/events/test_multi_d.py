from __future__ import annotations

import inspect
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_scope
from napari_scope.errors import PlanError
from napari_scope.events import (
    Plan,
    from_pycro,
    iter_multi_d_acquisition_events,
    multi_d_acquisition_events,
)

_DATA = Path(__file__).parents[3] / "shared" / "data" / "events"


def golden(name: str) -> list[dict[str, Any]]:
    """Return calls and what pycro-manager gives for them."""
    path = _DATA / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"golden events are not in this checkout: {path} is absent")
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def quiet(**kwargs: Any) -> list[dict[str, Any]]:
    """Call without the warnings of what is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return multi_d_acquisition_events(**kwargs)


class TestGolden:
    @pytest.mark.parametrize("name", ["multi_d", "multi_d_keep_shutter_open"])
    def test_events_are_those_of_pycro_manager(self, name: str) -> None:
        cases = golden(name)
        assert len(cases) > 3
        for case in cases:
            found = quiet(**case["kwargs"])
            if "duplicate labels" in case.get("quirk", ""):
                # There the second position takes the z of the first.
                expected = case["events"]
                places = case["kwargs"].get("xyz_positions")
                if places is not None:
                    heights = [e.pop("z") for e in found]
                    assert heights == [z for _, _, z in places]
                    expected = [{k: e[k] for k in e if k != "z"} for e in expected]
                assert found == expected
                continue
            assert found == case["events"], case["kwargs"]
            assert [list(e["axes"]) for e in found] == [
                list(e["axes"]) for e in case["events"]
            ]

    def test_what_raises_there_raises_here_or_works(self) -> None:
        works = {
            "time_interval_s": [1.0, 3.0],
            "keep_shutter_open_between_channels": None,
            "keep_shutter_open_between_z_steps": None,
        }
        for case in golden("multi_d_errors"):
            kwargs = dict(case["kwargs"])
            for name, kind in case.get("kwarg_types", {}).items():
                kwargs[name] = {"tuple": tuple, "ndarray": np.array}[kind](kwargs[name])
                found = multi_d_acquisition_events(**kwargs)
                assert [e["min_start_time"] for e in found] == works[name]
            if case.get("kwarg_types"):
                continue
            if kwargs.keys() <= works.keys():
                assert multi_d_acquisition_events(**kwargs) == [{"axes": {}}]
                continue
            with pytest.raises(ValueError, match=r"."):
                multi_d_acquisition_events(**kwargs)

    def test_every_golden_event_can_be_read(self) -> None:
        for case in golden("multi_d"):
            for event in case["events"]:
                from_pycro(event)


class TestSpecification:
    def test_the_parameters_stand_in_the_documented_order(self) -> None:
        names = [
            "num_time_points",
            "time_interval_s",
            "z_start",
            "z_end",
            "z_step",
            "channel_group",
            "channels",
            "channel_exposures_ms",
            "xy_positions",
            "xyz_positions",
            "order",
            "keep_shutter_open_between_channels",
            "keep_shutter_open_between_z_steps",
            "z_positions",
            "position_labels",
        ]
        for function in (multi_d_acquisition_events, iter_multi_d_acquisition_events):
            assert list(inspect.signature(function).parameters) == names

    def test_it_is_exported_at_the_top(self) -> None:
        assert napari_scope.multi_d_acquisition_events is multi_d_acquisition_events

    def test_xyz_positions_move_the_stack(self) -> None:
        found = multi_d_acquisition_events(
            xyz_positions=[[0, 0, 10], [1, 1, 20.5]], z_start=-1, z_end=1, z_step=1
        )
        assert [e["z"] for e in found] == [9, 10, 11, 19.5, 20.5, 21.5]
        assert [e["axes"]["z"] for e in found] == [0, 1, 2, 0, 1, 2]

    @pytest.mark.parametrize("order", ["tpc", "p", "ptc"])
    def test_xyz_positions_keep_their_z_without_a_z_axis(self, order: str) -> None:
        found = multi_d_acquisition_events(xyz_positions=[[0, 1, 2]], order=order)
        assert found == [{"axes": {"position": 0}, "x": 0, "y": 1, "z": 2}]

    def test_z_positions_give_each_position_its_centre(self) -> None:
        found = multi_d_acquisition_events(
            xy_positions=[[0, 0], [1, 1]], z_positions=[5, 7.5]
        )
        assert [(e["axes"], e["z"]) for e in found] == [
            ({"position": 0, "z": 0}, 5),
            ({"position": 1, "z": 0}, 7.5),
        ]

    def test_centres_with_a_range_are_the_documented_arange(self) -> None:
        z = [5.0, 10.0]
        found = multi_d_acquisition_events(
            xy_positions=[[0, 0], [1, 1]],
            z_positions=z,
            z_start=-1,
            z_end=1,
            z_step=0.5,
        )
        expected = [np.arange(c - 1, c + 1, 0.5) for c in z]
        assert [e["z"] for e in found] == np.concatenate(expected).tolist()

    def test_z_positions_may_name_all_planes(self) -> None:
        planes = [[1, 2, 4], [10, 20, 30]]
        found = multi_d_acquisition_events(
            xy_positions=[[0, 0], [1, 1]], z_positions=np.array(planes)
        )
        assert [e["z"] for e in found] == [1, 2, 4, 10, 20, 30]
        assert [e["axes"]["z"] for e in found] == [0, 1, 2, 0, 1, 2]

    def test_labels_name_positions(self) -> None:
        found = multi_d_acquisition_events(
            xyz_positions=np.array([[0, 0, 5], [1, 1, 7]]),
            position_labels=np.array(["A", "B"]),
        )
        assert [e["axes"]["position"] for e in found] == ["A", "B"]
        assert [e["z"] for e in found] == [5, 7]

    def test_numbers_of_numpy_become_plain(self) -> None:
        found = multi_d_acquisition_events(
            num_time_points=np.int64(2),  # type: ignore[arg-type]
            time_interval_s=np.float64(1.5),
            z_start=np.int32(0),  # type: ignore[arg-type]
            z_end=np.int32(1),  # type: ignore[arg-type]
            z_step=np.float32(1),  # type: ignore[arg-type]
            channel_group="Channel",
            channels=np.array(["A"]),  # type: ignore[arg-type]
            channel_exposures_ms=np.array([5]),  # type: ignore[arg-type]
            xyz_positions=np.array([[0, 1, 2]]),
        )
        assert json.loads(json.dumps(found)) == found
        assert len(found) == 4

    def test_positions_may_come_from_an_iterator(self) -> None:
        places = ([n, 2 * n] for n in range(2))
        found = multi_d_acquisition_events(
            xy_positions=places, position_labels=iter("AB")
        )
        assert [(e["x"], e["axes"]["position"]) for e in found] == [(0, "A"), (1, "B")]

    def test_nothing_is_shared_between_events(self) -> None:
        found = multi_d_acquisition_events(
            num_time_points=2,
            channel_group="G",
            channels=["A"],
            z_start=0,
            z_end=1,
            z_step=1,
        )
        assert len({id(e["axes"]) for e in found}) == len(found)
        assert len({id(e["config_group"]) for e in found}) == len(found)
        found[0]["axes"]["time"] = found[0]["config_group"][0] = "changed"
        assert found[1]["axes"]["time"] == 0
        assert found[1]["config_group"] == ["G", "A"]

    def test_arguments_stay_as_they_were(self) -> None:
        channels, places, steps = ["A", "B"], [[0, 0, 1]], [1, 2]
        multi_d_acquisition_events(
            2, steps, channel_group="G", channels=channels, xyz_positions=places
        )
        assert (channels, places, steps) == (["A", "B"], [[0, 0, 1]], [1, 2])

    def test_the_lazy_form_gives_the_same_and_looks_at_once(self) -> None:
        kwargs: dict[str, Any] = {"num_time_points": 3, "time_interval_s": 2}
        lazy = iter_multi_d_acquisition_events(**kwargs)
        assert next(lazy) == {"axes": {"time": 0}, "min_start_time": 0}
        assert list(lazy) == multi_d_acquisition_events(**kwargs)[1:]
        with pytest.raises(PlanError):
            iter_multi_d_acquisition_events(num_time_points=-1)

    def test_a_million_are_not_held(self) -> None:
        lazy = iter_multi_d_acquisition_events(
            10**9, z_start=0, z_end=10, z_step=1, order="tz"
        )
        assert next(lazy) == {"axes": {"time": 0, "z": 0}, "z": 0}


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"num_time_points": -1}, "num_time_points must be .* found -1"),
        ({"num_time_points": 2.5}, "num_time_points must be .* found 2.5"),
        ({"num_time_points": True}, "num_time_points"),
        ({"num_time_points": 2, "time_interval_s": -1}, "0 or more, found -1"),
        ({"num_time_points": 2, "time_interval_s": [1, -1]}, "0 or more, found -1"),
        ({"num_time_points": 2, "time_interval_s": "1"}, "time_interval_s"),
        ({"num_time_points": 2, "time_interval_s": None}, "time_interval_s"),
        ({"time_interval_s": [1]}, "expected None, found 1"),
        ({"z_start": 0}, "found no z_end and no z_step"),
        ({"z_start": 0, "z_end": 0, "z_step": 0}, "z_step must not be 0"),
        ({"z_start": 0, "z_end": float("inf"), "z_step": 1}, "z_end must be a finite"),
        ({"z_start": 0, "z_end": "1", "z_step": 1}, "z_end must be a number of micro"),
        ({"z_start": 0, "z_end": 1e9, "z_step": 1e-3}, "more than 10000000 planes"),
        ({"channel_group": "G", "channels": "DAPI"}, r"write \['DAPI'\]"),
        ({"channel_group": "G", "channels": [5]}, "each of channels .* found 5"),
        ({"channel_group": 5, "channels": ["A"]}, "channel_group"),
        (
            {"channel_group": "G", "channels": ["A"], "channel_exposures_ms": [1, 2]},
            "channel_exposures_ms .* expected 1, found 2",
        ),
        (
            {"channel_group": "G", "channels": ["A"], "channel_exposures_ms": 5},
            "channel_exposures_ms must be a list",
        ),
        ({"xy_positions": [[1, 2, 3]]}, r"xy_positions must have 2 .* \(1, 3\)"),
        ({"xyz_positions": [[1, 2]]}, r"xyz_positions must have 3 .* \(1, 2\)"),
        ({"xy_positions": [1, 2]}, r"xy_positions must have 2 .* \(2,\)"),
        ({"xy_positions": [[1, 2], [3]]}, "xy_positions must be an array"),
        ({"xy_positions": [["a", "b"]]}, "xy_positions must be finite numbers"),
        ({"xy_positions": [[1, float("nan")]]}, "xy_positions must be finite"),
        ({"z_positions": [1]}, "xy_positions, which are missing"),
        ({"xyz_positions": [[1, 2, 3]], "z_positions": [1]}, "incompatible"),
        ({"xy_positions": [[1, 2]], "z_positions": [1, 2]}, r"found the shape \(2,\)"),
        ({"xy_positions": [[1, 2]], "z_positions": 5}, r"found the shape \(\)"),
        (
            {
                "xy_positions": [[1, 2]],
                "z_positions": [[1, 2]],
                "z_start": 0,
                "z_end": 1,
                "z_step": 1,
            },
            "all planes of each position",
        ),
        (
            {"xy_positions": [[1, 2]], "z_positions": [[1, 2]], "order": "tp"},
            "order 'tp' has no 'z'",
        ),
        ({"xyz_positions": [[1, 2, 3]], "order": "tz"}, "order 'tz' has no 'p'"),
        ({"xy_positions": [[1, 2]], "position_labels": "A"}, "position_labels must"),
        (
            {"xy_positions": [[1, 2]], "position_labels": [1.5]},
            "each of position_labels",
        ),
        ({"order": "ttz"}, "order 'ttz' has a letter twice"),
        ({"order": "ZP"}, "z before p"),
        ({"order": 5}, "order must be a text"),
    ],
)
def test_nonsense_is_refused(kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises(PlanError) as caught:
        quiet(**kwargs)
    assert re.search(text, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("kwargs", "text", "expected"),
    [
        ({"channels": ["A"]}, "channels is left out", [{"axes": {}}]),
        ({"channel_group": "G"}, "channel_group is left out", [{"axes": {}}]),
        ({"channel_exposures_ms": [1]}, "channel_exposures_ms is left", [{"axes": {}}]),
        ({"position_labels": ["A"]}, "position_labels is left out", [{"axes": {}}]),
        ({"num_time_points": 2, "order": "z"}, "time points are left", [{"axes": {}}]),
        (
            {"xy_positions": [[1, 2]], "order": "z"},
            "positions are left",
            [{"axes": {}}],
        ),
        ({"order": "tq"}, "'q' of the order 'tq' is no axis", [{"axes": {}}]),
        ({"z_start": 1, "z_end": 0, "z_step": 1}, "there is no plane", []),
    ],
)
def test_what_is_left_out_is_told(
    kwargs: dict[str, Any], text: str, expected: list[Any]
) -> None:
    with pytest.warns(UserWarning, match=text) as caught:
        assert multi_d_acquisition_events(**kwargs) == expected
    assert Path(caught[0].filename).name == Path(__file__).name


@settings(max_examples=100, deadline=None)
@given(
    st.none() | st.integers(1, 3),
    st.none() | st.integers(1, 3),
    st.none() | st.integers(1, 3),
    st.none() | st.integers(1, 3),
    st.permutations("tpcz").filter(lambda o: o.index("p") < o.index("z")),
)
def test_every_combination_comes_once_and_in_order(
    times: int | None,
    places: int | None,
    channels: int | None,
    planes: int | None,
    order: list[str],
) -> None:
    found = multi_d_acquisition_events(
        num_time_points=times,
        xy_positions=[[n, n] for n in range(places)] if places else None,
        channel_group="G" if channels else None,
        channels=list("ABC"[:channels]) if channels else None,
        z_start=0 if planes else None,
        z_end=planes - 1 if planes else None,
        z_step=1 if planes else None,
        order="".join(order),
    )
    sizes = {"t": times, "p": places, "c": channels, "z": planes}
    names = {"t": "time", "p": "position", "c": "channel", "z": "z"}
    used = [letter for letter in order if sizes[letter]]
    count = int(np.prod([sizes[letter] or 1 for letter in order]))
    assert len(found) == count
    keys = []
    for event in found:
        assert list(event["axes"]) == [names[letter] for letter in used]
        keys.append(tuple(event["axes"].values()))
    assert keys == sorted(keys)
    assert len({*keys}) == count
    plan = Plan.from_any(found)
    assert plan.n_frames == count
