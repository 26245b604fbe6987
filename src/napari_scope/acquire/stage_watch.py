"""Where the stage and the focus are, asked for by a thread of its own.

A stage on a serial port answers in tens of milliseconds; nobody else should wait for
it. `StageWatch` asks while somebody wants to know, rests while a run or a loading goes
on, and keeps the newest answer. Changes smaller than the tolerance are noise.

Examples
--------
>>> watch = StageWatch(core)  # doctest: +SKIP
>>> watch.start("the map")  # doctest: +SKIP
>>> watch.place  # doctest: +SKIP
StagePlace(x_um=0.0, y_um=0.0, z_um=0.0, moving=False)
>>> watch.stop("the map")  # doctest: +SKIP
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from napari_scope.acquire.registry import is_in_use
from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymmcore_plus import CMMCorePlus

__all__ = ["StagePlace", "StageWatch"]

_LAST_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class StagePlace:
    """Where the devices are, in micrometers; None where there is no such device.

    Parameters
    ----------
    x_um, y_um : float, optional
        The XY stage.
    z_um : float, optional
        The focus drive.
    moving : bool
        Whether it was elsewhere when it was asked the time before.
    """

    x_um: float | None = None
    y_um: float | None = None
    z_um: float | None = None
    moving: bool = False


class _Axes(NamedTuple):
    x: float | None
    y: float | None
    z: float | None


class StageWatch:
    """Asks the default XY stage and focus drive of a core where they are.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    poll_s : float
        Seconds from an answer to the next question.
    tolerance_um : float
        A smaller change is no move.
    in_use : callable
        Whether the devices are somebody else's at the moment.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        *,
        poll_s: float = 0.1,
        tolerance_um: float = 0.01,
        in_use: Callable[[CMMCorePlus], bool] = is_in_use,
    ) -> None:
        self._core = core
        self.poll_s = poll_s
        self._tolerance = tolerance_um
        self._in_use = in_use
        self._users: list[object] = []
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._place: StagePlace | None = None
        self._number = 0
        self._errors: dict[str, HardwareError] = {}

    @property
    def core(self) -> CMMCorePlus:
        """The core."""
        return self._core

    @property
    def place(self) -> StagePlace | None:
        """Where everything was when it was last asked; None before the first answer."""
        return self._place

    @property
    def number(self) -> int:
        """How often the place has changed: what is shown need not be compared."""
        return self._number

    @property
    def error(self) -> HardwareError | None:
        """Why a device does not answer; None as long as all do."""
        return next(iter(self._errors.values()), None)

    @property
    def running(self) -> bool:
        """Whether somebody wants to know."""
        return bool(self._users)

    def start(self, user: object = "") -> None:
        """Begin to ask, on behalf of somebody; returns at once.

        Parameters
        ----------
        user : object
            Who wants to know; asking goes on until all have called `stop`.
        """
        with self._change:
            if self._closed or any(
                other is user or other == user for other in self._users
            ):
                return
            self._users.append(user)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="napari-scope stage", daemon=True
                )
                self._thread.start()
            self._change.notify_all()

    def stop(self, user: object = "") -> None:
        """Do not ask any more on behalf of somebody; idempotent, returns at once."""
        with self._change:
            self._users = [o for o in self._users if not (o is user or o == user)]
            self._change.notify_all()

    def close(self, timeout: float = _LAST_WAIT_S) -> bool:
        """End for good; idempotent.

        Returns
        -------
        bool
            Whether the thread has ended: a stage that hangs keeps it.
        """
        with self._change:
            self._closed = True
            self._users.clear()
            self._change.notify_all()
            thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def look(self) -> StagePlace:
        """Ask now, in the thread of the caller."""
        core = self._core
        x: float | None = None
        y: float | None = None
        z: float | None = None
        found: dict[str, HardwareError] = {}
        before = self._place
        try:
            if core.getXYStageDevice():
                # Adding zero avoids -0.0.
                x, y = (float(value) + 0.0 for value in core.getXYPosition())
        except RuntimeError as error:
            found["XY stage"] = _problem("the XY stage", error)
            x, y = (None, None) if before is None else (before.x_um, before.y_um)
        try:
            if core.getFocusDevice():
                z = float(core.getZPosition()) + 0.0
        except RuntimeError as error:
            found["focus"] = _problem("the focus drive", error)
            z = None if before is None else before.z_um
        # The first error of each device stays: a new one each time were news each time.
        self._errors = {name: self._errors.get(name, e) for name, e in found.items()}
        return self._took(_Axes(x, y, z))

    def _took(self, now: _Axes) -> StagePlace:
        before = self._place
        if before is None:
            place = StagePlace(*now)
        else:
            moved = not self._same(_Axes(before.x_um, before.y_um, before.z_um), now)
            if not moved and not before.moving:
                return before
            # What is noise is left out: a stage at rest has one place.
            place = (
                StagePlace(*now, moving=True)
                if moved
                else StagePlace(before.x_um, before.y_um, before.z_um)
            )
        self._place = place
        self._number += 1
        return place

    def _same(self, one: _Axes, other: _Axes) -> bool:
        for a, b in zip(one, other, strict=True):
            if (a is None) != (b is None):
                return False
            if a is not None and b is not None and not _near(a, b, self._tolerance):
                return False
        return True

    def _work(self) -> None:
        while True:
            with self._change:
                if not self._users:
                    # Under the lock: whoever starts next sees that nobody asks.
                    self._thread = None
                    return
            # A run reads the positions that it needs by itself.
            if not self._in_use(self._core):
                self.look()
            with self._change:
                if self._users:
                    self._change.wait(self.poll_s)


def _near(a: float, b: float, tolerance: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return abs(a - b) <= tolerance


def _problem(device: str, error: RuntimeError) -> HardwareError:
    text = " ".join(str(error).split())
    made = HardwareError(
        f"{device} does not tell where it is: {text}",
        hint="check that it is on and connected; its position is not shown meanwhile",
    )
    made.__cause__ = error
    return made
