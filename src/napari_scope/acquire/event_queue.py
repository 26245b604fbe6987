"""The queue through which a running acquisition gets its events.

Anybody may put events into it at any time: the caller, hooks, callbacks. What is put
at once (a list, a sequence) may be merged into hardware sequences; a generator is read
event by event, each when the one before has been run, so it may wait for results.

Examples
--------
>>> queue = EventQueue()
>>> queue.put({"axes": {"time": 0}})
>>> queue.put([{"axes": {"time": 1}}, {"axes": {"time": 2}}])
>>> queue.put(None)  # no more will come
>>> list(queue)
[[{'axes': {'time': 0}}], [{'axes': {'time': 1}}, {'axes': {'time': 2}}]]
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from useq import MDAEvent, MDASequence

from napari_scope.errors import AcquisitionError, PlanError
from napari_scope.events import to_pycro

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_scope.events import PlanLike

__all__ = ["EventQueue"]

_LOOK_S = 0.01


class EventQueue:
    """Events to come; any thread may put, one thread iterates.

    Parameters
    ----------
    changed : callable, optional
        Gets each event, as a dictionary, when it leaves the queue; returns the events
        to run instead (perhaps none).
    busy : callable
        Whether something that may still put events is under way; the end waits for it.

    Attributes
    ----------
    settled : callable
        Completes each sequence that leaves the queue.
    placed : callable, optional
        Completes each event that leaves the queue, as a dictionary.
    dropped : callable
        Gets each event that ``changed`` did not give back.
    """

    def __init__(
        self,
        changed: Callable[[dict[str, Any]], list[Any]] | None = None,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self.changed = changed
        self.settled: Callable[[MDASequence], MDASequence] = lambda sequence: sequence
        self.placed: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.dropped: Callable[[dict[str, Any]], None] = lambda event: None
        self._busy = busy
        self._over = False
        self._items: deque[Any] = deque()
        self._there = threading.Condition()
        self._ended = False
        self._generator: Iterator[Any] | None = None

    def put(
        self, events: PlanLike | None, block: bool = True, timeout: float | None = None
    ) -> None:
        """Put an event, a list, a generator or a sequence; None ends the acquisition.

        ``block`` and ``timeout`` are those of `queue.Queue`; the queue has no limit.

        Raises
        ------
        PlanError
            If it is nothing of this kind, or an empty list.
        AcquisitionError
            After the end. Until the last event was run, and its image processed, more
            may come even if the end was announced.
        """
        if events is not None:
            _check(events)
            events = _own(events)
        with self._there:
            if events is None:
                self._ended = True
            elif self._over:
                raise AcquisitionError(
                    "no events can be added to an acquisition that is over",
                    hint="add them before, or make a new acquisition",
                )
            else:
                self._items.append(events)
            self._there.notify_all()

    def close(self) -> None:
        """Take no more events."""
        with self._there:
            self._over = self._ended = True
            self._items.clear()
            self._generator = None
            self._there.notify_all()

    def clear(self) -> None:
        """Forget what has not been read."""
        with self._there:
            self._items.clear()
            self._generator = None

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        return self._ended

    def __iter__(self) -> Iterator[list[Any] | MDASequence]:
        """Iterate over batches until the end; waits for them."""
        while True:
            batch = self._next()
            if batch is None:
                return
            if self.changed is not None:
                batch = self._through_hook(batch)
            if self.placed is not None:
                place = self.placed
                batch = [place(_as_dict(event)) for event in batch]
            if not isinstance(batch, list) or batch:
                yield batch

    def _next(self) -> list[Any] | MDASequence | None:
        while True:
            if self._generator is not None:
                generator = self._generator
                try:
                    item = next(generator)
                except StopIteration:
                    self._generator = None
                    continue
                if self._generator is None:
                    continue  # cleared meanwhile
                _check(item)
            else:
                with self._there:
                    while not self._items:
                        if self._over or (self._ended and not self._busy()):
                            self._over = True
                            return None
                        self._there.wait(_LOOK_S if self._ended else None)
                    item = self._items.popleft()
            if isinstance(item, MDASequence):
                return self.settled(item)
            if isinstance(item, Iterator):
                self._generator = item
                continue
            return list(item) if isinstance(item, list | tuple) else [item]

    def _through_hook(self, batch: Iterable[Any]) -> list[Any]:
        assert self.changed is not None  # asked before
        found: list[Any] = []
        for event in batch:
            one = _as_dict(event)
            axes = dict(one["axes"]) if isinstance(one.get("axes"), Mapping) else None
            kept = self.changed(one)
            if axes is not None and not any(_axes_of(e) == axes for e in kept):
                self.dropped({"axes": axes})
            found += kept
        return found


def _as_dict(event: Any) -> dict[str, Any]:
    return to_pycro(event) if isinstance(event, MDAEvent) else dict(_own(event))


def _own(events: Any) -> Any:
    """Return a copy: callers use their lists and dictionaries again, and hooks too."""
    if isinstance(events, list | tuple):
        return [_own(event) for event in events]
    if isinstance(events, Mapping):
        # Much faster than deepcopy, which is left to what is deeper than usual.
        return {
            key: value
            if isinstance(value, str | int | float)
            else dict(value)
            if key in ("axes", "channel") and isinstance(value, Mapping)
            else copy.deepcopy(value)
            for key, value in events.items()
        }
    return events


def _axes_of(event: object) -> object:
    if isinstance(event, MDAEvent):
        event = to_pycro(event)
    return event.get("axes") if isinstance(event, Mapping) else None


def _check(events: object) -> None:
    if isinstance(events, list | tuple):
        if not events:
            raise PlanError("a list of events is empty", hint="give at least one event")
        for number, event in enumerate(events):
            if not isinstance(event, Mapping | MDAEvent):
                raise PlanError(
                    f"item {number} of a list of events is a {type(event).__name__}, "
                    "expected a dictionary or a useq.MDAEvent"
                )
    elif not isinstance(events, Mapping | MDAEvent | MDASequence | Iterator):
        raise PlanError(
            f"events are a dictionary, a useq.MDAEvent, a list or generator of these, "
            f"or a useq.MDASequence, found {type(events).__name__}"
        )
