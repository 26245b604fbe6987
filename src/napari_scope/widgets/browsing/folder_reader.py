"""Searches a folder and looks into its data sets in threads, what is seen first.

One thread searches, two look. What they find is collected, and handed over in the GUI
thread a little at a time: neither a slow network nor a thousand data sets hold the
window up. The folder is searched again from time to time; what did not change costs no
more than asking for it (`napari_scope.formats.folder_listing`).

It knows neither model nor views.

Examples
--------
>>> reader = FolderReader(page)  # doctest: +SKIP
>>> reader.found.connect(lambda found: print(len(found)))  # doctest: +SKIP
>>> reader.read("/data")  # doctest: +SKIP
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.formats.folder_listing import DEPTH, find_data_sets
from napari_scope.widgets.browsing.folder_rows import Looked, look

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_scope.formats.folder_listing import FoundDataSet
    from napari_scope.layers.overview_cache import OverviewCache

__all__ = ["FolderReader"]

_THREADS: Final = 2
_TICK_MS: Final = 40
_AT_ONCE: Final = 24  # pictures that are handed over in one tick
_REST_S: Final = 0.3  # after the view was moved
_LONGEST_PAUSE_S: Final = 0.05
_LEAST_PAUSE_S: Final = 2.0  # between two searches
_SHARE: Final = 20  # a search may take one part in so many of the time


class FolderReader(QObject):
    """Reads one folder at a time; everything is called in the GUI thread.

    Parameters
    ----------
    parent : QObject
        Owner.
    cache : OverviewCache, optional
        Keeps what was found in data sets.

    Attributes
    ----------
    found : Signal
        Data sets that are new or changed; carries a list of `FoundDataSet`.
    gone : Signal
        Places that are not there any more; carries a list of str.
    looked : Signal
        What is in data sets; carries a list of (place, `Looked`).
    searched : Signal
        The whole folder was searched.
    failed : Signal
        The folder cannot be listed; carries the exception.
    """

    found = Signal(object)
    gone = Signal(object)
    looked = Signal(object)
    searched = Signal()
    failed = Signal(object)

    def __init__(self, parent: QObject, cache: OverviewCache | None = None) -> None:
        super().__init__(parent)
        self._cache = cache
        self._work: _Work | None = None
        self._folder = ""
        self._depth = DEPTH
        self._known: dict[str, FoundDataSet] = {}
        self._again_s = 0.0
        self._watching = True
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._take)

    @property
    def folder(self) -> str:
        """The folder that is read; empty before the first."""
        return self._folder

    @property
    def busy(self) -> bool:
        """Whether something is searched for, looked into, or waits to be told."""
        return self._work is not None and self._work.busy

    def read(self, folder: str, depth: int = DEPTH) -> None:
        """Read a folder; what was read before is left behind."""
        self._leave()
        self._folder, self._depth, self._known = folder, depth, {}
        self._work = _Work(self._cache)
        self._work.search(folder, depth, {})
        self._timer.start()

    def search_again(self) -> None:
        """Search now for what was added or changed."""
        if self._work is not None and not self._work.searching:
            self._work.search(self._folder, self._depth, dict(self._known))
            self._timer.start()

    def set_watching(self, watching: bool) -> None:
        """Search again from time to time, or not; not while nobody sees it."""
        self._watching = watching
        if watching and self._work is not None:
            self._timer.start()

    def look_into(self, wanted: Iterable[FoundDataSet], *, first: bool = False) -> None:
        """Look into data sets, before all others where they are seen."""
        if self._work is not None:
            self._work.look_into(wanted, first=first)
            self._timer.start()

    def make_way(self) -> None:
        """Look into data sets more slowly for a moment: the view is being moved.

        Threads that read compete with that of the window for Python.
        """
        if self._work is not None:
            self._work.rest_until_s = time.monotonic() + _REST_S

    def close(self) -> None:
        """Let go of everything; idempotent."""
        self._leave()
        self._timer.stop()

    def _leave(self) -> None:
        if self._work is not None:
            self._work.stop()
            self._work = None

    def _take(self) -> None:
        work = self._work
        if work is None:
            return
        ended = not work.searching
        new = work.take_found()
        if new:
            self._known.update((one.place, one) for one in new)
            self.found.emit(new)
        if work is not self._work:
            return  # somebody has read another folder
        looked = work.take_looked(_AT_ONCE)
        if looked:
            self.looked.emit(looked)
        if ended and work is self._work and (search := work.take_search()) is not None:
            self._end_of_search(search)
        if not self._watching and not self.busy:
            self._timer.stop()
        elif self._watching and not self.busy and time.monotonic() > self._again_s:
            self.search_again()

    def _end_of_search(self, search: _Search) -> None:
        pause = max(_LEAST_PAUSE_S, _SHARE * search.took_s)
        self._again_s = time.monotonic() + pause
        if search.error is not None:
            self.failed.emit(search.error)
            return
        gone = [place for place in self._known if place not in search.places]
        for place in gone:
            del self._known[place]
        if gone:
            self.gone.emit(gone)
        self.searched.emit()


class _Search:
    """What a search has come to."""

    def __init__(self) -> None:
        self.places: set[str] = set()
        self.error: OSError | None = None
        self.took_s = 0.0


class _Work:
    """The threads behind one folder; they know nothing of Qt."""

    def __init__(self, cache: OverviewCache | None) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._stopped = False
        self._found: list[FoundDataSet] = []
        self._looked: deque[tuple[str, Looked]] = deque()
        self._waiting: dict[str, FoundDataSet] = {}  # the last one is next
        self._looking = 0
        self._search: _Search | None = None
        self.searching = False
        self.rest_until_s = 0.0

    @property
    def busy(self) -> bool:
        with self._lock:
            pending = self._found or self._looked or self._waiting or self._looking
            return bool(pending) or self.searching or self._search is not None

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            self._waiting.clear()

    def search(self, folder: str, depth: int, known: dict[str, FoundDataSet]) -> None:
        self.searching = True
        threading.Thread(
            target=self._run_search,
            args=(folder, depth, known),
            name="napari-scope folder",
            daemon=True,
        ).start()

    def look_into(self, wanted: Iterable[FoundDataSet], *, first: bool) -> None:
        with self._lock:
            if first:
                for one in wanted:
                    self._waiting.pop(one.place, None)
                    self._waiting[one.place] = one
            else:
                new = {one.place: one for one in wanted}
                rest = {p: one for p, one in self._waiting.items() if p not in new}
                self._waiting = {**dict(reversed(new.items())), **rest}
            start = min(_THREADS - self._looking, len(self._waiting))
            self._looking += start
        for _ in range(start):
            threading.Thread(
                target=self._run_looks, name="napari-scope overview", daemon=True
            ).start()

    def take_found(self) -> list[FoundDataSet]:
        with self._lock:
            found, self._found = self._found, []
        return found

    def take_looked(self, most: int) -> Sequence[tuple[str, Looked]]:
        with self._lock:
            count = min(most, len(self._looked))
            return [self._looked.popleft() for _ in range(count)]

    def take_search(self) -> _Search | None:
        with self._lock:
            search, self._search = self._search, None
        return search

    def _run_search(
        self, folder: str, depth: int, known: dict[str, FoundDataSet]
    ) -> None:
        search = _Search()
        start = time.monotonic()
        try:
            for one in find_data_sets(
                folder, depth=depth, known=known, cancelled=lambda: self._stopped
            ):
                search.places.add(one.place)
                if known.get(one.place) is not one:
                    with self._lock:
                        self._found.append(one)
        except OSError as error:
            search.error = error
        search.took_s = time.monotonic() - start
        with self._lock:
            self._search = search
            self.searching = False

    def _run_looks(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._stopped:
                    self._looking -= 1
                    return
                _, one = self._waiting.popitem()
            start = time.monotonic()
            looked = _safe_look(one, self._cache)
            took = time.monotonic() - start
            with self._lock:
                if self._stopped:
                    continue
                self._looked.append((one.place, looked))
            resting = self.rest_until_s > start
            time.sleep(_LONGEST_PAUSE_S if resting else min(took, _LONGEST_PAUSE_S))


def _safe_look(found: FoundDataSet, cache: OverviewCache | None) -> Looked:
    """Look into a data set; what nobody foresaw is shown with it, not lost."""
    from napari_scope.layers.overview import Overview

    try:
        return look(found, cache)
    except Exception as error:  # a thread that dies would leave the rest unread
        problem = f"{type(error).__name__}: {error}"
        return Looked(Overview(problem=problem), None, "damaged")
