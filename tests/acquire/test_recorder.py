"""What the recorder opens, names, counts and tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.acquire.scopes import small_frames

from napari_scope.acquire import CoreOwner, Output
from napari_scope.acquire.recorder import Recorder
from napari_scope.events import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from pymmcore_plus import CMMCorePlus


@pytest.fixture(autouse=True)
def fast(core: CMMCorePlus) -> None:
    small_frames(core)


def recorder(
    core: CMMCorePlus, plan: Any, outputs: Any = (), **options: Any
) -> Recorder:
    settings = {
        "name": "r",
        "config": None,
        "ring_bytes": None,
        "sync_interval_s": None,
    }
    return Recorder(core, Plan.from_any(plan), outputs, **{**settings, **options})


FRAME = np.ones((32, 32), "u2")


def events(count: int) -> list[dict[str, Any]]:
    return [{"axes": {"time": t}} for t in range(count)]


def test_a_known_plan_is_opened_at_once(core: CMMCorePlus) -> None:
    opened: list[Any] = []
    found = recorder(core, events(3), opened=opened.append)
    assert found.stream is None
    found.prepare()
    assert opened == [found.stream]
    assert found.planned == 3
    assert found.stream is not None
    found.store(FRAME, {"time": 1}, {})
    found.skip({"time": 0}, "no light")
    found.leave_out({"time": 2}, "not wanted")
    found.stream.close()
    assert found.stream.stats().saved == 1
    assert found.stream.stats().skipped == 2
    assert [s.reason for s in found.skipped] == ["no light", "not wanted"]
    assert list(found.reasons) == ["no light", "not wanted"]


def test_an_unknown_plan_waits_for_its_first_frame(
    core: CMMCorePlus, tmp_path: Path
) -> None:
    """Which may be of another kind than those of the camera."""
    output = Output(tmp_path / "r.ome.zarr", "ome-zarr")
    told: list[Any] = []
    gone: list[Any] = []
    found = recorder(
        core,
        iter(events(3)),
        [output],
        unplaced=lambda *a: told.append(a),
        gone=gone.append,
    )
    found.prepare()
    assert (found.stream, found.planned) == (None, None)
    found.skip({"time": 0}, "no light")
    found.leave_out({"time": 9}, "not wanted")
    assert told == [({"time": 0}, "no light"), ({"time": 9}, "not wanted")]
    assert gone == [{"time": 0}, {"time": 9}]
    assert list(tmp_path.iterdir()) == []
    found.store(np.ones((4, 6), "f4"), {"time": 1}, {})
    found.leave_out({"time": 7}, "not wanted")
    assert len(told) == 3
    assert found.stream is not None
    found.stream.close()
    assert found.stream.spec.frame_shape == (4, 6)
    assert found.stream.spec.dtype == np.dtype("f4")
    assert found.stream.spec.bit_depth is None
    assert found.stream.stats().skipped == 0  # they have no place


def test_several_images_have_another_place(core: CMMCorePlus, tmp_path: Path) -> None:
    plan = [{"axes": {"position": p}, "x": 0, "y": 0} for p in ("a", "b")]
    found = recorder(core, plan, [Output(tmp_path / "r.ome.tiff", "ome-tiff")])
    found.prepare()
    assert found.stream is not None
    found.stream.close()
    assert [o.path.name for o in found.outputs] == ["r"]


def test_reports_stay_small(core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_scope.acquire.recorder._MOST_SKIPPED", 10)
    found = recorder(core, iter(events(1)))
    found.prepare()
    for t in range(50):
        found.skip({"time": t}, f"reason {t}")
        found.warn(f"warning {t}")
    assert len(found.skipped) == 10
    assert list(found.reasons)[-1] == "warning 49"
    assert len(found.reasons) == 5


@pytest.mark.parametrize(
    ("buffered", "ring", "megabytes", "frames"),
    [(True, 2**20, 1, 1024), (False, 2**20, 1, 512), (False, 2**20, 3, 1536)],
)
def test_room_for_a_burst(
    core: CMMCorePlus, buffered: bool, ring: int, megabytes: int, frames: int
) -> None:
    core.setCircularBufferMemoryFootprint(megabytes)
    found = recorder(core, events(1), ring_bytes=ring)
    assert found.most_in_a_burst(buffered=buffered) == frames


def test_room_of_two_cameras(owner: CoreOwner, core: CMMCorePlus) -> None:
    from tests.acquire.scopes import two_cameras

    core.setCircularBufferMemoryFootprint(1)
    two_cameras(core)
    assert recorder(core, events(1)).most_in_a_burst(buffered=False) == 256
