"""From the engine into the stream: every frame with its axes and facts, or a reason.

The recorder opens the stream when the hardware is set up (of a plan whose events are
not known, when the first frame is there), names frames, notes those that will not
come, and counts. It is called on the thread of the run, by the engine, and by whoever
processes images on the way.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.acquire.facts import FrameFacts, run_facts
from napari_scope.acquire.progress import SkippedFrame
from napari_scope.acquire.store import CameraNames, store_spec
from napari_scope.events import estimate
from napari_scope.stream import Output, Stream
from napari_scope.stream.ring import default_ring_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent

    from napari_scope.events import Plan
    from napari_scope.stream import Sink, StoreSpec

__all__ = ["Recorder"]

_REASONS_SHOWN = 5
_LOOSE_FORMATS = ("ndtiff", "memory")  # they know frames by their axes
_MOST_SKIPPED = 100_000  # kept for the report; the journal has all


class Recorder:
    """Stores the frames of one run.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    plan : Plan
        What is taken.
    outputs : sequence of Output
        Where to; none keeps the frames in memory.
    name : str
        Name of the run.
    config : str, optional
        The hardware configuration, for the record.
    ring_bytes, sync_interval_s
        See `Stream`.
    make_sinks : callable, optional
        Makes the sinks instead of `outputs`, from what is stored.
    resume : bool
        Go on with what the outputs hold; then the stream is opened at once.
    facts : mapping, optional
        More facts to store with the run.
    opened : callable
        Called with the stream as soon as it is open.
    gone : callable
        Called with the axes of each frame that will not come.
    unplaced : callable
        Called with the axes and the reason of those of them that have no place, of
        which the stream does not tell.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        plan: Plan,
        outputs: Sequence[Output],
        *,
        name: str,
        config: str | None,
        ring_bytes: int | None,
        sync_interval_s: float | None,
        make_sinks: Callable[[StoreSpec], Sequence[Sink]] | None = None,
        resume: bool = False,
        facts: Mapping[str, object] | None = None,
        opened: Callable[[Stream], None] = lambda stream: None,
        gone: Callable[[Mapping[str, int | str]], None] = lambda axes: None,
        unplaced: Callable[[Mapping[str, int | str], str], None] = (
            lambda axes, reason: None
        ),
    ) -> None:
        self._core = core
        self._plan = plan
        self.outputs = tuple(outputs)
        self.name = name
        self._config = config
        self._ring_bytes = ring_bytes
        self._sync_interval_s = sync_interval_s
        self._make_sinks = make_sinks
        self._resume = resume
        self._more_facts = dict(facts or {})
        self._opened = opened
        self._gone = gone
        self._unplaced = unplaced
        self._cameras = CameraNames(())
        self._facts = FrameFacts(core)
        self._spec: StoreSpec | None = None
        self._lock = threading.Lock()
        self.stream: Stream | None = None
        self.planned: int | None = None
        self.duration_s: float | None = None
        self.skipped: list[SkippedFrame] = []
        self.warnings: list[str] = []
        self.reasons: deque[str] = deque(maxlen=_REASONS_SHOWN)

    # ------------------------------------------------------------- opening

    def prepare(self) -> None:
        """Learn what will be stored; called once the hardware is set up.

        The stream is opened here if all frames are known. Otherwise the first events
        may still change the size of the frames, so it waits for the first one.
        """
        self._cameras = CameraNames.of(self._core)
        self._facts.prepare()
        facts = run_facts(self._core, self._plan, self._config) | self._more_facts
        spec = store_spec(
            self._core, self._plan, self.name, cameras=self._cameras, summary=facts
        )
        self.planned = spec.n_frames
        self.duration_s = estimate(self._plan, spec.frame_shape, spec.dtype).duration_s
        self._spec = spec
        if not spec.growing or self._resume:
            self._open(spec)

    def _open(self, spec: StoreSpec) -> Stream:
        # Several images of some formats have another path than one.
        self.outputs = tuple(o.placed(len(spec.images)) for o in self.outputs)
        outputs = self.outputs or (Output(Path("memory"), "memory"),)
        if spec.growing and all(o.format in _LOOSE_FORMATS for o in outputs):
            spec = replace(spec, loose=True)
        if self._make_sinks is not None:
            sinks = list(self._make_sinks(spec))
        else:
            sinks = [output.sink() for output in outputs]
        stream = Stream(
            spec,
            sinks,
            ring_bytes=self._ring_bytes,
            sync_interval_s=self._sync_interval_s,
            resume=self._resume,
        )
        self._opened(stream)
        self.stream = stream
        return stream

    def _stream_for(self, image: npt.NDArray[np.generic]) -> Stream:
        """Return the stream; the first frame of an unknown plan decides on its kind."""
        if self.stream is not None:
            return self.stream
        with self._lock:
            if self.stream is not None:
                return self.stream
            assert self._spec is not None  # prepare() comes first
            spec = self._spec
            # A function on the way may have made another kind of image.
            same = image.dtype == spec.dtype
            return self._open(
                replace(
                    spec,
                    frame_shape=image.shape,
                    dtype=image.dtype,
                    bit_depth=spec.bit_depth if same else None,
                )
            )

    # ------------------------------------------------------------- frames

    def axes(self, event: MDAEvent) -> dict[str, int | str]:
        """Return the axes of an event's frame."""
        return self._cameras.axes(self._plan.naming.axes(event))

    def hardware_set(self, event: MDAEvent) -> None:
        """Take note that the hardware is set for an event."""
        self._facts.hardware_set(event)

    def facts(self, event: MDAEvent, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is stored with a frame."""
        return self._facts.of(event, meta)

    def store(
        self,
        image: npt.NDArray[np.generic],
        axes: Mapping[str, int | str],
        facts: Mapping[str, Any],
    ) -> None:
        """Hand a frame to the stream; waits while its buffer is full."""
        self._stream_for(image).append(image, facts, index=axes)

    def skip(self, axes: Mapping[str, int | str], reason: str) -> None:
        """Note a frame that will not come.

        Without a stream there is no place that stays empty yet: the reason is kept.
        """
        if self.stream is not None:
            self.stream.skip(index=axes, reason=reason)
        else:
            self._unplaced(axes, reason)
        if len(self.skipped) < _MOST_SKIPPED:
            self.skipped.append(SkippedFrame(axes, reason))
        self.reasons.append(reason)
        self._gone(axes)

    def leave_out(self, axes: Mapping[str, int | str], reason: str) -> None:
        """Note a frame that somebody decided against.

        It keeps its place if the plan has one for it; a plan that is made up as it
        goes has none.
        """
        if self._spec is not None and not self._spec.growing:
            self.skip(axes, reason)
        else:
            self._unplaced(axes, reason)
            self._gone(axes)

    def warn(self, text: str) -> None:
        """Note what went wrong although no frame is missing."""
        self.warnings.append(text)
        self.reasons.append(text)

    def most_in_a_burst(self, *, buffered: bool = True) -> int:
        """Return how many frames fit into the buffers if the disk stood still.

        Parameters
        ----------
        buffered : bool
            Whether frames come into the buffer of the stream without delay; otherwise
            only that of the camera counts.
        """
        core = self._core
        pixels = core.getImageWidth() * core.getImageHeight()
        frame = max(1, pixels * core.getBytesPerPixel())
        cameras = max(1, core.getNumberOfCameraChannels())
        room = core.getCircularBufferMemoryFootprint() * 2**20
        if buffered:
            room += self._ring_bytes or default_ring_bytes()
        return max(2, room // frame // cameras)
