"""Reads a table of frames in a thread: its columns and, if wanted, its intensities.

It goes on where it stopped: what was read stays when it is stopped, and of a store that
grows only what is new is read. The outcome is handed over in the GUI thread; what there
is so far can be looked at before. A table that is not wanted any more is left behind:
nobody waits for a store that hangs.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.formats.frame_columns import FrameColumns
from napari_scope.formats.frame_intensity import IntensityScan
from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.formats.frame_table import FrameSheet
    from napari_scope.model import Image

    Opener = Callable[[], tuple[FrameSheet, Sequence[Image]]]

__all__ = ["ReadTable", "TableReader"]

_LONGEST_REST_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class ReadTable:
    """A table, and what was read of it.

    Parameters
    ----------
    sheet : FrameSheet
        The table.
    images : sequence of Image
        The images of its data set.
    columns : FrameColumns
        The columns so far.
    intensities : IntensityScan, optional
        The intensities so far.
    """

    sheet: FrameSheet
    images: Sequence[Image]
    columns: FrameColumns
    intensities: IntensityScan | None = None


class TableReader(QObject):
    """Reads one table at a time.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    finished : Signal
        Reading has ended, or was stopped; `table` has what there is.
    failed : Signal
        The table cannot be read; carries the exception.
    """

    finished = Signal()
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._opener: Opener | None = None
        self._key: object = None
        self._cancel = threading.Event()
        self._stopped = False
        self._so_far: tuple[object, ReadTable] | None = None
        self.table: ReadTable | None = None
        self.progress = (0, 0)
        self._call = BackgroundCall(self, abandon=True)
        self._call.finished.connect(self._on_finished)
        self._call.failed.connect(self._on_failed)

    @property
    def key(self) -> object:
        """Says which table it is; None without one."""
        return self._key

    @property
    def busy(self) -> bool:
        """Whether it is reading."""
        return self._call.busy

    @property
    def stopped(self) -> bool:
        """Whether it was stopped, or cannot read; until `resume`."""
        return self._stopped

    @property
    def so_far(self) -> ReadTable | None:
        """The table with what there is of it, also while it is being read."""
        cancel, table = self._so_far or (None, None)
        return self.table if table is None or cancel is not self._cancel else table

    def set_source(self, key: object, opener: Opener | None) -> None:
        """Read another table from now on; nothing is read yet."""
        self._cancel.set()
        self._call.close()
        self._key, self._opener = key, opener
        self.table, self._so_far, self._stopped = None, None, False

    def read(self, *, grown: bool, intensities: bool) -> None:
        """Read what is missing, unless it was stopped.

        Parameters
        ----------
        grown : bool
            Whether to look for frames that were added.
        intensities : bool
            Whether pixels are read, too.
        """
        opener, known = self._opener, self.table
        if opener is None or self._call.busy or self._stopped:
            return
        if known is not None and not grown and not self._is_missing(intensities):
            return
        self._cancel = cancel = threading.Event()
        self.progress = (0, 0)

        last_s = time.monotonic()

        def told(done: int, of: int) -> None:
            nonlocal last_s
            self.progress = (done, of)
            # This thread and that of the window share one Python: leave it some.
            time.sleep(min((time.monotonic() - last_s) / 2, _LONGEST_REST_S))
            last_s = time.monotonic()

        def work() -> object:
            if known is None:
                sheet, images = opener()
                columns, scan = FrameColumns(sheet), None
            else:
                sheet, images = known.sheet, known.images
                columns, scan = known.columns, known.intensities
            if grown:
                sheet.refresh()
            self._so_far = cancel, ReadTable(sheet, images, columns, scan)
            columns.update(told, cancel.is_set)
            if len(sheet):
                sheet.place(0)  # what it has to learn for this it learns here
            if intensities and not cancel.is_set():
                scan = IntensityScan(sheet, images) if scan is None else scan
                self._so_far = cancel, ReadTable(sheet, images, columns, scan)
                scan.update(told, cancel.is_set)
            return ReadTable(sheet, images, columns, scan)

        self._call.start(work, "napari-scope frame table")

    def _is_missing(self, intensities: bool) -> bool:
        known = self.table
        if known is None:
            return True
        total = len(known.sheet)
        if known.columns.count < total:
            return True
        done = known.intensities.count if known.intensities is not None else 0
        return intensities and done < total

    def stop(self) -> None:
        """Stop reading; what was read stays."""
        self._stopped = self._stopped or self._call.busy
        self._cancel.set()

    def resume(self) -> None:
        """Let `read` go on after it was stopped."""
        self._stopped = False

    def close(self) -> None:
        """Stop, and leave behind what hangs; idempotent."""
        self._cancel.set()
        self._opener = None
        self._call.close()

    def _on_finished(self, table: object) -> None:
        assert isinstance(table, ReadTable)
        self.table, self._so_far = table, None
        self.finished.emit()

    def _on_failed(self, error: object) -> None:
        self._stopped = True
        self.failed.emit(error)
