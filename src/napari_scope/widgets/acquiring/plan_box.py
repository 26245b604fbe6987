"""The plan of the next run: tables, the same as text, or a script; and its hooks.

Tables and text are two views of one sequence. What is typed changes the tables; what is
changed in the tables writes the text anew. A plan that the tables cannot show wholly
stays as the text has it: the tables then say why and cannot be used. The Script tab is
a plan of its own: what is run is what the tab in front shows.

It starts no run. The dock asks for `PlanBox.plan`, `hooks`,
`processor` and `custom_actions`.

Examples
--------
>>> box = PlanBox(microscope)  # doctest: +SKIP
>>> run = Run(owner, box.plan(), hooks=box.hooks())  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import useq
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QFileDialog,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire.hook_files import (
    joined_actions,
    joined_hooks,
    joined_processor,
)
from napari_scope.errors import PlanError
from napari_scope.events import PLAN_SUFFIXES
from napari_scope.events.plan_text import sequence_text
from napari_scope.widgets.acquiring.folded import Folded
from napari_scope.widgets.acquiring.hook_chooser import HookChooser
from napari_scope.widgets.acquiring.plan_inbox import PlanInbox
from napari_scope.widgets.acquiring.plan_parts import (
    read_plan,
    with_places,
    write_plan,
)
from napari_scope.widgets.acquiring.plan_presets import PlanPresets
from napari_scope.widgets.acquiring.plan_shelf import PlanShelf
from napari_scope.widgets.acquiring.plan_views import PlanViews
from napari_scope.widgets.acquiring.script_tab import ScriptTab
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.notices import notify

if TYPE_CHECKING:
    from napari_scope.acquire import EngineHooks
    from napari_scope.acquire.processing import FrameProcessor
    from napari_scope.acquire.receiver import Action
    from napari_scope.events import PlanLike
    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["PlanBox"]

_TABS = ("tables", "text", "script")
_FILES = "Plans (*.yaml *.yml *.json *.py)"
_SAVED = "Plans (*.yaml *.yml *.json)"
_MOST_REMEMBERED = 1_000_000  # characters


class PlanBox(QWidget):
    """Edits the plan of the next run.

    Parameters
    ----------
    microscope : Microscope
        The microscope.
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    valueChanged : Signal
        The plan or its hooks have changed.
    failed : Signal
        Something could not be done; carries the exception.
    """

    valueChanged = Signal()
    failed = Signal(object)

    def __init__(self, microscope: Microscope, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._microscope = microscope
        self._shelf = PlanShelf(microscope.remembered)
        self._closed = False
        self._folder = ""
        self.views = PlanViews(microscope.core, self)
        self.editor, self.text = self.views.editor, self.views.text
        self.note, self.back_button = self.views.note, self.views.back_button
        self.script = ScriptTab()
        self.hook_files = HookChooser()
        self.presets = PlanPresets(self._shelf, self.plan_text)
        self._lay_out()
        self._opener = BackgroundCall(self, abandon=True)
        self._opener.finished.connect(self._on_opened)
        self._opener.failed.connect(self.failed)
        self._saver = BackgroundCall(self)
        self._saver.failed.connect(self.failed)
        self._saver.finished.connect(
            lambda path: notify(f"The plan is saved as {path}", key="file-saved")
        )
        self._connect()

    def _lay_out(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for widget, title, tip in (
            (self.views.tables, "T&ables", "The plan in tables"),
            (self.text, "Te&xt", "The same plan as yaml"),
            (self.script, "Scr&ipt", "A plan that is a program or a list of events"),
        ):
            index = self.tabs.addTab(widget, title)
            self.tabs.setTabToolTip(index, tip)
        self.hooks_fold = Folded(
            "Hooks", self.hook_files, "Functions from files that take part in the run"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.presets)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.hooks_fold)

    def _connect(self) -> None:
        self.views.changed.connect(self._changed)
        self.views.failed.connect(self.failed)
        self.script.valueChanged.connect(self._on_script)
        self.hook_files.valueChanged.connect(self._on_hooks)
        self.tabs.currentChanged.connect(self._on_tab)
        self.presets.chosen.connect(self._on_chosen)
        self.presets.failed.connect(self.failed)
        self.presets.open_requested.connect(lambda: self.open())
        self.presets.save_requested.connect(lambda: self.save())
        self._inbox = PlanInbox.of(self._microscope)
        self._inbox.take(self._take)

    # ---- what a run needs

    @property
    def source(self) -> str:
        """What is run: "tables", "text" or "script", as the tab in front."""
        return _TABS[self.tabs.currentIndex()]

    def plan(self) -> PlanLike:
        """Return the plan as it is to be run; quick.

        Raises
        ------
        PlanError
            If there is none, in words for the user.
        """
        if self.source == "script":
            return self.script.plan()
        return self.views.plan()

    def estimable(self) -> PlanLike:
        """Return the plan for an estimate: no device is asked for it.

        Raises
        ------
        PlanError
            If there is none.
        """
        if self.source == "script":
            return self.script.plan()
        return self.views.estimable()

    @property
    def why_not(self) -> str:
        """Why there is no plan to run; empty if there is one."""
        try:
            self.estimable()
            self.hook_files.value()
        except PlanError as error:
            return error.message
        return ""

    @property
    def ready(self) -> bool:
        """Whether there is a plan to run."""
        return not self.why_not

    def hooks(self) -> EngineHooks | None:
        """Return the hooks of the next run; raises `PlanError` if they are wrong."""
        return joined_hooks(self.hook_files.value(), self._microscope.real_core)

    def processor(self) -> FrameProcessor | None:
        """Return what the images of the next run pass through."""
        return joined_processor(self.hook_files.value(), self._microscope.real_core)

    def custom_actions(self) -> dict[str, Action]:
        """Return what custom actions do in the next run."""
        return joined_actions(self.hook_files.value())

    def note_run(self, name: str = "run") -> None:
        """Put the plan among those of earlier runs: it is being run."""
        if self.source != "script":
            try:
                self._shelf.note(name, self.plan_text())
            except PlanError:
                pass  # it was run, so somebody else says what is wrong

    # ---- the plan

    def sequence(self) -> useq.MDASequence:
        """Return the plan of tables and text as it is edited.

        Raises
        ------
        PlanError
            If there is none.
        """
        return self.views.sequence()

    def plan_text(self) -> str:
        """Return the plan of tables and text as yaml, with its comments.

        Raises
        ------
        PlanError
            If there is none.
        """
        return self.views.plan_text()

    def setValue(self, plan: useq.MDASequence) -> None:
        """Show a plan, in the tables if they can show it."""
        self.set_text(sequence_text(plan))

    def set_text(self, text: str) -> None:
        """Show a plan from yaml, with its comments."""
        self.views.set_text(text)
        if self.source == "script":
            self.tabs.setCurrentIndex(0)
        if self.source == "tables" and self.views.in_text_only:
            self.tabs.setCurrentIndex(1)

    # ---- files

    def open(self, file: str | Path | None = None) -> None:
        """Open a plan or a script; without a file, ask for it."""
        if not isinstance(file, str | Path):
            file, _ = QFileDialog.getOpenFileName(
                self, "Open a plan", self._folder, _FILES
            )
        if not file or self._opener.busy:
            return
        path = Path(file)
        self._folder = str(path.parent)
        if path.suffix.lower() not in PLAN_SUFFIXES:
            self.tabs.setCurrentIndex(2)
            self.script.open(path)
            return
        self._opener.start(lambda: read_plan(path), "napari-scope plan")

    def save(self, file: str | Path | None = None) -> None:
        """Save the plan as yaml or json; without a file, ask for it."""
        if not isinstance(file, str | Path):
            file, _ = QFileDialog.getSaveFileName(
                self, "Save the plan", self._folder, _SAVED
            )
        if not file or self._saver.busy:
            return
        path = Path(file)
        path = path if path.suffix else path.with_suffix(".yaml")
        self._folder = str(path.parent)
        try:
            sequence, text = self.sequence(), self.plan_text()
        except PlanError as error:
            self.failed.emit(error)
            return
        as_typed = self.views.is_text and path.suffix.lower() != ".json"
        as_json = path.suffix.lower() == ".json"
        self._saver.start(
            lambda: write_plan(
                path, text if as_typed else sequence_text(sequence, as_json=as_json)
            ),
            "napari-scope plan",
        )

    def _on_opened(self, found: object) -> None:
        assert isinstance(found, tuple)
        path, kind, text = found
        if kind == "events":
            self.script.set_text(text, path)
            self.tabs.setCurrentIndex(2)
            self.script.check()
            return
        self._note_before()
        self.set_text(text)

    def _on_chosen(self, text: str, _name: str) -> None:
        self._note_before()
        self.set_text(text)

    def _note_before(self) -> None:
        """Keep the plan that is about to be replaced among the recent ones."""
        try:
            self._shelf.note("replaced", self.plan_text())
        except PlanError:
            self._shelf.note("replaced", self.text.plain_text())

    # ---- places from other docks

    def _take(self, kind: str, offered: Any, replace: bool) -> None:
        if kind == "plan":
            self._note_before()
            self.setValue(offered)
            return
        try:
            plan = self.sequence()
        except PlanError:
            plan = self.editor.shown()
        plan, words = with_places(plan, kind, offered, replace)
        if not isinstance(plan.stage_positions, useq.WellPlatePlan):
            plan = self.editor.with_one_focus(plan)
        self.setValue(plan)
        notify(words, key="plan-places")

    def _on_tab(self, _: int) -> None:
        if self.source == "text":
            self.views.write_waiting()
        self._changed()

    def _on_script(self) -> None:
        if self.source == "script":
            self._changed()

    def _on_hooks(self) -> None:
        self.hooks_fold.set_words(self.hook_files.words)
        self._changed()

    def _changed(self) -> None:
        if self._closed:
            return
        planned: useq.MDASequence | None = None
        if self.source != "script":
            try:
                found = self.estimable()
                planned = found if isinstance(found, useq.MDASequence) else None
            except PlanError:
                planned = None
        self._inbox.tell(planned)
        self.valueChanged.emit()

    # ---- state

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered, as plain JSON."""
        try:
            text = self.plan_text()
        except PlanError:
            text = self.text.plain_text()
        return {
            "tab": self.source,
            "text": text if len(text) <= _MOST_REMEMBERED else "",
            "script": self.script.state(),
            "hooks": self.hook_files.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state; no script is run."""
        text, script = state.get("text"), state.get("script")
        if isinstance(script, dict):
            self.script.restore(script)
        self.hook_files.restore(state.get("hooks"))
        if isinstance(text, str) and text:
            self.set_text(text)
        if state.get("tab") in _TABS:
            self.tabs.setCurrentIndex(_TABS.index(state["tab"]))

    def close_down(self) -> None:
        """Stop timers and threads and let go of the microscope; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._inbox.leave(self._take)
        self._opener.close()
        self._saver.close()
        for part in (self.views, self.script, self.hook_files):
            part.close_down()
