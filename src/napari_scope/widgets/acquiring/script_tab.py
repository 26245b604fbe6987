"""The Script tab: a plan that is a program, or a list of event dictionaries.

A script is run when it is checked: when a file is opened, when it has changed on disk,
and when the user asks for it; never while it is typed and never because napari was
started. It runs in a thread for a limited time. What the check has found is what a run
gets; a generator is made anew for each run.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.errors import PlanError
from napari_scope.events.files import read_plan_text
from napari_scope.events.plan_scripts import ScriptPlan, run_script_text
from napari_scope.widgets.acquiring.text_box import TextBox
from napari_scope.widgets.acquiring.text_tab import message_of
from napari_scope.widgets.acquiring.user_code import UserCode
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.icons import AMBER, GREEN, RED, icon
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.common.small_files import save_text
from napari_scope.widgets.common.tones import toned

if TYPE_CHECKING:
    from napari_scope.events import PlanLike

__all__ = ["EXAMPLE", "ScriptTab"]

_LOOK_MS = 1000
_FILES = "Scripts and events (*.py *.json *.yaml *.yml)"

EXAMPLE = """\
# A list of events of pycro-manager, a call, or a function plan().
# Ctrl+Return checks it.
from napari_scope import multi_d_acquisition_events

events = multi_d_acquisition_events(
    num_time_points=3,
    channel_group="Channel",
    channels=["DAPI", "FITC"],
)
"""


class ScriptTab(QWidget):
    """Edits, checks and keeps a script.

    Attributes
    ----------
    valueChanged : Signal
        Another plan, or none.
    """

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._path: Path | None = None
        self._on_disk = ""  # the text as it was read
        self._stamp: tuple[int, int] | None = None
        self._script: ScriptPlan | None = None
        self._problem: PlanError | None = None
        self._quiet = False
        self._folder = ""
        self.code = UserCode(self)
        self.code.finished.connect(self._on_checked)
        self.code.failed.connect(self._on_failed)
        self._files = BackgroundCall(self, abandon=True)
        self._files.finished.connect(self._on_read)
        self._files.failed.connect(self._on_unreadable)
        self._saver = BackgroundCall(self)
        self._saver.finished.connect(self._on_saved)
        self._saver.failed.connect(self._on_not_saved)
        self._watch = BackgroundCall(self, abandon=True)
        self._watch.finished.connect(self._on_looked)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._build()
        self.text.textChanged.connect(self._on_typed)
        self._show("not checked yet", AMBER)

    def _build(self) -> None:
        self.text = TextBox("python")
        self.text.setPlainText(EXAMPLE)
        self.text.setAccessibleName("The script")
        self.text.setToolTip(
            "A function plan(), a list of event dictionaries, or a call of "
            "multi_d_acquisition_events"
        )
        self.open_button = self._button("Open …", "folder", "Open a script or events")
        self.reload_button = self._button("Reload", "reload", "Read the file again")
        self.save_button = self._button("Save …", "save", "Save the script")
        self.check_button = self._button(
            "Check", "check-circle", "Run the script for its plan (Ctrl+Return)"
        )
        self.path_label, self.status = _label(), _label()
        row = QHBoxLayout()
        for button in (
            self.open_button,
            self.reload_button,
            self.save_button,
            self.check_button,
        ):
            row.addWidget(button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.path_label)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.status)
        self.open_button.clicked.connect(lambda: self.open())
        self.reload_button.clicked.connect(self.reload)
        self.save_button.clicked.connect(lambda: self.save())
        self.check_button.clicked.connect(self.check)
        self.text.submitted.connect(self.check)
        self.reload_button.setEnabled(False)
        self.path_label.setVisible(False)

    # ---- value

    @property
    def path(self) -> Path | None:
        """The file, if the script is one."""
        return self._path

    @property
    def script(self) -> ScriptPlan | None:
        """What the last check has found; None if the script has changed since."""
        return self._script

    def plan(self) -> PlanLike:
        """Return the plan of the script, as it was checked.

        Raises
        ------
        PlanError
            If it was not checked, is being checked, or is no plan.
        """
        if self._problem is not None:
            raise self._problem
        if self.code.busy:
            raise PlanError("the script is being checked", hint="wait a moment")
        if self._script is None:
            raise PlanError("the script was not checked yet", hint="press Check")
        if self._script.is_used_up:
            self.check()
            raise PlanError(
                "the events of the script were used by a run, it is run again",
                hint="start once more, or let plan() be a generator function",
            )
        return self._script.plan()

    def set_text(self, text: str, path: Path | None = None) -> None:
        """Show a script; it is not run."""
        self._quiet = True
        try:
            self.text.replace_text(text)
        finally:
            self._quiet = False
        self._path, self._on_disk = path, text if path is not None else ""
        self._stamp = None
        self._forget()
        self._show_path()

    def open(self, file: str | Path | None = None) -> None:
        """Open a file and check it; without one, ask for it."""
        if not isinstance(file, str | Path):
            file, _ = QFileDialog.getOpenFileName(
                self, "Open a script or events", self._folder, _FILES
            )
        if file:
            self._folder = str(Path(file).parent)
            self._read(Path(file))

    def reload(self) -> None:
        """Read the file again and check it."""
        if self._path is not None:
            self._read(self._path)

    def save(self, file: str | Path | None = None) -> None:
        """Save the script; without a file, ask for it."""
        if not isinstance(file, str | Path):
            start = self._folder if self._path is None else str(self._path)
            file, _ = QFileDialog.getSaveFileName(self, "Save", start, _FILES)
        if not file:
            return
        path = Path(file)
        text = self.text.toPlainText()
        path = path if path.suffix else path.with_suffix(".py")
        if self._saver.busy:
            self._show("the file before is still being written", AMBER)
            return
        self._folder = str(path.parent)
        self._saver.start(
            lambda: (save_text(path, text, "the script", PlanError), text),
            "napari-scope save script",
        )

    def check(self) -> None:
        """Run the script in a thread."""
        text, path = self.text.toPlainText(), self._path
        self._script = self._problem = None
        self.text.mark_line(None)
        self._show("being checked …", AMBER)
        self.code.start(lambda: run_script_text(text, path=path))
        self.valueChanged.emit()

    # ---- state

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        path = None if self._path is None else str(self._path)
        return {"text": self.text.toPlainText(), "path": path}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state; the script is not run."""
        text, path = state.get("text"), state.get("path")
        if isinstance(text, str) and text:
            self.set_text(text, Path(path) if isinstance(path, str) else None)

    def close_down(self) -> None:
        """Stop what goes on; idempotent."""
        self._timer.stop()
        self.code.stop()
        self._files.close()
        self._saver.close()
        self._watch.close()

    # ---- the file

    @property
    def is_edited(self) -> bool:
        """Whether the text differs from the file."""
        return self._path is not None and self.text.toPlainText() != self._on_disk

    def showEvent(self, event: Any) -> None:
        """Watch the file while it is shown."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: Any) -> None:
        """Watch it no more."""
        super().hideEvent(event)
        self._timer.stop()

    def _read(self, path: Path) -> None:
        if not self._files.busy:
            self._files.start(
                lambda: (path, read_plan_text(path), _stamp(path)), "napari-scope file"
            )

    def _on_read(self, found: object) -> None:
        assert isinstance(found, tuple)
        path, text, stamp = found
        self.set_text(text, path)
        self._stamp = stamp
        self.check()

    def _on_saved(self, saved: object) -> None:
        assert isinstance(saved, tuple)
        self._path, self._on_disk = saved
        self._stamp = None
        self._show_path()
        notify(f"The script is saved as {self._path}", key="file-saved")

    def _on_not_saved(self, error: object) -> None:
        # What was checked before can still be run.
        if isinstance(error, PlanError):
            self.status.setText(message_of(error))
        elif isinstance(error, Exception):
            self._show(f"the script cannot be saved, {error}", RED)

    def _on_unreadable(self, error: object) -> None:
        self._on_failed(error)

    def _look(self) -> None:
        path = self._path
        busy = self._watch.busy or self._files.busy or self._saver.busy
        if path is not None and not busy:
            self._watch.start(lambda: (path, _stamp(path)), "napari-scope file")

    def _on_looked(self, found: object) -> None:
        assert isinstance(found, tuple)
        path, stamp = found
        if path != self._path or stamp is None:
            return
        before, self._stamp = self._stamp, stamp
        if before is None or before == stamp:
            return
        if self.is_edited:
            self._show("the file has changed on disk, too; Reload takes it", AMBER)
        else:
            self._read(path)

    # ---- outcomes

    def _on_typed(self) -> None:
        if not self._quiet:
            self._show_path()
            self._forget()

    def _forget(self) -> None:
        self.code.stop()
        self._script = self._problem = None
        self.text.mark_line(None)
        self._show("not checked yet", AMBER)
        self.valueChanged.emit()

    def _on_checked(self, script: object) -> None:
        assert isinstance(script, ScriptPlan)
        self._script, self._problem = script, None
        self._show(script.words, GREEN)
        self.valueChanged.emit()

    def _on_failed(self, error: object) -> None:
        if not isinstance(error, PlanError):
            error = PlanError(f"{type(error).__name__}: {error}")
        self._script, self._problem = None, error
        self.text.mark_line(getattr(error, "line", None))
        self.status.setText(message_of(error))
        self.valueChanged.emit()

    def _show(self, words: str, colour: str) -> None:
        text = escape(words[:1].upper() + words[1:])
        self.status.setText(f'<span style="color:{toned(colour)}">{text}</span>')

    def _show_path(self) -> None:
        path = self._path
        self.reload_button.setEnabled(path is not None)
        self.path_label.setVisible(path is not None)
        if path is not None:
            star = " (edited)" if self.is_edited else ""
            self.path_label.setText(f"<i>{escape(path.name)}</i>{star}")
            self.path_label.setToolTip(str(path))

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        button = QPushButton(icon(name), text)
        button.setToolTip(tip)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        return button


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is written, None if there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


def _label() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label
