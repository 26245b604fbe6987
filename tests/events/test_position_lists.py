"""Lists of positions in files: ours, Micro-Manager's, tables; wild and damaged ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import useq
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.errors import PlanError
from napari_scope.events.position_lists import load_positions, save_positions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

numbers = st.floats(-1e7, 1e7, allow_nan=False).map(lambda v: v + 0.0)
names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")),
    min_size=1,
    max_size=20,
)
positions = st.builds(
    useq.AbsolutePosition,
    x=numbers,
    y=numbers,
    z=st.none() | numbers,
    name=names,
    grid_row=st.integers(1, 50),
    grid_col=st.integers(0, 50),
)


def facts(place: useq.AbsolutePosition) -> tuple[object, ...]:
    return place.name, place.x, place.y, place.z, place.grid_row, place.grid_col


@pytest.mark.parametrize("suffix", [".pos", ".csv", ".json", ".yaml"])
@given(places=st.lists(positions, min_size=1, max_size=8))
@settings(max_examples=25)
def test_what_is_saved_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    places: list[useq.AbsolutePosition],
) -> None:
    path = tmp_path_factory.mktemp("list") / f"places{suffix}"
    assert save_positions(path, places) == ()
    found = load_positions(path)
    assert found.notes == ()
    assert [facts(p) for p in found.positions] == [facts(p) for p in places]


def test_a_map_is_as_micro_manager_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pos"
    place = useq.AbsolutePosition(x=1.0, y=2.0, z=3.0, name="A")
    save_positions(path, [place], xy_device="XY", z_device="Z")
    stored = json.loads(path.read_text())
    assert stored["format"] == "Micro-Manager Property Map"
    assert (stored["major_version"], stored["encoding"]) == (2, "UTF-8")
    (entry,) = stored["map"]["StagePositions"]["array"]
    assert sorted(entry) == [
        "DefaultXYStage",
        "DefaultZStage",
        "DevicePositions",
        "GridCol",
        "GridRow",
        "Label",
        "Properties",
    ]
    assert entry["DevicePositions"] == {
        "type": "PROPERTY_MAP",
        "array": [
            {
                "Device": {"type": "STRING", "scalar": "Z"},
                "Position_um": {"type": "DOUBLE", "array": [3.0]},
            },
            {
                "Device": {"type": "STRING", "scalar": "XY"},
                "Position_um": {"type": "DOUBLE", "array": [1.0, 2.0]},
            },
        ],
    }


def legacy(**changes: Any) -> dict[str, Any]:
    entry = {
        "GRID_COL": 2,
        "DEVICES": [
            {"DEVICE": "ZStage", "AXES": 1, "Y": 0, "X": 33.5, "Z": 0},
            {"DEVICE": "XYStage", "AXES": 2, "Y": 20.0, "X": 10, "Z": 0},
        ],
        "PROPERTIES": {},
        "DEFAULT_Z_STAGE": "",
        "LABEL": "Pos0",
        "GRID_ROW": 1,
        "DEFAULT_XY_STAGE": "XYStage",
    }
    return {
        "VERSION": 3,
        "ID": "Micro-Manager XY-position list",
        "POSITIONS": [{**entry, **changes}],
    }


def test_a_list_of_micro_manager_1(tmp_path: Path) -> None:
    path = tmp_path / "old.pos"
    path.write_text(json.dumps(legacy()))
    (place,) = load_positions(path).positions
    assert facts(place) == ("Pos0", 10, 20, 33.5, 1, 2)


def test_other_stages(tmp_path: Path) -> None:
    devices = legacy()["POSITIONS"][0]["DEVICES"]
    devices.append({"DEVICE": "PFS", "AXES": 1, "X": 7.0, "Y": 0, "Z": 0})
    devices.insert(0, {"DEVICE": "Other", "AXES": 2, "X": 1.0, "Y": 1.0, "Z": 0})
    path = tmp_path / "a.pos"
    path.write_text(json.dumps(legacy(DEVICES=devices)))
    assert load_positions(path).positions[0].z == 33.5  # no default: the first
    path.write_text(json.dumps(legacy(DEVICES=devices, DEFAULT_Z_STAGE="PFS")))
    assert load_positions(path).positions[0].z == 7
    path.write_text(json.dumps(legacy(DEVICES=devices, DEFAULT_Z_STAGE="ZStage")))
    found = load_positions(path)
    (place,) = found.positions
    assert (place.x, place.y, place.z) == (10, 20, 33.5)
    assert list(place.properties or ()) == [("PFS", "Position", 7.0)]
    assert found.notes == ("positions of a second XY stage are left out: Other",)
    save_positions(tmp_path / "b.pos", found.positions)
    (again,) = load_positions(tmp_path / "b.pos").positions
    assert list(again.properties or ()) == [("PFS", "Position", 7.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,x,y,z\na,1,2,3\nb,4,5,\n", [("a", 1, 2, 3), ("b", 4, 5, None)]),
        ("\ufeffLabel;X [µm];Y [µm]\na;1,5;2\n", [("a", 1.5, 2, None)]),
        ("1 ,2\n\n3, 4\n", [(None, 1, 2, None), (None, 3, 4, None)]),
        ("x_um\ty_um\tz_um\n1e3\t-2\t0\n", [(None, 1000, -2, 0)]),
    ],
)
def test_tables(tmp_path: Path, text: str, expected: list[tuple[object, ...]]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    assert [facts(p)[:4] for p in load_positions(path).positions] == expected


def test_lists_of_others(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"x": 1, "y": 2, "z": 3, "name": "A"}, {"x": 4, "y": 5}]')
    assert [p.x for p in load_positions(path).positions] == [1, 4]
    plan = tmp_path / "plan.yaml"
    plan.write_text("channels: [DAPI]\nstage_positions: [{x: 1, y: 2}]\n")
    found = load_positions(plan)
    assert found.notes == ("the file is a plan; only its positions were read",)
    plate = tmp_path / "plate.json"
    wells = useq.WellPlatePlan(
        plate=96, a1_center_xy=(0, 0), selected_wells=([0, 0], [0, 1])
    )
    plate.write_text(useq.MDASequence(stage_positions=wells).model_dump_json())
    assert [p.name for p in load_positions(plate).positions] == ["A1", "A2"]
    assert save_positions(tmp_path / "plate.pos", load_positions(plate).positions) == ()


def device(numbers: object, name: str = "XY") -> dict[str, Any]:
    return {
        "map": {
            "StagePositions": {
                "array": [
                    {
                        "DevicePositions": {
                            "array": [
                                {
                                    "Device": {"scalar": name},
                                    "Position_um": {"array": numbers},
                                }
                            ]
                        }
                    }
                ]
            }
        }
    }


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "1,2", "no list of positions"),
        ("a.pos", "", "not valid json"),
        ("a.pos", "[1, 2]", "no list of positions of Micro-Manager"),
        ("a.pos", '{"map": {}}', "no StagePositions"),
        ("a.pos", '{"map": {"StagePositions": 3}}', "no array"),
        ("a.pos", '{"POSITIONS": 3}', "is no list"),
        ("a.pos", '{"POSITIONS": [3]}', "no list of DEVICES"),
        ("a.pos", '{"POSITIONS": []}', "holds no position"),
        ("a.pos", "[" * 100_000, "nested too deeply"),
        ("a.pos", json.dumps(device(["a", 1])), "position 0: XY is at 'a'"),
        ("a.pos", json.dumps(device([1, float("nan")])), "is at nan"),
        ("a.pos", json.dumps(device([1, True])), "is at True"),
        ("a.pos", json.dumps(device([1, 2, 3])), "neither 1 nor 2 axes"),
        ("a.pos", json.dumps(legacy(DEVICES=[])), "has no stage"),
        ("a.pos", json.dumps(legacy(DEVICES=[{"AXES": 9}])), "has 9 axes"),
        ("a.csv", "name,z\na,1\n", "no columns x and y"),
        ("a.csv", "name,x\na,1\n", "no columns x and y"),
        ("a.csv", "y,name\n1,a\n", "no columns x and y"),
        ("a.csv", "5\n6\n", "no columns x and y"),
        ("a.csv", "name,x,y\na,1\n", "line 2 has no x or no y"),
        ("a.csv", "x,y\n1,b\n", "line 2: y is 'b'"),
        ("a.csv", "x,y\n1,inf\n", "line 2: y is 'inf'"),
        ("a.csv", "", "holds no position"),
        ("a.json", '[{"a": 1}]', "position 0 is no mapping"),
        ("a.json", '[{"x": "b", "y": 1}]', "position 0 is none"),
        ("a.json", '[{"x": 1e999, "y": 1}]', "x = inf"),
        ("a.yaml", "channels: [DAPI]\n", "holds no position"),
        ("a.yaml", "stage_position: [{x: 1, y: 2}]\n", "unknown key"),
    ],
)
def test_what_is_damaged_is_said(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(PlanError, match=words) as error:
        load_positions(path)
    assert str(path) in str(error.value)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load_positions(tmp_path / "none.pos")
    (tmp_path / "a.pos").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(PlanError, match="not a text file"):
        load_positions(tmp_path / "a.pos")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "map",
                        "StagePositions",
                        "array",
                        "scalar",
                        "POSITIONS",
                        "DEVICES",
                        "DevicePositions",
                        "Position_um",
                        "AXES",
                        "X",
                        "LABEL",
                        "Device",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=60)
def test_whatever_json_comes(
    tmp_path_factory: pytest.TempPathFactory, data: object
) -> None:
    path = tmp_path_factory.mktemp("wild") / "a.pos"
    for content in (
        data,
        {"map": data},
        {"map": {"StagePositions": data}},
        {"POSITIONS": data},
    ):
        path.write_text(json.dumps(content))
        try:
            assert load_positions(path).positions
        except PlanError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: save_positions(path.with_suffix(".txt"), [place()]), "cannot be"),
        (lambda path: save_positions(path, []), "no position"),
        (lambda path: save_positions(path, [useq.AbsolutePosition(x=1)]), "only one"),
        (lambda path: save_positions(path, [place(x=float("nan"))]), "cannot be at"),
    ],
)
def test_what_cannot_be_saved(
    tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "a.pos"
    path.write_text("before")
    with pytest.raises(PlanError, match=words):
        change(path)
    assert path.read_text() == "before"


def place(**values: Any) -> useq.AbsolutePosition:
    return useq.AbsolutePosition(**{"x": 1.0, "y": 2.0, **values})


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    own = place(
        sequence=useq.MDASequence(channels=["DAPI"]), properties=[("A", "B", "1")]
    )
    assert len(save_positions(tmp_path / "a.csv", [own])) == 2
    assert len(save_positions(tmp_path / "a.pos", [own])) == 1
    assert save_positions(tmp_path / "a.yaml", [own]) == ()
    (again,) = load_positions(tmp_path / "a.yaml").positions
    assert again.sequence is not None
