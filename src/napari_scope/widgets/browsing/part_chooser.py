"""The chooser of parts: which channels, time points and planes are opened or exported.

It shows what the selected part of the tree has, and is hidden where there is nothing to
choose. What is chosen is a `Parts`; opening and exporting is the business of others.

Examples
--------
>>> chooser = PartChooser()  # doctest: +SKIP
>>> chooser.show_facts(node.facts)  # doctest: +SKIP
>>> chooser.parts  # doctest: +SKIP
Parts(channels=(1,), times=None, planes=None)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.formats.image_parts import Parts

if TYPE_CHECKING:
    from napari_scope.formats.tree_node import Facts

__all__ = ["PartChooser", "part_words"]

_MOST_CHANNELS: Final = 64
_DIGITS: Final = 8  # room for a number, in characters


class PartChooser(QWidget):
    """Lets the user leave out channels, time points and planes.

    Attributes
    ----------
    changed : Signal
        Something else was chosen.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._channels: list[QAction] = []
        self._known: object = None
        self.channel_button = QToolButton()
        self.channel_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.channel_button.setToolTip("Which channels are opened or exported")
        self.channel_button.setAccessibleName("Channels")
        self.channel_button.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed
        )
        self.channel_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.channel_menu = _StayingMenu(self.channel_button)
        self.channel_button.setMenu(self.channel_menu)
        self.times = _Span("t", "time points")
        self.planes = _Span("z", "planes of a stack")
        spans = QHBoxLayout()
        spans.addWidget(self.times)
        spans.addWidget(self.planes)
        spans.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.channel_button)
        column.addLayout(spans)
        self.times.changed.connect(self.changed)
        self.planes.changed.connect(self.changed)
        self.show_facts(None)

    @property
    def parts(self) -> Parts:
        """What is chosen."""
        chosen = tuple(n for n, one in enumerate(self._channels) if one.isChecked())
        whole = len(chosen) in (0, len(self._channels))
        return Parts(None if whole else chosen, self.times.chosen, self.planes.chosen)

    def show_facts(self, facts: Facts | None, *, mosaic: bool = False) -> None:
        """Show what can be chosen of something; the choice stays if that is the same.

        Parameters
        ----------
        facts : Facts or None
            What is known of it.
        mosaic : bool
            Whether it is opened as a mosaic of a plate, of which only channels can be
            left out.
        """
        names: tuple[str, ...] = ()
        lengths: dict[str, int] = {}
        if facts is not None:
            names = facts.channels if len(facts.channels) <= _MOST_CHANNELS else ()
            if len(facts.axes) == len(facts.shape) and not mosaic:
                lengths = dict(zip(facts.axes, facts.shape, strict=True))
        known = (names, tuple(lengths.items()))
        if known == self._known:
            return
        self._known = known
        self.channel_menu.clear()
        self._channels = []
        for name in names:
            action = QAction(name.replace("&", "&&"), self.channel_menu)
            action.setCheckable(True)
            action.setChecked(True)
            action.toggled.connect(self._on_channel)
            self.channel_menu.addAction(action)
            self._channels.append(action)
        self.times.set_length(lengths.get("t", 1))
        self.planes.set_length(lengths.get("z", 1))
        self.channel_button.setVisible(len(names) > 1)
        self.setVisible(
            len(names) > 1 or lengths.get("t", 1) > 1 or lengths.get("z", 1) > 1
        )
        self._on_channel()

    def _on_channel(self, _: object = None) -> None:
        chosen = [one.text().replace("&&", "&") for one in self._channels
                  if one.isChecked()]  # fmt: skip
        if not chosen or len(chosen) == len(self._channels):
            text = "All channels"
        elif len(chosen) <= 2:
            text = ", ".join(chosen)
        else:
            text = f"{len(chosen)} of {len(self._channels)} channels"
        self.channel_button.setText(text)
        self.changed.emit()


class _Span(QWidget):
    """From and to of an axis, counted as the sliders do, both included."""

    changed = Signal()

    def __init__(self, axis: str, words: str) -> None:
        super().__init__()
        self._length = 1
        self.first = QSpinBox()
        self.last = QSpinBox()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(QLabel(axis))
        for box, name in ((self.first, "First"), (self.last, "Last")):
            box.setAccessibleName(f"{name} of the {words}")
            box.setToolTip(f"{name} of the {words} that are opened or exported")
            box.setFixedWidth(_DIGITS * box.fontMetrics().averageCharWidth())
            box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
            row.addWidget(box)
            if box is self.first:
                row.addWidget(QLabel("to"))
        self.first.valueChanged.connect(self._on_value)
        self.last.valueChanged.connect(self._on_value)

    @property
    def chosen(self) -> tuple[int, int] | None:
        first, last = self.first.value(), self.last.value()
        if (first, last) == (0, self._length - 1):
            return None
        return first, last + 1

    def set_length(self, length: int) -> None:
        self._length = length
        for box, value in ((self.first, 0), (self.last, length - 1)):
            box.blockSignals(True)
            box.setRange(0, length - 1)
            box.setValue(value)
            box.blockSignals(False)
        self.setVisible(length > 1)

    def _on_value(self, _: int) -> None:
        if self.last.value() < self.first.value():
            other = self.last if self.sender() is self.first else self.first
            value = self.first.value() if other is self.last else self.last.value()
            other.setValue(value)
        self.changed.emit()


class _StayingMenu(QMenu):
    """A menu that stays open while its entries are checked."""

    def mouseReleaseEvent(self, event: object) -> None:
        """Check the entry under the mouse, and stay."""
        action = self.activeAction()
        if action is not None and action.isCheckable():
            action.trigger()
        else:
            super().mouseReleaseEvent(event)  # type: ignore[arg-type]


def part_words(parts: Parts, channels: tuple[str, ...] = ()) -> str:
    """Return what a part is, in words.

    Examples
    --------
    >>> part_words(Parts(channels=(1,), times=(2, 5)), ("DAPI", "GFP"))
    'GFP, t 2 to 4'
    """
    words = []
    if parts.channels is not None:
        names = [
            channels[c] if c < len(channels) else f"channel {c}" for c in parts.channels
        ]
        words.append(", ".join(names))
    for name, span in (("t", parts.times), ("z", parts.planes)):
        if span is not None:
            words.append(f"{name} {span[0]} to {span[1] - 1}")
    return ", ".join(words)
