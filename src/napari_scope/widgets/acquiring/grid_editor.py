"""The editor of a grid: rows and columns, an area, bounds, a polygon, random points.

Every kind of grid that useq has can be made here. The field of view is that of the
camera, and follows its region, binning and objective, unless a plan states another
one. Random points always have a seed, so that the places that are planned are those
that are visited. It moves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import useq
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.acquiring.grid_pages import (
    AreaPage,
    BoundsPage,
    FieldsPage,
    GridPage,
    PolygonPage,
    RandomPage,
)
from napari_scope.widgets.acquiring.number_box import NumberBox, trimmed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GridEditor"]

_ORDERS: Final = {
    "row_wise_snake": "Rows, to and fro",
    "column_wise_snake": "Columns, to and fro",
    "row_wise": "Rows",
    "column_wise": "Columns",
    "spiral": "Spiral",
}
_MOST_COUNTED = 20_000


class GridEditor(QWidget):
    """Edits a grid plan of useq.

    Parameters
    ----------
    stage : callable
        Returns where the stage is, (x, y) in micrometres, or None.
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    valueChanged : Signal
        Another grid; carries it.
    """

    valueChanged = Signal(object)

    def __init__(
        self,
        stage: Callable[[], tuple[float, float] | None] = lambda: None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._camera: tuple[float, float] | None = None
        self._fixed: tuple[float | None, float | None] | None = None
        self._quiet = False
        self.fields, self.area = FieldsPage(), AreaPage()
        self.bounds, self.polygon = BoundsPage(stage), PolygonPage(stage)
        self.random = RandomPage()
        self._pages: tuple[GridPage, ...] = (
            self.fields,
            self.area,
            self.bounds,
            self.polygon,
            self.random,
        )
        self.kind_box = QComboBox()
        self.kind_box.setToolTip("How the fields of the grid are given")
        self.kind_box.setAccessibleName("Kind of grid")
        for page in self._pages:
            self.kind_box.addItem(page.title)
        tip = "How much neighbouring fields overlap, in per cent of a field"
        self.overlap_x = NumberBox(-1000, 99, 5, " % x", tip)
        self.overlap_y = NumberBox(-1000, 99, 5, " % y", tip)
        self.order_box = QComboBox()
        self.order_box.setToolTip("In which order the fields are visited")
        self.order_box.setAccessibleName("Order of the fields")
        for value, title in _ORDERS.items():
            self.order_box.addItem(title, value)
        self.centre_box = QComboBox()
        self.centre_box.setToolTip("What the position is to the grid")
        self.centre_box.setAccessibleName("Place of the grid")
        self.centre_box.addItem("Around the position", "center")
        self.centre_box.addItem("Right and down from it", "top_left")
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.follow_button = QPushButton("Follow the camera")
        self.follow_button.setToolTip(
            "Lay the grid out in fields of the camera instead of those of the plan"
        )
        self._lay_out()
        self.kind_box.currentIndexChanged.connect(self._on_kind)
        for box in (self.order_box, self.centre_box):
            box.currentIndexChanged.connect(self._changed)
        for number in (self.overlap_x, self.overlap_y):
            number.valueChanged.connect(self._changed)
        for page in self._pages:
            page.changed.connect(self._changed)
        self.follow_button.clicked.connect(self.follow_camera)
        self._on_kind()

    def _lay_out(self) -> None:
        overlap = QHBoxLayout()
        overlap.addWidget(self.overlap_x)
        overlap.addWidget(self.overlap_y)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Grid", self.kind_box)
        for page in self._pages:
            form.addRow(page)
        form.addRow("Overlap", overlap)
        form.addRow("Order", self.order_box)
        form.addRow("Place", self.centre_box)
        self._form, self._overlap = form, overlap
        for box in (self.kind_box, self.order_box, self.centre_box):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.note)
        column.addWidget(self.follow_button)
        column.addStretch(1)

    # ---- value

    @property
    def page(self) -> GridPage:
        """The page of the kind that is chosen."""
        return self._pages[max(0, self.kind_box.currentIndex())]

    @property
    def problem(self) -> str:
        """Why there is no grid; empty if there is one."""
        return self.page.problem

    def value(self) -> Any:
        """Return the grid with its field of view, where that is known."""
        width, height = self._fixed or self._camera or (None, None)
        return self._made(width, height)

    def shown(self) -> Any:
        """Return the grid with a field of view only if the plan states one."""
        width, height = self._fixed or (None, None)
        return self._made(width, height)

    def setValue(self, value: Any) -> None:
        """Show a grid.

        Raises
        ------
        TypeError
            If it is of a kind that cannot be shown.
        """
        page = next((p for p in self._pages if isinstance(value, p.kind)), None)
        if page is None:
            raise TypeError(f"a grid of the kind {type(value).__name__}")
        self._quiet = True
        try:
            page.show_plan(value)
            self.kind_box.setCurrentIndex(self._pages.index(page))
            if page.has_overlap:
                self.overlap_x.setValue(value.overlap[0])
                self.overlap_y.setValue(value.overlap[1])
                order = self.order_box.findData(value.mode.value)
                self.order_box.setCurrentIndex(order)
            if page.is_relative and page.has_overlap:
                centre = self.centre_box.findData(value.relative_to.value)
                self.centre_box.setCurrentIndex(centre)
            field = (value.fov_width, value.fov_height)
            self._fixed = None if field == (None, None) else field
        finally:
            self._quiet = False
        self._on_kind()

    def set_camera_field(self, field: tuple[float, float] | None) -> None:
        """Tell the field of view of the camera in micrometres, if it is known."""
        if field == self._camera:
            return
        self._camera = field
        if self._fixed is None:
            self._changed()
        else:
            self._show_note()

    def follow_camera(self) -> None:
        """Lay the grid out in fields of the camera, whatever a plan has stated."""
        self._fixed = None
        self._changed()

    # ---- inside

    def _made(self, width: float | None, height: float | None) -> Any:
        page = self.page
        facts = page.facts()
        if page.has_overlap:
            facts["overlap"] = (self.overlap_x.value(), self.overlap_y.value())
            facts["mode"] = self.order_box.currentData()
            if page.is_relative:
                facts["relative_to"] = self.centre_box.currentData()
        # Left out rather than None: the text of a plan then does not name them.
        if width is not None or height is not None:
            facts.update(fov_width=width, fov_height=height)
        return page.kind(**facts)

    def _on_kind(self, _: int = 0) -> None:
        for page in self._pages:
            self._form.setRowVisible(page, page is self.page)
        self._form.setRowVisible(self._overlap, self.page.has_overlap)
        self._form.setRowVisible(self.order_box, self.page.has_overlap)
        relative = self.page.is_relative and self.page.has_overlap
        self._form.setRowVisible(self.centre_box, relative)
        self._changed()

    def _changed(self, *_: object) -> None:
        if self._quiet:
            return
        self._show_note()
        self.valueChanged.emit(self.value())

    def _show_note(self) -> None:
        camera, fixed = self._camera, self._fixed
        self.follow_button.setVisible(fixed is not None and fixed != camera)
        if self.problem:
            self.note.setText(self.problem)
            return
        if fixed is not None and fixed != camera:
            where = "as the plan states"
            width, height = fixed
        elif camera is not None:
            where, (width, height) = "of the camera", camera
        else:
            self.note.setText("Without a size of its pixels the camera has no field")
            return
        size = " × ".join(
            "?" if v is None else trimmed(round(v, 2)) for v in (width, height)
        )
        count = _count(self.value())
        fields = f"{count} of {size} µm {where}"
        self.note.setText(fields)


def _count(grid: Any) -> str:
    """Return how many fields a grid has, in words; never takes long."""
    try:
        if isinstance(grid, useq.GridFromPolygon | useq.GridFromEdges):
            width, height = grid.fov_width or 0.0, grid.fov_height or 0.0
            if isinstance(grid, useq.GridFromPolygon):
                left, top, right, bottom = grid.poly.bounds
            else:
                left, right, top, bottom = grid.left, grid.right, grid.top, grid.bottom
            area = abs(right - left) * abs(bottom - top)
            step_x, step_y = (1 - o / 100 for o in grid.overlap)
            field = width * height * step_x * step_y
            if field <= 0 or area / field > _MOST_COUNTED:
                return "Very many fields"
        count = grid.num_positions()
    except (ValueError, ZeroDivisionError, AttributeError, OverflowError):
        return "Fields"
    return f"{count:,} field" + ("" if count == 1 else "s")
