"""The runs of one core, whoever starts them, told in the GUI thread.

A run announces itself to all who watch (`acquire.registry`), on its own thread; one
that somebody starts with ``core.run_mda`` is made known by `ForeignWatch`. Each run is
told once as started, and once as ended when all its files are closed, never after the
beginning of the next one.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.acquire.foreign_watch import ForeignWatch
from napari_scope.acquire.registry import runs_of, watch_runs
from napari_scope.widgets.common.core_repeater import connect_directly, is_alive
from napari_scope.widgets.common.preferences import preferences

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymmcore_plus import CMMCorePlus

__all__ = ["CoreRuns"]

_log = logging.getLogger(__name__)
_SOON_MS = 20
_MOST_WARNINGS = 20  # of a run that are logged


class CoreRuns(QObject):
    """Tells of the runs of a core; everything is called in the GUI thread.

    Parameters
    ----------
    core : CMMCorePlus
        The core.
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    started, ended : Signal
        A run goes on; it is over, with all its files closed. Carries the run.
    latest : run or None
        The run that goes on, else the latest one.
    """

    started = Signal(object)
    ended = Signal(object)
    _told = Signal(str, object)

    def __init__(self, core: CMMCorePlus, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._core = core
        self._open: Any = None  # told as started, not yet as ended
        self._awake = False
        self._stop_watching: Callable[[], None] = lambda: None
        self.latest: Any = None
        self._told.connect(self._on_told)
        self._foreign = ForeignWatch(
            core,
            wanted=lambda: preferences().show_other_runs,
            connect=connect_directly,
            alive=is_alive,
        )

    @property
    def running(self) -> bool:
        """Whether a run goes on."""
        return self.latest is not None and not self.latest.done

    def wake(self) -> None:
        """Begin to watch; runs that go on already are told in a moment."""
        self._awake = True
        self._stop_watching = watch_runs(self._hear)
        self._foreign.start()
        # The dock that has just begun to hold the microscope is not built yet.
        for run in runs_of(self._core):
            QTimer.singleShot(0, partial(self._on_told, "started", run))

    def rest(self) -> None:
        """Watch no longer; idempotent."""
        self._awake = False
        self._stop_watching()
        with suppress(RuntimeError):  # Qt has deleted it: the program ends
            self._foreign.stop()

    def look(self) -> None:
        """Look whether a run that announces nothing has begun or ended."""
        self._foreign.look()
        if self._open is not None and self._open.done:
            self._end(self._open)

    def _hear(self, what: str, run: Any) -> None:
        """Be told of a run, on any thread."""
        if run.core is self._core:
            with suppress(RuntimeError):  # Qt has deleted this object meanwhile
                self._told.emit(what, run)

    def _on_told(self, what: str, run: Any) -> None:
        if not self._awake:
            return
        if what == "started":
            self._start(run)
        elif run is self._open:
            # Told while it closes its books: the very end is a moment away.
            QTimer.singleShot(_SOON_MS, self._look_if_awake)

    def _look_if_awake(self) -> None:
        if self._awake:
            self.look()

    def _start(self, run: Any) -> None:
        if run is self.latest:
            return
        if self._open is not None:
            self._end(self._open)  # told before the beginning of the next one
        self.latest = self._open = run
        _log.info("run %s has started", run.name)
        self.started.emit(run)

    def _end(self, run: Any) -> None:
        self._open = None
        _log_end(run)
        self.ended.emit(run)


def _log_end(run: Any) -> None:
    report = run.report
    if run.error is not None:
        _log.error("run %s failed: %s", run.name, run.error)
    if report is not None:
        _log.info(
            "run %s is %s: %d saved, %d skipped, %d dropped in %.1f s",
            *(run.name, report.state.value, report.saved, len(report.skipped)),
            *(report.dropped, report.duration_s),
        )
        for text in report.warnings[:_MOST_WARNINGS]:
            _log.warning("run %s: %s", run.name, text)
