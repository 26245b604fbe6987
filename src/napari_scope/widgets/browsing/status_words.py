"""Puts words of ours in front of what napari's status bar says.

napari works out the text of the status bar in a thread and sets it in the GUI thread.
`StatusWords` hears of that and changes it. One of each kind is enough for a viewer; it
lives as long as the viewer's window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

__all__ = ["StatusWords"]

_MARK: Final = "  ·  "


class StatusWords:
    """Adds words to the status of one viewer while the cursor is over its canvas.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    words : callable
        Returns the words for what is under the cursor; nothing is added if empty.
    """

    def __init__(self, viewer: napari.viewer.Viewer, words: Callable[[], str]) -> None:
        self._viewer: Any = viewer
        self._words = words
        self._ours: object = None
        # Behind napari's own: what it shows is replaced, not the other way round.
        viewer.events.status.connect(self._on_status, position="last")

    def stop(self) -> None:
        """Leave the status as it is from now on; idempotent."""
        if self._viewer is not None:
            self._viewer.events.status.disconnect(self._on_status)
            self._viewer = None

    def _on_status(self, event: Any) -> None:
        status = event.value
        if status == self._ours or not self._viewer.mouse_over_canvas:
            return
        words = self._words()
        if not words:
            return
        if isinstance(status, dict):
            coordinates = status.get("coordinates", "")
            changed: object = {**status, "coordinates": f"{words}{_MARK}{coordinates}"}
        elif isinstance(status, str) and status not in ("", "Ready"):
            changed = f"{words}{_MARK}{status}"
        else:
            return
        self._ours = changed
        self._viewer.status = changed
