"""What `Acquisition.acquire` returns: waiting for single events of a run.

A future knows the frames of the events that were submitted with it; of a generator, as
far as it was read. Waiting ends with an error when the acquisition ends before, so
that no script hangs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from napari_scope.acquire.notifications import AcqNotification
from napari_scope.errors import AcquisitionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_scope.acquire.notifications import Milestone

__all__ = ["AcquisitionFuture"]

_Key: TypeAlias = frozenset[tuple[str, int | str]]


class _Acquisition(Protocol):
    def get_dataset(self) -> Any: ...


def key_of(axes: Mapping[str, int | str]) -> _Key:
    """Return axes as something that can be looked up."""
    return frozenset(axes.items())


class AcquisitionFuture:
    """The frames of one call of `Acquisition.acquire`.

    Made by the acquisition.
    """

    def __init__(self, acquisition: _Acquisition, *, complete: bool) -> None:
        self._acquisition = acquisition
        self._complete = complete  # whether all its frames are known
        self._reached: dict[_Key, set[Milestone]] = {}
        self._axes: dict[_Key, dict[str, int | str]] = {}
        self._left_out: set[_Key] = set()
        self._changed = threading.Condition()
        self._ended: BaseException | None = None

    # ------------------------------------------------------------- for the acquisition

    def expect(self, axes: Iterable[Mapping[str, int | str]]) -> None:
        """Note frames that belong to this future."""
        with self._changed:
            for one in axes:
                self._axes.setdefault(key_of(one), dict(one))
                self._reached.setdefault(key_of(one), set())

    def leave_out(self, axes: Mapping[str, int | str]) -> None:
        """Note that a frame will not come because somebody decided so."""
        with self._changed:
            self._axes.pop(key_of(axes), None)
            if self._reached.pop(key_of(axes), None) is not None:
                self._left_out.add(key_of(axes))
                self._changed.notify_all()

    def complete(self) -> None:
        """Note that no more frames will be expected."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()

    def reached(self, milestone: Milestone, axes: Mapping[str, int | str]) -> None:
        """Note how far a frame is; others are none of its business."""
        with self._changed:
            found = self._reached.get(key_of(axes))
            if found is None:
                return
            found.add(milestone)
            self._changed.notify_all()

    def end(self, reason: BaseException) -> None:
        """Note that nothing more will happen, and why."""
        with self._changed:
            self._ended = self._ended or reason
            self._changed.notify_all()

    # ------------------------------------------------------------- for the caller

    @property
    def axes(self) -> list[dict[str, int | str]]:
        """The axes of its frames, as far as they are known."""
        with self._changed:
            return [dict(axes) for axes in self._axes.values()]

    def await_execution(
        self,
        milestone: Milestone | None = None,
        axes: Mapping[str, int | str] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Wait until an event has come so far.

        Parameters
        ----------
        milestone : str, optional
            A constant of `AcqNotification.Hardware` or ``Camera``; by default that
            the camera is done.
        axes : mapping, optional
            Which frame; all of this future by default.
        timeout : float, optional
            Longest time to wait, in seconds.

        Raises
        ------
        AcquisitionError
            If the frame is none of this future, or the acquisition ended before.
        TimeoutError
            After ``timeout``.
        """
        wanted = (
            {milestone}
            if milestone is not None
            else {
                AcqNotification.Camera.POST_SNAP,
                AcqNotification.Camera.POST_SEQUENCE_STOPPED,
            }
        )
        self._wait(None if axes is None else [axes], wanted, timeout)

    def await_image_saved(
        self,
        axes: Mapping[str, int | str] | Sequence[Mapping[str, int | str]] | None = None,
        return_image: bool = True,
        return_metadata: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Wait until images are saved: committed, they survive a killed process.

        Parameters
        ----------
        axes : mapping or sequence of mappings, optional
            Which; all of this future by default.
        return_image, return_metadata : bool
            What to return of each image.
        timeout : float, optional
            Longest time to wait, in seconds.

        Returns
        -------
        object
            Nothing, or the image, its metadata, or both as a tuple; a list of these
            unless ``axes`` is a single mapping.
        """
        single = isinstance(axes, Mapping)
        chosen: list[Mapping[str, int | str]] | None = None
        if isinstance(axes, Mapping):
            chosen = [axes]
        elif axes is not None:
            chosen = list(axes)
        self._wait(chosen, {AcqNotification.Image.IMAGE_SAVED}, timeout)
        if not return_image and not return_metadata:
            return None
        found: list[Any] = []
        dataset = self._acquisition.get_dataset()
        for one in chosen if chosen is not None else self.axes:
            image = dataset.read_image(**one) if return_image else None
            facts = dataset.read_metadata(**one) if return_metadata else None
            if return_image and return_metadata:
                found.append((image, facts))
            else:
                found.append(image if return_image else facts)
        return found[0] if single else found

    def _wait(
        self,
        chosen: list[Mapping[str, int | str]] | None,
        milestones: set[Milestone],
        timeout: float | None,
    ) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._is_there(chosen, milestones):
                if self._ended is not None:
                    raise AcquisitionError(
                        "the acquisition ended before the frames that were waited "
                        f"for, {self._ended}",
                        hint="the error of the run says why; a hook may have dropped "
                        "the events",
                    ) from self._ended
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"the frames did not come within {timeout} s")
                self._changed.wait(left)

    def _is_there(
        self, chosen: list[Mapping[str, int | str]] | None, milestones: set[Milestone]
    ) -> bool:
        if chosen is None:
            if not self._complete:
                return False
            return all(reached & milestones for reached in self._reached.values())
        for axes in chosen:
            reached = self._reached.get(key_of(axes))
            if reached is None:
                if key_of(axes) in self._left_out:
                    raise AcquisitionError(
                        f"the frame {dict(axes)} will not come",
                        hint="a hook or the image function dropped it, or it failed",
                    )
                if self._complete:
                    raise AcquisitionError(
                        f"the frame {dict(axes)} was not submitted with this future",
                        hint="await axes of the events that acquire() was given",
                    )
                return False
            if not reached & milestones:
                return False
        return True
