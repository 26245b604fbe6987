"""The live view in a viewer: one buffer, right place, the user's layers left alone."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_scope.acquire.live_frame import LiveFrame
from napari_scope.widgets.devices.live_layer import LiveLayer
from napari_scope.widgets.devices.live_view import LiveView

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


class FakeLive:
    """A camera that delivers what it is told to."""

    def __init__(self) -> None:
        self.running = False
        self.frames: tuple[LiveFrame, ...] = ()
        self.max_fps = 0.0
        self.number = 0

    def newest(self) -> tuple[LiveFrame, ...]:
        return self.frames

    def deliver(self, *images: np.ndarray, **facts: Any) -> tuple[LiveFrame, ...]:
        self.number += 1
        facts = {
            "x_um": 0.0,
            "y_um": 0.0,
            "affine": (1.0, 0.0, 0.0, 1.0),
            "bit_depth": 12,
            **facts,
        }
        self.frames = tuple(
            LiveFrame(f"Cam{i}", image, self.number, time.time(), **facts)
            for i, image in enumerate(images)
        )
        return self.frames


class FakeMicroscope:
    def __init__(self) -> None:
        self.live = FakeLive()


def ramp(height: int = 20, width: int = 30, top: int = 1000) -> np.ndarray:
    return np.linspace(0, top, height * width, dtype="u2").reshape(height, width)


@pytest.fixture
def owner(microscope: Microscope) -> CoreOwner:
    """Return the owner of the core that the microscope has."""
    return microscope.owner


@pytest.fixture
def model(qapp: object) -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def fake() -> FakeMicroscope:
    return FakeMicroscope()


@pytest.fixture
def view(model: ViewerModel, fake: FakeMicroscope) -> Iterator[LiveView]:
    made: Any = LiveView(model, fake)  # type: ignore[arg-type]
    made._timer.stop()  # the tests tick
    yield made
    made.close()


class TestLayer:
    def test_one_layer_with_one_buffer(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        assert not view.tick()
        fake.live.running = True
        first = ramp()
        fake.live.deliver(first)
        assert view.tick()
        (layer,) = model.layers
        assert layer.name == "Live"
        buffer = layer.data
        assert np.array_equal(buffer, first)
        assert not np.shares_memory(buffer, first)
        assert not view.tick()  # nothing new
        second = ramp(top=500)
        (frame,) = fake.live.deliver(second)
        assert view.tick()
        assert model.layers[0].data is buffer
        assert np.array_equal(buffer, second)
        assert view.frames == [frame]
        assert view.layers == [layer]

    def test_place_scale_units_and_facts(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(
            ramp(21, 31), x_um=100.0, y_um=50.0, affine=(0.5, 0.0, 0.0, 0.5), z_um=3.0
        )
        view.tick()
        (layer,) = model.layers
        assert tuple(layer.scale) == (0.5, 0.5)
        assert tuple(layer.translate) == (50 - 5, 100 - 7.5)
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
        assert layer.axis_labels == ("y", "x")
        facts = layer.metadata["napari_scope"]
        assert (facts["camera"], facts["live"], facts["z_um"]) == ("Cam0", True, 3.0)
        fake.live.deliver(ramp(21, 31), x_um=101.0, y_um=50.0, affine=(0.5, 0, 0, 0.5))
        view.tick()
        assert tuple(layer.translate) == (45, 93.5)
        assert layer.metadata["napari_scope"]["x_um"] == 101.0

    def test_turned_camera(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp(21, 31), affine=(0.0, -0.5, 0.5, 0.0), x_um=10.0)
        view.tick()
        (layer,) = model.layers
        assert layer.data_to_world((10, 15)) == pytest.approx((0, 10))
        # one pixel to the right is half a micrometer in y
        assert layer.data_to_world((10, 16)) == pytest.approx((0.5, 10))
        fake.live.deliver(ramp(21, 31), affine=(1.0, 0.0, 0.0, 1.0), x_um=10.0)
        view.tick()
        assert layer.data_to_world((10, 16)) == pytest.approx((0, 11))

    def test_a_layer_that_stays_is_not_moved(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp())
        view.tick()
        moved: list[object] = []
        for name in ("scale", "translate", "affine", "units", "data", "metadata"):
            getattr(model.layers[0].events, name).connect(moved.append)
        drawn: list[object] = []
        model.layers[0].events.set_data.connect(drawn.append)
        for top in (10, 20, 30):
            fake.live.deliver(ramp(top=top))
            view.tick()
        assert not moved
        assert len(drawn) == 3

    def test_view_goes_with_the_stage(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp())
        view.tick()
        centre = np.array(model.scene.camera.center)
        fake.live.deliver(ramp(), x_um=5.0, y_um=-3.0)
        view.tick()
        assert np.array(model.scene.camera.center) - centre == pytest.approx([0, -3, 5])
        view.following = False
        fake.live.deliver(ramp(), x_um=50.0)
        view.tick()
        assert np.array(model.scene.camera.center) - centre == pytest.approx([0, -3, 5])

    def test_another_region_replaces_the_buffer(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp())
        view.tick()
        (layer,) = model.layers
        layer.colormap = "magenta"
        layer.contrast_limits = (5, 77)
        fake.live.deliver(ramp(8, 9))
        view.tick()
        assert list(model.layers) == [layer]
        assert layer.data.shape == (8, 9)
        assert (layer.colormap.name, tuple(layer.contrast_limits)) == (
            "magenta",
            (5, 77),
        )
        assert layer.data_to_world((3.5, 4)) == pytest.approx((0, 0))
        fake.live.deliver(ramp(8, 9).astype("u1"), bit_depth=8)
        view.tick()
        assert layer.data.dtype == np.uint8
        assert layer.contrast_limits[1] <= 255

    def test_colour_in_place_of_grey(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        model.add_points(name="marks")
        fake.live.deliver(ramp())
        view.tick()
        model.add_points(name="top")
        color = np.zeros((20, 30, 3), "u2")
        color[..., 1] = 4095
        fake.live.deliver(color, bit_depth=12)
        view.tick()
        assert [layer.name for layer in model.layers] == ["marks", "Live", "top"]
        layer = model.layers["Live"]
        assert layer.rgb and layer.data.dtype == np.uint8
        assert layer.data[0, 0].tolist() == [0, 255, 0]
        fake.live.deliver(ramp())
        view.tick()
        assert not model.layers["Live"].rgb
        assert len(model.layers) == 3

    def test_float_pixels(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        image = np.linspace(-1, 1, 100, dtype="f4").reshape(10, 10)
        fake.live.deliver(image, bit_depth=None)
        view.tick()
        assert np.array_equal(model.layers[0].data, image)
        assert model.layers[0].contrast_limits[0] < -0.9

    def test_without_a_pixel_size(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp(), affine=None)
        view.tick()
        assert [str(unit) for unit in model.layers[0].units] == ["pixel", "pixel"]

    def test_several_cameras(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp(), ramp(top=9))
        view.tick()
        assert [layer.name for layer in model.layers] == ["Live Cam0", "Live Cam1"]
        assert [layer.colormap.name for layer in model.layers] == ["green", "magenta"]
        assert model.layers[1].data.max() == 9

    def test_a_second_camera_comes_and_goes(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp())
        view.tick()
        fake.live.deliver(ramp(), ramp())
        view.tick()
        assert [layer.name for layer in model.layers] == ["Live Cam0", "Live Cam1"]
        assert [layer.colormap.name for layer in model.layers] == ["green", "magenta"]
        assert [str(layer.blending) for layer in model.layers] == [
            "translucent_no_depth",
            "additive",
        ]
        fake.live.deliver(ramp())
        view.tick()
        first = model.layers[0]
        assert (first.name, first.colormap.name) == ("Live", "gray")
        first.name, first.colormap = "mine", "cyan"  # the user's choice stays
        fake.live.deliver(ramp(), ramp())
        view.tick()
        assert (first.name, first.colormap.name) == ("mine", "cyan")


class TestUser:
    def test_removed_layer_comes_back_with_the_next_start(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.running = True
        fake.live.deliver(ramp())
        view.tick()
        model.layers[0].colormap = "green"
        model.layers[0].contrast_limits = (1, 99)
        model.layers.clear()
        fake.live.deliver(ramp())
        assert not view.tick()
        assert not model.layers
        fake.live.running = False
        view.tick()
        fake.live.running = True
        fake.live.deliver(ramp())
        assert view.tick()
        (layer,) = model.layers
        assert layer.colormap.name == "green"
        assert tuple(layer.contrast_limits) == (1, 99)

    def test_snap_brings_it_back_too(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp())
        view.tick()
        model.layers.clear()
        fake.live.deliver(ramp(), is_snap=True)
        assert view.tick()
        assert model.layers[0].metadata["napari_scope"]["snap"] is True

    def test_hidden_layer_is_not_drawn_but_kept_up_to_date(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp())
        view.tick()
        model.layers[0].visible = False
        drawn: list[object] = []
        model.layers[0].events.set_data.connect(drawn.append)
        fake.live.deliver(ramp(top=7))
        view.tick()
        assert not drawn
        assert model.layers[0].data.max() == 7

    def test_what_the_user_works_on_stays_selected(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        marks = model.add_points(name="marks")
        fake.live.deliver(ramp())
        view.tick()
        assert model.layers.selection.active is marks

    def test_sliders_and_three_dimensions_stay(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        model.add_image(np.zeros((5, 6, 7), "u1"))
        model.dims.set_point(0, 3)
        model.dims.ndisplay = 3
        camera = (model.scene.camera.center, model.scene.camera.zoom)
        fake.live.deliver(ramp())
        view.tick()
        fake.live.deliver(ramp(), x_um=900.0)
        view.tick()
        assert model.dims.ndisplay == 3
        assert model.dims.point[0] == 3
        assert (model.scene.camera.center, model.scene.camera.zoom) == camera

    def test_far_from_everything_the_view_goes_there(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        model.add_image(np.zeros((10, 10), "u1"))
        fake.live.deliver(ramp(), x_um=5000.0, y_um=200.0)
        view.tick()
        assert model.scene.camera.center[-2:] == pytest.approx((200, 5000))

    def test_keep(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        assert view.keep() == []
        fake.live.deliver(ramp(), x_um=7.0)
        view.tick()
        model.layers[0].colormap = "cyan"
        (kept,) = view.keep()
        assert [layer.name for layer in model.layers] == ["Live kept 1", "Live"]
        assert kept.colormap.name == "cyan"
        assert tuple(kept.translate) == tuple(model.layers["Live"].translate)
        assert kept.metadata["napari_scope"]["live"] is False
        fake.live.deliver(ramp(top=3))
        view.tick()
        assert kept.data.max() == 1000
        view.keep()
        assert "Live kept 2" in model.layers

    def test_contrast(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(ramp())
        view.tick()
        (layer,) = model.layers
        assert tuple(layer.contrast_limits) == pytest.approx((0, 1000), abs=3)
        assert tuple(layer.contrast_limits_range) == (0, 4095)
        fake.live.deliver(ramp(top=100))
        view.tick()
        assert layer.contrast_limits[1] > 900
        view.set_contrast_now()
        assert layer.contrast_limits[1] == pytest.approx(100, abs=2)
        view.contrast_mode = "always"
        fake.live.deliver(ramp(top=700))
        time.sleep(0.21)  # the contrast is looked at five times a second
        view.tick()
        assert layer.contrast_limits[1] == pytest.approx(700, abs=3)
        view.contrast_mode = "frozen"
        fake.live.deliver(ramp(top=70))
        time.sleep(0.21)
        view.tick()
        assert layer.contrast_limits[1] == pytest.approx(700, abs=3)

    def test_frozen_from_the_start_is_the_range_of_the_camera(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        view.contrast_mode = "frozen"
        fake.live.deliver(ramp())
        view.tick()
        assert tuple(model.layers[0].contrast_limits) == (0, 4095)

    def test_dark_first_frame(
        self, view: LiveView, model: ViewerModel, fake: FakeMicroscope
    ) -> None:
        fake.live.deliver(np.zeros((20, 30), "u2"))
        view.tick()
        assert tuple(model.layers[0].contrast_limits) == (0, 4095)
        time.sleep(0.21)
        fake.live.deliver(ramp(top=50))
        view.tick()
        assert model.layers[0].contrast_limits[1] == pytest.approx(50, abs=1)


def test_two_views_of_one_viewer_share_the_layer(
    view: LiveView, model: ViewerModel, fake: FakeMicroscope
) -> None:
    other: Any = LiveView(model, fake)  # type: ignore[arg-type]
    other._timer.stop()
    for size in ((20, 30), (8, 9), (8, 9)):
        fake.live.deliver(ramp(*size))
        view.tick()
        other.tick()
    assert len(model.layers) == 1
    assert view.layers == other.layers
    other.close()
    # One that comes later takes over what is there, with its look.
    model.layers[0].contrast_limits = (3, 4)
    third: Any = LiveView(model, fake)  # type: ignore[arg-type]
    third._timer.stop()
    fake.live.deliver(ramp(8, 9))
    assert third.tick()
    assert len(model.layers) == 1
    assert tuple(model.layers[0].contrast_limits) == (3, 4)
    third.close()


def test_old_frames_are_not_shown(model: ViewerModel, fake: FakeMicroscope) -> None:
    fake.live.deliver(ramp())
    view: Any = LiveView(model, fake)  # type: ignore[arg-type]
    assert not view.tick()
    assert not model.layers
    view.close()


def test_half_of_the_time_is_the_users(
    view: Any, fake: FakeMicroscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(
        "napari_scope.widgets.devices.live_view.time.perf_counter", lambda: now[0]
    )
    fake.live.deliver(ramp())
    view._on_timer()
    assert not view._timer.isActive()  # it waits for the painting
    now[0] += 0.2
    view._rest()
    assert view._timer.interval() == 200
    view._timer.stop()
    view._begun = now[0]
    now[0] += 0.004
    view._rest()
    assert view._timer.interval() == round(1000 / 30 - 4)
    view._timer.stop()


def test_layer_without_a_view(model: ViewerModel, fake: FakeMicroscope) -> None:
    layer = LiveLayer(model, "Cam0")  # type: ignore[arg-type]
    assert layer.layer is None
    assert layer.keep() is None
    layer.set_contrast()
    (frame,) = fake.live.deliver(ramp())
    assert layer.show(frame, several=False, follow=True)
    assert layer.layer is not None


def test_frames_of_the_demo_camera(
    shown_viewer: napari.Viewer, microscope: Microscope, owner: CoreOwner, qtbot: QtBot
) -> None:
    """From the camera to the screen; pixels are read off the GUI thread."""
    core = owner.core
    core.setExposure(2)
    readers: set[str] = set()
    real = core.getNBeforeLastImageAndMD

    def noting(back: int) -> Any:
        readers.add(threading.current_thread().name)
        return real(back)

    core.getNBeforeLastImageAndMD = noting  # type: ignore[method-assign]
    touched: set[str] = set()
    view = LiveView(shown_viewer, microscope)
    view.shown.connect(lambda: touched.add(threading.current_thread().name))
    microscope.do("start", microscope.live.start)
    qtbot.waitUntil(lambda: len(view.layers) == 1, timeout=20_000)
    (layer,) = view.layers
    layer.events.set_data.connect(lambda: touched.add(threading.current_thread().name))
    first = layer.metadata["napari_scope"]["number"]
    qtbot.waitUntil(
        lambda: layer.metadata["napari_scope"]["number"] > first + 20, timeout=20_000
    )
    qtbot.waitUntil(lambda: view.shown_fps > 0, timeout=20_000)
    screen = shown_viewer.screenshot(flash=False)
    assert screen[..., :3].std() > 10  # the waves of the demo camera
    assert readers == {"napari-scope live"}
    assert touched == {"MainThread"}
    view.close()
    view.close()
    microscope.live.stop()
    assert view.shown_fps == 0
