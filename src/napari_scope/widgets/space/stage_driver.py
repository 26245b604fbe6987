"""What the dock does with the stage, without a widget: ask, move, halt, follow.

Positions come from the shared `StageWatch`; what there is and all moves go through
`Microscope.do`. Only a halt has a thread of its own, because it must not wait for the
move that it ends. Moves add up to one target: of ten steps that wait, one move is made.

Examples
--------
>>> driver = StageDriver(microscope)  # doctest: +SKIP
>>> driver.step_by(x_um=50.0)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.acquire.stage_moves import StageFacts, StageMoves, stage_facts
from napari_scope.errors import ScopeError
from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.acquire.stage_watch import StagePlace
    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["StageDriver"]

_POLL_MS: Final = 80


class StageDriver(QObject):
    """Moves the default stages of a microscope and tells where they are.

    Parameters
    ----------
    microscope : Microscope
        The microscope.
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    place_changed : Signal
        The stage is elsewhere: a `StagePlace`.
    facts_changed : Signal
        Other devices, another size of an image or of a pixel: `StageFacts`.
    state_changed : Signal
        A move has begun or ended.
    arrived : Signal
        A move has ended where it should.
    failed : Signal
        An exception, and what did not happen.
    """

    place_changed = Signal(object)
    facts_changed = Signal(object)
    state_changed = Signal()
    arrived = Signal()
    failed = Signal(object, str)

    def __init__(self, microscope: Microscope, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._microscope = microscope
        self._moves = StageMoves(microscope.real_core)
        self.facts = StageFacts()
        self.place: StagePlace | None = None
        self._seen = -1
        self._target: dict[str, float] = {}
        # Where the last move has ended, until the stage was seen at rest after it: what
        # was read last may be a place on the way.
        self._reached: dict[str, float] = {}
        self._seen_when_reached = -1
        self._asked = 0
        self._moving = False
        self._halter = BackgroundCall(self, abandon=True)
        self._halter.failed.connect(self._on_halt_failed)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._look)
        microscope.loaded.connect(self.ask)
        microscope.lock_changed.connect(self._on_lock)
        events = microscope.core.events
        events.systemConfigurationLoaded.connect(self.ask)
        events.pixelSizeChanged.connect(self.ask)
        events.roiSet.connect(self.ask)
        microscope.stage.start(self)
        self._timer.start()
        self.ask()

    @property
    def moving(self) -> bool:
        """Whether a move is under way or waits, or the stage moves by itself."""
        return self._moving or (self.place is not None and self.place.moving)

    @property
    def words(self) -> str:
        """How the stage is, for the user."""
        reason, error = self._microscope.lock_reason, self._microscope.stage.error
        if reason:
            return f"{reason}: the stage is locked"
        if error is not None:
            return error.message
        if self.moving:
            return "Moving"
        there = self.facts.xy_device or self.facts.focus_device
        return "At rest" if there else "There is no stage"

    def ask(self, *_args: object) -> None:
        """Ask what there is; `facts_changed` tells."""
        core = self._microscope.real_core
        if self._microscope.lock_reason:
            return
        self._microscope.do(
            "ask for the stages",
            lambda: stage_facts(core),
            then=self._on_facts,
            key=(id(self), "facts"),
        )

    def move_to(
        self,
        x_um: float | None = None,
        y_um: float | None = None,
        z_um: float | None = None,
    ) -> None:
        """Go to a place; of several that wait the last one counts."""
        wanted = {"x_um": x_um, "y_um": y_um, "z_um": z_um}
        self._target |= {name: v for name, v in wanted.items() if v is not None}
        if self._microscope.lock_reason or not self._target:
            self._target.clear()
            return
        target = dict(self._target)
        self._asked += 1
        number = self._asked
        self._moving = True
        self._microscope.do(
            "move the stage",
            lambda: _tried(lambda: self._moves.to(**target)),
            then=lambda problem: self._on_moved(number, problem),
            key=(id(self), "move"),
        )
        self.state_changed.emit()

    def step_by(self, x_um: float = 0, y_um: float = 0, z_um: float = 0) -> None:
        """Go on from where the last move ends; 0 stays."""
        if self.place is None:
            return
        target: dict[str, float] = {}
        for name, step in (("x_um", x_um), ("y_um", y_um), ("z_um", z_um)):
            known = self._reached | self._target
            start = known.get(name, getattr(self.place, name))
            if step and start is not None:
                target[name] = start + step
        if target:
            self.move_to(**target)

    def halt(self) -> None:
        """Stop the stages now, and forget the moves that wait."""
        self._target.clear()
        self._reached.clear()
        self._asked += 1
        number = self._asked
        if self._moving:
            self._microscope.do(
                "halt",
                lambda: None,
                then=lambda _: self._on_moved(number, None),
                key=(id(self), "move"),
            )
        if not self._halter.busy:
            self._halter.start(self._moves.halt, "napari-scope halt")

    def home(self) -> None:
        """Send the XY stage to its own zero."""
        self._do("home", self._moves.home, "The stage did not go home")

    def set_origin(self) -> None:
        """Call this place x = 0, y = 0."""
        self._do("set the origin", self._moves.set_origin, "The origin was not set")

    def choose(self, *, xy: str | None = None, focus: str | None = None) -> None:
        """Make stages the default ones."""
        self._do(
            "choose a stage",
            lambda: self._moves.choose(xy=xy, focus=focus),
            "The stage was not chosen",
        )

    def close(self) -> None:
        """Stop timers and threads; idempotent."""
        self._timer.stop()
        self._halter.close()
        self._microscope.stage.stop(self)

    # ---- outcomes

    def _do(self, what: str, call: Callable[[], None], failed: str) -> None:
        self._reached.clear()

        def then(problem: object) -> None:
            if problem is not None:
                self.failed.emit(problem, failed)
            self.ask()

        self._microscope.do(what, lambda: _tried(call), then=then)

    def _on_moved(self, number: int, problem: object) -> None:
        if number == self._asked:
            self._moving = False
            self._reached = {} if problem is not None else self._reached | self._target
            self._seen_when_reached = self._microscope.stage.number
            self._target.clear()
        self.state_changed.emit()
        if problem is not None:
            self.failed.emit(problem, "The stage did not move")
        elif not self._moving:
            self.arrived.emit()

    def _on_halt_failed(self, error: object) -> None:
        self.failed.emit(error, "The stage could not be halted")

    def _on_facts(self, facts: object) -> None:
        if isinstance(facts, StageFacts) and facts != self.facts:
            self.facts = facts
            self.facts_changed.emit(facts)

    def _on_lock(self, reason: str) -> None:
        if not reason:
            self.ask()
        self.state_changed.emit()

    def _look(self) -> None:
        watch = self._microscope.stage
        place = watch.place
        if place is None or watch.number == self._seen:
            return
        self._seen = watch.number
        self.place = place
        if not place.moving and self._seen > self._seen_when_reached:
            self._reached.clear()
        self.place_changed.emit(place)
        self.state_changed.emit()


def _tried(call: Callable[[], None]) -> ScopeError | None:
    """Make a call of the stage; what went wrong is returned, for this dock alone."""
    try:
        call()
    except ScopeError as error:
        return error
    return None
