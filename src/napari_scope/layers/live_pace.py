"""How often a viewer looks at a run: seldom enough that the run is not held up.

What a look costs is measured by the caller, drawing included; it differs a hundredfold
between computers. A run that keeps up with its camera leaves half of the time to the
viewer. One that does not (frames wait in the camera's buffer, or for the disk) needs
the processor itself: then the viewer takes a sixth, and frames are passed over on the
screen and nowhere else.

Examples
--------
>>> pause_ms(10, lagging=False), pause_ms(60, lagging=False)
(34, 60)
>>> pause_ms(60, lagging=True)
300
"""

from __future__ import annotations

from typing import Final

__all__ = ["SHORTEST_MS", "pause_ms"]

SHORTEST_MS: Final = 34
"""At most 30 looks a second."""

_LONGEST_MS: Final = 1000
_PAUSES: Final = {False: 1, True: 5}  # in times of a look; by whether the run lags


def pause_ms(spent_ms: float, *, lagging: bool) -> int:
    """Return how long to wait after a look.

    Parameters
    ----------
    spent_ms : float
        What the last look took, drawing included.
    lagging : bool
        Whether frames wait for the run.
    """
    wanted = int(spent_ms * _PAUSES[lagging])
    return max(SHORTEST_MS, min(_LONGEST_MS, wanted))
