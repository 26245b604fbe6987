from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from useq import MDASequence, Position

from napari_scope.errors import PlanError
from napari_scope.events import (
    PLAN_SUFFIXES,
    Plan,
    load_plan,
    load_sequence,
    refused_events,
    save_plan,
)

if TYPE_CHECKING:
    from pathlib import Path

FULL = MDASequence(
    axis_order="tpgcz",
    metadata={"sample": "µ-tubulin é", "n": [1, 2]},
    time_plan=[{"interval": 0.5, "loops": 3}, {"interval": 60, "duration": 600}],
    channels=[
        {"config": "DAPI", "exposure": 20, "do_stack": False},
        {"config": "FITC", "group": "LED", "acquire_every": 2, "z_offset": 1.5},
    ],
    z_plan={"above": 3, "below": 2, "step": 0.5},
    grid_plan={"rows": 2, "columns": 3, "overlap": 10, "mode": "spiral"},
    stage_positions=[
        Position(x=1, y=2, z=3, name="A"),
        Position(x=4, y=5, sequence=MDASequence(z_plan={"range": 2, "step": 1})),
    ],
    keep_shutter_open_across=("z",),
)


@pytest.mark.parametrize("suffix", PLAN_SUFFIXES)
def test_what_was_saved_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"plan{suffix}"
    assert save_plan(FULL, path) == path
    again = load_plan(path)
    assert again == FULL
    assert again.uid != FULL.uid
    assert list(again) == list(FULL)


@pytest.mark.parametrize(
    "sequence",
    [
        MDASequence(),
        MDASequence(grid_plan={"top": 0, "left": 0, "bottom": -9, "right": 9}),
        MDASequence(grid_plan={"num_points": 3, "random_seed": 1}),
        MDASequence(z_plan={"absolute": [0.0, 1, 2]}),
        MDASequence(
            stage_positions={
                "plate": "96-well",
                "a1_center_xy": (0, 0),
                "selected_wells": ([0, 1], [0, 1]),
            }
        ),
        MDASequence(
            channels=["DAPI"],
            autofocus_plan={"autofocus_motor_offset": 5, "axes": ("p", "t")},
        ),
    ],
)
def test_every_kind_of_plan_survives(tmp_path: Path, sequence: MDASequence) -> None:
    for suffix in (".yaml", ".json"):
        path = save_plan(sequence, tmp_path / f"plan{suffix}")
        assert load_plan(path) == sequence


def test_useqs_own_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(FULL.yaml())
    assert load_plan(path) == FULL
    path = tmp_path / "plan.json"
    path.write_text(FULL.model_dump_json())
    assert load_plan(path) == FULL


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    for name, text in (("a.yaml", "channels: [DAPI]"), ("a.json", "{}")):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        load_plan(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("chanels: [DAPI]", "chanels"),
        ("channels: [{config: DAPI, exposre: 20}]", "channels.0.exposre"),
        ("time_plan: {interval: 1, loops: 2, delay: 3}", "time_plan.delay"),
        ("time_plan: [{interval: 1, loops: 2, x: 3}]", "time_plan.0.x"),
        ("z_plan: {range: 2, step: 1, up: false}", "z_plan.up"),
        ("grid_plan: {rows: 1, columns: 2, overlp: 5}", "grid_plan.overlp"),
        (
            "stage_positions: [{x: 0, sequence: {z_plan: {range: 1, step: 1, s: 1}}}]",
            "stage_positions.0.sequence.z_plan.s",
        ),
    ],
)
def test_a_misspelt_key_is_an_error_at_any_depth(
    tmp_path: Path, text: str, key: str
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(PlanError, match=f"'{key}'") as caught:
        load_plan(path)
    assert caught.value.path == str(path)
    assert "known keys" in str(caught.value.hint)


def test_the_users_metadata_may_have_any_key(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("metadata: {anything: {goes: here}}")
    assert load_plan(path).metadata == {"anything": {"goes": "here"}}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.yaml", b"channels: [DAPI"),
        ("a.yaml", b"- DAPI\n- FITC"),
        ("a.yaml", b""),
        ("a.yaml", b"just text"),
        ("a.yaml", b"\xff\xfe\x00bin\x80"),
        ("a.yaml", b"!!python/object/apply:os.system ['true']"),
        ("a.yaml", b"channels: 5"),
        ("a.yaml", b"time_plan: {interval: soon, loops: 3}"),
        ("a.json", b"{"),
        ("a.json", b"[1, 2]"),
        ("a.json", b"channels: [DAPI]"),
        ("a.yaml", b"channels: " + b"[" * 5000),
        ("a.json", b'{"channels": ' + b"[" * 100_000),
    ],
)
def test_a_bad_file_is_one_error_that_names_it(
    tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert caught.value.path == str(path)
    assert path.read_bytes() == data


def bomb(levels: int) -> str:
    """Return ten aliases of ten aliases of ..."""
    lines = ["metadata:", "  a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for n in range(1, levels):
        lines.append(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
    return "\n".join(lines)


def merge_bomb(levels: int) -> str:
    """Return the same with merge keys, which blow up while they are read."""
    lines = ["metadata:", "  a0: &a0 {x: 1}"]
    for n in range(1, levels):
        lines.append(f"  a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}")
    return "\n".join(lines)


def chain(levels: int) -> str:
    """Return what is flat in the file and deep when aliases are expanded."""
    lines = ["metadata:", "  a0: &a0 [1]"]
    lines += [f"  a{n}: &a{n} [*a{n - 1}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.yaml", bomb(7), "repeat too much"),
        ("a.yaml", bomb(30), "repeat too much"),
        ("a.yaml", merge_bomb(7), "repeat too much"),
        (
            "a.yaml",
            f"metadata: {{a: &a {'x' * 10_000}, b: [{', '.join(['*a'] * 200)}]}}",
            "repeat too much",
        ),
        ("a.yaml", "metadata: &a {b: *a}", "contains itself"),
        ("a.yaml", "metadata: {a: &a [[*a]]}", "contains itself"),
        ("a.yaml", chain(100), "levels deep"),
        ("a.yaml", "metadata: {a: " + "[" * 70 + "]" * 70 + "}", "levels deep"),
        ("a.json", '{"metadata": {"a": ' + "[" * 70 + "]" * 70 + "}}", "levels deep"),
        ("a.json", '{"metadata": {"a": ' + "[" * 900 + "]" * 900 + "}}", "deep"),
        ("a.json", '{"metadata": {"a": ' + '{"a":' * 900 + "1" + "}" * 902, "deep"),
        ("a.yaml", "metadata: {a: " + "[" * 3000 + "]" * 3000 + "}", "too deeply"),
    ],
)
def test_a_small_file_that_stands_for_too_much_is_an_error(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(PlanError, match=reason) as caught:
        load_plan(path)
    assert caught.value.path == str(path)


def test_aliases_of_an_ordinary_size_are_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "channels: [&dapi {config: DAPI, exposure: 5}, {<<: *dapi, config: FITC}]\n"
        "stage_positions:\n"
        "- {x: 1, y: 2, sequence: &stack {z_plan: {range: 2, step: 1}}}\n"
        + "- {x: 3, y: 4, sequence: *stack}\n"
        * 2000
    )
    plan = load_plan(path)
    assert [(c.config, c.exposure) for c in plan.channels] == [("DAPI", 5), ("FITC", 5)]
    assert len(plan.stage_positions) == 2001
    last = plan.stage_positions[-1].sequence
    assert last is not None
    assert last.z_plan is not None and len(list(last.z_plan)) == 3


def test_a_plan_of_many_values_without_aliases_is_not_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.events.plan_text._MAX_REPEATED", 10)
    path = tmp_path / "plan.yaml"
    path.write_text(f"metadata: {{a: [{', '.join(['long text'] * 200)}]}}")
    assert load_plan(path).metadata == {"a": ["long text"] * 200}


def test_missing_folders_and_huge_files_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load_plan(tmp_path / "none.yaml")
    with pytest.raises(PlanError, match="cannot be read"):
        load_plan(tmp_path)
    path = tmp_path / "huge.yaml"
    with open(path, "wb") as file:
        file.truncate(2**31)
    with pytest.raises(PlanError, match="too large"):
        load_plan(path)


def test_what_cannot_be_saved_is_an_error_and_leaves_the_old_file(
    tmp_path: Path,
) -> None:
    with pytest.raises(PlanError, match=r"\.txt"):
        save_plan(FULL, tmp_path / "plan.txt")
    with pytest.raises(PlanError, match="cannot be saved"):
        save_plan(FULL, tmp_path / "none" / "plan.yaml")
    path = save_plan(FULL, tmp_path / "plan.yaml")
    before = path.read_bytes()
    with pytest.raises(PlanError, match="cannot be saved"):
        save_plan(MDASequence(metadata={"a": object()}), path)
    assert path.read_bytes() == before


EVENTS = [{"axes": {"z": 0}, "z": 1.5}, {"axes": {"z": 1}, "z": 3}]


class TestEventLists:
    @pytest.mark.parametrize("suffix", PLAN_SUFFIXES)
    def test_a_list_is_one_of_events(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"events{suffix}"
        path.write_text(json.dumps(EVENTS))
        assert load_plan(path) == EVENTS
        assert Plan.from_any(load_plan(path)).n_frames == 2

    def test_a_bad_event_is_told_with_file_and_number(self, tmp_path: Path) -> None:
        path = tmp_path / "events.json"
        path.write_text(json.dumps([*EVENTS, {"axes": {"z": 2}, "exposre": 1}]))
        with pytest.raises(
            PlanError, match=r"^event 2: unknown key 'exposre'"
        ) as caught:
            load_plan(path)
        assert caught.value.path == str(path)
        assert "exposure" in str(caught.value.hint)

    def test_unchecked_it_can_be_gone_through(self, tmp_path: Path) -> None:
        path = tmp_path / "events.json"
        path.write_text(json.dumps([{"zz": 1}, *EVENTS, 5]))
        plan = load_plan(path, check=False)
        assert [event.number for event in refused_events(plan)] == [0, 3]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("[]", "no event"),
            ("[NaN]", "event 0"),
            ('[{"axes": {"z": 0}, "z": NaN}]', "event 0: 'z'.*nan"),
            ('{"axes": {"z": 0}}', "unknown key 'axes'"),
            ('[{"tags": ' + "[" * 70 + "]" * 70 + "}]", "levels deep"),
        ],
    )
    def test_what_is_none_is_refused(
        self, tmp_path: Path, text: str, reason: str
    ) -> None:
        path = tmp_path / "events.json"
        path.write_text(text)
        with pytest.raises(PlanError, match=reason) as caught:
            load_plan(path)
        assert caught.value.path == str(path)

    def test_a_single_event_is_told_apart(self, tmp_path: Path) -> None:
        path = tmp_path / "event.json"
        path.write_text('{"axes": {"z": 0}}')
        with pytest.raises(PlanError, match="a list of them"):
            load_plan(path)

    def test_a_list_is_no_sequence(self, tmp_path: Path) -> None:
        path = tmp_path / "events.json"
        path.write_text(json.dumps(EVENTS))
        with pytest.raises(PlanError, match=r"found list .*a list of events can"):
            load_sequence(path)


class TestScripts:
    @staticmethod
    def script(tmp_path: Path, text: str) -> Path:
        path = tmp_path / "my_plan.py"
        path.write_text(text, encoding="utf-8")
        return path

    def test_what_plan_returns_is_the_plan(self, tmp_path: Path) -> None:
        (tmp_path / "my_neighbour_of_a_plan.py").write_text("STEP = 2")
        text = (
            "import my_neighbour_of_a_plan as neighbour\n"
            "COUNT = 3\n"
            "def plan():\n"
            "    return [one(n) for n in range(COUNT)]\n"
            "def one(n):\n"
            "    return {'axes': {'z': n}, 'z': n * neighbour.STEP}\n"
        )
        before = [*sys.path]
        plan = load_plan(self.script(tmp_path, text))
        assert sys.path == before
        assert plan == [{"axes": {"z": n}, "z": 2 * n} for n in range(3)]

    def test_a_sequence(self, tmp_path: Path) -> None:
        text = "import useq\ndef plan():\n    return useq.MDASequence(channels=['A'])\n"
        assert load_plan(self.script(tmp_path, text)) == MDASequence(channels=["A"])

    def test_a_generator_runs_later(self, tmp_path: Path) -> None:
        text = (
            "import json\n"
            "def plan():\n"
            "    for n in range(2):\n"
            "        yield [{'axes': {'z': n}, 'tags': json.loads('{}')}]\n"
            "    raise ValueError('no light')\n"
        )
        path = self.script(tmp_path, text)
        plan = Plan.from_any(load_plan(path))
        assert not plan.is_finite
        batches = plan.batches()
        assert [dict(e.index) for _ in range(2) for e in next(batches)] == [
            {"z": 0},
            {"z": 1},
        ]
        with pytest.raises(PlanError, match=r"^line 5: ValueError: no light") as caught:
            next(batches)
        assert caught.value.path == str(path)

    def test_a_generator_is_closed(self, tmp_path: Path) -> None:
        text = (
            "def events():\n"
            "    try:\n"
            "        yield {'axes': {}}\n"
            "    finally:\n"
            "        open(__file__ + '.closed', 'w').close()\n"
            "held = events()\n"
            "def plan():\n"
            "    return held\n"
        )
        path = self.script(tmp_path, text)
        plan = load_plan(path)
        assert isinstance(plan, Iterator)
        next(plan)
        assert not path.with_name("my_plan.py.closed").exists()
        plan.close()  # type: ignore[attr-defined]
        assert path.with_name("my_plan.py.closed").exists()

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("x = 1", r"must have a function plan\(\), found none"),
            ("plan = 5", r"must have a function plan\(\), found int"),
            ("def plan(:", "^line 1: SyntaxError"),
            ("import sys\nsys.exit('bye')", "^line 2: SystemExit: bye"),
            ("1 / 0\ndef plan(): pass", "^line 1: ZeroDivisionError: division by zero"),
            (
                "def plan():\n    return f()\ndef f():\n    1 / 0",
                "^line 4: ZeroDivision",
            ),
            ("import no_such_module_at_all", "^line 1: ModuleNotFoundError"),
            ("def plan():\n    return 5", r"plan\(\) must return a plan: .*found int"),
            ("def plan():\n    pass", r"must return a plan: .*found NoneType"),
            ("def plan(a): pass", "TypeError: plan"),
            (
                "def plan():\n    return [{'axes': {'z': 0}}, {'zz': 1}]",
                "^event 1: unkn",
            ),
            (
                "from napari_scope import multi_d_acquisition_events as m\n"
                "def plan():\n    return m(z_start=1)",
                "^line 3: all of z_start",
            ),
        ],
    )
    def test_what_goes_wrong_names_file_and_line(
        self, tmp_path: Path, text: str, reason: str
    ) -> None:
        path = self.script(tmp_path, text)
        with pytest.raises(PlanError, match=reason) as caught:
            load_plan(path)
        assert caught.value.path == str(path)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(PlanError, match="no such file"):
            load_plan(tmp_path / "no.py")

    def test_a_sequence_is_never_read_from_code(self, tmp_path: Path) -> None:
        path = self.script(tmp_path, "open(__file__ + '.ran', 'w')\n")
        with pytest.raises(PlanError):
            load_sequence(path)
        assert not path.with_name("my_plan.py.ran").exists()
