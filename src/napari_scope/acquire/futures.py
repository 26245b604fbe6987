"""What `Acquisition.acquire` returns: waiting for single events of a run.

A future knows the frames of the events that were submitted with it; of a generator, as
far as it was read. Waiting ends with an error when the frames cannot come any more:
the acquisition ended or was aborted, a hook dropped them, or it is a hook that waits
for frames which the microscope takes only after it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from napari_scope.acquire.notifications import AcqNotification
from napari_scope.errors import AcquisitionError
from napari_scope.model import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_scope.acquire.notifications import Milestone

__all__ = ["AcquisitionFuture", "FrameKey", "key_of"]

FrameKey: TypeAlias = tuple[tuple[str, int | str], ...]
"""The axes of a frame, as something that can be looked up."""

_HARDWARE, _CAMERA = AcqNotification.Hardware, AcqNotification.Camera

# A million frames may wait for their milestones, so these are the bits of one number.
_BITS: dict[Milestone, int] = {
    name: 1 << number
    for number, name in enumerate(
        (
            _HARDWARE.PRE_HARDWARE,
            _HARDWARE.PRE_Z_DRIVE,
            _HARDWARE.POST_HARDWARE,
            _CAMERA.PRE_SNAP,
            _CAMERA.PRE_SEQUENCE_STARTED,
            _CAMERA.POST_SNAP,
            _CAMERA.POST_SEQUENCE_STOPPED,
            AcqNotification.Image.IMAGE_SAVED,
        )
    )
}
_EXPOSED = _BITS[_CAMERA.POST_SNAP] | _BITS[_CAMERA.POST_SEQUENCE_STOPPED]
_SAVED = _BITS[AcqNotification.Image.IMAGE_SAVED]

# Ctrl-C does not wake a thread that waits without end, on Windows.
_LOOK_S = 0.1


class _Acquisition(Protocol):
    def get_dataset(self) -> Any: ...

    def holds_up_the_run(self) -> bool: ...


def key_of(axes: Mapping[str, int | str]) -> FrameKey:
    """Return axes as something that can be looked up, whatever their order."""
    return tuple(sorted((canonical(name), value) for name, value in axes.items()))


class AcquisitionFuture:
    """The frames of one call of `Acquisition.acquire`.

    Made by the acquisition.
    """

    def __init__(self, acquisition: _Acquisition, *, complete: bool) -> None:
        self._acquisition = acquisition
        self._complete = complete  # whether all its frames are known
        self._reached: dict[FrameKey, int] = {}
        self._left_out: set[FrameKey] = set()
        self._changed = threading.Condition()
        self._awaited = 0  # milestones that anybody has waited for
        self._ended: BaseException | None = None

    # ------------------------------------------------------------- for the acquisition

    def expect(self, keys: Iterable[FrameKey]) -> None:
        """Note frames that belong to this future."""
        with self._changed:
            for key in keys:
                self._reached.setdefault(key, 0)

    def leave_out(self, key: FrameKey) -> None:
        """Note that a frame will not come because somebody decided so, or it failed."""
        with self._changed:
            if self._reached.pop(key, None) is not None:
                self._left_out.add(key)
                self._changed.notify_all()

    def complete(self) -> None:
        """Note that no more frames will be expected."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()

    def reached(self, milestone: Milestone, key: FrameKey) -> None:
        """Note how far a frame is; others are none of its business."""
        bit = _BITS[milestone]
        with self._changed:
            if key in self._reached:
                self._reached[key] |= bit
                if bit & self._awaited:
                    self._changed.notify_all()

    def end(self, reason: BaseException) -> None:
        """Note that nothing more will happen, and why."""
        with self._changed:
            self._ended = self._ended or reason
            self._changed.notify_all()

    # ------------------------------------------------------------- for the caller

    @property
    def axes(self) -> list[dict[str, int | str]]:
        """The axes of its frames, as far as they are known and will come."""
        with self._changed:
            return [dict(key) for key in self._reached]

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
            A constant of `AcqNotification.Hardware`, ``Camera`` or ``Image``; by
            default that the camera is done.
        axes : mapping, optional
            Which frame; all of this future by default.
        timeout : float, optional
            Longest time to wait, in seconds.

        Raises
        ------
        AcquisitionError
            If there is no such frame or milestone in this future, or it will not come.
        TimeoutError
            After ``timeout``.
        """
        if milestone is not None and milestone not in _BITS:
            raise AcquisitionError(
                f"nothing is known of the milestone {milestone!r} for single frames",
                hint=f"use one of {', '.join(_BITS)}",
            )
        wanted = _EXPOSED if milestone is None else _BITS[milestone]
        self._wait(None if axes is None else [key_of(axes)], wanted, timeout)

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

        Raises
        ------
        AcquisitionError
            If a frame is none of this future, or will not come.
        TimeoutError
            After ``timeout``.
        """
        chosen: list[dict[str, int | str]] | None = None
        if isinstance(axes, Mapping):
            chosen = [dict(axes)]
        elif axes is not None:
            chosen = [dict(one) for one in axes]
        keys = None if chosen is None else [key_of(one) for one in chosen]
        self._wait(keys, _SAVED, timeout)
        if not return_image and not return_metadata:
            return None
        found: list[Any] = []
        dataset = self._acquisition.get_dataset()
        for one in self.axes if chosen is None else chosen:
            image = dataset.read_image(**one) if return_image else None
            facts = dataset.read_metadata(**one) if return_metadata else None
            if return_image and return_metadata:
                found.append((image, facts))
            else:
                found.append(image if return_image else facts)
        return found[0] if isinstance(axes, Mapping) else found

    def _wait(
        self, chosen: list[FrameKey] | None, wanted: int, timeout: float | None
    ) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        # The next one to come stands at the end. What has come is not looked at again,
        # or to wait for a million frames would take a million looks at each.
        left = None if chosen is None else chosen[::-1]
        with self._changed:
            if chosen is None and self._complete and not self._is_about_images():
                raise AcquisitionError(
                    "there is nothing to wait for: the events take no image",
                    hint="the next event runs when they are done",
                )
            self._awaited |= wanted
            while True:
                if left is None and self._complete:
                    left = list(self._reached)[::-1]
                if left is not None and self._have_come(left, wanted, chosen):
                    return
                self._pause(chosen, end, timeout)

    def _pause(
        self, chosen: list[FrameKey] | None, end: float | None, timeout: float | None
    ) -> None:
        """Wait until something happens, if anything can."""
        if self._ended is not None:
            raise AcquisitionError(
                f"the acquisition ended before the frames that were waited for, "
                f"{self._ended}",
                hint="the error of the run says why",
            ) from self._ended
        if self._acquisition.holds_up_the_run():
            self._check_exposed(chosen)
        seconds = _LOOK_S if end is None else min(_LOOK_S, end - time.monotonic())
        if seconds <= 0:
            raise TimeoutError(f"the frames did not come within {timeout} s")
        self._changed.wait(seconds)

    def _is_about_images(self) -> bool:
        return bool(self._reached or self._left_out)

    def _have_come(
        self, left: list[FrameKey], wanted: int, chosen: list[FrameKey] | None
    ) -> bool:
        """Take those that have come from the end of a list; true when it is empty."""
        while left:
            key = left[-1]
            reached = self._reached.get(key)
            if reached is None and chosen is not None:
                self._check_expected(key)
                return False
            if reached is not None and not reached & wanted:
                return False
            left.pop()  # it is there, or was left out
        return True

    def _check_expected(self, key: FrameKey) -> None:
        if key in self._left_out:
            raise AcquisitionError(
                f"the frame {dict(key)} will not come",
                hint="a hook or the image function dropped or renamed it, or it failed",
            )
        if self._complete:
            raise AcquisitionError(
                f"the frame {dict(key)} was not submitted with this future",
                hint="await axes of the events that acquire() was given",
            )

    def _check_exposed(self, chosen: list[FrameKey] | None) -> None:
        """Refuse to wait for what happens only after whoever waits."""
        keys: Iterable[FrameKey] = self._reached if chosen is None else chosen
        whole = chosen is not None or self._complete
        if whole and all(self._reached.get(key, 0) & _EXPOSED for key in keys):
            return  # it is under way to the disk
        raise AcquisitionError(
            "a hook or a generator waits for frames that are taken only after it: it "
            "would wait for ever",
            hint="wait for frames of earlier events, or in another thread",
        )
