"""Who looks at the microscope all the time: the live view and the watch of the stage.

Both have threads and are made when they are first asked for. They end together, when no
dock is left, and are made anew afterwards.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from napari_scope.widgets.common.preferences import preferences

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.live import LiveCamera
    from napari_scope.acquire.stage_watch import StageWatch

__all__ = ["Onlookers"]


class Onlookers:
    """The live view and the watch of the stage of one core.

    Parameters
    ----------
    core : CMMCorePlus
        The core.
    """

    def __init__(self, core: CMMCorePlus) -> None:
        self._core = core
        self._live: LiveCamera | None = None
        self._stage: StageWatch | None = None

    @property
    def live(self) -> LiveCamera:
        """The live view of the camera; made when first asked for."""
        if self._live is None:
            from napari_scope.acquire.live import LiveCamera

            self._live = LiveCamera(self._core, stage=self.stage)
        return self._live

    @property
    def stage(self) -> StageWatch:
        """Where the stage is; made when first asked for."""
        if self._stage is None:
            from napari_scope.acquire.stage_watch import StageWatch

            self._stage = StageWatch(
                self._core, poll_s=preferences().poll_stage_ms / 1000
            )
        return self._stage

    def beside_live(self) -> AbstractContextManager[object]:
        """Return a context in which the camera does not run; on any thread."""
        live = self._live
        return nullcontext() if live is None else live.held()

    def close(self) -> None:
        """End both; they are made anew if they are asked for again."""
        live, self._live = self._live, None
        stage, self._stage = self._stage, None
        if live is not None:
            live.close()
        if stage is not None:
            stage.close()
