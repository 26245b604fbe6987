"""The tab "Activity": runs that are watched, and jobs on stored data.

Here a `StoreWish` of a menu becomes a job, a question, or a window of the system. The
jobs end with the dock: what is being written then is asked about before.

Examples
--------
>>> page = ActivityPage()  # doctest: +SKIP
>>> folder_page.wished.connect(page.do)  # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from qtpy.QtCore import QFile, Qt, QUrl, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QGroupBox,
    QMessageBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_scope.errors import StreamError
from napari_scope.formats.msi_entries import files_of
from napari_scope.stream.jobs import (
    ConvertOptions,
    Job,
    JobResult,
    convert_job,
    pyramid_job,
    recover_job,
    validate_job,
)
from napari_scope.stream.msi_jobs import free_msi_target, msi_convert_job
from napari_scope.widgets.browsing.convert_form import ConvertForm, free_target
from napari_scope.widgets.browsing.job_list import JobList
from napari_scope.widgets.browsing.job_queue import JobQueue
from napari_scope.widgets.browsing.msi_form import MSIForm
from napari_scope.widgets.browsing.watch_list import WatchList
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.common.notices import notify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.formats.msi.convert import MSIKind
    from napari_scope.stream.conversion.report import Target
    from napari_scope.stream.jobs import Cancelled, Tell
    from napari_scope.stream.msi_jobs import MSIOptions
    from napari_scope.widgets.browsing.job_queue import QueuedJob
    from napari_scope.widgets.browsing.msi_form import MSIWish
    from napari_scope.widgets.browsing.store_menu import StoreTarget, StoreWish

__all__ = ["ActivityPage", "ask_to_end_jobs"]


class ActivityPage(QWidget):
    """Does what is wished, and shows what goes on.

    Attributes
    ----------
    open_wanted : Signal
        A data set is to be opened; carries its path.
    seen_wanted : Signal
        There is something to do or to see here.
    job_ended : Signal
        Carries the `QueuedJob`.
    """

    open_wanted = Signal(str)
    seen_wanted = Signal()
    job_ended = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.queue = JobQueue(self)
        self._several: list[Callable[[], list[Job]]] = []
        self._naming = BackgroundCall(self, abandon=True)
        self._naming.finished.connect(self._on_named)
        self._naming.failed.connect(self._on_not_named)
        self.watched = WatchList()
        self.jobs = JobList(self.queue)
        self.form = ConvertForm()
        self.form.setVisible(False)
        self.msi_form = MSIForm()
        self.msi_form.setVisible(False)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(_titled("Watched runs", self.watched))
        below = _titled("Jobs", self.jobs)
        self.splitter.addWidget(below)
        self.splitter.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.addWidget(self.form)
        column.addWidget(self.msi_form)
        column.addWidget(self.splitter, 1)
        self.form.job_wanted.connect(self._add_from_form)
        self.form.closed.connect(lambda: self._show_form(None))
        self.msi_form.wanted.connect(self._add_msi)
        self.msi_form.closed.connect(lambda: self._show_form(None))
        self.jobs.open_wanted.connect(self.open_wanted)
        self.watched.open_wanted.connect(self.open_wanted)
        self.watched.recover_wanted.connect(self.recover)
        self.queue.ended.connect(self._on_ended)

    # ---- what a script may ask and do

    def do(self, wish: StoreWish) -> None:
        """Do what somebody wants."""
        places = [target.place for target in wish.targets]
        if wish.wanted == "convert":
            self._convert(wish)
        elif wish.wanted == "pyramid":
            self._add([pyramid_job(place) for place in places])
        elif wish.wanted == "validate":
            self._add([validate_job(place) for place in places])
        elif wish.wanted == "recover":
            for target in wish.targets:
                if target.state == "interrupted":
                    self.recover(target.place)
        elif wish.wanted == "watch":
            for place in places:
                self.watched.watch(place)
            self.seen_wanted.emit()
        elif wish.wanted == "show":
            show_in_file_manager(places[0])
        elif wish.wanted == "trash" and _ask_to_trash(self, places):
            self._add([_trash_job(place) for place in places])

    def recover(self, place: str) -> None:
        """Finish an interrupted run."""
        self._add([recover_job(place)])

    def close_down(self) -> None:
        """Cancel the jobs, wait for the one that runs, stop watching; idempotent."""
        self._several.clear()
        self._naming.close()
        self.form.close_down()
        self.msi_form.close_down()
        self.queue.close()
        self.watched.close_down()

    # ---- jobs

    def _convert(self, wish: StoreWish) -> None:
        if wish.format is None:
            return
        if all(target.format == "msi" for target in wish.targets):
            self.msi_form.show_targets(wish.targets, cast("MSIKind", wish.format))
            self._show_form(self.msi_form)
            self.seen_wanted.emit()
            return
        if len(wish.targets) > 1:
            # Several as one is usually wanted: names beside them, nothing is asked.
            self._several.append(partial(_plain_conversions, wish))
            self._name_next()
            return
        (target,) = wish.targets
        self.form.show_source(
            target.place,
            cast("Target", wish.format),
            images=target.images,
            parts=target.parts,
            words=target.words,
        )
        self._show_form(self.form)
        self.seen_wanted.emit()

    def _name_next(self) -> None:
        """Find free names for a wish, in a thread: the disk may be slow."""
        if self._several and not self._naming.busy:
            self._naming.start(self._several.pop(0), "napari-scope free names")

    def _on_named(self, jobs: Sequence[Job]) -> None:
        self._add(jobs)
        self._name_next()

    def _on_not_named(self, error: BaseException) -> None:
        notify(f"Nothing was converted: {explain(error).message}", "error")
        self._name_next()

    def _add_from_form(self, job: Job) -> None:
        self._show_form(None)
        self._add([job])

    def _add_msi(self, wish: MSIWish) -> None:
        self._show_form(None)
        if wish.path:
            self._add([_msi_job(wish.targets[0], Path(wish.path), wish.options)])
        else:
            self._several.append(partial(_msi_conversions, wish))
            self._name_next()

    def _show_form(self, shown: QWidget | None) -> None:
        # A small window has no room for all of them.
        for form in (self.form, self.msi_form):
            form.setVisible(form is shown)
        self.splitter.setVisible(shown is None)

    def _add(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.queue.add(job)
        self.seen_wanted.emit()

    def _on_ended(self, queued: QueuedJob) -> None:
        self.watched.again(queued.job.source)
        name = Path(queued.job.source).name
        if queued.state == "failed":
            notify(f"{queued.job.title}: {name}: {queued.text}", "error", key="job")
        elif queued.state in ("finished", "problems") and not self.isVisible():
            notify(f"{queued.job.title}: {queued.text}", key="job")
        self.job_ended.emit(queued)


def ask_to_end_jobs(parent: QWidget | None) -> bool:
    """Ask whether to cancel jobs that write; returns True for yes."""
    answer = QMessageBox.question(
        parent,
        "Cancel the jobs?",
        "Data sets are being converted or changed.\n\nIf you close now this is "
        "cancelled. Sources stay as they are; a data set that is not complete is "
        "closed as interrupted or removed.\n\nCancel and close?",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        QMessageBox.StandardButton.No,
    )
    return bool(answer == QMessageBox.StandardButton.Yes)


def show_in_file_manager(place: str) -> None:
    """Open the folder that a data set lies in, with the system's program."""
    if "://" not in place:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(place).parent)))


def _plain_conversions(wish: StoreWish) -> list[Job]:
    """Return the jobs that convert several data sets, each to a name of its own."""
    if wish.format is None:
        raise ValueError("no format was chosen")
    kind = cast("Target", wish.format)
    options = ConvertOptions(format=kind)
    jobs: list[Job] = []
    names: set[Path] = set()
    for target in wish.targets:
        free = free_target(target.place, kind, taken=names)
        names.add(free)
        jobs.append(convert_job(target.place, free, options))
    return jobs


def _msi_conversions(wish: MSIWish) -> list[Job]:
    """Return the jobs that convert several files, each to a name of its own."""
    jobs: list[Job] = []
    names: set[Path] = set()
    kind = wish.options.kind
    for target in wish.targets:
        part = bool(target.words)
        free = free_msi_target(target.place, kind, part=part, taken=names)
        names.add(free)
        jobs.append(_msi_job(target, free, wish.options))
    return jobs


def _msi_job(target: StoreTarget, path: Path, options: MSIOptions) -> Job:
    return msi_convert_job(
        target.place, path, options, dataset=target.dataset, regions=target.regions
    )


def _ask_to_trash(parent: QWidget, places: Sequence[str]) -> bool:
    names = "\n".join(Path(place).name for place in places[:10])
    more = f"\nand {len(places) - 10} more" if len(places) > 10 else ""
    count = "this data set" if len(places) == 1 else f"these {len(places)} data sets"
    answer = QMessageBox.question(
        parent,
        "Move to the trash?",
        f"Move {count} to the system's trash?\n\n{names}{more}",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        QMessageBox.StandardButton.No,
    )
    return bool(answer == QMessageBox.StandardButton.Yes)


def _trash_job(place: str) -> Job:
    """Return the job that moves a data set to the trash; it is never deleted."""

    def run(tell: Tell, cancelled: Cancelled) -> JobResult:
        from napari_scope.stream.run_state import StoredRun, run_state

        if run_state(place) is StoredRun.WRITTEN:
            raise StreamError("the run is still being written", path=place)
        # The .ibd file of an .imzML file is of no use without it.
        for path in files_of(place):
            if not QFile(path).moveToTrash():
                raise StreamError(
                    "the system could not move it to the trash",
                    path=path,
                    hint="the disk may have no trash; nothing was deleted",
                )
        return JobResult("moved to the trash")

    return Job("Move to trash", place, run, can_cancel=False)


def _titled(title: str, widget: QWidget) -> QGroupBox:
    box = QGroupBox(title)
    column = QVBoxLayout(box)
    # The width that a dock needs is taken from the image.
    column.setContentsMargins(4, column.contentsMargins().top(), 4, 4)
    column.addWidget(widget)
    return box
