"""The regular set: each dock idle, at work, and after an error, in both themes.

One session with the demo microscope, all docks as tabs of one window as a user has
them; what is seen is what the session did. The pictures are
``docs/images/docks/<dock>-<state>-<theme>.png``.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import stage
from acquire import plan
from explorer import draw_outline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DOCKS", "STATES", "pictures"]

DOCKS: Final = {
    "devices": "Devices",
    "acquire": "Acquire",
    "explorer": "Stage and explorer",
    "browse": "Browse data",
    "metadata": "Metadata",
    "log": "Log",
}
STATES: Final = ("idle", "working", "error")

_MOVIE_FRAMES: Final = 1500
_LOOSE: Final = "no answer (cable loose?)"


@dataclass
class Session:
    """A window with all docks, and where its pictures go.

    Parameters
    ----------
    viewer : napari.Viewer
        Of the window.
    docks : dict
        The docks, by the names of their pictures.
    folder : Path
        Of the pictures.
    data : Path
        Of the data of the session.
    """

    viewer: Any
    docks: dict[str, Any]
    folder: Path
    data: Path
    made: list[Path] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        return self.docks[name]

    @property
    def microscope(self) -> Any:
        """The microscope of all docks."""
        return self.docks["devices"].microscope

    def show(self, name: str) -> Any:
        """Bring a dock to the front; return it."""
        dock = self.docks[name]
        stage.to_front(self.viewer, dock)
        return dock

    def shoot(self, name: str, state: str) -> None:
        """Take the pictures of a dock."""
        self.show(name)
        for theme in stage.THEMES:
            path = self.folder / "docks" / f"{name}-{state}-{theme}.png"
            self.made.append(stage.shoot(self.viewer, path, theme=theme))
        self.viewer.theme = "dark"


def pictures(folder: Path) -> list[Path]:
    """Make the set.

    Parameters
    ----------
    folder : Path
        The images of the docs.

    Returns
    -------
    list of Path
        What was written.
    """
    with _session(folder) as session:
        _idle(session)
        _live(session)
        _run(session)
        _explore(session)
        _fail(session)
    return session.made


@contextlib.contextmanager
def _session(folder: Path) -> Iterator[Session]:
    data = stage.keep_away() / "data"
    _write(data)
    with stage.window() as viewer:
        from napari_scope.widgets.workspace import open_workspace

        opened = open_workspace(viewer, list(DOCKS.values()))
        docks = {name: opened[title] for name, title in DOCKS.items()}
        session = Session(viewer, docks, folder, data)
        microscope = session.microscope
        core = microscope.real_core
        stage.until(lambda: core.getCameraDevice() == "Camera")
        stage.until(lambda: not microscope.is_loading)
        for device, name, value in (
            ("Camera", "Mode", "Fluorescent Beads"),
            ("Camera", "PixelType", "16bit"),
            ("XY", "Velocity", "1"),
        ):
            microscope.core.setProperty(device, name, value)
        microscope.core.setExposure(20)
        stage.until(lambda: not microscope.calls.busy)
        yield session


def _write(data: Path) -> None:
    """Write what the Browse dock finds."""
    import numpy as np
    from picture_data import (
        cell_picture,
        write_collection,
        write_plate,
        write_segmented,
    )

    from napari_scope.formats.ndtiff.writer import NDTiffWriter

    write_plate(data / "screen.ome.zarr", fields=1)
    write_segmented(data / "segmented.ome.zarr")
    write_collection(data / "slide.ome.zarr")
    with NDTiffWriter(data / "movie.ndtiff", summary={"Prefix": "movie"}) as writer:
        picture, _ = cell_picture(512, 60, 3)
        for time in range(_MOVIE_FRAMES):
            writer.put({"time": time}, np.roll(picture[0], time, axis=1), {})
    damaged = data / "copy.ome.zarr"
    damaged.mkdir()
    (damaged / "zarr.json").write_text('{"attributes": {"ome": {"multiscales": [')


# ---- idle


def _idle(session: Session) -> None:
    """Load, snap; look at each dock."""
    viewer = session.viewer
    explorer = session.show("explorer")
    stage.until(lambda: explorer.driver.facts.grid is not None)
    stage.until(lambda: bool(explorer.map.layers))
    devices = session.show("devices")
    devices.show_page("Presets")
    stage.until(lambda: devices.tabs.page.built)
    devices.live.snap_button.click()
    stage.until(lambda: "Live" in viewer.layers)
    acquire = session["acquire"]
    acquire.save_box.folder_edit.setText(str(session.data / "tuesday"))
    acquire.save_box.name_edit.setText("beads")
    acquire.plan_box.setValue(plan(interval_s=30))
    browse = session["browse"]
    browse.show_folder(str(session.data))
    page = browse.folder_page
    session.show("browse")
    stage.until(lambda: page.model.count >= 5)
    stage.until(lambda: all(row.looked for row in page.model.rows))
    viewer.layers.selection.active = viewer.layers["Live"]
    for name in DOCKS:
        session.shoot(name, "idle")


# ---- at work


def _live(session: Session) -> None:
    live = session["devices"].live
    live.live_button.click()
    stage.until(lambda: live.view.shown_fps > 0)
    stage.rest(1)
    session.shoot("devices", "working")
    live.live_button.click()
    stage.until(lambda: not session.microscope.live.going_on)


def _convert(session: Session) -> None:
    """Begin conversions; the first one is long enough to be seen at work."""
    from napari_scope.stream.jobs import ConvertOptions, convert_job

    queue = session["browse"].activity.queue
    movie, plate = session.data / "movie.ndtiff", session.data / "screen.ome.zarr"
    small = ConvertOptions(format="ome-zarr", compression="blosc-zstd")
    queue.add(convert_job(movie, session.data / "movie.ome.zarr", small))
    tiff = ConvertOptions(format="ome-tiff")
    queue.add(convert_job(plate, session.data / "screen.ome.tiff", tiff))


def _run(session: Session) -> None:
    """Let a run go on that waits for its next time point."""
    acquire = session.show("acquire")
    stage.until(acquire.run_bar.run_button.isEnabled)
    acquire.run_bar.run_button.click()
    stage.until(lambda: acquire.run is not None and acquire.run.progress().saved >= 12)
    layers = session.viewer.layers
    layers["Live"].visible = False
    stage.until(lambda: sum(x.name.startswith("Pos") for x in layers) == 4)
    stage.rest(0.5)
    session.viewer.reset_view()
    session.shoot("acquire", "working")
    layer = next(x for x in layers if "DAPI" in x.name)
    session.viewer.layers.selection.active = layer
    metadata = session["metadata"]
    stage.until(lambda: not metadata.busy)
    session.shoot("metadata", "working")
    session.shoot("log", "working")
    browse = session.show("browse")
    browse.activity.watched.watch(str(session.data / "tuesday" / "beads_001.ome.zarr"))
    browse.tabs.setCurrentWidget(browse.activity)
    _convert(session)
    stage.until(lambda: browse.activity.queue.jobs[0].state == "running")
    stage.rest(1)
    session.shoot("browse", "working")
    browse.activity.queue.cancel_all()
    stage.until(lambda: not browse.activity.queue.busy)
    acquire.run_bar.finish_actions["t"].trigger()
    acquire.run_bar.skip_button.click()
    stage.until(lambda: not acquire.running and not acquire.live.active)


def _explore(session: Session) -> None:
    """Take the tiles of a region that was drawn."""
    viewer, explorer = session.viewer, session.show("explorer")
    stage.until(lambda: not session.microscope.lock_reason)
    for name in [x.name for x in viewer.layers if x.name.startswith("Pos0")]:
        viewer.layers.remove(name)
    viewer.layers["Live"].visible = False
    explorer.explore.folder.setText(str(session.data / "tuesday"))
    explorer.explore.name.setText("slide")
    draw_outline(explorer, viewer)
    explorer.planner.explore_button.click()
    stage.until(lambda: explorer.session.running)
    stage.until(lambda: _taken(explorer) > 5)
    viewer.reset_view()
    session.shoot("explorer", "working")
    session.microscope.real_core.setProperty("XY", "Velocity", 100)
    stage.until(lambda: not explorer._explored.waiting)
    explorer.explore.finish_button.click()
    stage.until(lambda: not explorer.session.busy)
    stage.until(lambda: not session.microscope.lock_reason)


def _taken(explorer: Any) -> int:
    return 0 if explorer._explored is None else len(explorer._explored.taken)


# ---- after an error


def _fail(session: Session) -> None:
    """Let one thing go wrong in each dock."""
    core = session.microscope.real_core
    explorer = session.show("explorer")
    with stage.broken(core, "setXYPosition", f"Error in device 'XY': {_LOOSE}"):
        explorer.driver.move_to(500, 300)
        stage.until(explorer.errors.isVisible)
    session.viewer.reset_view()
    session.shoot("explorer", "error")
    _fail_to_turn(session)
    _fail_to_read(session)
    _fail_to_run(session)
    log = session.show("log")
    stage.until(lambda: _failed_run(log))
    log.table.selectRow(_failed_run(log)[-1])
    session.shoot("log", "error")


def _fail_to_turn(session: Session) -> None:
    devices = session.show("devices")
    box = devices.quick.objective
    said = f"Error in device 'Objective': {_LOOSE}"
    with stage.broken(session.microscope.real_core, "setProperty", said):
        box.setCurrentIndex(3)
        box.textActivated.emit(box.currentText())
        stage.until(devices.errors.isVisible)
    session.shoot("devices", "error")


def _fail_to_read(session: Session) -> None:
    """Open a store that is damaged; let one go away while it is looked at."""
    viewer = session.viewer
    browse = session.show("browse")
    browse.show_folder(str(session.data))
    browse.open_path(str(session.data / "copy.ome.zarr"))
    stage.until(browse.errors.isVisible)
    session.shoot("browse", "error")
    gone = session.data / "tuesday" / "beads_001.ome.zarr"
    browse.open_path(str(gone))
    stage.until(lambda: not browse._care.busy)
    shutil.move(gone, session.data / "elsewhere")
    metadata = session.show("metadata")
    viewer.dims.set_current_step(0, 1)
    metadata.refresh()
    stage.until(lambda: not metadata.busy)
    session.shoot("metadata", "error")


def _fail_to_run(session: Session) -> None:
    acquire = session.show("acquire")
    stage.until(acquire.run_bar.run_button.isEnabled)
    said = f"Error in device 'Camera': {_LOOSE}"
    with stage.broken(session.microscope.real_core, "snapImage", said):
        acquire.run_bar.run_button.click()
        stage.until(lambda: acquire.errors.error is not None and not acquire.running)
    session.shoot("acquire", "error")


def _failed_run(log: Any) -> list[int]:
    """Return the rows that tell of the failed run without a traceback."""
    lines = list(enumerate(log.model.lines))
    return [
        row
        for row, line in lines
        if line.level >= logging.ERROR and line.text.startswith("run beads")
    ]
