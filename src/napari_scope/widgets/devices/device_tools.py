"""Starts the configuration wizard and the installer, and hears how they ended.

While the wizard is open it has the devices: the microscope lets go of them before, and
nothing may be loaded or run until it is closed.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QProcess, Signal  # type: ignore[attr-defined]

from napari_scope.acquire.registry import loading
from napari_scope.errors import HardwareError, ScopeError
from napari_scope.widgets.devices.device_program import SAVED

if TYPE_CHECKING:
    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["DeviceTools"]

_MODULE = "napari_scope.widgets.devices.device_program"
_END_MS = 3000
_WORDS = {
    "wizard": ("the wizard", "what was loaded before is loaded again"),
    "install": ("the installer", "check the connection to the network"),
}


class DeviceTools(QObject):
    """One tool at a time, each in a process of its own.

    Parameters
    ----------
    microscope : Microscope
        Lets go of its devices for the wizard.

    Attributes
    ----------
    changed : Signal
        A tool was started or has ended.
    ended : Signal
        The wizard was closed; carries the path that it has saved, or None.
    failed : Signal
        A tool could not be used; carries the exception.
    """

    changed = Signal()
    ended = Signal(object)
    failed = Signal(object)

    def __init__(self, microscope: Microscope, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._microscope = microscope
        self._process: QProcess | None = None
        self._tool = ""
        self._claim = contextlib.ExitStack()
        self._closed = False

    @property
    def tool(self) -> str:
        """The tool that is open; empty if none is."""
        return self._tool

    def install(self) -> None:
        """Open the installer of device adapters."""
        if not self._tool:
            self._start("install")

    def wizard(self, config: Path | None = None) -> None:
        """Let go of the devices and open the wizard.

        Parameters
        ----------
        config : Path, optional
            The configuration to begin with.
        """
        if self._tool:
            return
        self._tool = "wizard"
        self.changed.emit()
        # Live view makes way first, which takes as long as an exposure.
        self._microscope.do(
            "let go of the devices",
            self._let_go,
            then=lambda problem: self._after_letting_go(problem, config),
        )

    def close_down(self) -> None:
        """End the tool that is open; idempotent."""
        self._closed = True
        process, self._process = self._process, None
        if process is not None:
            process.blockSignals(True)
            process.terminate()
            if not process.waitForFinished(_END_MS):
                process.kill()
                process.waitForFinished(_END_MS)
        self._tool = ""
        self._claim.close()

    # ---- inside

    def _let_go(self) -> ScopeError | None:
        """Claim the core and unload its devices; in the thread of the devices."""
        core = self._microscope.real_core
        try:
            self._claim.enter_context(loading(core))
        except ScopeError as error:
            return error
        # A device that does not let go is the wizard's to tell.
        with contextlib.suppress(RuntimeError):
            core.unloadAllDevices()
        return None

    def _after_letting_go(self, problem: object, config: Path | None) -> None:
        if isinstance(problem, ScopeError):
            self._tool = ""
            self.changed.emit()
            self.failed.emit(problem)
        else:
            self._start("wizard", config)

    def _command(self, tool: str, config: Path | None) -> list[str]:
        return ["-m", _MODULE, tool, *([str(config)] if config is not None else [])]

    def _start(self, tool: str, config: Path | None = None) -> None:
        if self._closed:
            self._claim.close()
            return
        self._tool = tool
        self._process = process = QProcess(self)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        process.start(sys.executable, self._command(tool, config))
        self.changed.emit()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(None, f"it does not start: {sys.executable}")

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        process = self._process
        if process is None:
            return
        said = bytes(process.readAllStandardOutput().data()).decode(errors="replace")
        saved = [x for x in said.splitlines() if x.startswith(SAVED)]
        path = Path(saved[-1].removeprefix(SAVED).strip()) if saved else None
        problem = ""
        if code or status == QProcess.ExitStatus.CrashExit:
            wrong = bytes(process.readAllStandardError().data()).decode(
                errors="replace"
            )
            lines = wrong.strip().splitlines()
            problem = lines[-1] if lines else f"it ended with code {code}"
        self._end(path, problem)

    def _end(self, path: Path | None, problem: str) -> None:
        tool, self._tool = self._tool, ""
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        self._claim.close()
        self.changed.emit()
        if problem:
            name, hint = _WORDS[tool]
            self.failed.emit(HardwareError(f"{name} has failed, {problem}", hint=hint))
        if tool == "wizard":
            self.ended.emit(path)
