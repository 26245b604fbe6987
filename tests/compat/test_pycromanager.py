"""The names of pycro-manager: which microscope they mean, and what needs Java."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from napari_scope.compat import pycromanager as pm
from napari_scope.errors import (
    AcquisitionError,
    ConfigurationError,
    ScopeError,
    SettingsError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def demo() -> Iterator[Any]:
    pm.start_headless()
    core = pm.Core()
    core.set_roi(0, 0, 32, 24)
    core.set_exposure(1)
    yield core
    pm.stop_headless()


def test_all_names_of_pycro_manager_are_there() -> None:
    names = {
        "AcqNotification",
        "Acquisition",
        "AcquisitionFuture",
        "Bridge",
        "Core",
        "Dataset",
        "ExploreAcquisition",
        "JavaClass",
        "JavaObject",
        "Magellan",
        "MagellanAcquisition",
        "Studio",
        "XYTiledAcquisition",
        "download_and_install_mm",
        "find_existing_mm_install",
        "multi_d_acquisition_events",
        "start_headless",
        "stop_headless",
    }
    assert names <= set(pm.__all__)
    for name in pm.__all__:
        assert hasattr(pm, name)


@pytest.mark.parametrize(
    "call",
    [
        lambda: pm.MagellanAcquisition(magellan_explore=True),
        pm.Studio,
        pm.Magellan,
        lambda: pm.JavaObject("org.micromanager.Studio"),
        lambda: pm.JavaClass("java.lang.String"),
        lambda: pm.Bridge().get_studio(),
        lambda: pm.Bridge().get_magellan(),
        lambda: pm.Bridge().construct_java_object("java.util.List", args=[1]),
    ],
)
def test_what_needs_java_says_so(call: Any) -> None:
    with pytest.raises(SettingsError, match="Java") as caught:
        call()
    assert caught.value.hint


def test_without_a_configuration_the_demo_microscope_is_loaded() -> None:
    """In a process of its own: others have loaded one."""
    code = (
        "import warnings\n"
        "from napari_scope.compat.pycromanager import Core, stop_headless\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always')\n"
        "    core = Core()\n"
        "assert any('demo microscope' in str(w.message) for w in said)\n"
        "print(core.get_camera_device())\n"
        "stop_headless()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == "Camera", done.stderr


def test_start_and_stop(tmp_path: Path) -> None:
    path = tmp_path / "one.cfg"
    path.write_text("Device,Cam,DemoCamera,DCam\nProperty,Core,Initialize,1\n")
    adapters = pm.find_existing_mm_install()
    assert adapters is not None
    pm.start_headless(adapters, str(path), java_loc=None, port=4827)
    assert "Cam" in pm.Core().get_loaded_devices()
    assert list(pm.Core().get_device_adapter_search_paths()) == [adapters]
    pm.start_headless(str(path), buffer_size_mb=32)
    assert pm.Core().get_circular_buffer_memory_footprint() == 32
    pm.stop_headless()
    pm.stop_headless()
    with pytest.raises(ConfigurationError):
        pm.start_headless(config_file=tmp_path / "none.cfg")
    pm.stop_headless()


def test_the_bridge_is_closed_by_its_block(demo: Any) -> None:
    with pm.Bridge(port=4828, convert_camel_case=False, timeout=10) as bridge:
        assert bridge.get_core().get_exposure() == 1
    with pytest.raises(ScopeError, match="closed"):
        bridge.get_core()


def test_arguments_in_the_order_of_both_specifications(
    demo: Any, tmp_path: Path
) -> None:
    first: list[Any] = []
    none = [None] * 5
    with pm.Acquisition(str(tmp_path), "a", *none, False, first.append) as acq:
        acq.acquire({"axes": {"time": 0}})
    assert first == [{"time": 0}]  # storage_monitor_callback_fn
    notes: list[Any] = []
    saved: list[Any] = []

    def image_saved(axes: Any, dataset: Any) -> None:
        saved.append(axes)

    with pm.Acquisition(
        str(tmp_path), "b", *none, notes.append, image_saved, timeout=2500
    ) as acq:
        acq.acquire({"axes": {"time": 0}})
    assert saved == [{"time": 0}]
    assert notes[0].milestone == "acq_started"
    with pytest.raises(TypeError, match="unknown"):
        pm.Acquisition(unknown=1)


def test_explore(demo: Any, tmp_path: Path) -> None:
    with pm.ExploreAcquisition(
        str(tmp_path), "explore", 2.0, 8, channel_group="Channel", timeout=2500
    ) as explorer:
        explorer.acquire([(0, 0)]).await_image_saved(return_image=False)
    dataset = pm.Dataset(explorer.path)
    assert set(dataset.axes["channel"]) == {"Cy5", "DAPI", "FITC", "Rhodamine"}


def test_one_after_the_other_and_two_at_once(demo: Any) -> None:
    for _ in range(2):
        with pm.Acquisition() as acq:
            acq.acquire({"axes": {"time": 0}})
            with pytest.raises(AcquisitionError, match="another run"):
                pm.Acquisition()
        assert len(acq.get_dataset().get_index_keys()) == 1


def test_find_and_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import pymmcore_plus.install

    asked: list[Any] = []
    monkeypatch.setattr(
        pymmcore_plus.install, "install", lambda *place: asked.append(place)
    )
    assert pm.download_and_install_mm(str(tmp_path)) == str(tmp_path)
    assert asked == [(tmp_path,)]
    assert pm.download_and_install_mm() == str(pm.find_existing_mm_install())
    assert asked[-1] == ()
