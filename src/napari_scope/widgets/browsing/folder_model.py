"""The data sets of a folder as a Qt model, for a list and for icons.

Rows come and change while the folder is read. They are sorted and filtered here, by
plain functions (`folder_rows`), at most a few times a second: a proxy would ask Python
for each pair of rows that it compares. Views keep their selection.

Examples
--------
>>> model = FolderModel(page)  # doctest: +SKIP
>>> model.add(found)  # doctest: +SKIP
>>> model.set_order("date", descending=True)  # doctest: +SKIP
"""

from __future__ import annotations

import functools
from html import escape
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import (  # type: ignore[attr-defined]
    QAbstractTableModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    QUrl,
    Signal,
)
from qtpy.QtGui import QIcon, QImage, QPixmap

from napari_scope.widgets.browsing.folder_rows import (
    FolderRow,
    arranged,
    info_text,
    summary,
)
from napari_scope.widgets.common.icons import AMBER, GREEN, NEUTRAL, RED, icon

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.folder_listing import FoundDataSet
    from napari_scope.widgets.browsing.folder_rows import Looked, SortBy, State

__all__ = ["COLUMNS", "PLACES_MIME", "SUMMARY_ROLE", "FolderModel"]

COLUMNS: Final[tuple[tuple[SortBy, str], ...]] = (
    ("name", "Name"),
    ("state", "State"),
    ("shape", "Shape"),
    ("size", "Size"),
    ("date", "Changed"),
    ("format", "Format"),
)
PLACES_MIME: Final = "application/x-napari-scope-places"
"""What is dragged out of the list, besides addresses that every program understands."""

SUMMARY_ROLE: Final = int(Qt.ItemDataRole.UserRole) + 1
_ARRANGE_MS: Final = 250
_STATE_ICONS: Final[dict[State, tuple[str, str]]] = {
    "finished": ("check-circle", GREEN),
    "being written": ("circle", AMBER),
    "interrupted": ("error", AMBER),
    "damaged": ("error", RED),
}
_Index = QModelIndex | QPersistentModelIndex


class FolderModel(QAbstractTableModel):
    """The rows of a folder.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    arranged : Signal
        Rows were sorted and filtered anew.
    """

    arranged = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._rows: dict[str, FolderRow] = {}
        self._shown: list[FolderRow] = []
        self._numbers: dict[str, int] = {}
        self._by: SortBy = "date"
        self._descending = True
        self._text = ""
        self._state: State = ""
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_ARRANGE_MS)
        self._soon.timeout.connect(self.arrange)

    # ---- what is in it

    @property
    def rows(self) -> Sequence[FolderRow]:
        """The rows that are shown, in their order."""
        return self._shown

    @property
    def count(self) -> int:
        """How many data sets there are, shown or not."""
        return len(self._rows)

    @property
    def order(self) -> tuple[SortBy, bool]:
        """What is sorted by, and whether the last is first."""
        return self._by, self._descending

    def row_of(self, index: _Index) -> FolderRow | None:
        """Return the row of an index."""
        number = index.row()
        inside = index.isValid() and 0 <= number < len(self._shown)
        return self._shown[number] if inside else None

    def index_of(self, place: str) -> QModelIndex:
        """Return the index of a place; invalid where it is not shown."""
        number = self._numbers.get(place)
        return QModelIndex() if number is None else self.index(number, 0)

    def clear(self) -> None:
        """Forget all rows."""
        self._soon.stop()
        self.beginResetModel()
        self._rows.clear()
        self._shown = []
        self._numbers = {}
        self.endResetModel()

    def add(self, found: Iterable[FoundDataSet]) -> None:
        """Add data sets, or change what was known of their files."""
        for one in found:
            row = self._rows.get(one.place)
            if row is None:
                self._rows[one.place] = FolderRow(one)
            else:
                row.found = one
        if not self._shown:
            self.arrange()  # at once: an empty list says that there is nothing
        elif not self._soon.isActive():
            self._soon.start()

    def remove(self, places: Iterable[str]) -> None:
        """Remove data sets that are gone."""
        for place in places:
            self._rows.pop(place, None)
        self.arrange()

    def set_looked(self, looked: Iterable[tuple[str, Looked]]) -> None:
        """Show what is in data sets."""
        changed = []
        for place, one in looked:
            row = self._rows.get(place)
            if row is None:
                continue
            row.looked = one
            row.picture = None if one.pixels is None else _icon(one.pixels)
            if place in self._numbers:
                changed.append(self._numbers[place])
        # Each row for itself: those that are not seen cost nothing then.
        for number in changed:
            last = self.index(number, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(number, 0), last)
        if self._text or self._state or self._by not in ("name", "date"):
            if not self._soon.isActive():
                self._soon.start()

    # ---- order

    def set_order(self, by: SortBy, *, descending: bool) -> None:
        """Sort by a column."""
        if (by, descending) != (self._by, self._descending):
            self._by, self._descending = by, descending
            self.arrange()

    def set_wanted(self, text: str, state: State) -> None:
        """Show only data sets with these words, and of this state."""
        if (text, state) != (self._text, self._state):
            self._text, self._state = text, state
            self.arrange()

    def arrange(self) -> None:
        """Sort and filter now."""
        self._soon.stop()
        new = arranged(
            self._rows.values(),
            self._by,
            descending=self._descending,
            text=self._text,
            state=self._state,
        )
        if new != self._shown:
            self._replace(new)
        self.arranged.emit()

    def _replace(self, new: list[FolderRow]) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        rows = [self.row_of(index) for index in before]
        self._shown = new
        self._numbers = {row.found.place: number for number, row in enumerate(new)}
        after = []
        for index, row in zip(before, rows, strict=True):
            number = None if row is None else self._numbers.get(row.found.place)
            after.append(
                QModelIndex() if number is None else self.index(number, index.column())
            )
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        """Sort by a column of the view."""
        if 0 <= column < len(COLUMNS):
            descending = order == Qt.SortOrder.DescendingOrder
            self.set_order(COLUMNS[column][0], descending=descending)

    # ---- what Qt asks

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of rows; rows have no children."""
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = 0
    ) -> object:
        """Return the titles of the columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.ToolTipRole and COLUMNS[section][0] == "size":
            return "Size of all pixels, were nothing compressed"
        return COLUMNS[section][1] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: _Index, role: int = 0) -> object:
        """Return what a cell shows."""
        row = self.row_of(index)
        if row is None:
            return None
        column = COLUMNS[index.column()][0]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.text(column)
        if role == Qt.ItemDataRole.DecorationRole:
            if column == "name":
                return row.picture or _icon_of("tree-image", NEUTRAL)
            if column == "state" and row.state:
                return state_icon(row.state)
            return None
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(row)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.found.name}, {summary(row)}" if column == "name" else None
        if role == SUMMARY_ROLE:
            return summary(row)
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        """Let rows be selected and dragged."""
        inside = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        inside |= Qt.ItemFlag.ItemNeverHasChildren
        return inside | Qt.ItemFlag.ItemIsDragEnabled

    def mimeTypes(self) -> list[str]:
        """Return what rows are dragged as."""
        return [PLACES_MIME, "text/uri-list"]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:
        """Return rows as addresses of their folders and files."""
        places = []
        for index in indexes:
            row = self.row_of(index)
            if row is not None and row.found.place not in places:
                places.append(row.found.place)
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(place) for place in places])
        mime.setData(PLACES_MIME, "\n".join(places).encode())
        return mime


def state_icon(state: State) -> QIcon | None:
    """Return the icon of a state."""
    return _icon_of(*_STATE_ICONS[state]) if state else None


@functools.cache
def _icon_of(name: str, color: str) -> QIcon:
    return icon(name, color)  # asked for at every paint


def _icon(pixels: npt.NDArray[np.uint8]) -> QIcon:
    height, width = pixels.shape[:2]
    data: Any = pixels.tobytes()
    image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QIcon(QPixmap.fromImage(image))


def _tip(row: FolderRow) -> str:
    lines = []
    for line in info_text(row).splitlines():
        name, _, value = line.partition(": ")
        lines.append(
            f"<tr><td>{escape(name)}&nbsp;</td><td>{escape(value[:1000])}</td></tr>"
        )
    return f"<table>{''.join(lines)}</table>"
