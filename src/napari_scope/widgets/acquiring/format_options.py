"""How the pixels of a run are packed: compression, version, chunks, for each format.

A line that unfolds, because the defaults are good: nothing is packed, which is fastest,
many frames share a file, and OME-Zarr gets the smaller copies that viewers need. Folded
in, it says what differs from the defaults. It shows the choices of the formats that are
chosen, and knows nothing of paths and names.

Examples
--------
>>> options = FormatOptions()  # doctest: +SKIP
>>> options.show_formats(["ome-zarr"])  # doctest: +SKIP
>>> options.choices("ome-zarr")  # doctest: +SKIP
Packing(compression='blosc-lz4', version=None, chunk_px=512)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire.save_wish import Packing
from napari_scope.stream.outputs import COMPRESSIONS, PYRAMIDS, VERSIONS
from napari_scope.widgets.acquiring.folded import Folded

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
_MOST_LEVELS: Final = 6
_DURABLE: Final = (
    ("Within a second", 1.0),
    ("Within ten seconds", 10.0),
    ("When the system likes", None),
)
_TITLE: Final = "Advanced"


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
        self.compression_boxes = {
            name: _box(
                [("None, fastest", None), *((_CODECS.get(c, c), c) for c in codecs)],
                "How pixels are compressed; a slow processor may hold up the camera",
                f"Compression of {FORMAT_TITLES[name]}",
            )
            for name, codecs in COMPRESSIONS.items()
            if codecs
        }
        self.level_boxes = {
            name: _box(
                [
                    ("Automatic" if name == "ome-zarr" else "No smaller copies", None),
                    *([("No smaller copies", 1)] if name == "ome-zarr" else []),
                    *((f"{n} sizes", n) for n in range(2, _MOST_LEVELS + 1)),
                ],
                "Smaller copies of the images: large ones open and zoom at once; they "
                "take a third more room",
                f"Pyramid of {FORMAT_TITLES[name]}",
            )
            for name in PYRAMIDS
        }
        newest, *older = VERSIONS["ome-zarr"]
        self.version_box = _box(
            [
                (f"{newest}, newest", None),
                *((f"{v}, older programs", v) for v in older),
            ],
            f"Version of OME-Zarr. {newest} packs many chunks into one file (a shard); "
            "the older one has a file for each",
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
        self.single_box = QCheckBox("All positions in one OME-TIFF")
        self.single_box.setToolTip(
            "Otherwise several positions are a folder with a file for each"
        )
        self.durable_box = _box(
            _DURABLE,
            "How soon frames are safe against a loss of power. What was saved survives "
            "a crash of the program in any case",
            "Safe against loss of power",
        )
        self._lay_out()
        for box in self._boxes():
            box.currentIndexChanged.connect(self._on_choice)
        self.single_box.toggled.connect(self._on_choice)
        self._show_words()

    def _boxes(self) -> list[QComboBox]:
        return [
            *self.compression_boxes.values(),
            *self.level_boxes.values(),
            self.version_box,
            self.chunk_box,
            self.durable_box,
        ]

    def _lay_out(self) -> None:
        inner = QWidget()
        form = QFormLayout(inner)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form = form
        for name, title in FORMAT_TITLES.items():
            if name in self.compression_boxes:
                form.addRow(f"{title} compression", self.compression_boxes[name])
            if name in self.level_boxes:
                form.addRow(f"{title} pyramid", self.level_boxes[name])
            if name == "ome-zarr":
                form.addRow("OME-Zarr chunks", self.chunk_box)
                form.addRow("OME-Zarr version", self.version_box)
        form.addRow(self.single_box)
        form.addRow("Safe from power loss", self.durable_box)
        self.fold = Folded(
            _TITLE, inner, "Compression, pyramid, chunks and version of the files"
        )
        self.unfold_button = self.fold.button
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.fold)

    # ---- value

    def choices(self, format: FormatName) -> Packing:
        """Return what is chosen for a format."""
        compression = self.compression_boxes.get(format)
        levels = self.level_boxes.get(format)
        zarr = format == "ome-zarr"
        return Packing(
            compression=None if compression is None else compression.currentData(),
            version=self.version_box.currentData() if zarr else None,
            chunk_px=self.chunk_box.currentData() if zarr else None,
            levels=None if levels is None else levels.currentData(),
            single_file=format == "ome-tiff" and self.single_box.isChecked(),
        )

    def durable_s(self) -> float | None:
        """Return how often data are made safe, in seconds; None leaves it open."""
        found: Any = self.durable_box.currentData()
        return None if found is None else float(found)

    def show_formats(self, formats: Iterable[FormatName]) -> None:
        """Show the choices of these formats; nothing where there are none."""
        self._formats = tuple(formats)
        for boxes in (self.compression_boxes, self.level_boxes):
            for name, box in boxes.items():
                self._form.setRowVisible(box, name in self._formats)
        for box in (self.version_box, self.chunk_box):
            self._form.setRowVisible(box, "ome-zarr" in self._formats)
        self._form.setRowVisible(self.single_box, "ome-tiff" in self._formats)
        self.setVisible(bool(self._formats))
        self._show_words()

    # ---- state

    def state(self) -> dict[str, Any]:
        """Return what is chosen, as plain JSON."""
        named = {box.accessibleName(): box.currentData() for box in self._boxes()}
        return {**named, "single": self.single_box.isChecked()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state; what is not offered any more stays as it is."""
        for box in self._boxes():
            if box.accessibleName() in state:
                index = box.findData(state[box.accessibleName()])
                if index >= 0:
                    box.setCurrentIndex(index)
        self.single_box.setChecked(state.get("single") is True)

    def _on_choice(self, _: object) -> None:
        self._show_words()
        self.valueChanged.emit()

    def _show_words(self) -> None:
        """Say what is chosen while the choices themselves are folded in."""
        words = []
        for name in self._formats:
            chosen = self.choices(name).words()
            if chosen:
                words.append(f"{FORMAT_TITLES[name]} {', '.join(chosen)}")
        if self.durable_box.currentIndex() > 0:
            words.append(f"safe {self.durable_box.currentText().lower()}")
        self.fold.set_words("; ".join(words))


def _box(entries: Iterable[tuple[str, Any]], tip: str, name: str) -> QComboBox:
    box = QComboBox()
    for title, value in entries:
        box.addItem(title, value)
    box.setToolTip(tip)
    box.setAccessibleName(name)
    # The dock is narrow: the longest title must not decide how wide it is.
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box
