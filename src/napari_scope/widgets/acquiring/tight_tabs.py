"""Titles of tabs that become shorter where a tab bar has little room.

A bar with more tabs than fit either hides some behind arrows or makes the dock as wide
as all its titles. `TightTitles` knows a short title for the long ones and takes it
while the bar is narrow; the tip of a tab always holds the whole title.

Examples
--------
>>> titles = TightTitles(tabs, {0: ("Positions", "Pos.")})  # doctest: +SKIP
>>> tabs.minimumSizeHint().width() >= titles.least_width()  # doctest: +SKIP
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtpy.QtWidgets import QTabWidget

__all__ = ["TightTitles"]


class TightTitles:
    """Chooses the titles of the tabs by the room that they have.

    Parameters
    ----------
    tabs : QTabWidget
        The tabs; `fit` is to be called when they have another size.
    titles : mapping of int to tuple of str
        The long and the short title of a tab, by its place.
    """

    def __init__(self, tabs: QTabWidget, titles: Mapping[int, tuple[str, str]]) -> None:
        self._tabs = tabs
        self._titles = dict(titles)
        self._short = False
        for place, (long, _) in self._titles.items():
            if not tabs.tabToolTip(place):
                tabs.setTabToolTip(place, long)
        self._show()

    def least_width(self) -> int:
        """Return the width of the bar with short titles, in pixels."""
        return self._width() - (0 if self._short else self._saved())

    def fit(self, width: int) -> None:
        """Show the long titles if they fit into a width."""
        long_width = self._width() + (self._saved() if self._short else 0)
        if self._short != (short := long_width > width):
            self._short = short
            self._show()

    def _width(self) -> int:
        bar = self._tabs.tabBar()
        return 0 if bar is None else bar.sizeHint().width()

    def _saved(self) -> int:
        """Return by how much short titles are narrower than long ones."""
        bar = self._tabs.tabBar()
        if bar is None:
            return 0
        metrics = bar.fontMetrics()
        return sum(
            metrics.horizontalAdvance(long) - metrics.horizontalAdvance(short)
            for long, short in self._titles.values()
        )

    def _show(self) -> None:
        for place, titles in self._titles.items():
            self._tabs.setTabText(place, titles[self._short])
