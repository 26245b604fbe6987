from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.layers import MAX_LAYERS
from napari_scope.layers.live import LayerKey
from napari_scope.stream import ImageSpec, MemorySink, StoreSpec, Stream
from napari_scope.widgets.acquiring import live_layers
from napari_scope.widgets.acquiring.live_layers import LiveLayers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.stream import StreamView

pytestmark = pytest.mark.gui

SIDE = 32


class Bench:
    """A viewer that shows a stream; the test plays the timer and the clock."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer
        self.now = 0.0
        self.live = LiveLayers(viewer, clock=lambda: self.now)
        self.stream: Stream | None = None

    def run(self, spec: StoreSpec, order: tuple[str, ...]) -> Stream:
        """Begin a run."""
        if self.stream is not None:
            self.stream.close()
        self.stream = stream = Stream(spec, [MemorySink()])
        self.live.start(stream.view, order)
        self.live._timer.stop()  # the test ticks
        return stream

    def put(self, value: int | None = None, **index: int | str) -> None:
        """Append a frame that says where it belongs, or one of a single value."""
        assert self.stream is not None
        if value is None:
            frame = np.arange(SIDE * SIDE, dtype="u2").reshape(SIDE, SIDE)
        else:
            frame = np.full((SIDE, SIDE), value, "u2")
        self.stream.append(frame, index=index)

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += 0.034
            self.live.tick()

    def finish(self) -> int:
        """End the run; returns how many looks it took."""
        self.live._timer.start()
        self.live.finish()
        looks = 1
        while self.live.active:
            self.tick()
            looks += 1
        return looks

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(self.viewer.dims.current_step[:-2])

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def bench(make_napari_viewer: Callable[..., napari.Viewer]) -> Iterator[Bench]:
    made = Bench(make_napari_viewer())
    yield made
    made.live.stop()
    if made.stream is not None:
        made.stream.close()


def spec(
    t: int = 3,
    z: int = 2,
    channels: tuple[str, ...] = ("DAPI", "FITC"),
    places: tuple[tuple[float, float], ...] = ((0.0, 0.0),),
    order: tuple[str, ...] = ("time", "z", "channel"),
    planes: dict[int, int] | None = None,
    **more: Any,
) -> StoreSpec:
    sizes = {"time": t, "z": z, "channel": len(channels)}
    special = planes or {}  # places with a z stack of their own
    several = len(places) > 1
    return StoreSpec(
        "run",
        (SIDE, SIDE),
        np.dtype("u2"),
        order=("position", *order) if several else order,
        images=tuple(
            ImageSpec(
                f"Pos{i}",
                place={"position": i} if several else {},
                sizes={**sizes, "z": special.get(i, z)},
                y_um=y,
                x_um=x,
                z_um=5.0,
            )
            for i, (y, x) in enumerate(places)
        ),
        labels={"channel": channels},
        pixel_um=0.5,
        z_um=2.0,
        interval_s=1.5,
        bit_depth=12,
        **more,
    )


def test_nothing_is_shown_before_the_first_frame_of_an_unknown_order(
    bench: Bench,
) -> None:
    bench.run(spec(), ())
    bench.tick(3)
    assert bench.names == []


def test_the_layers_that_come_first_are_made_before_their_frames(bench: Bench) -> None:
    bench.run(spec(t=9, z=1, places=((0, 0), (0, 20))), ("t", "p", "z", "c"))
    bench.tick()
    assert bench.names == ["Pos0 - DAPI"]
    bench.tick(3)
    assert bench.names == ["Pos0 - DAPI", "Pos0 - FITC"]
    first, second = bench.viewer.layers
    assert first.contrast_limits == [0, 4095] == first.contrast_limits_range
    bench.put(position=0, time=0, z=0, channel="DAPI")
    bench.tick()
    assert _max(first) == SIDE * SIDE - 1
    assert first.contrast_limits == pytest.approx([1, 1022], abs=1)
    assert second.contrast_limits == [0, 4095]
    # Two frames came between two looks: contrast all the same.
    bench.put(position=0, time=0, z=0, channel="FITC")
    bench.put(position=1, time=0, z=0, channel="DAPI")
    bench.tick()
    assert second.contrast_limits == pytest.approx([1, 1022], abs=1)
    assert bench.names[2:] == ["Pos1 - DAPI"]
    bench.finish()
    assert bench.names == ["Pos0 - DAPI", "Pos0 - FITC", "Pos1 - DAPI"]


def test_layers_whose_frames_never_came_go_at_the_end(bench: Bench) -> None:
    bench.run(spec(), ("t", "z", "c"))
    bench.tick(3)
    bench.put(time=0, z=0, channel="DAPI")
    bench.tick()
    assert bench.names == ["DAPI", "FITC"]
    bench.finish()
    assert bench.names == ["DAPI"]
    bench.run(spec(), ("t", "z", "c"))
    bench.tick(3)
    bench.viewer.layers.remove(bench.viewer.layers[-1])  # the user was quicker
    bench.finish()
    assert bench.names == ["DAPI"]


def test_the_run_is_eased_until_the_first_layers_are_painted(
    bench: Bench, qtbot: QtBot
) -> None:
    held: list[int] = [0]
    most: list[int] = [0]

    @contextmanager
    def eased() -> Iterator[None]:
        held[0] += 1
        most[0] = max(held[0], most[0])
        yield
        held[0] -= 1

    bench.stream = stream = Stream(spec(), [MemorySink()])
    views: list[StreamView] = []
    bench.live.start(lambda: views[0] if views else None, ("t", "z", "c"), eased=eased)
    qtbot.wait(20)
    assert bench.names == [] and most == [0]
    views.append(stream.view())
    qtbot.waitUntil(lambda: len(bench.names) == 2 and not held[0])
    assert most[0] >= 1


def test_a_channel_appears_with_its_first_frame_fully_described(bench: Bench) -> None:
    bench.run(spec(), ("t", "z", "c"))
    bench.put(time=0, z=0, channel="DAPI")
    bench.tick(3)
    assert bench.names == ["DAPI"]
    layer = bench.viewer.layers[0]
    assert layer.data.shape == (3, 2, SIDE, SIDE)
    assert tuple(layer.scale) == (1.5, 2.0, 0.5, 0.5)
    assert [str(u) for u in layer.units] == ["second"] + ["micrometer"] * 3
    assert layer.translate[1] == 5.0
    assert layer.metadata["napari_scope"]["channel"] == "DAPI"
    # The contrast comes from the frame, the range from the camera.
    assert layer.contrast_limits == pytest.approx([1, 1022], abs=1)
    assert layer.contrast_limits_range == [0, 4095]
    bench.put(time=0, z=0, channel="FITC")
    bench.tick()
    assert bench.names == ["DAPI", "FITC"]


def test_one_look_makes_one_layer(bench: Bench) -> None:
    bench.run(spec(), ("t", "z", "c"))
    for channel in ("DAPI", "FITC"):
        bench.put(time=0, z=0, channel=channel)
    bench.tick()
    assert bench.names == ["DAPI"]
    bench.tick()
    assert bench.names == ["DAPI", "FITC"]


def test_sliders_follow_the_newest_whole_plane(bench: Bench) -> None:
    bench.run(spec(), ("t", "z", "c"))
    seen = []
    for t in range(3):
        for z in range(2):
            for channel in ("DAPI", "FITC"):
                bench.put(time=t, z=z, channel=channel)
                bench.tick()
                seen.append(bench.steps)
    assert seen[-1] == (2, 1)
    assert seen[3:] == sorted(seen[3:])
    # Whole planes only: z=1 is shown when its second channel is there.
    assert seen[2] == (0, 0) and seen[3] == (0, 1)
    shown = bench.viewer.layers["FITC"]._slice.image.raw
    assert shown.max() == SIDE * SIDE - 1


def test_the_pixels_on_screen_are_those_of_the_newest_frame(bench: Bench) -> None:
    bench.run(spec(t=20, z=1, channels=("DAPI",)), ("t", "z", "c"))
    for t in range(20):
        bench.put(100 + t, time=t, z=0, channel="DAPI")
        bench.tick()
        shown = np.asarray(bench.viewer.layers[0]._slice.image.raw)
        assert set(shown.ravel().tolist()) == {100 + t}


def test_moving_a_slider_ends_following_until_asked_for(bench: Bench) -> None:
    said: list[bool] = []
    bench.live.following_changed.connect(said.append)
    bench.run(spec(t=9, z=1), ("t", "c"))
    for t in range(4):
        for channel in ("DAPI", "FITC"):
            bench.put(time=t, z=0, channel=channel)
        bench.tick(2)
    assert bench.steps[0] == 3 and said == []
    bench.viewer.dims.set_current_step(0, 1)
    for channel in ("DAPI", "FITC"):
        bench.put(time=4, z=0, channel=channel)
    bench.tick(2)
    assert said == [False] and not bench.live.following
    assert bench.steps[0] == 1
    bench.live.set_following(True)
    assert bench.steps[0] == 4


def test_a_move_is_noticed_while_no_frame_comes(bench: Bench) -> None:
    said: list[bool] = []
    bench.live.following_changed.connect(said.append)
    bench.run(spec(), ("t", "z", "c"))
    bench.put(time=0, z=0, channel="DAPI")
    bench.tick(2)
    bench.viewer.dims.set_current_step(0, 2)
    bench.tick()
    assert said == [False]


def test_the_shown_plane_is_redrawn_once_when_it_is_written(bench: Bench) -> None:
    bench.run(spec(t=9, z=1, channels=("DAPI",)), ("t", "z", "c"))
    bench.put(50, time=0, z=0, channel="DAPI")
    bench.tick(2)
    bench.viewer.dims.set_current_step(0, 2)  # still to come
    bench.tick()
    layer = bench.viewer.layers[0]
    assert np.asarray(layer._slice.image.raw).max() == 0
    drawn = bench.live.redraws
    bench.put(51, time=1, z=0, channel="DAPI")
    bench.tick()
    assert bench.live.redraws == drawn
    bench.put(52, time=2, z=0, channel="DAPI")
    bench.tick()
    assert np.asarray(layer._slice.image.raw).max() == 52
    assert bench.live.redraws == drawn + 1
    bench.put(53, time=3, z=0, channel="DAPI")
    bench.tick(3)
    assert bench.live.redraws == drawn + 1


def test_positions_lie_where_the_stage_was(bench: Bench) -> None:
    bench.run(spec(places=((0, 0), (0, 20), (10, 0))), ("p", "t", "z", "c"))
    for place in range(3):
        for channel in ("DAPI", "FITC"):
            bench.put(position=place, time=0, z=0, channel=channel)
    bench.tick(8)
    assert len(bench.names) == 6
    layers = bench.viewer.layers
    first, second = layers["Pos0 - DAPI"], layers["Pos1 - DAPI"]
    third = layers["Pos2 - FITC"]
    assert tuple(second.translate - first.translate) == (0, 0, 0, 20)
    assert tuple(third.translate - first.translate) == (0, 0, 10, 0)


def test_the_camera_goes_to_a_place_far_away(bench: Bench) -> None:
    bench.run(spec(places=((0, 0), (0, 9000))), ("p", "t", "z", "c"))
    bench.put(position=0, time=0, z=0, channel="DAPI")
    bench.tick()
    zoom = bench.viewer.scene.camera.zoom
    for channel in ("DAPI", "FITC"):
        bench.put(position=1, time=0, z=0, channel=channel)
    bench.tick(4)
    assert bench.viewer.scene.camera.center[2] == pytest.approx(9000, abs=10)
    assert bench.viewer.scene.camera.zoom == zoom


def test_a_camera_that_the_user_moved_is_left_alone(bench: Bench) -> None:
    bench.run(spec(places=((0, 0), (0, 20))), ("p", "t", "z", "c"))
    bench.put(position=0, time=0, z=0, channel="DAPI")
    bench.tick()
    bench.viewer.scene.camera.center = (0, 3, 4)
    bench.viewer.scene.camera.zoom = 7
    bench.put(position=1, time=0, z=0, channel="DAPI")
    bench.tick(4)
    assert bench.viewer.scene.camera.center == (0, 3, 4)
    assert bench.viewer.scene.camera.zoom == 7


def test_a_channel_looks_alike_at_all_positions(bench: Bench) -> None:
    bench.run(spec(places=((0, 0), (0, 20))), ("p", "t", "z", "c"))
    bench.put(position=0, time=0, z=0, channel="DAPI")
    bench.tick()
    bench.viewer.layers[0].contrast_limits = (10, 20)  # the user's choice
    bench.put(position=1, time=0, z=0, channel="DAPI")
    bench.tick(3)
    assert bench.viewer.layers["Pos1 - DAPI"].contrast_limits == [10, 20]


def test_a_flat_first_frame_sets_no_contrast(bench: Bench) -> None:
    bench.run(spec(z=1, channels=("DAPI",)), ("t", "z", "c"))
    bench.put(7, time=0, z=0, channel="DAPI")
    bench.tick()
    layer = bench.viewer.layers[0]
    assert layer.contrast_limits == [0, 4095]
    bench.put(time=1, z=0, channel="DAPI")
    bench.tick()
    assert layer.contrast_limits == pytest.approx([1, 1022], abs=1)


def test_layers_stay_valid_when_the_run_is_over(bench: Bench) -> None:
    stream = bench.run(spec(t=2, z=1), ("t", "z", "c"))
    for t in range(2):
        for number, channel in enumerate(("DAPI", "FITC")):
            bench.put(10 * t + number + 1, time=t, z=0, channel=channel)
    stream.close()
    bench.finish()
    assert not bench.live.active
    assert bench.names == ["DAPI", "FITC"]
    assert bench.steps == (1, 0)
    for t in range(2):
        bench.viewer.dims.set_current_step(0, t)
        for number, layer in enumerate(bench.viewer.layers):
            assert np.asarray(layer._slice.image.raw).max() == 10 * t + number + 1


def test_finish_leaves_what_was_never_taken_away(bench: Bench) -> None:
    stream = bench.run(spec(places=((0, 0), (0, 20))), ("p", "t", "z", "c"))
    bench.put(position=0, time=0, z=0, channel="DAPI")
    stream.close()
    bench.finish()
    assert bench.names == ["Pos0 - DAPI"]


def test_a_layer_that_the_user_removed_does_not_come_back(bench: Bench) -> None:
    bench.run(spec(), ("t", "z", "c"))
    bench.put(time=0, z=0, channel="DAPI")
    bench.tick()
    bench.viewer.layers.clear()
    bench.put(time=0, z=0, channel="FITC")
    bench.put(time=0, z=1, channel="DAPI")
    bench.tick(3)
    assert bench.names == ["FITC"]


def test_the_next_run_hides_the_layers_of_the_last(bench: Bench) -> None:
    bench.run(spec(), ("t", "z", "c"))
    bench.put(time=0, z=0, channel="DAPI")
    bench.tick()
    bench.run(spec(), ("t", "z", "c"))
    bench.put(time=0, z=0, channel="DAPI")
    bench.tick()
    assert [layer.visible for layer in bench.viewer.layers] == [False, True]
    assert list(bench.live.layers) == [LayerKey(0, 0)]


def test_an_image_of_the_user_may_lie_beside_them(bench: Bench) -> None:
    bench.viewer.add_image(np.zeros((4, 5, 6, 8, 8)))
    bench.run(spec(), ("t", "z", "c"))
    for t, z in ((0, 0), (0, 1), (1, 0)):
        for channel in ("DAPI", "FITC"):
            bench.put(time=t, z=z, channel=channel)
        bench.tick(2)
    layer = bench.viewer.layers["FITC"]
    assert np.asarray(layer._slice.image.raw).max() == SIDE * SIDE - 1
    assert bench.live.following


def test_a_run_of_unknown_length_grows_at_most_four_times_a_second(
    bench: Bench,
) -> None:
    growing = StoreSpec("run", (SIDE, SIDE), np.dtype("u2"), growing=True)
    bench.run(growing, ())
    sizes = []
    for t in range(60):
        bench.put(t + 1, time=t)
        bench.tick()
        sizes.append(bench.viewer.layers[0].extent.data[1][0])
    assert 60 / 30 * 4 + 2 >= len(set(sizes)) >= 4
    assert bench.stream is not None
    bench.stream.close()
    bench.finish()
    assert bench.viewer.layers[0].data.shape[0] == 60
    assert bench.viewer.dims.nsteps[0] == 60
    assert bench.steps[0] == 59
    assert np.asarray(bench.viewer.layers[0]._slice.image.raw).max() == 60


def test_many_positions_share_a_layer_with_a_slider(bench: Bench) -> None:
    places = tuple((0.0, 100.0 * i) for i in range(20))
    bench.run(spec(t=2, z=1, places=places), ("t", "p", "z", "c"))
    for place in range(20):
        for number, channel in enumerate(("DAPI", "FITC")):
            value = 100 * place + number + 1
            bench.put(value, position=place, time=0, z=0, channel=channel)
        bench.tick(2)
        assert bench.steps[:2] == (place, 0)
    assert bench.names == ["DAPI", "FITC"]
    assert bench.viewer.layers[0].data.shape == (20, 2, 1, SIDE, SIDE)
    layer = bench.viewer.layers["FITC"]
    assert np.asarray(layer._slice.image.raw).max() == 1902
    # A position of the next time point is redrawn when it comes.
    bench.viewer.dims.set_current_step(0, 2)
    bench.viewer.dims.set_current_step(1, 1)
    bench.tick()
    for place in range(3):
        bench.put(7, position=place, time=1, z=0, channel="DAPI")
        bench.put(9, position=place, time=1, z=0, channel="FITC")
        bench.tick()
        shown = np.asarray(layer._slice.image.raw).max()
        assert shown == (9 if place == 2 else 0)
    assert bench.live.following is False


def _row(count: int) -> tuple[tuple[float, float], ...]:
    return tuple((0.0, 100.0 * i) for i in range(count))


def _max(layer: Any) -> int:
    return int(np.asarray(layer._slice.image.raw).max())


def test_positions_of_another_shape_share_layers_among_themselves(
    bench: Bench,
) -> None:
    # One position of 50 has a z stack, so the order of the frames is not simple.
    count, odd = 50, 30
    bench.run(spec(t=1, z=1, places=_row(count), planes={odd: 3}), ())
    for place in range(count):
        for z in range(3 if place == odd else 1):
            for number, channel in enumerate(("DAPI", "FITC")):
                value = 100 * place + 10 * z + number + 1
                bench.put(value, position=place, time=0, z=z, channel=channel)
                bench.tick()
        # What is followed is on the screen, in the layer of its kind.
        assert bench.steps[0] == place
        kind = "Pos30" if place == odd else "Pos0"
        assert _max(bench.viewer.layers[f"{kind} - FITC"]) == value
    assert sorted(bench.names) == [
        "Pos0 - DAPI",
        "Pos0 - FITC",
        "Pos30 - DAPI",
        "Pos30 - FITC",
    ]
    stack, flat = bench.viewer.layers["Pos30 - DAPI"], bench.viewer.layers[0]
    assert stack.data.shape == (count, 1, 3, SIDE, SIDE)
    assert flat.data.shape == (count, 1, 1, SIDE, SIDE)
    assert bench.finish() == 1 and bench.live.note == ""
    for z in range(3):
        bench.viewer.dims.set_current_step(0, odd)
        bench.viewer.dims.set_current_step(2, z)
        assert _max(stack) == 100 * odd + 10 * z + 1
    bench.viewer.dims.set_current_step(2, 0)
    bench.viewer.dims.set_current_step(0, 7)
    assert (_max(stack), _max(flat)) == (0, 701)


def test_the_second_channel_is_drawn_when_the_order_is_not_known(
    bench: Bench,
) -> None:
    bench.run(spec(t=3, z=1), ())
    for t in range(3):
        for number, channel in enumerate(("DAPI", "FITC")):
            bench.put(10 * t + number + 1, time=t, z=0, channel=channel)
            bench.tick()
            # The slider stands there already when the second channel comes.
            assert _max(bench.viewer.layers[channel]) == 10 * t + number + 1


def test_many_tiles_share_layers_when_their_order_is_not_simple(bench: Bench) -> None:
    stream = bench.run(spec(t=2, z=1, channels=("DAPI",), places=_row(40)), ())
    # ptg: two tiles of each position, at each time point of the position.
    for first in range(0, 40, 2):
        for t in range(2):
            for place in (first, first + 1):
                value = 10 * place + t + 1
                bench.put(value, position=place, time=t, z=0, channel="DAPI")
                bench.tick()
                assert bench.steps[:2] == (place, t)
                assert _max(bench.viewer.layers[0]) == value
    stream.close()
    bench.finish()
    assert bench.names == ["DAPI"]
    assert bench.live.following


def test_an_empty_sample_of_a_shared_layer_is_never_redrawn(bench: Bench) -> None:
    bench.run(spec(t=9, z=1, channels=("D",), places=_row(40), planes={0: 2}), ())
    bench.put(5, position=0, time=0, z=0, channel="D")
    bench.tick(2)
    bench.put(6, position=1, time=0, z=0, channel="D")
    bench.tick(2)
    assert sorted(bench.names) == ["Pos0 - D", "Pos1 - D"]
    drawn = bench.live.redraws
    bench.viewer.dims.set_current_step(0, 1)  # the stack has nothing there
    bench.live.set_following(False)
    for t in range(1, 9):
        bench.put(7, position=0, time=t, z=0, channel="D")
        bench.tick(9)
    flat = bench.viewer.layers["Pos1 - D"]
    stack = bench.viewer.layers["Pos0 - D"]
    assert (_max(flat), _max(stack)) == (6, 0)
    assert bench.live.redraws == drawn


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the limit be low: napari takes its time for every layer."""
    monkeypatch.setattr(live_layers, "MAX_LAYERS", 6)
    return 6


def test_layers_never_become_more_than_the_limit(bench: Bench, few: int) -> None:
    notes: list[str] = []
    bench.live.note_changed.connect(notes.append)
    count = few + 3
    planes = {i: i + 1 for i in range(count)}  # no two of a shape
    bench.run(spec(t=1, channels=("D",), places=_row(count), planes=planes), ())
    for place in range(count):
        bench.put(place + 1, position=place, time=0, z=0, channel="D")
        bench.tick()
    assert len(bench.names) == few
    assert len(notes) == 2 and notes[0] == ""  # nothing at the start
    assert f"{MAX_LAYERS} layers" in notes[1] and bench.live.note == notes[1]
    bench.finish()
    assert len(bench.names) == few and len(notes) == 2
    # The next run begins without the note.
    bench.run(spec(), ())
    assert notes[2:] == [""] and bench.live.note == ""


def test_places_that_a_generator_adds_stay_below_the_limit(
    bench: Bench, few: int
) -> None:
    growing = StoreSpec("run", (SIDE, SIDE), np.dtype("u2"), growing=True)
    bench.run(growing, ())
    for place in range(few + 5):
        bench.put(place + 1, position=place, time=0)
        bench.tick()
    assert len(bench.names) == few
    assert bench.live.note


def test_a_late_look_at_a_growing_run_shares_nothing(bench: Bench) -> None:
    # A shared layer would keep the shape of the moment it was made at.
    growing = StoreSpec("run", (SIDE, SIDE), np.dtype("u2"), growing=True)
    bench.run(growing, ())
    for place in range(MAX_LAYERS + 5):
        bench.put(place + 1, position=place, time=0)
    bench.tick()
    (layer,) = bench.viewer.layers
    bench.put(9, position=MAX_LAYERS + 4, time=1)
    bench.now += 1
    bench.tick()
    assert layer.data.shape == (2, 1, SIDE, SIDE)[-layer.data.ndim :]


def test_the_last_layers_are_made_one_by_one(bench: Bench) -> None:
    # A run that was over before the first look.
    stream = bench.run(spec(t=1, z=1, places=_row(6)), ())
    for place in range(6):
        for channel in ("DAPI", "FITC"):
            bench.put(place + 1, position=place, time=0, z=0, channel=channel)
    stream.close()
    bench.live._timer.start()
    bench.live.finish()
    assert len(bench.names) == 1 and bench.live.active
    bench.live.finish()  # again is harmless
    assert len(bench.names) == 1
    for count in range(2, 13):
        bench.tick()
        assert len(bench.names) == count and bench.live.active
    bench.tick()
    assert not bench.live.active
    for place in range(6):
        assert _max(bench.viewer.layers[f"Pos{place} - FITC"]) == place + 1


def test_the_next_run_may_begin_before_the_last_layer_was_made(bench: Bench) -> None:
    bench.run(spec(t=1, z=1, places=_row(6)), ())
    bench.put(position=5, time=0, z=0, channel="DAPI")
    bench.live._timer.start()
    bench.live.finish()
    assert bench.live.active
    bench.run(spec(), ("t", "z", "c"))
    bench.put(time=0, z=0, channel="DAPI")
    bench.tick(3)
    assert [layer.visible for layer in bench.viewer.layers] == [False, True]


def test_colour_frames_make_one_layer(bench: Bench) -> None:
    colour = StoreSpec(
        "run",
        (SIDE, SIDE, 3),
        np.dtype("u1"),
        order=("time",),
        images=(ImageSpec("run", sizes={"time": 2}),),
    )
    stream = bench.run(colour, ("t",))
    for t in range(2):
        stream.append(np.full((SIDE, SIDE, 3), 9 + t, "u1"), index={"time": t})
        bench.tick(2)
    layer = bench.viewer.layers[0]
    assert layer.rgb
    assert layer.data.shape[-3:] == (SIDE, SIDE, 3)
    assert np.asarray(layer._slice.image.raw).max() == 10
    assert bench.steps[0] == 1


def test_looks_are_no_faster_than_thirty_a_second_and_give_way(
    bench: Bench, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    lagging = False
    stream = bench.run(spec(), ("t", "z", "c"))
    bench.live.start(stream.view, ("t", "z", "c"), lagging=lambda: lagging)
    pauses: list[tuple[float, bool]] = []

    def pause_ms(spent_ms: float, *, lagging: bool) -> int:
        pauses.append((spent_ms, lagging))
        return 34

    monkeypatch.setattr(live_layers, "pause_ms", pause_ms)
    bench.put(time=0, z=0, channel="DAPI")
    qtbot.waitUntil(lambda: len(pauses) > 1)
    # Making a layer is not counted.
    assert pauses[0] == (0.0, False) and bench.live._timer.interval() == 34
    # Both layers are made, so that what is measured below is a look alone.
    made = len(pauses)
    bench.put(time=0, z=0, channel="FITC")
    qtbot.waitUntil(lambda: len(bench.viewer.layers) == 2 and len(pauses) > made + 2)
    # A look takes as long as napari paints.
    bench.viewer.dims.events.current_step.connect(lambda _: time.sleep(0.03))
    lagging = True
    pauses.clear()
    for channel in ("DAPI", "FITC"):  # the slider goes on when a plane is whole
        bench.put(time=0, z=1, channel=channel)
    qtbot.waitUntil(lambda: any(spent >= 30 and late for spent, late in pauses))
