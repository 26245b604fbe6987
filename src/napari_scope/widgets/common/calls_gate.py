"""What was asked of the devices before a run begins is done before it begins.

Calls of the docks wait for each other in `DeviceCalls`. A run that started meanwhile
would find a setting not made yet, or, worse, a stage that is moved while it acquires.
`CallsGate` is a guest of the core (`napari_scope.acquire.registry`): who claims the
core, for a run or for loading, waits until the calls are made. A device that does not
answer keeps the run from starting, with its name.

It knows nothing of what the calls do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.acquire.registry import add_guest, remove_guest
from napari_scope.errors import AcquisitionError

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.widgets.common.device_calls import DeviceCalls

__all__ = ["CallsGate"]

# A stage may take this long from one end to the other.
_PATIENCE_S = 30.0


class CallsGate:
    """Lets a run or a loading begin when no call is under way.

    Parameters
    ----------
    core : CMMCorePlus
        The core.
    calls : DeviceCalls
        Makes the calls.
    """

    def __init__(self, core: CMMCorePlus, calls: DeviceCalls) -> None:
        self._core = core
        self._calls = calls
        self._letting = 0

    @property
    def core(self) -> CMMCorePlus:
        """The core."""
        return self._core

    @property
    def lets_through(self) -> bool:
        """Whether calls that wait are made although the core is claimed already."""
        return self._letting > 0

    def open(self) -> None:
        """Hear of what claims the core; again is harmless."""
        add_guest(self)

    def close(self) -> None:
        """Hear of nothing any more; again is harmless."""
        remove_guest(self)

    def make_way(self) -> None:
        """Wait until the calls that were asked for are made; on any thread.

        Raises
        ------
        AcquisitionError
            If a device does not answer. What waits behind it is not done any more.
        """
        self._letting += 1
        try:
            stuck = self._calls.settle(_PATIENCE_S)
        finally:
            self._letting -= 1
        if stuck:
            self._calls.drop(lambda _key: True)
            raise AcquisitionError(
                f"the microscope has not answered for {_PATIENCE_S:g} s: {stuck}",
                hint="check the device; what waited behind it was given up",
            )
