"""The form for a conversion of mass-spectrometry images: to what, which ions, to where.

It says what is wanted; jobs are made of it by others. It reads no file but a list of
ions that the user chooses, and that in a thread. For choosing ions with the eye there
is the Spectra dock; a few m/z that one knows are typed here.

Examples
--------
>>> form = MSIForm()  # doctest: +SKIP
>>> form.show_targets([StoreTarget("/data/brain.imzML", "msi")], "ome-zarr")
... # doctest: +SKIP
>>> form.wanted.connect(print)  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
)

from napari_scope.errors import ScopeError
from napari_scope.formats.msi.convert_ions import Ion, parse_ions, read_ions
from napari_scope.stream.msi_jobs import MSIOptions, free_msi_target, msi_target
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.frames.latest_call import LatestCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

    from napari_scope.formats.msi.convert import MSIKind
    from napari_scope.formats.msi.windows import ToleranceUnit
    from napari_scope.widgets.browsing.store_menu import StoreTarget

__all__ = ["MSIForm", "MSIWish", "ions_in"]

_KINDS: Final[tuple[tuple[MSIKind, str], ...]] = (
    ("ome-zarr", "OME-Zarr (ion images)"),
    ("imzml", "imzML"),
    ("openmsi", "OpenMSI HDF5"),
)
_COMPRESSIONS: Final = {
    "ome-zarr": (),
    "imzml": (("none", "none"), ("zlib", "zlib")),
    "openmsi": (("none", "none"), ("gzip", "gzip")),
}
_NORMALISE: Final = (
    ("none", "none"),
    ("tic", "TIC"),
    ("rms", "RMS"),
    ("median", "median"),
)
_TIPS: Final = {
    "format": "OME-Zarr keeps an image of each ion, for analysis of images; imzML and "
    "OpenMSI HDF5 keep whole spectra",
    "target": "What is made. It must not exist; nothing is overwritten",
    "ions": "m/z with spaces between them. Without any the image is the sum of all "
    "intensities (TIC). To choose ions by their spectra open the Spectra dock",
    "tolerance": "Half of the width of the window around each m/z",
    "normalise": "What each spectrum is divided by",
    "compression": "Smaller files, which are slower to read",
    "verify": "Read every spectrum back from the new file and compare it",
}


@dataclass(frozen=True, slots=True)
class MSIWish:
    """What the user wants made.

    Parameters
    ----------
    targets : tuple of StoreTarget
        Of what.
    path : str
        What is made; empty for names beside each of several.
    options : MSIOptions
        How.
    """

    targets: tuple[StoreTarget, ...]
    path: str
    options: MSIOptions


class MSIForm(QGroupBox):
    """Asks how to convert mass-spectrometry images.

    Attributes
    ----------
    wanted : Signal
        The user wants it done; carries the `MSIWish`.
    closed : Signal
        The user does not want it any more.
    """

    wanted = Signal(object)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__("Convert mass spectra")
        self._targets: tuple[StoreTarget, ...] = ()
        self._listed: tuple[str, tuple[Ion, ...]] | None = None
        self._names = LatestCall(self, "napari-scope free name")
        self._names.finished.connect(self._on_name_found)
        self._lists = LatestCall(self, "napari-scope list of ions")
        self._lists.finished.connect(self._on_list)
        self._lists.failed.connect(lambda _, error: self._show_problem(error))
        self._make_widgets()
        self._lay_out()
        self.format_box.currentIndexChanged.connect(self._on_format)
        self.target_edit.textChanged.connect(lambda _: self._enable())
        self.ions_edit.textChanged.connect(lambda _: self._enable())
        self.choose_button.clicked.connect(self._choose)
        self.list_button.clicked.connect(self._choose_list)
        self.start_button.clicked.connect(self._start)
        self.close_button.clicked.connect(self.closed)
        self._on_format()

    def _make_widgets(self) -> None:
        self.source_label = QLabel()
        self.source_label.setWordWrap(True)
        self.format_box = QComboBox()
        for kind, words in _KINDS:
            self.format_box.addItem(words, kind)
        self.target_edit = QLineEdit()
        self.choose_button = _tool("folder", "Choose the folder of what is made")
        self.ions_edit = QLineEdit()
        self.ions_edit.setPlaceholderText("885.55 766.54, or empty for TIC")
        self.list_button = _tool("load", "Take a list of ions from a table (CSV)")
        self.tolerance_box = QDoubleSpinBox()
        self.tolerance_box.setDecimals(4)
        self.tolerance_box.setRange(0, 1000)
        self.tolerance_box.setValue(0.25)
        self.unit_box = QComboBox()
        self.unit_box.addItems(["Da", "ppm"])
        self.unit_box.setAccessibleName("Unit of the tolerance")
        self.unit_box.setToolTip("Unit of the tolerance")
        self.normalise_box = QComboBox()
        for value, title in _NORMALISE:
            self.normalise_box.addItem(title, value)
        self.compression_box = QComboBox()
        self.verify_check = QCheckBox("Compare every spectrum afterwards")
        self.verify_check.setChecked(True)
        self.problem_label = QLabel()
        for label in (self.source_label, self.problem_label):
            label.setWordWrap(True)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Maximum)
        self.start_button = QPushButton(icon("run"), "Start")
        self.start_button.setToolTip("Put it at the end of the job list")
        self.close_button = QPushButton("Close")
        for widget, name, tip in (
            (self.format_box, "Format", "format"),
            (self.target_edit, "New file", "target"),
            (self.ions_edit, "Ions", "ions"),
            (self.tolerance_box, "Tolerance", "tolerance"),
            (self.normalise_box, "Normalisation", "normalise"),
            (self.compression_box, "Compression", "compression"),
            (self.verify_check, "Compare", "verify"),
        ):
            widget.setAccessibleName(name)
            widget.setToolTip(_TIPS[tip])

    def _lay_out(self) -> None:
        self.form = QFormLayout()
        self.form.addRow("Format", self.format_box)
        self.target_row = _row(self.target_edit, self.choose_button)
        self.form.addRow("To", self.target_row)
        self.ions_row = _row(self.ions_edit, self.list_button)
        self.form.addRow("&Ions (m/z)", self.ions_row)
        label: Any = self.form.labelForField(self.ions_row)
        label.setBuddy(self.ions_edit)
        self.tolerance_row = _row(self.tolerance_box, self.unit_box)
        self.form.addRow("Tolerance ±", self.tolerance_row)
        self.form.addRow("Normalise", self.normalise_box)
        self.form.addRow("Co&mpression", self.compression_box)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.start_button)
        column = QVBoxLayout(self)
        column.addWidget(self.source_label)
        column.addLayout(self.form)
        column.addWidget(self.verify_check)
        column.addWidget(self.problem_label)
        column.addLayout(buttons)
        column.addStretch(1)

    # ---- what a script may ask and do

    @property
    def options(self) -> MSIOptions:
        """What is to be made.

        Raises
        ------
        ScopeError
            If the ions make no sense.
        """
        kind = self._kind
        ions = self._ions() if kind == "ome-zarr" else ()
        return MSIOptions(
            kind,
            ions=ions,
            normalise=self.normalise_box.currentData() if ions else "none",
            compression=self.compression_box.currentData(),
            verify=self.verify_check.isChecked(),
        )

    def show_targets(self, targets: Sequence[StoreTarget], kind: MSIKind) -> None:
        """Ask for the conversion of files, or of a part of one.

        Parameters
        ----------
        targets : sequence of StoreTarget
            Files, or parts of them. Several get names beside them.
        kind : {"ome-zarr", "imzml", "openmsi"}
            Format at first.
        """
        self._targets = tuple(targets)
        first = self._targets[0]
        several = len(self._targets) > 1
        name = f"{len(self._targets)} data sets" if several else Path(first.place).name
        words = "" if several else first.words
        self.source_label.setText(f"{name}: {words}" if words else name)
        self.source_label.setToolTip("\n".join(one.place for one in self._targets))
        self._show_row(self.target_row, not several)
        self.format_box.setCurrentIndex(self.format_box.findData(kind))
        self._on_format()
        self.ions_edit.setFocus()

    @property
    def _kind(self) -> MSIKind:
        return cast("MSIKind", self.format_box.currentData())

    def _ions(self) -> tuple[Ion, ...]:
        text = self.ions_edit.text().strip()
        if self._listed is not None and text == self._listed[0]:
            return self._listed[1]
        tolerance = self.tolerance_box.value()
        return tuple(Ion(ion.mz, tolerance, self._unit) for ion in ions_in(text))

    @property
    def _unit(self) -> ToleranceUnit:
        return "ppm" if self.unit_box.currentText() == "ppm" else "Da"

    def close_down(self) -> None:
        """Wait for no file any more; idempotent."""
        self._names.close()
        self._lists.close()

    # ---- slots

    def _on_format(self) -> None:
        kind = self._kind
        images = kind == "ome-zarr"
        for row in (self.ions_row, self.tolerance_row, self.normalise_box):
            self._show_row(row, images)
        self.compression_box.clear()
        for value, title in _COMPRESSIONS[kind]:
            self.compression_box.addItem(title, value)
        self._show_row(self.compression_box, not images)
        self.verify_check.setVisible(not images)
        if len(self._targets) == 1:
            target = self._targets[0]
            part = bool(target.words)
            plain = str(msi_target(target.place, kind, part=part))
            self.target_edit.setText(plain)
            # A name that is free is looked for aside: the folder may be on a network.
            find = partial(free_msi_target, target.place, kind, part=part)
            self._names.do(plain, find, about=target.place)
        self._enable()

    def _show_row(self, field: QWidget, shown: bool) -> None:
        field.setVisible(shown)
        label: Any = self.form.labelForField(field)
        label.setVisible(shown)

    def _on_name_found(self, plain: object, found: object) -> None:
        if self.target_edit.text() == plain:  # not if the user has typed another
            self.target_edit.setText(str(found))

    def _choose(self) -> None:
        here = Path(self.target_edit.text())
        chosen = QFileDialog.getExistingDirectory(
            self, "Folder of what is made", str(here.parent)
        )
        if chosen:
            self.target_edit.setText(str(Path(chosen) / here.name))

    def _choose_list(self) -> None:
        here = str(Path(self._targets[0].place).parent) if self._targets else ""
        chosen, _ = QFileDialog.getOpenFileName(
            self, "List of ions", here, "Tables (*.csv *.tsv *.txt);;All files (*)"
        )
        if chosen:
            self.read_list(chosen)

    def read_list(self, path: str) -> None:
        """Take a list of ions from a table, with its names and tolerances."""
        tolerance = self.tolerance_box.value()
        read = partial(read_ions, path, tolerance=tolerance, unit=self._unit)
        self._lists.do(path, read)

    def _on_list(self, path: object, ions: object) -> None:
        assert isinstance(ions, list)
        text = f"{Path(str(path)).name} ({len(ions)} ions)"
        self._listed = (text, tuple(ions))
        self.ions_edit.setText(text)
        self._enable()

    def _show_problem(self, error: object) -> None:
        assert isinstance(error, BaseException)
        self.problem_label.setText(explain(error).message)
        self.problem_label.setVisible(True)

    def _enable(self) -> None:
        self.problem_label.clear()
        self.problem_label.setVisible(False)
        usable = bool(self._targets)
        if len(self._targets) == 1:
            usable = bool(self.target_edit.text().strip())
        try:
            self.normalise_box.setEnabled(bool(self.options.ions))
        except ScopeError as error:
            self._show_problem(error)
            usable = False
        self.start_button.setEnabled(usable)

    def _start(self) -> None:
        several = len(self._targets) > 1
        path = self.target_edit.text().strip()
        path = "" if several else str(Path(path).expanduser())
        self.wanted.emit(MSIWish(self._targets, path, self.options))


def ions_in(text: str) -> list[Ion]:
    """Return the ions of a line: m/z with spaces or semicolons between them.

    Raises
    ------
    ScopeError
        If something else is in it.

    Examples
    --------
    >>> [ion.mz for ion in ions_in("885.55, 766,54; 301")]
    [885.55, 766.54, 301.0]
    """
    words = [word.strip(",") for word in text.replace(";", " ").split()]
    lines = [word.replace(",", ".") for word in words if word]
    return parse_ions("\n".join(lines)) if lines else []


def _tool(picture: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(picture))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


def _row(*widgets: QWidget) -> QWidget:
    from qtpy.QtWidgets import QWidget

    whole = QWidget()
    row = QHBoxLayout(whole)
    row.setContentsMargins(0, 0, 0, 0)
    for number, widget in enumerate(widgets):
        row.addWidget(widget, 1 if number == 0 else 0)
    return whole
