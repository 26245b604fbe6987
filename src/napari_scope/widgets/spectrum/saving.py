"""What the dock saves and opens: file dialogs that block nothing, files in threads."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_scope.errors import OutputExistsError, ScopeError
from napari_scope.formats.msi.convert_ions import decoded
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.common.small_files import save_text
from napari_scope.widgets.spectrum.exports import (
    save_images_csv,
    save_images_tiff,
    save_images_zarr,
)
from napari_scope.widgets.spectrum.ion_layers import ion_layers_of
from napari_scope.widgets.spectrum.looked_at import title_of
from napari_scope.widgets.spectrum.mz_targets import parse_targets, targets_csv
from napari_scope.widgets.spectrum.tables_out import regions_csv, spectra_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtpy.QtWidgets import QMenu

    from napari_scope.widgets.spectrum.long_work import LongWork
    from napari_scope.widgets.spectrum.looked_at import LookedAt
    from napari_scope.widgets.spectrum.pages import Pages

__all__ = ["Saving", "ask_path", "file_name", "with_ending"]

_KINDS: Final = {
    ".csv": (".csv", ".tsv", ".txt"),
    ".ome.tif": (".tif", ".tiff"),
    ".ome.zarr": (".zarr",),
}
_NOT_IN_NAMES: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
_MOST_LETTERS: Final = 120
_MOST_BYTES: Final = 16 << 20  # of a list


def ask_path(
    parent: QWidget,
    title: str,
    start: Path,
    filters: Sequence[str],
    then: Callable[[Path], object],
    *,
    save: bool,
) -> QFileDialog:
    """Ask for a file; the window stays alive meanwhile."""
    dialog = QFileDialog(parent, title, str(start.parent))
    if save:
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(start.suffix.lstrip("."))
        dialog.selectFile(start.name)
    else:
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters([*filters, "All files (*)"])
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda chosen: then(Path(chosen)))
    dialog.open()
    return dialog


def file_name(title: str) -> str:
    """Return a title as it may stand in the name of a file, on each system."""
    plain = _NOT_IN_NAMES.sub("-", title).strip(" .-")
    return plain[:_MOST_LETTERS].rstrip(" .-") or "spectra"


def with_ending(path: Path, ending: str) -> Path:
    """Return a path that ends as its kind of file does; one that does so stays.

    Examples
    --------
    >>> with_ending(Path("brain v1.2"), ".ome.tif").name
    'brain v1.2.ome.tif'
    >>> with_ending(Path("brain.TIFF"), ".ome.tif").name
    'brain.TIFF'
    """
    if path.name.casefold().endswith(_KINDS[ending]):
        return path
    return path.with_name(path.name + ending)


def _ending(name: str) -> str:
    return next(ending for ending in _KINDS if name.endswith(ending))


class Saving(QObject):
    """Saves what a dock shows, and opens lists.

    Parameters
    ----------
    dock : QWidget
        Whose dialogs they are.
    viewer : napari.viewer.Viewer
        Its ion images are saved.
    looked_at : LookedAt
        Whose regions are saved.
    pages : Pages
        Their spectra and their list are saved.
    work : LongWork
        Does the writing.

    Attributes
    ----------
    failed : Signal
        What was done, and the exception.
    """

    failed = Signal(str, object)

    def __init__(
        self,
        dock: QWidget,
        viewer: Any,
        looked_at: LookedAt,
        pages: Pages,
        work: LongWork,
    ) -> None:
        super().__init__(dock)
        self._dock = dock
        self._viewer = viewer
        self._at = looked_at
        self._pages = pages
        self._work = work
        pages.open_button.clicked.connect(self.ask_list)
        pages.save_button.clicked.connect(
            lambda: self._ask("Save the list", "mz-list.csv", self.targets)
        )
        pages.paste_button.clicked.connect(lambda: _tell_skipped(pages.table.paste()))

    def fill(self, menu: QMenu) -> None:
        """Offer everything in a menu."""
        for text, name, call in (
            ("Spectra (CSV)…", " spectra.csv", self.spectra),
            ("Ion images (OME-TIFF)…", ".ome.tif", self.images),
            ("Ion images (OME-Zarr)…", ".ome.zarr", self.images),
            ("Ion images (CSV)…", " ion images.csv", self.images),
            ("Regions (CSV)…", " regions.csv", self.regions),
        ):
            action = menu.addAction(text)
            if action is not None:
                action.triggered.connect(partial(self._ask_from_menu, text, name, call))

    def _ask_from_menu(
        self, text: str, name: str, call: Callable[[Path], None], _: bool = False
    ) -> None:
        origin = self._at.origin
        if origin is not None:
            start = file_name(title_of(origin)) + name
            self._ask(f"Save {text.rstrip('…').lower()}", start, call)

    def _ask(self, title: str, name: str, then: Callable[[Path], None]) -> None:
        start = Path.home() / name
        ending = _ending(name)
        kinds = [f"Files (*{start.suffix})"]

        def chosen(path: Path) -> None:
            # The dialog has asked whether to replace what was typed, nothing else.
            meant = with_ending(path, ending)
            if meant == path:
                then(meant)
                return

            def looked(taken: bool) -> None:
                if taken:
                    error = OutputExistsError("it exists", path=meant)
                    self.failed.emit(title, error)
                else:
                    then(meant)

            # In a thread: the folder may be on a network.
            self._work.do(title, lambda *_: meant.exists(), looked)

        ask_path(self._dock, title, start, kinds, chosen, save=True)

    def spectra(self, path: Path) -> None:
        """Save the spectra that are drawn as CSV."""
        traces = [trace for trace in self._pages.traces.traces if trace.shown]
        if not traces:
            notify("Tick a spectrum on the page Spectra first.", "warning")
            return
        self._do(
            "Saving spectra",
            lambda cancelled, _: save_text(
                path, spectra_csv(traces, cancelled), "the spectra"
            ),
        )

    def regions(self, path: Path) -> None:
        """Save places and regions of all spectra as CSV."""
        origin = self._at.origin
        if origin is not None:
            data = origin.data
            self._do(
                "Saving regions",
                lambda cancelled, _: save_text(
                    path, regions_csv(data, cancelled), "the regions"
                ),
            )

    def targets(self, path: Path) -> None:
        """Save the list of m/z values as CSV."""
        text = targets_csv(self._pages.table.targets)
        self._do("Saving the list", lambda *_: save_text(path, text, "the list of m/z"))

    def images(self, path: Path) -> None:
        """Save the ion images that are seen; the suffix decides on the format."""
        layers = [layer.as_layer_data_tuple() for layer in ion_layers_of(self._viewer)]
        if not layers:
            notify("There is no ion image: click a peak first.", "warning")
            return
        name = path.name.casefold()

        def job(
            cancelled: Callable[[], bool], progress: Callable[[float], None]
        ) -> Path:
            if name.endswith(".csv"):
                return save_images_csv(path, layers, cancelled)
            if name.endswith((".tif", ".tiff")):
                return save_images_tiff(path, layers)
            return save_images_zarr(path, layers, cancelled, progress)

        self._do("Saving ion images", job)

    def ask_list(self) -> None:
        """Ask for a list of m/z values and add it."""
        start = Path.home() / "mz-list.csv"
        kinds = ["Lists (*.csv *.tsv *.txt)"]
        ask_path(self._dock, "Open a list", start, kinds, self.open_list, save=False)

    def open_list(self, path: Path) -> None:
        """Add a list of m/z values from a file."""

        def then(found: Any) -> None:
            targets, skipped = found
            self._pages.table.add(targets)
            _tell_skipped(skipped)

        self._work.do(
            "Opening the list",
            lambda *_: parse_targets(_list_text(path)),
            then,
        )

    def _do(self, what: str, job: Callable[..., Path]) -> None:
        self._work.do(
            what, job, lambda path: notify(f"Saved as {path}", key="file-saved")
        )


def _list_text(path: Path) -> str:
    """Return a list of m/z values as text, however a spreadsheet has stored it."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ScopeError(
                "the file is too large for a list of m/z",
                path=path,
                hint="choose a table of name, m/z and tolerance",
            )
        return decoded(path.read_bytes())
    except OSError as error:
        words = explain(error)
        raise ScopeError(
            f"the list of m/z cannot be read, {words.message}",
            path=path,
            hint=words.hint or None,
        ) from error


def _tell_skipped(skipped: Sequence[str]) -> None:
    """Say which lines of a list were not understood."""
    if skipped:
        lines = "\n".join(skipped[:5])
        more = f"\nand {len(skipped) - 5} more" if len(skipped) > 5 else ""
        notify(f"Lines without an m/z were left out:\n{lines}{more}", "warning")
