"""What a run is doing, in words.

Examples
--------
>>> state_text("waiting", 75)
'Waiting for the next time point, in 1:15 min'
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from napari_scope.widgets.common.wording import duration_text

if TYPE_CHECKING:
    from napari_scope.acquire import RunProgress

__all__ = ["ENDING", "STATES", "STEPS", "state_text", "time_text"]

STATES: Final = {
    "ready": "Ready",
    "preparing": "Preparing the microscope and the files …",
    "waiting": "Waiting for the next time point",
    "acquiring": "Acquiring",
    "finishing": "Acquiring the last frames",
    "pausing": "Pausing after the frames that are under way …",
    "paused": "Paused",
    "cancelling": "Cancelling …",
    "closing": "Writing and closing files …",
    "finished": "Finished",
    "cancelled": "Cancelled: what was acquired is saved",
    "failed": "Failed: what was acquired is saved",
}
ENDING = ("cancelling", "closing")
STEPS: Final = {"t": "time point", "p": "position"}


def state_text(state: str, next_event_s: float | None = None, step: str = "") -> str:
    """Return a state in words.

    Parameters
    ----------
    state : str
        The state.
    next_event_s : float, optional
        Time to the next event.
    step : str
        The axis after whose step the run will end.
    """
    text = STATES.get(state, state)
    if state == "waiting" and next_event_s is not None and next_event_s >= 0:
        text += f", in {duration_text(next_event_s)}"
    if state == "finishing" and step:
        text = f"Acquiring; ends after this {STEPS.get(step, step)}"
    return text


def time_text(progress: RunProgress) -> str:
    """Return how long it goes on, how long it will, and when that is."""
    text = f"{duration_text(progress.elapsed_s)} so far"
    if progress.eta_s is None or progress.state.value in ENDING:
        return text
    text += f" · {duration_text(progress.eta_s)} left"
    end = time.time() + progress.eta_s
    form = "%H:%M" if progress.eta_s < 20 * 3600 else "%a %H:%M"
    return f"{text} · ends {time.strftime(form, time.localtime(end))}"
