"""The form for a conversion or an export: to where, and how the target is stored.

It makes a `Job`; doing it is the business of `job_queue`. It reads no file; a name that
is free is looked for in a thread.

Examples
--------
>>> form = ConvertForm()  # doctest: +SKIP
>>> form.show_source("/data/cells.ndtiff", "ome-zarr")  # doctest: +SKIP
>>> form.job_wanted.connect(queue.add)  # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
)

from napari_scope.stream.jobs import ConvertOptions, convert_job
from napari_scope.stream.outputs import COMPRESSIONS, FORMATS, VERSIONS
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.frames.latest_call import LatestCall

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari_scope.formats.image_parts import Parts
    from napari_scope.stream.conversion.report import Target

__all__ = ["ConvertForm", "free_target", "named_target"]

_FORMATS: Final[tuple[tuple[Target, str], ...]] = (
    ("ome-zarr", "OME-Zarr"),
    ("ndtiff", "NDTiff"),
    ("ome-tiff", "OME-TIFF"),
)
_AUTO: Final = "automatic"
_TIPS: Final = {
    "format": "OME-Zarr for analysis and the web, NDTiff for Micro-Manager, OME-TIFF "
    "for programs that know only TIFF",
    "target": "The data set to make. It must not exist; nothing is overwritten",
    "compression": "Automatic keeps what an OME-Zarr source has, else pixels are not "
    "compressed. blosc-lz4 is quick, blosc-zstd small",
    "version": "0.5 is current (Zarr 3); 0.4 is for older programs (Zarr 2)",
    "levels": "Levels of the pyramid; 1 for none. Automatic keeps those of the source, "
    "or makes so many that the last has 512 pixels or less",
    "chunk": "Side of a chunk in pixels. Automatic keeps that of the source, or takes "
    "whole frames. 256 to 1024 suits looking at parts of large images",
    "verify": "Read every frame back from the new data set and compare it",
    "skip": "Leave out frames that cannot be read, and say which; else the first one "
    "stops the conversion",
}


class ConvertForm(QGroupBox):
    """Asks how to convert a data set.

    Attributes
    ----------
    job_wanted : Signal
        The user wants it done; carries the `Job`.
    closed : Signal
        The user does not want it any more.
    """

    job_wanted = Signal(object)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__("Convert")
        self._source = ""
        self._images: tuple[str, ...] | None = None
        self._parts: Parts | None = None
        self._names = LatestCall(self, "napari-scope free name")
        self._names.finished.connect(self._on_name_found)
        self._make_widgets()
        self._lay_out()
        self.format_box.currentIndexChanged.connect(self._on_format)
        self.target_edit.textChanged.connect(lambda _: self._enable())
        self.choose_button.clicked.connect(self._choose)
        self.start_button.clicked.connect(self._start)
        self.close_button.clicked.connect(self.closed)
        self._on_format()

    def _make_widgets(self) -> None:
        self.source_label = QLabel()
        self.source_label.setWordWrap(True)
        self.source_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.format_box = QComboBox()
        for value, title in _FORMATS:
            self.format_box.addItem(title, value)
        self.target_edit = QLineEdit()
        self.choose_button = QToolButton()
        self.choose_button.setIcon(icon("folder"))
        self.choose_button.setToolTip("Choose the folder of the new data set")
        self.choose_button.setAccessibleName("Choose the folder of the new data set")
        self.compression_box = QComboBox()
        self.version_box = QComboBox()
        self.levels_box = _number(20)
        self.chunk_box = _number(65536)
        self.verify_check = QCheckBox("Compare every frame afterwards")
        self.verify_check.setChecked(True)
        self.skip_check = QCheckBox("Leave out what cannot be read")
        self.start_button = QPushButton(icon("run"), "Start")
        self.start_button.setToolTip("Put it at the end of the job list")
        self.close_button = QPushButton("Close")
        for widget, name, tip in (
            (self.format_box, "Format", "format"),
            (self.target_edit, "New data set", "target"),
            (self.compression_box, "Compression", "compression"),
            (self.version_box, "Version", "version"),
            (self.levels_box, "Levels", "levels"),
            (self.chunk_box, "Chunk", "chunk"),
            (self.verify_check, "Compare", "verify"),
            (self.skip_check, "Leave out what cannot be read", "skip"),
        ):
            widget.setAccessibleName(name)
            widget.setToolTip(_TIPS[tip])

    def _lay_out(self) -> None:
        target = QHBoxLayout()
        target.addWidget(self.target_edit, 1)
        target.addWidget(self.choose_button)
        self.form = QFormLayout()
        self.form.addRow("Format", self.format_box)
        label = QLabel("To")
        label.setBuddy(self.target_edit)
        self.form.addRow(label, target)
        self.form.addRow("Co&mpression", self.compression_box)
        self.form.addRow("Version", self.version_box)
        self.form.addRow("Levels", self.levels_box)
        self.form.addRow("Chunk", self.chunk_box)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.start_button)
        column = QVBoxLayout(self)
        column.addWidget(self.source_label)
        column.addLayout(self.form)
        column.addWidget(self.verify_check)
        column.addWidget(self.skip_check)
        column.addLayout(buttons)

    # ---- what a script may ask and do

    @property
    def options(self) -> ConvertOptions:
        """How the target is to be stored."""
        kind = self._format
        zarr = kind == "ome-zarr"
        return ConvertOptions(
            format=kind,
            version=self.version_box.currentText() if zarr else None,
            compression=self.compression_box.currentData(),
            chunk_px=(self.chunk_box.value() or None) if zarr else None,
            levels=self.levels_box.value() or None,
            verify=self.verify_check.isChecked(),
            skip_unread=self.skip_check.isChecked(),
        )

    def show_source(
        self,
        source: str,
        format: Target,
        *,
        images: Sequence[str] | None = None,
        parts: Parts | None = None,
        words: str = "",
    ) -> None:
        """Ask for the conversion of a data set, or of a part of it.

        Parameters
        ----------
        source : str
            The data set.
        format : {"ome-zarr", "ndtiff", "ome-tiff"}
            Format at first.
        images : sequence of str, optional
            Names of the images wanted; by default all.
        parts : Parts, optional
            Channels, time points and planes wanted; by default all.
        words : str
            What is exported, for the user; empty where it is everything.
        """
        self._source, self._parts = source, parts
        self._images = None if images is None else tuple(images)
        self.setTitle("Export a part" if words else "Convert")
        name = Path(source).name or source
        self.source_label.setText(f"{name}: {words}" if words else name)
        self.source_label.setToolTip(source)
        self.format_box.setCurrentIndex(self.format_box.findData(format))
        self._on_format()
        # A name that is free is looked for aside: the folder may be on a network.
        plain = str(named_target(source, format, part=bool(words)))
        self.target_edit.setText(plain)
        self.target_edit.setFocus()
        find = partial(free_target, source, format, part=bool(words))
        self._names.do(plain, find, about=source)

    @property
    def _format(self) -> Target:
        return cast("Target", self.format_box.currentData())

    # ---- slots

    def _on_format(self) -> None:
        kind = self._format
        before = self.compression_box.currentData()
        self.compression_box.clear()
        self.compression_box.addItem(_AUTO, None)
        self.compression_box.addItem("none", "none")
        for codec in COMPRESSIONS[kind]:
            self.compression_box.addItem(codec, codec)
        self.compression_box.setCurrentIndex(
            max(0, self.compression_box.findData(before))
        )
        self.version_box.clear()
        self.version_box.addItems(VERSIONS[kind])
        zarr = kind == "ome-zarr"
        for widget, shown in (
            (self.version_box, zarr),
            (self.chunk_box, zarr),
            (self.compression_box, bool(COMPRESSIONS[kind])),
        ):
            widget.setVisible(shown)
            label: Any = self.form.labelForField(widget)
            label.setVisible(shown)
        text = self.target_edit.text()
        if text:
            path = Path(text)
            self.target_edit.setText(
                str(path.with_name(_stem(path.name) + FORMATS[kind][0]))
            )
        self._enable()

    def _on_name_found(self, plain: object, found: object) -> None:
        if self.target_edit.text() == plain:  # not if the user has typed another
            self.target_edit.setText(str(found))

    def close_down(self) -> None:
        """Wait for no folder any more; idempotent."""
        self._names.close()

    def _choose(self) -> None:
        here = Path(self.target_edit.text())
        chosen = QFileDialog.getExistingDirectory(
            self, "Folder of the new data set", str(here.parent)
        )
        if chosen:
            self.target_edit.setText(str(Path(chosen) / here.name))

    def _enable(self) -> None:
        self.start_button.setEnabled(
            bool(self._source) and bool(self.target_edit.text().strip())
        )

    def _start(self) -> None:
        target = Path(self.target_edit.text().strip()).expanduser()
        job = convert_job(
            self._source, target, self.options, images=self._images, parts=self._parts
        )
        self.job_wanted.emit(job)


def named_target(source: str, format: Target, *, part: bool = False) -> Path:
    """Return a name beside a data set, whether it is taken or not.

    Of an address the name lies in the user's folder.
    """
    place = Path.home() / Path(source).name if "://" in source else Path(source)
    stem = _stem(place.name) + ("_part" if part else "")
    return place.with_name(stem + FORMATS[format][0])


def free_target(
    source: str,
    format: Target,
    *,
    part: bool = False,
    taken: Collection[Path] = (),
) -> Path:
    """Return a name beside a data set that is not taken, as far as can be seen.

    It looks at the disk: call it outside of the GUI thread.

    Parameters
    ----------
    source, format, part
        As in `named_target`.
    taken : collection of Path
        Names that others will make.
    """
    plain = made = named_target(source, format, part=part)
    suffix = FORMATS[format][0]
    stem = plain.name.removesuffix(suffix)
    number = 2
    while (made in taken or made.exists()) and number < 1000:
        made = plain.with_name(f"{stem}_{number}{suffix}")
        number += 1
    return made


def _stem(name: str) -> str:
    """Return the name of a data set without its suffix."""
    for suffixes in FORMATS.values():
        for suffix in sorted(suffixes, key=len, reverse=True):
            if name.lower().endswith(suffix) and len(name) > len(suffix):
                return name[: -len(suffix)]
    return name.removesuffix(".zarr") or name


def _number(most: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(0, most)
    box.setSpecialValueText(_AUTO)
    return box
