"""A session in a process of its own: docks, a run, a run of a script, then the end.

Started by test_quitting.py. Usage: python open_and_quit.py {window,quit,midrun}
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

_place = Path(tempfile.mkdtemp(prefix="napari-scope-quit-"))
os.environ["NAPARI_CONFIG"] = str(_place / "settings.yaml")


def main(how: str) -> None:
    import napari
    import useq
    from qtpy.QtCore import QSettings, QTimer
    from qtpy.QtWidgets import QApplication

    from napari_scope.acquire import Run
    from napari_scope.widgets.common.dock import ScopeDock
    from napari_scope.widgets.common.microscope import Microscope

    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(_place)
    )

    class Dock(ScopeDock):
        def __init__(self, viewer: napari.Viewer, name: str) -> None:
            super().__init__(viewer, name)
            self.microscope = Microscope.shared()
            self.microscope.hold(self)

        def on_shut_down(self) -> None:
            self.microscope.release(self)

    viewer = napari.Viewer()
    microscope = Microscope.shared()
    for name in ("one", "two"):
        viewer.window.add_dock_widget(Dock(viewer, name), name=name)
    plan = useq.MDASequence(time_plan=useq.TIntervalLoops(interval=0, loops=20))
    long = useq.MDASequence(time_plan=useq.TIntervalLoops(interval=0.05, loops=999))
    ended: list[object] = []

    def begin() -> None:
        microscope.real_core.setExposure(1)
        assert microscope.live is not None
        Run(microscope.owner, plan).start()

    def go_on(run: object) -> None:
        ended.append(run)
        if len(ended) == 1:
            microscope.real_core.run_mda(plan)
            return
        if how == "midrun":
            Run(microscope.owner, long).start()
        QTimer.singleShot(300, leave)

    def leave() -> None:
        if how == "quit":
            application = QApplication.instance()
            assert application is not None
            application.quit()
        else:
            viewer.close()

    microscope.loaded.connect(begin)
    microscope.run_ended.connect(go_on)
    microscope.load()
    napari.run()
    print("left", len(ended), Microscope._shared, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
