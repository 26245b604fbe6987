"""The owner of the core: configurations load, fail clearly, and are let go."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import useq
from pymmcore_plus import CMMCorePlus

from napari_scope.acquire import CoreOwner, Run
from napari_scope.errors import AcquisitionError, ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_demo_is_loaded_by_default(owner: CoreOwner) -> None:
    assert owner.core.getCameraDevice() == "Camera"
    assert owner.config == "demo"
    assert owner.has_devices


def test_new_owner_has_no_devices() -> None:
    with CoreOwner(CMMCorePlus()) as owner:
        assert not owner.has_devices
        assert owner.config is None


def test_missing_configuration(tmp_path: Path) -> None:
    with CoreOwner(CMMCorePlus()) as owner:
        with pytest.raises(ConfigurationError, match=r"does not exist.*nope\.cfg"):
            owner.load(tmp_path / "nope.cfg")


def test_broken_configuration_leaves_no_devices(tmp_path: Path) -> None:
    config = tmp_path / "bad.cfg"
    config.write_text("Device,DHub,DemoCamera,DHub\nDevice,Foo,DemoCamera,Nope\n")
    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        with pytest.raises(ConfigurationError, match=r"does not load.*Nope.*bad\.cfg"):
            owner.load(config)
        assert not owner.has_devices
        owner.load()
        assert owner.config == "demo"


def test_file_without_devices(tmp_path: Path) -> None:
    config = tmp_path / "notes.cfg"
    config.write_text("# not a configuration\n")
    with CoreOwner(CMMCorePlus()) as owner:
        with pytest.raises(ConfigurationError, match=r"no device.*notes\.cfg"):
            owner.load(config)


def test_own_configuration_file(tmp_path: Path, owner: CoreOwner) -> None:
    config = tmp_path / "mine.cfg"
    owner.core.saveSystemConfiguration(str(config))
    owner.load(config)
    assert owner.config == str(config)
    assert owner.core.getCameraDevice() == "Camera"


def test_adopted_devices_are_kept(core: CMMCorePlus) -> None:
    core.setExposure(33)
    second = CoreOwner(core)
    second.ensure_loaded()
    assert core.getExposure() == 33
    assert second.config == "demo"
    second.close()
    second.close()
    assert core.getCameraDevice() == "Camera", "only what was loaded here is unloaded"


def test_no_loading_while_a_run_goes_on(owner: CoreOwner) -> None:
    plan = useq.MDASequence(time_plan={"interval": 5, "loops": 2})
    run = Run(owner, plan).start()
    while run.progress().saved < 1:
        pass
    with pytest.raises(AcquisitionError, match="another run goes on"):
        owner.load()
    run.cancel()
    assert run.wait(10).saved == 1


def test_closing_cancels_the_run(tmp_path: Path) -> None:
    owner = CoreOwner(CMMCorePlus())
    owner.load()
    plan = useq.MDASequence(time_plan={"interval": 60, "loops": 2})
    run = Run(owner, plan).start()
    while run.progress().saved < 1:
        pass
    owner.close()
    assert run.done
    assert run.state.value == "cancelled"


def test_closing_one_owner_leaves_the_runs_of_others(owner: CoreOwner) -> None:
    """Two docks on one microscope: the idle one may be closed at any time."""
    plan = useq.MDASequence(time_plan={"interval": 0.05, "loops": 10})
    idle = CoreOwner(owner.core)
    idle._loaded_here = True
    run = Run(owner, plan).start()
    while run.progress().saved < 1:
        pass
    idle.close()
    assert owner.has_devices
    assert run.wait(20).saved == 10
    foreign = Run(owner.core, plan).start()
    while foreign.progress().saved < 1:
        pass
    owner.close()
    assert foreign.wait(20).saved == 10


def test_no_run_while_loading(
    owner: CoreOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = owner.core.loadSystemConfiguration
    begun, go_on = threading.Event(), threading.Event()

    def slow(*args: Any) -> None:
        begun.set()
        go_on.wait(20)
        real(*args)

    monkeypatch.setattr(owner.core, "loadSystemConfiguration", slow)
    loader = threading.Thread(target=owner.load)
    loader.start()
    begun.wait(20)
    with pytest.raises(AcquisitionError, match="is being loaded"):
        Run(owner, useq.MDASequence(channels=["DAPI"])).start()
    go_on.set()
    loader.join()
    assert Run(owner, useq.MDASequence(channels=["DAPI"])).start().wait(20).saved == 1


def test_a_blocking_plan_does_not_keep_the_process() -> None:
    code = """
import threading, useq
from napari_scope.acquire import CoreOwner, Run
owner = CoreOwner()
owner.load()
def events():
    yield useq.MDAEvent(index={"t": 0})
    threading.Event().wait()
run = Run(owner, events()).start()
while run.progress().saved < 1:
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("how", ["finished", "going on"])
def test_process_ends_cleanly_right_after_a_run(how: str) -> None:
    """Without draining the core a third of such processes aborts."""
    code = """
import sys, useq
from napari_scope.acquire import CoreOwner, Run
owner = CoreOwner()
owner.load()
loops, interval = (20, 0) if sys.argv[1] == "finished" else (2, 60)
plan = useq.MDASequence(time_plan={"interval": interval, "loops": loops})
run = Run(owner, plan).start()
if sys.argv[1] == "finished":
    run.wait()
"""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code, how], capture_output=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, b"")
