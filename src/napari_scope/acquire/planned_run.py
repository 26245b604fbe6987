"""A run that is planned but not started: plan, place, formats; can be kept as JSON.

The number in the name of its outputs is counted when it is started, so that many can
wait for the same folder. Plans that are known beforehand, as tables or lists of
events, can be kept; a script that makes up its events as it goes cannot.

Examples
--------
>>> import useq
>>> from pathlib import Path
>>> planned = PlannedRun(useq.MDASequence(channels=["DAPI"]), "cells", Path("data"))
>>> again = PlannedRun.from_json(planned.to_json())
>>> again.plan == planned.plan, again.name
(True, 'cells')
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from useq import MDAEvent, MDASequence

from napari_scope.acquire.run import Run
from napari_scope.errors import PlanError, SettingsError
from napari_scope.events import Plan
from napari_scope.stream import Output
from napari_scope.stream.outputs import next_free_name, output_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.core import CoreOwner
    from napari_scope.acquire.hooks import EngineHooks
    from napari_scope.acquire.processing import FrameProcessor
    from napari_scope.acquire.receiver import Action
    from napari_scope.events import PlanLike

__all__ = ["PlannedRun"]


@dataclass(frozen=True)
class PlannedRun:
    """What a run needs to start.

    Parameters
    ----------
    plan : MDASequence, list or generator of events
        What to take.
    name : str
        Name of the outputs, without number.
    folder : Path
        Where they go.
    outputs : sequence of Output
        Formats and how they are packed; their paths are made anew at the start. None
        keeps the frames in memory.
    sync_interval_s : float, optional
        How often data are made durable, see `Stream`.
    hooks, actions, processor
        See `Run`. They cannot be kept as JSON.
    check : callable, optional
        Called before it is started; raises what has come to be wrong with it.
    frames, size, duration_s
        Estimates, where there are any: frames, bytes, seconds.
    """

    plan: PlanLike | Plan
    name: str
    folder: Path
    outputs: tuple[Output, ...] = ()
    sync_interval_s: float | None = 1.0
    hooks: EngineHooks | None = None
    actions: Mapping[str, Action] = field(default_factory=dict)
    processor: FrameProcessor | None = None
    check: Callable[[], object] | None = None
    frames: int | None = None
    size: int | None = None
    duration_s: float | None = None

    def placed(self) -> tuple[str, tuple[Output, ...]]:
        """Return a name that is free now, and outputs of that name; looks at the disk.

        Raises
        ------
        OSError
            If the folder cannot be looked at.
        """
        if not self.outputs:
            return self.name, ()
        formats = [output.format for output in self.outputs]
        name = next_free_name(self.folder, self.name, formats)
        return name, tuple(
            replace(output, path=output_path(self.folder, name, output.format))
            for output in self.outputs
        )

    def start(
        self,
        owner: CoreOwner | CMMCorePlus,
        made: Callable[[Run], object] = lambda run: None,
    ) -> Run:
        """Start it; returns when the microscope is claimed.

        Parameters
        ----------
        owner : CoreOwner or CMMCorePlus
            The microscope.
        made : callable
            Told of the run before it starts.

        Raises
        ------
        ScopeError, OSError
            If it cannot be started.
        """
        if self.check is not None:
            self.check()
        name, outputs = self.placed()
        run = Run(
            owner,
            self.plan,
            outputs,
            name=name,
            sync_interval_s=self.sync_interval_s,
            hooks=self.hooks,
            actions=self.actions,
            processor=self.processor,
        )
        made(run)
        return run.start()

    @property
    def can_be_kept(self) -> bool:
        """Whether it can be run later, and again: all of it is known now."""
        extras = self.hooks or self.actions or self.processor
        return not extras and isinstance(self.plan, MDASequence | list | tuple)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON.

        Raises
        ------
        PlanError
            If it holds code: a generator, hooks, actions.
        """
        if not self.can_be_kept:
            raise PlanError(
                "a plan with a script, hooks or actions cannot be kept for later",
                hint="run it now, or make it of tables or a list of events only",
            )
        plan: dict[str, Any] = {}
        if isinstance(self.plan, MDASequence):
            plan["sequence"] = self.plan.model_dump(
                mode="json", exclude_defaults=True, exclude={"uid"}
            )
        else:
            # Dictionaries of pycro-manager become events, too.
            events = cast("list[MDAEvent]", Plan.from_any(self.plan).source)
            plan["events"] = [
                event.model_dump(mode="json", exclude_defaults=True) for event in events
            ]
        return {
            **plan,
            "name": self.name,
            "folder": str(self.folder),
            "outputs": [
                {**asdict(output), "path": str(output.path)} for output in self.outputs
            ],
            "sync_interval_s": self.sync_interval_s,
            "frames": self.frames,
            "size": self.size,
            "duration_s": self.duration_s,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PlannedRun:
        """Return what `to_json` returned.

        Raises
        ------
        PlanError
            If it is something else, or of a version that is not understood.
        """
        try:
            plan: Any
            if "sequence" in stored:
                plan = MDASequence.model_validate(stored["sequence"])
            else:
                plan = [MDAEvent.model_validate(event) for event in stored["events"]]
            outputs = tuple(
                Output(**{**output, "path": Path(output["path"])})
                for output in stored["outputs"]
            )
            name, folder = str(stored["name"]), Path(str(stored["folder"]))
            numbers = {
                key: stored.get(key)
                for key in ("sync_interval_s", "frames", "size", "duration_s")
            }
            for number in numbers.values():
                if number is not None and not isinstance(number, int | float):
                    raise TypeError(f"{number!r} is no number")
            return cls(plan, name, folder, outputs, **cast("dict[str, Any]", numbers))
        except (KeyError, TypeError, ValueError, SettingsError) as error:
            raise PlanError(f"a planned run cannot be read, {error}") from error
