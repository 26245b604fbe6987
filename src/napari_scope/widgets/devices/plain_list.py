"""A list with columns, as several pages show one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHeaderView, QTreeWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PlainList"]


class PlainList(QTreeWidget):
    """Rows of texts under headers; columns are as wide as their texts.

    Parameters
    ----------
    headers : sequence of str
        Titles of the columns.
    name : str
        What it lists, for who cannot see it.
    stretched : int, optional
        A column that takes the room that is left.
    """

    def __init__(
        self, headers: Sequence[str], name: str, *, stretched: int | None = None
    ) -> None:
        super().__init__()
        self.setHeaderLabels(list(headers))
        self.setRootIsDecorated(False)
        self.setSortingEnabled(False)
        self.setAccessibleName(name)
        header = self.header()
        if header is not None:
            header.setStretchLastSection(stretched is None)
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            if stretched is not None:
                header.setSectionResizeMode(stretched, QHeaderView.ResizeMode.Stretch)
