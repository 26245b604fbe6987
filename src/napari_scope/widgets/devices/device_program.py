"""The configuration wizard and the installer of device adapters, as a program.

Both are pymmcore-widgets'. They load drivers, start devices and ask the network while
their window waits, and a driver may take its process down with it. So they run in a
process of their own::

    python -m napari_scope.widgets.devices.device_program wizard [MyMicroscope.cfg]
    python -m napari_scope.widgets.devices.device_program install

The wizard prints the file that it has saved, after ``saved:``, as its last line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymmcore_plus import CMMCorePlus
    from qtpy.QtWidgets import QWidget, QWizard

__all__ = ["SAVED", "TOOLS", "main", "make_installer", "make_wizard"]

SAVED = "saved: "
TOOLS = ("wizard", "install")


def make_wizard(core: CMMCorePlus, config: str = "") -> QWizard:
    """Return the wizard; it saves where the user says and prints where.

    Parameters
    ----------
    core : CMMCorePlus
        A core that nobody else uses.
    config : str
        The configuration file to begin with; none by default.
    """
    from pymmcore_widgets import ConfigWizard
    from pymmcore_widgets.hcwizard.finish_page import DEST_CONFIG
    from qtpy.QtWidgets import QWizard

    class Wizard(ConfigWizard):
        """Says what it has saved, and loads nothing when it is cancelled."""

        def accept(self) -> None:
            """Save, and say where."""
            super().accept()
            print(f"{SAVED}{self.field(DEST_CONFIG)}", flush=True)

        def reject(self) -> None:
            """Close; the program that started this one loads what it had."""
            QWizard.reject(self)

    wizard: QWizard = Wizard(config, core)
    return wizard


def make_installer() -> QWidget:
    """Return the installer of device adapters."""
    from pymmcore_widgets import InstallWidget

    installer = InstallWidget()
    installer.setWindowTitle("Micro-Manager device adapters")
    return installer


def main(arguments: Sequence[str] | None = None) -> int:
    """Show a tool until it is closed; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] not in TOOLS:
        print(f"usage: device_program {{{','.join(TOOLS)}}} [configuration]")
        return 2
    from pymmcore_plus import CMMCorePlus
    from qtpy.QtWidgets import QApplication

    from napari_scope.widgets.common.icons import serve_shipped_icons

    application = QApplication.instance() or QApplication(["napari-scope"])
    serve_shipped_icons()
    if arguments[0] == "install":
        window = make_installer()
    else:
        core = CMMCorePlus()
        window = make_wizard(core, *arguments[1:2])
    window.show()
    window.raise_()
    window.activateWindow()
    code = int(application.exec())
    if arguments[0] == "wizard":
        core.unloadAllDevices()
    return code


if __name__ == "__main__":
    # Without Python's own end: a driver that hangs must not keep the ports.
    import os
    import time

    result = main()
    sys.stdout.flush()
    time.sleep(0.3)  # the core delivers its last callbacks
    os._exit(result)
