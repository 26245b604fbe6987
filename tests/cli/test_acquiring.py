"""``acquire``: plans of every kind, a dry run, names that count up, Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import useq
from pymmcore_plus import CMMCorePlus
from tests.cli.in_process import run_here

from napari_scope.acquire import CoreOwner, Output
from napari_scope.cli.choosing import numbered
from napari_scope.cli.dry_run import preview
from napari_scope.errors import PlanError
from napari_scope.formats import open_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENTS: list[dict[str, Any]] = [
    {
        "axes": {"time": t, "channel": c},
        "config_group": ["Channel", c],
        "exposure": 5,
        "min_start_time": t * 0.01,
    }
    for t in range(3)
    for c in ("DAPI", "FITC")
]

SCRIPT = """
def plan():
    for t in range({count}):
        yield {{"axes": {{"time": t}}, "min_start_time": t * {interval}}}
"""


@pytest.fixture(scope="module")
def core() -> Iterator[CMMCorePlus]:
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        yield owner.core


def test_events_and_scripts(tmp_path: Path) -> None:
    (tmp_path / "events.json").write_text(json.dumps(EVENTS))
    done = run_here("acquire", "events.json", "--out", "e.ndtiff", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 of 6 frames saved" in done.stdout
    (image,) = open_dataset(tmp_path / "e.ndtiff").images
    assert image.levels[0].shape == (3, 2, 512, 512)
    (tmp_path / "plan.py").write_text(SCRIPT.format(count=3, interval=0))
    done = run_here("acquire", "plan.py", "--out", "s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "finished: 3 frames saved" in done.stdout
    (image,) = open_dataset(tmp_path / "s.ome.zarr").images
    assert image.levels[0].shape == (3, 512, 512)


def test_on_error(tmp_path: Path) -> None:
    bad = {"axes": {"time": 9}, "properties": [["Camera", "Nothing", "1"]]}
    (tmp_path / "e.json").write_text(json.dumps([{"axes": {"time": 0}}, bad]))
    done = run_here("acquire", "e.json", "--out", "a", cwd=tmp_path)
    assert done.returncode == 1
    assert "Nothing" in done.stderr
    done = run_here(
        "acquire", "e.json", "--out", "b", "--on-error", "skip", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 2 frames saved" in done.stdout
    assert "skipped time=9" in done.stdout


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text(json.dumps([{"axes": {}}]))
    arguments = ("acquire", "e.json", "--out", "r", "--overwrite", "no")
    for name in ("r.ome.zarr", "r_001.ome.zarr"):
        done = run_here(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert f"ome-zarr: {name}\n" in done.stdout
    done = run_here("acquire", "e.json", "--out", "r", "--dry-run", cwd=tmp_path)
    assert done.returncode == 1
    assert "exists already: r.ome.zarr" in done.stdout


def test_a_dry_run_says_what_would_be_and_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text(json.dumps(EVENTS))
    done = run_here(
        "acquire", "e.json", "--out", "r", "--format", "both", "--dry-run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "6 frames, 6.3 MB, at least 0.0 s" in done.stdout
    assert "ndtiff: r.ndtiff" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["e.json"]
    wrong = [
        *EVENTS,
        {"axes": {}, "exposre": 1},
        {"axes": {"time": 7}, "channel": {"group": "Channel", "config": "X"}},
    ]
    (tmp_path / "e.json").write_text(json.dumps(wrong))
    done = run_here("acquire", "e.json", "--out", "r", "--dry-run", cwd=tmp_path)
    assert done.returncode == 1
    assert "event 6 is refused: unknown key 'exposre'" in done.stdout
    assert "event 7 is refused: the channel group 'Channel'" in done.stdout
    assert "2 of 8 events are refused" in done.stdout
    assert "6 frames" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("name", ["plan.py", "events.json"])
def test_ctrl_c_saves_what_was_taken(tmp_path: Path, name: str) -> None:
    if name == "plan.py":
        (tmp_path / name).write_text(SCRIPT.format(count=1000, interval=0.05))
    else:
        events = [{"axes": {"time": t}, "min_start_time": t * 0.05} for t in range(500)]
        (tmp_path / name).write_text(json.dumps(events))
    # Ctrl+C must reach the program: background jobs of a shell ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "napari_scope.cli",
                *("acquire", name, "--out", "r.ndtiff"),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    index = tmp_path / "r.ndtiff" / "NDTiff.index"
    end = time.monotonic() + 60
    while not index.exists() or index.stat().st_size < 200:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cancelled" in out
    facts = json.loads(run_here("info", "r.ndtiff", "--json", cwd=tmp_path).stdout)
    assert facts["journal"]["closed"]
    assert 2 <= facts["journal"]["saved"] < 500


# ------------------------------------------------------------- the parts


def test_numbers(tmp_path: Path) -> None:
    outputs = [
        Output(tmp_path / "r.ome.zarr", "ome-zarr"),
        Output(tmp_path / "r.ndtiff", "ndtiff"),
    ]
    assert numbered(outputs) == outputs
    (tmp_path / "r.ndtiff").mkdir()
    (tmp_path / "r_001.ome.zarr").mkdir()
    found = numbered(outputs)
    assert [o.path.name for o in found] == ["r_002.ome.zarr", "r_002.ndtiff"]
    assert [o.format for o in found] == ["ome-zarr", "ndtiff"]


def test_preview_of_sequences(core: CMMCorePlus) -> None:
    sequence = useq.MDASequence(
        time_plan={"interval": 2, "loops": 3},
        channels=[{"config": "DAPI", "exposure": 100}],
        grid_plan=useq.GridRowsColumns(rows=2, columns=2),
    )
    found = preview(sequence, core)
    assert (found.refused, found.estimate.frames) == ((), 12)
    assert found.estimate.bytes == 12 * 512 * 512 * 2
    assert found.lines(2) == ["12 frames, 12.6 MB, at least 4.4 s"]
    with pytest.raises(PlanError, match="no preset"):
        preview(useq.MDASequence(channels=["Nothing"]), core)


def test_preview_of_a_generator_does_not_touch_it(core: CMMCorePlus) -> None:
    events = iter([{"axes": {}}])
    found = preview(events, core)
    assert found.estimate.frames is None
    assert "generator" in found.lines(1)[0]
    assert next(events) == {"axes": {}}


def test_preview_names_every_refused_event(core: CMMCorePlus) -> None:
    events: list[Any] = [
        {"axes": {"time": 0}},
        {"axes": {"time": 0}},
        {"axes": {"time": 1}, "z": "high"},
        {"axes": {"time": 2}, "config_group": ["None", "a"]},
        {"axes": {"time": 3}, "properties": [["Nobody", "p", "v"]]},
        {"axes": {"time": 4}, "properties": [["Core", "Shutter", ""]]},
        useq.MDAEvent(index={"t": 5}, channel="Nothing"),
    ]
    found = preview(events, core)
    assert [r.number for r in found.refused] == [1, 2, 3, 4, 6]
    said = [r.reason for r in found.refused]
    for text, words in zip(
        said,
        ("twice", "'z'", "group 'None'", "'Nobody'", "preset 'Nothing'"),
        strict=True,
    ):
        assert words in text
    assert found.estimate.frames == 2
    assert preview(events[0], core).events == 1
