"""How the pixels of a run are packed: compression, version, chunks, for each format.

A line that unfolds, because the defaults are good: nothing is packed, which is fastest.
Folded in, it says what differs from the defaults. It shows the choices of the formats
that are chosen, and knows nothing of paths and names.

Examples
--------
>>> options = FormatOptions()  # doctest: +SKIP
>>> options.show_formats(["ome-zarr"])  # doctest: +SKIP
>>> options.choices("ome-zarr")  # doctest: +SKIP
Packing(compression='blosc-lz4', version=None, chunk_px=512)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.stream.outputs import COMPRESSIONS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_scope.stream import FormatName

__all__ = ["FORMAT_TITLES", "FormatOptions", "Packing"]

FORMAT_TITLES: Final[dict[FormatName, str]] = {
    "ome-zarr": "OME-Zarr",
    "ndtiff": "NDTiff",
    "ome-tiff": "OME-TIFF",
}

_CODECS: Final = {
    "blosc-lz4": "Blosc LZ4, fast",
    "blosc-zstd": "Blosc Zstd, small",
    "zstd": "Zstd, small",
    "zlib": "Zlib, small",
    "lzw": "LZW, read by all",
}
_CHUNKS_PX: Final = (256, 512, 1024, 2048)
_TITLE: Final = "Packing"


@dataclass(frozen=True, slots=True)
class Packing:
    """How an output is packed; the defaults are those of `napari_scope.stream.Output`.

    Parameters
    ----------
    compression, version : str, optional
        Codec, None for none; version of the format, None for the newest.
    chunk_px : int, optional
        Side of a chunk, None for whole frames.
    """

    compression: str | None = None
    version: str | None = None
    chunk_px: int | None = None

    def words(self) -> list[str]:
        """Return what differs from the defaults."""
        words = [word for word in (self.compression, self.version) if word]
        return words + ([f"{self.chunk_px} px chunks"] if self.chunk_px else [])


class FormatOptions(QWidget):
    """Chooses how each format is packed.

    Attributes
    ----------
    valueChanged : Signal
        Something else is chosen.
    """

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._formats: tuple[FormatName, ...] = ()
        self.unfold_button = QToolButton()
        self.unfold_button.setCheckable(True)
        self.unfold_button.setAutoRaise(True)
        self.unfold_button.setToolButtonStyle(
            Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        )
        self.unfold_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.unfold_button.setToolTip("Compression, chunks and version of the files")
        self.compression_boxes = {
            name: _box(
                [("None, fastest", None), *((_CODECS.get(c, c), c) for c in codecs)],
                "How pixels are compressed; a slow processor may hold up the camera",
                f"Compression of {FORMAT_TITLES[name]}",
            )
            for name, codecs in COMPRESSIONS.items()
            if codecs
        }
        newest, *older = VERSIONS["ome-zarr"]
        self.version_box = _box(
            [
                (f"{newest}, newest", None),
                *((f"{v}, older programs", v) for v in older),
            ],
            f"Version of OME-Zarr. {newest} packs many chunks into one file; the older "
            "one has a file for each",
            "Version of OME-Zarr",
        )
        self.chunk_box = _box(
            [
                ("Whole frames", None),
                *((f"{px} × {px} pixels", px) for px in _CHUNKS_PX),
            ],
            "What is read at once: smaller chunks open a part of a large frame faster",
            "Chunks of OME-Zarr",
        )
        self._lay_out()
        self.unfold_button.toggled.connect(self._fold)
        for box in self._boxes():
            box.currentIndexChanged.connect(self._on_choice)
        self._fold(False)

    def _boxes(self) -> list[QComboBox]:
        return [*self.compression_boxes.values(), self.version_box, self.chunk_box]

    def _lay_out(self) -> None:
        self._inner = QWidget()
        form = QFormLayout(self._inner)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form = form
        for name, box in self.compression_boxes.items():
            form.addRow(f"{FORMAT_TITLES[name]} compression", box)
        form.addRow("OME-Zarr chunks", self.chunk_box)
        form.addRow("OME-Zarr version", self.version_box)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.unfold_button)
        column.addWidget(self._inner)

    # ---- value

    def choices(self, format: FormatName) -> Packing:
        """Return what is chosen for a format."""
        compression = self.compression_boxes.get(format)
        zarr = format == "ome-zarr"
        return Packing(
            compression=None if compression is None else compression.currentData(),
            version=self.version_box.currentData() if zarr else None,
            chunk_px=self.chunk_box.currentData() if zarr else None,
        )

    def show_formats(self, formats: Iterable[FormatName]) -> None:
        """Show the choices of these formats; nothing where they have none."""
        self._formats = tuple(formats)
        for name, box in self.compression_boxes.items():
            self._form.setRowVisible(box, name in self._formats)
        for box in (self.version_box, self.chunk_box):
            self._form.setRowVisible(box, "ome-zarr" in self._formats)
        self.setVisible(any(name in self.compression_boxes for name in self._formats))
        self._show_words()

    def _on_choice(self, _: int) -> None:
        self._show_words()
        self.valueChanged.emit()

    def _fold(self, unfolded: bool) -> None:
        self._inner.setVisible(unfolded)
        arrow = Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow
        self.unfold_button.setArrowType(arrow)
        self._show_words()

    def _show_words(self) -> None:
        """Say what is chosen while the choices themselves are folded in."""
        words = []
        for name in self._formats:
            chosen = self.choices(name).words()
            if chosen:
                words.append(f"{FORMAT_TITLES[name]} {', '.join(chosen)}")
        known = words and not self.unfold_button.isChecked()
        self.unfold_button.setText(f"{_TITLE}: {'; '.join(words)}" if known else _TITLE)


def _box(
    entries: Iterable[tuple[str, str | int | None]], tip: str, name: str
) -> QComboBox:
    box = QComboBox()
    for title, value in entries:
        box.addItem(title, value)
    box.setToolTip(tip)
    box.setAccessibleName(name)
    # The dock is narrow: the longest title must not decide how wide it is.
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box
