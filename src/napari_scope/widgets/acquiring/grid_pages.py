"""The pages of the grid editor: what each kind of grid asks for.

A page makes the arguments of one class of useq and shows a plan of that class. Sizes
are micrometres. It knows nothing of the other kinds.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, ClassVar

import useq
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.acquiring.number_box import NumberBox, trimmed
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.narrow import keep_narrow

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AreaPage",
    "BoundsPage",
    "FieldsPage",
    "GridPage",
    "PolygonPage",
    "RandomPage",
]

_FAR_UM = 99_999_999.0
_LAST_SEED = 2**31 - 1


class GridPage(QWidget):
    """A page for one kind of grid.

    Attributes
    ----------
    changed : Signal
        Something else was entered.
    kind : type
        The class of useq.
    title : str
        What the kind is called.
    has_overlap, is_relative : bool
        Whether fields may overlap; whether the grid lies around a position.
    problem : str
        Why what was entered is no grid; empty if it is one.
    """

    changed = Signal()
    kind: ClassVar[Any]
    title: ClassVar[str]
    has_overlap: ClassVar[bool] = True
    is_relative: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.problem = ""

    def facts(self) -> dict[str, Any]:
        """Return the arguments of the class."""
        raise NotImplementedError

    def show_plan(self, plan: Any) -> None:
        """Show a plan of the class."""
        raise NotImplementedError

    def _form(self) -> QFormLayout:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        return form


class FieldsPage(GridPage):
    """Rows and columns."""

    kind = useq.GridRowsColumns
    title = "Rows and columns"

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.columns = QSpinBox(), QSpinBox()
        form = self._form()
        for box, name in ((self.rows, "Rows"), (self.columns, "Columns")):
            box.setRange(1, 100_000)
            box.setKeyboardTracking(False)
            box.setAccessibleName(name)
            box.setToolTip(f"How many {name.lower()} of fields")
            box.valueChanged.connect(self.changed)
            form.addRow(name, box)

    def facts(self) -> dict[str, Any]:
        """Return rows and columns."""
        return {"rows": self.rows.value(), "columns": self.columns.value()}

    def show_plan(self, plan: Any) -> None:
        """Show rows and columns."""
        self.rows.setValue(plan.rows)
        self.columns.setValue(plan.columns)


class AreaPage(GridPage):
    """Width and height."""

    kind = useq.GridWidthHeight
    title = "Width and height"

    def __init__(self) -> None:
        super().__init__()
        self.width_box = NumberBox(0.001, _FAR_UM, 100, " µm", "Width of the area")
        self.height_box = NumberBox(0.001, _FAR_UM, 100, " µm", "Height of the area")
        form = self._form()
        for box, name in ((self.width_box, "Width"), (self.height_box, "Height")):
            box.setValue(1000)
            box.valueChanged.connect(self.changed)
            form.addRow(name, box)

    def facts(self) -> dict[str, Any]:
        """Return width and height."""
        return {"width": self.width_box.value(), "height": self.height_box.value()}

    def show_plan(self, plan: Any) -> None:
        """Show width and height."""
        self.width_box.setValue(plan.width)
        self.height_box.setValue(plan.height)


class BoundsPage(GridPage):
    """Four edges in coordinates of the stage."""

    kind = useq.GridFromEdges
    title = "Bounds on the stage"
    is_relative = False

    def __init__(self, stage: Callable[[], tuple[float, float] | None]) -> None:
        super().__init__()
        self._stage = stage
        self.edges: dict[str, NumberBox] = {}
        self.take_buttons: dict[str, QToolButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for number, name in enumerate(("left", "right", "top", "bottom")):
            tip = f"{name.capitalize()} edge"
            box = NumberBox(-_FAR_UM, _FAR_UM, 100, " µm", tip)
            box.valueChanged.connect(self.changed)
            # Four in a row of two must not make the dock wide.
            keep_narrow(box, "--- -00000 µm +++")
            button = QToolButton()
            button.setIcon(icon("arrow-left-thick"))
            button.setToolTip(f"Take the {name} edge from where the stage is")
            button.setAccessibleName(button.toolTip())
            button.setFocusPolicy(button.focusPolicy().StrongFocus)
            button.clicked.connect(lambda _=False, edge=name: self._take(edge))
            self.edges[name], self.take_buttons[name] = box, button
            row, column = divmod(number, 2)
            grid.addWidget(QLabel(name.capitalize()), row, column * 3)
            grid.addWidget(box, row, column * 3 + 1)
            grid.addWidget(button, row, column * 3 + 2)
            grid.setColumnStretch(column * 3 + 1, 1)

    def facts(self) -> dict[str, Any]:
        """Return the edges."""
        return {name: box.value() for name, box in self.edges.items()}

    def show_plan(self, plan: Any) -> None:
        """Show the edges."""
        for name, box in self.edges.items():
            box.setValue(getattr(plan, name))

    def _take(self, edge: str) -> None:
        place = self._stage()
        if place is not None:
            self.edges[edge].setValue(place[0 if edge in ("left", "right") else 1])


class PolygonPage(GridPage):
    """Corners in coordinates of the stage."""

    kind = useq.GridFromPolygon
    title = "Polygon on the stage"
    is_relative = False

    def __init__(self, stage: Callable[[], tuple[float, float] | None]) -> None:
        super().__init__()
        self._stage = stage
        self._corners: list[tuple[float, float]] = [(0, 0), (1000, 0), (0, 1000)]
        self.text = QPlainTextEdit()
        self.text.setAccessibleName("Corners of the polygon")
        self.text.setToolTip(
            "A corner in each line, x and y in micrometres. The Stage dock can draw "
            "a polygon in the viewer"
        )
        self.text.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.text.setFixedHeight(self.fontMetrics().lineSpacing() * 5)
        self.take_button = QPushButton("Add where the stage is")
        self.take_button.setToolTip("Add the place of the stage as a corner")
        self.hull = QCheckBox("Convex hull")
        self.hull.setToolTip("Fill in what is hollow")
        self.offset = NumberBox(
            -_FAR_UM, _FAR_UM, 10, " µm", "How much the polygon grows on all sides"
        )
        row = QHBoxLayout()
        row.addWidget(self.hull)
        row.addWidget(QLabel("Grow by"))
        row.addWidget(self.offset, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.text)
        column.addWidget(self.take_button)
        column.addLayout(row)
        self.text.setPlainText(_lines(self._corners))
        self.text.textChanged.connect(self._read)
        self.hull.toggled.connect(self._read)
        self.offset.valueChanged.connect(self._read)
        self.take_button.clicked.connect(self._take)

    def facts(self) -> dict[str, Any]:
        """Return the corners; the last ones that made a polygon."""
        return self._facts_of(self._corners)

    def show_plan(self, plan: Any) -> None:
        """Show the corners."""
        corners = [(float(x), float(y)) for x, y in plan.vertices]
        # Each of these reads the text again, so the text comes first.
        self.text.setPlainText(_lines(corners))
        self.hull.setChecked(bool(plan.convex_hull))
        self.offset.setValue(plan.offset or 0)
        self._corners, self.problem = corners, ""

    def _facts_of(self, corners: list[tuple[float, float]]) -> dict[str, Any]:
        return {
            "vertices": corners,
            "convex_hull": self.hull.isChecked(),
            "offset": self.offset.value() or None,
        }

    def _take(self) -> None:
        place = self._stage()
        if place is not None:
            self.text.appendPlainText(f"{trimmed(place[0])}, {trimmed(place[1])}")

    def _read(self, *_: object) -> None:
        corners = []
        try:
            for number, line in enumerate(self.text.toPlainText().splitlines(), 1):
                if not line.strip():
                    continue
                parts = line.replace(";", " ").replace(",", " ").split()
                if len(parts) != 2:
                    raise ValueError(f"line {number} is no corner: {line!r}")
                corners.append((float(parts[0]), float(parts[1])))
            self.kind(**self._facts_of(corners))
        except ValueError as error:
            words = str(error).splitlines()
            self.problem = (
                "A polygon needs three corners or more"
                if len(corners) < 3 and not words[0].startswith(("line", "could"))
                else f"This is no polygon, {words[-1] if len(words) < 3 else words[2]}"
            )
        else:
            self._corners, self.problem = corners, ""
        self.changed.emit()


def _lines(corners: list[tuple[float, float]]) -> str:
    return "\n".join(f"{trimmed(x)}, {trimmed(y)}" for x, y in corners)


class RandomPage(GridPage):
    """Points at random, always with a seed."""

    kind = useq.RandomPoints
    title = "Random points"
    has_overlap = False

    def __init__(self) -> None:
        super().__init__()
        self._start_at: Any = 0
        self.count = QSpinBox()
        self.count.setRange(1, 1_000_000)
        self.count.setValue(10)
        self.count.setToolTip("How many points")
        self.width_box = NumberBox(0.001, _FAR_UM, 100, " µm", "Width of the area")
        self.height_box = NumberBox(0.001, _FAR_UM, 100, " µm", "Height of the area")
        self.shape_box = QComboBox()
        self.shape_box.addItem("Ellipse", "ellipse")
        self.shape_box.addItem("Rectangle", "rectangle")
        self.shape_box.setToolTip("Shape of the area")
        self.seed = QSpinBox()
        self.seed.setRange(0, _LAST_SEED)
        self.seed.setValue(random.randrange(_LAST_SEED))
        self.seed.setToolTip("The same seed gives the same points")
        self.seed_button = QPushButton("Other points")
        self.seed_button.setToolTip("Draw another seed")
        self.overlap = QCheckBox("Fields may overlap")
        self.overlap.setChecked(True)
        self.overlap.setToolTip("Without, points are drawn until no fields overlap")
        self.path_box = QComboBox()
        self.path_box.addItem("Short way (2-opt)", "two_opt")
        self.path_box.addItem("Nearest neighbour", "nearest_neighbor")
        self.path_box.addItem("As drawn", None)
        self.path_box.setToolTip("In which order the points are visited")
        self._lay_out()
        for box in (self.count, self.seed, self.width_box, self.height_box):
            box.setKeyboardTracking(False)
            box.valueChanged.connect(self.changed)
        for choice in (self.shape_box, self.path_box):
            choice.currentIndexChanged.connect(self.changed)
        self.overlap.toggled.connect(self.changed)
        self.seed_button.clicked.connect(
            lambda: self.seed.setValue(random.randrange(_LAST_SEED))
        )

    def _lay_out(self) -> None:
        for box, name in (
            (self.count, "Points"),
            (self.shape_box, "Shape"),
            (self.seed, "Seed"),
            (self.path_box, "Way"),
        ):
            box.setAccessibleName(name)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for size in (self.width_box, self.height_box):
            size.setValue(1000)
        drawing = QHBoxLayout()
        drawing.addWidget(self.seed, 1)
        drawing.addWidget(self.seed_button)
        form = self._form()
        form.addRow("Points", self.count)
        form.addRow("Width", self.width_box)
        form.addRow("Height", self.height_box)
        form.addRow("Shape", self.shape_box)
        form.addRow("Seed", drawing)
        form.addRow("Way", self.path_box)
        form.addRow(self.overlap)

    def facts(self) -> dict[str, Any]:
        """Return the points."""
        start = self._start_at
        if isinstance(start, int) and start >= self.count.value():
            start = 0
        return {
            "num_points": self.count.value(),
            "max_width": self.width_box.value(),
            "max_height": self.height_box.value(),
            "shape": self.shape_box.currentData(),
            "random_seed": self.seed.value(),
            "allow_overlap": self.overlap.isChecked(),
            "order": self.path_box.currentData(),
            "start_at": start,
        }

    def show_plan(self, plan: Any) -> None:
        """Show the points; those without a seed get one."""
        self.count.setValue(plan.num_points)
        self.width_box.setValue(plan.max_width)
        self.height_box.setValue(plan.max_height)
        self.shape_box.setCurrentIndex(self.shape_box.findData(plan.shape.value))
        seed = plan.random_seed
        self.seed.setValue(random.randrange(_LAST_SEED) if seed is None else seed)
        self.overlap.setChecked(plan.allow_overlap)
        order = None if plan.order is None else plan.order.value
        self.path_box.setCurrentIndex(self.path_box.findData(order))
        self._start_at = plan.start_at
