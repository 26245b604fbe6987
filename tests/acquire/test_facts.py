"""What is stored with frames and runs, in every format, and when frames were there."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import tifffile
import useq
from tests.acquire.scopes import Told, calls_of, sequenceable, small_frames

from napari_scope.acquire import CoreOwner, Output, Run
from napari_scope.acquire.facts import _WallClock
from napari_scope.formats.ndtiff import Dataset
from napari_scope.stream import read_journal
from napari_scope.stream.recovery_journal import find_journal
from napari_scope.stream.sinks.ndtiff import MICRO_MANAGER_KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from pymmcore_plus import CMMCorePlus

PLAN = useq.MDASequence(
    axis_order="pcz",
    stage_positions=[{"x": 3, "y": 4, "z": 5, "name": "here"}],
    channels=[{"config": "DAPI", "exposure": 2}, {"config": "FITC", "exposure": 1}],
    z_plan={"range": 2, "step": 1},
    metadata={"sample": "yeast"},
)
SUFFIXES = {"ome-zarr": ".ome.zarr", "ndtiff": "", "ome-tiff": ".ome.tiff"}


@pytest.fixture(autouse=True)
def fast(core: CMMCorePlus) -> None:
    small_frames(core)
    core.setProperty("Camera", "Binning", "2")
    core.setROI(2, 2, 8, 8)


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("kind", SUFFIXES)
def test_every_format_has_all(
    owner: CoreOwner, core: CMMCorePlus, tmp_path: Path, kind: str, merge: bool
) -> None:
    if merge:
        sequenceable(core)
    path = tmp_path / f"r{SUFFIXES[kind]}"
    run = Run(
        owner,
        PLAN,
        [Output(path, kind)],  # type: ignore[arg-type]
        use_hardware_sequencing=merge,
    )
    report = run.start().wait(60)
    assert report.saved == 6
    journal = read_journal(find_journal(report.outputs[0].path))
    assert len(journal.frames) == 6
    for line in journal.frames:
        check_frame(line["metadata"], line["axes"], merge)
    if kind == "ndtiff":
        dataset = Dataset(path)
        for axes in dataset.get_image_coordinates_list():
            found = dataset.read_metadata(**axes)
            # Some have the names that Micro-Manager gives them.
            for ours, theirs in MICRO_MANAGER_KEYS.items():
                found[ours] = found.get(theirs, found.get(ours))
            check_frame({k: v for k, v in found.items() if v is not None}, axes, merge)
        check_run(summary_in(dict(dataset.summary_metadata)))
    if kind == "ome-zarr":
        root = json.loads((path / "acquisition" / "zarr.json").read_text())
        check_run(summary_in(root["attributes"]))
    if kind == "ome-tiff":
        root = ElementTree.fromstring(tifffile.tiffcomment(path))
        notes = {m.get("K"): m.text for m in root.iter() if m.tag.endswith("}M")}
        names = ("software", "microscope", "plan", "system_state")
        check_run({name: json.loads(notes[name] or "") for name in names})


def summary_in(document: Any) -> dict[str, Any]:
    """Return the facts on the run, wherever a format has them."""
    if not isinstance(document, dict):
        return {}
    if "software" in document and "microscope" in document:
        return document
    found = [summary_in(value) for value in document.values()]
    return next(filter(None, found), {})


def check_frame(facts: dict[str, Any], axes: dict[str, Any], merged: bool) -> None:
    channel, z = axes["channel"], axes["z"]
    assert facts["exposure_ms"] == {"DAPI": 2, "FITC": 1}[channel]
    assert (facts["channel_group"], facts["channel_config"]) == ("Channel", channel)
    assert facts["z_um_intended"] == 4 + z
    assert (facts["x_um_intended"], facts["y_um_intended"]) == (3, 4)
    assert facts["z_um"] == pytest.approx(4 + z)
    assert facts["x_um"] == pytest.approx(3, abs=0.02)
    assert facts["position_name"] == "here"
    assert facts["camera"] == "Camera"
    assert facts["roi"] == [2, 2, 8, 8]
    assert facts["binning"] == "2"
    assert facts["pixel_size_um"] == 2
    moment = datetime.datetime.fromisoformat(facts["time"])
    age = datetime.datetime.now(datetime.UTC) - moment
    assert 0 <= age.total_seconds() < 60
    assert facts["elapsed_ms"] > 0
    assert ("camera_tags" in facts) is merged
    wheel = {"DAPI": "400DCLP", "FITC": "Q505LP"}[channel]
    assert ["Dichroic", "Label", wheel] in facts["properties"]


def check_run(summary: dict[str, Any]) -> None:
    software = summary["software"]
    assert {"napari_scope", "pymmcore_plus", "python", "core"} <= software.keys()
    assert summary["microscope"]["config"] == "demo"
    assert summary["microscope"]["camera"] == "Camera"
    assert summary["plan"]["metadata"] == {"sample": "yeast"}
    again = useq.MDASequence.model_validate(summary["plan"])
    assert list(again.iter_events()) == list(PLAN.iter_events())
    state = summary["system_state"]
    assert state["Camera"]["Binning"] == "2"
    assert state["Core"]["Camera"] == "Camera"


def test_lists_of_events_are_stored_too(owner: CoreOwner) -> None:
    plan = [{"axes": {"time": t}, "exposure": 1, "z": float(t)} for t in range(2)]
    run = Told(owner, plan)
    run.start().wait(30)
    assert run.stream is not None
    summary = json.loads(json.dumps(run.stream.spec.summary))
    assert [e["z"] for e in summary["events"]] == [0, 1]
    assert "plan" not in summary


def test_what_the_camera_was_set_to_during_the_run(owner: CoreOwner) -> None:
    regions = [(0, 0, 8, 8), (0, 0, 8, 8), (4, 4, 8, 8)]
    plan = [
        useq.MDAEvent(index={"t": t}, roi=roi, exposure=1, metadata={"dose": t})
        for t, roi in enumerate(regions)
    ]
    run = Told(owner, iter([plan]))
    assert run.start().wait(30).saved == 3
    assert [facts["roi"] for _, facts in run.frames] == [list(roi) for roi in regions]
    assert [facts["event_metadata"] for _, facts in run.frames] == [
        {"dose": t} for t in range(3)
    ]


def test_devices_are_not_asked_while_a_sequence_runs(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """Some answer slowly, or disturb the camera."""
    calls = calls_of(
        core,
        [
            "startSequenceAcquisition",
            "popNextImageAndMD",
            "getProperty",
            "getROI",
            "getXYPosition",
            "getPosition",
            "getZPosition",
        ],
    )
    plan = useq.MDASequence(
        time_plan={"interval": 0, "loops": 5},
        channels=[{"config": "DAPI", "exposure": 1}],
    )
    run = Told(owner, plan)
    assert run.start().wait(30).saved == 5
    names = [call[0] for call in calls]
    first = names.index("startSequenceAcquisition")
    last = len(names) - 1 - names[::-1].index("popNextImageAndMD")
    assert set(names[first + 1 : last]) == {"popNextImageAndMD"}
    assert all("properties" in facts for _, facts in run.frames)


def test_time_of_a_frame_that_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame is seen late, but the run knows when it came."""
    now = 100.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    monkeypatch.setattr("time.time", lambda: 1e9)
    clock = _WallClock()

    def at(seen: float, elapsed_ms: float | None) -> float:
        nonlocal now
        now = seen
        moment = datetime.datetime.fromisoformat(clock.time(elapsed_ms))
        return round(moment.timestamp() - 1e9, 3)

    assert at(101, 1000) == 1  # the run began at 100
    assert at(109, 2000) == 2  # seen seven seconds late
    assert at(104, 4500) == 4  # it began half a second earlier
    assert at(110, 2000) == 1.5
    assert at(111, None) == 11
