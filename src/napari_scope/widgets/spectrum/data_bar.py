"""The line that says what is looked at: file, data set, regions, what belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from napari_scope.widgets.common.icons import AMBER, icon

if TYPE_CHECKING:
    from napari_scope.formats.msi import MSIReader
    from napari_scope.layers.msi import MSILayer

__all__ = ["DataBar", "links_of"]

_ARROW_ROOM: Final = "   "  # napari's style draws the arrow of a menu over the text
_BACK: Final = "Linked from"


def links_of(origin: MSILayer) -> list[tuple[str, int]]:
    """Return the data sets that belong to one: in which way, and their numbers.

    A file may tell a link at one of its ends only; it can be followed both ways.
    """
    reader = origin.reader
    found: list[Any] = reader.get_dataset_dependencies()
    of_each: list[Any] = []
    if found and isinstance(found[0], list):
        of_each = found
        found = found[origin.dataset] if origin.dataset < len(found) else []
    elif (reader.select_dataset or 0) != origin.dataset:
        found = []
    links = [
        (str(link["link_name"]), number)
        for link in found
        if (number := _data_set_of(link, reader)) not in (None, origin.dataset)
    ]
    known = {number for _, number in links}
    links += [
        (_BACK, other)
        for other, there in enumerate(of_each)
        if other != origin.dataset
        and other not in known
        and any(_data_set_of(link, reader) == origin.dataset for link in there)
    ]
    return links


def _data_set_of(link: dict[str, Any], reader: MSIReader) -> int | None:
    """Return the data set that a link leads to; None if it leads elsewhere."""
    number = link.get("dataset")
    if number is None or link.get("region") is not None:
        return None
    return int(number) if 0 <= int(number) < len(reader.data_sets) else None


class DataBar(QWidget):
    """Shows and chooses what is looked at.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    dataset_chosen : Signal
        The user wants another data set of the file.
    regions_chosen : Signal
        The user wants some of the regions: numbers, or None for all.
    problems_wanted : Signal
        The user wants to read what is wrong with the file.
    """

    dataset_chosen = Signal(int)
    regions_chosen = Signal(object)
    problems_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._origin: MSILayer | None = None
        self.file_label = QLabel()
        self.file_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.dataset_box = QComboBox()
        self.dataset_box.setToolTip("The data set of the file that is looked at")
        self.dataset_box.setAccessibleName("Data set")
        self.dataset_box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.dataset_box.setMinimumContentsLength(8)
        self.dataset_box.activated.connect(self.dataset_chosen.emit)
        self.region_menu, self.region_button = self._menu_button(
            "Regions", "Which regions ion images and mean spectra are of"
        )
        self.link_menu, self.link_button = self._menu_button(
            "Linked", "Data sets that belong to this one, MS2 to MS1 above all"
        )
        self.export_menu, self.export_button = self._menu_button(
            "Export", "Save spectra, ion images and regions as files"
        )
        self.problem_button = QToolButton()
        self.problem_button.setIcon(icon("alert", AMBER))
        self.problem_button.setAccessibleName("What is wrong with the file")
        self.problem_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.problem_button.setAutoRaise(True)
        self.problem_button.clicked.connect(lambda: self.problems_wanted.emit())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.problem_button)
        layout.addWidget(self.file_label, 1)
        layout.addWidget(self.dataset_box, 2)
        for button in (self.link_button, self.region_button, self.export_button):
            layout.addWidget(button)
        self.show_origin(None, None)

    def _menu_button(self, text: str, tip: str) -> tuple[QMenu, QToolButton]:
        button = QToolButton()
        button.setText(f"{text}{_ARROW_ROOM}")
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        menu = QMenu(button)
        button.setMenu(menu)
        return menu, button

    def show_origin(self, origin: MSILayer | None, regions: Any) -> None:
        """Show what is looked at, None for nothing.

        Parameters
        ----------
        origin : MSILayer or None
            File and data set.
        regions : sequence of int or None
            The chosen regions; None for all.
        """
        self._origin = origin
        self.dataset_box.clear()
        self.link_menu.clear()
        self.region_menu.clear()
        if origin is None:
            for widget in (
                self.dataset_box,
                self.link_button,
                self.region_button,
                self.problem_button,
            ):
                widget.setVisible(False)
            self.file_label.setText("")
            self.setEnabled(False)
            return
        self.setEnabled(True)
        reader = origin.reader
        self.file_label.setText(reader.title)
        self.file_label.setToolTip(f"{reader.format_name()}: {reader.basename}")
        for number, spectra in enumerate(reader.data_sets):
            self.dataset_box.addItem(spectra.name or f"Data set {number}")
        self.dataset_box.setCurrentIndex(origin.dataset)
        self.dataset_box.setVisible(len(reader.data_sets) > 1)
        self._fill_links(origin)
        self._fill_regions(origin, regions)
        self.show_problems()

    def show_problems(self) -> None:
        """Show whether the file is known to be in order by now."""
        problems = () if self._origin is None else self._origin.reader.problems
        more = [f"and {len(problems) - 8} more"] if len(problems) > 8 else []
        self.problem_button.setVisible(bool(problems))
        self.problem_button.setToolTip("\n".join([*problems[:8], *more]))

    def _fill_links(self, origin: MSILayer) -> None:
        names = [spectra.name for spectra in origin.reader.data_sets]
        links = links_of(origin)
        for words, dataset in links:
            text = f"{words.replace('_', ' ')}: {names[dataset]}"
            action = self.link_menu.addAction(text)
            if action is not None:
                action.triggered.connect(
                    lambda _, number=dataset: self.dataset_chosen.emit(number)
                )
        self.link_button.setVisible(bool(links))

    def _fill_regions(self, origin: MSILayer, chosen: Any) -> None:
        found = origin.data.pixels.regions
        self.region_button.setVisible(len(found) > 1)
        if len(found) < 2:
            return
        every = QAction("All regions", self.region_menu)
        every.triggered.connect(lambda _: self.regions_chosen.emit(None))
        self.region_menu.addAction(every)
        self.region_menu.addSeparator()
        for region in found:
            action = QAction(f"{region.name} ({region.count:,})", self.region_menu)
            action.setCheckable(True)
            action.setData(region.index)
            action.setChecked(chosen is None or region.index in chosen)
            action.triggered.connect(lambda _: self._on_region())
            self.region_menu.addAction(action)
        number = len(found) if chosen is None else len(chosen)
        words = "Regions" if number == len(found) else f"Regions ({number})"
        self.region_button.setText(f"{words}{_ARROW_ROOM}")

    def _on_region(self) -> None:
        actions = [a for a in self.region_menu.actions() if a.isCheckable()]
        ticked = [int(a.data()) for a in actions if a.isChecked()]
        everything = len(ticked) == len(actions) or not ticked
        self.regions_chosen.emit(None if everything else tuple(ticked))
