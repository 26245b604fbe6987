"""Finding out that the run of a store was interrupted, and finishing it, in threads.

It calls `napari_scope.stream.run_state` and `napari_scope.stream.recovery`, and says in
the GUI thread what came of it. It shows nothing and knows nothing of layers.

Examples
--------
>>> recovery = StoreRecovery(dock)  # doctest: +SKIP
>>> recovery.recovered.connect(lambda report: print(report.lines()))  # doctest: +SKIP
>>> recovery.recover("/data/run_1.ome.zarr")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.stream.run_state import StoredRun, run_state
from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from napari_scope.stream.recovery import RecoveryReport

__all__ = ["StoreRecovery", "report_words"]

_POLL_MS = 100
_MOST_LINES = 30


class StoreRecovery(QObject):
    """Looks after interrupted runs, one at a time.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    looked : Signal
        What became of the run of a store; carries its path and the `StoredRun`.
    progressed : Signal
        Carries the number of frames that were checked, and of all.
    recovered : Signal
        A run was finished; carries the report.
    failed : Signal
        A run could not be finished; carries the exception.
    """

    looked = Signal(str, object)
    progressed = Signal(int, int)
    recovered = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._wanted = self._path = ""
        self._count: tuple[int, int] | None = None
        # A look reads a few bytes; a recovery may be cut off at any moment.
        self._look = BackgroundCall(self, abandon=True)
        self._look.finished.connect(self._on_looked)
        self._look.failed.connect(self._on_not_looked)
        self._work = BackgroundCall(self, abandon=True)
        self._work.finished.connect(self._on_recovered)
        self._work.failed.connect(self._on_failed)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._tell)

    @property
    def busy(self) -> bool:
        """Whether a run is being finished."""
        return self._work.busy

    def look(self, path: str) -> None:
        """Find out what became of the run of a store; the newest wish counts."""
        self._wanted = path
        if not self._look.busy:
            self._path = path
            self._look.start(lambda: run_state(path), "napari-scope run state")

    def recover(self, path: str) -> None:
        """Begin to finish a run; the one before must be done."""
        self._count = None

        def note(done: int, total: int) -> None:
            self._count = (done, total)

        def work() -> RecoveryReport:
            from napari_scope.stream.recovery import recover

            return recover(path, progress=note)

        self._work.start(work, "napari-scope recover")
        self._timer.start()

    def close(self) -> None:
        """Leave what is under way behind; idempotent."""
        self._timer.stop()
        self._look.close()
        self._work.close()

    # ---- looking

    def _on_looked(self, state: StoredRun) -> None:
        path = self._path
        if path != self._wanted:
            self.look(self._wanted)
        else:
            self.looked.emit(path, state)

    def _on_not_looked(self, error: BaseException) -> None:
        # A journal that cannot be read cannot be recovered either.
        self._on_looked(StoredRun.UNKNOWN)

    # ---- recovering

    def _tell(self) -> None:
        if self._count is not None:
            self.progressed.emit(*self._count)

    def _on_recovered(self, report: RecoveryReport) -> None:
        self._timer.stop()
        self.recovered.emit(report)

    def _on_failed(self, error: BaseException) -> None:
        self._timer.stop()
        self.failed.emit(error)


def report_words(report: RecoveryReport) -> tuple[str, str]:
    """Return what a recovery came to, in a line and in full."""
    of = "" if report.planned is None else f" of {report.planned:,}"
    text = f"Recovered: {report.saved:,}{of} frames"
    gone = (report.missing or 0) + len(report.lost)
    if gone:
        text += f", {gone:,} missing"
    lines = report.lines()
    more = len(lines) - _MOST_LINES
    rest = [f"and {more} more lines"] if more > 0 else []
    return text, "\n".join([*lines[:_MOST_LINES], *rest])
