"""Calls of the core that block, without being bound to wait for them.

A long exposure cannot be interrupted: no call of the core ends it, and most others
wait behind it. `Aside` runs such a call on a thread. When the run is given up the call
is left behind, so that files are closed at once; `Aside.rest` waits for it before the
hardware is touched again.

Examples
--------
>>> aside = Aside(given_up=lambda: False)
>>> aside.call(lambda: None), aside.is_busy
(True, False)
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Aside"]

_LOOK_S = 0.02


class Aside:
    """Runs blocking calls; used by the thread of a run.

    Parameters
    ----------
    given_up : callable
        Whether the run is to end at once.
    """

    def __init__(self, given_up: Callable[[], bool]) -> None:
        self._given_up = given_up
        self._left: list[threading.Thread] = []

    def call(
        self,
        function: Callable[[], object],
        meanwhile: Callable[[], object] = lambda: None,
    ) -> bool:
        """Call a function on a thread and wait for it, unless the run is given up.

        Parameters
        ----------
        function : callable
            What blocks; its error is raised here. One that comes after the run was
            given up is of no interest.
        meanwhile : callable
            Called on the thread of the caller once the other one is on its way.

        Returns
        -------
        bool
            Whether the function returned.
        """
        errors: list[BaseException] = []

        def run() -> None:
            try:
                function()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, name="napari-scope device", daemon=True)
        self._left.append(thread)
        thread.start()
        meanwhile()
        while thread.is_alive():
            thread.join(_LOOK_S)
            if thread.is_alive() and self._given_up():
                return False
        self._left.remove(thread)
        if errors:
            raise errors[0]
        return True

    @property
    def is_busy(self) -> bool:
        """Whether a call that was left behind still goes on."""
        return any(thread.is_alive() for thread in self._left)

    def rest(self) -> None:
        """Wait until nothing goes on any more."""
        for thread in self._left:
            thread.join()
        self._left.clear()
