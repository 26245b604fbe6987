"""The Browse dock: which store a layer comes from, and what was saved with its frames.

It follows the selected layer and the sliders, and in a mosaic the tile under the
cursor. Everything that touches files is read in a thread. The dock owns no data: what
it shows comes from the origin that each layer carries (`napari_scope.layers.origin`).

Examples
--------
>>> import napari
>>> viewer = napari.Viewer()  # doctest: +SKIP
>>> viewer.window.add_dock_widget(BrowseDock(viewer), name="Browse")  # doctest: +SKIP
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_scope.errors import ScopeError
from napari_scope.formats import open_dataset
from napari_scope.layers import dataset_to_layers, origin_of
from napari_scope.layers.preferences import load_preferences, save_preferences
from napari_scope.widgets.background import BackgroundCall
from napari_scope.widgets.closing import main_window_of
from napari_scope.widgets.error_panel import ErrorPanel, explain
from napari_scope.widgets.icons import AMBER, GREEN, icon
from napari_scope.widgets.metadata_view import MetadataView, flattened
from napari_scope.widgets.store_watcher import StoreWatcher, watchers_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import napari.viewer
    from qtpy.QtGui import QShowEvent

    from napari_scope.layers import LayerData, LayerOrigin
    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Axes, Dataset, Image

__all__ = ["BrowseDock"]

_PATIENCE_MS: Final = 60
_CURSOR_RESTS_MS: Final = 200
_NOTHING: Final = "Nothing to show."
_FORMATS: Final = {"ndtiff": "NDTiff", "ome-zarr": "OME-Zarr"}
_POSITIONS: Final[dict[Positions, tuple[str, str]]] = {
    "auto": ("Automatic", "Tiles, but a slider when there would be many layers"),
    "tiles": ("Tiles", "Each position is a layer of its own at its stage place"),
    "slider": ("Slider", "All positions share a layer, with a slider p"),
}


@dataclass(frozen=True, slots=True)
class _Frame:
    """What was found of a frame."""

    title: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    rows: list[tuple[str, str]] = field(default_factory=list)
    why_empty: str = ""


class BrowseDock(QWidget):
    """Shows where the selected layer comes from, and the metadata of its frames.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer: Any = napari_viewer
        self._preferences = load_preferences()
        self._docked = False
        self._closed = False
        self._layer: Any = None
        self._dataset: Dataset | None = None
        self._shown: object = None
        self._wanted: object = None
        self._cursor: tuple[float, ...] | None = None
        self._reopening: Dataset | None = None

        self._make_widgets()
        self._lay_out()
        self._reader = BackgroundCall(self, abandon=True)
        self._opener = BackgroundCall(self, abandon=True)
        self._patience = self._single_shot(_PATIENCE_MS, self._look)
        self._rest = self._single_shot(_CURSOR_RESTS_MS, self._on_cursor_rests)
        self._undocking = self._single_shot(0, self._look_around)
        self._connect()
        self._look()

    # ---- what a script may ask and do

    @property
    def dataset(self) -> Dataset | None:
        """The data set of the selected layer."""
        # Asked of the layer: what is shown may be a moment old while a store grows.
        layer = self._viewer.layers.selection.active
        origin = None if layer is None else origin_of(layer.metadata)
        return None if origin is None else origin.dataset

    def open_path(self, path: str) -> None:
        """Open a data set in the background and add its layers."""
        self._open(path, None)

    def reopen(self) -> None:
        """Open the store of the selected layer anew, with the chosen positions."""
        dataset = self.dataset
        if dataset is not None:
            self._open(dataset.path, dataset)

    def refresh(self) -> None:
        """Look now whether something was added to the store."""
        dataset, window = self.dataset, self._window()
        if dataset is None or dataset.reload is None or window is None:
            return
        watcher = self._watcher()
        if watcher is not None:
            watcher.look()
        else:
            watcher = StoreWatcher(self._viewer, dataset, window, once=True)
            watcher.grown.connect(self._on_refreshed)
            watcher.ended.connect(self._on_refresh_ended)
            self.note_label.setText("Looking …")
            self.refresh_button.setEnabled(False)
            watcher.start()

    def shut_down(self) -> None:
        """Stop all timers and threads and let go of the viewer; idempotent."""
        if self._closed:
            return
        self._closed = True
        for timer in (self._patience, self._rest, self._undocking):
            timer.stop()
        self._listen_to(None)
        for emitter, slot in self._connections:
            emitter.disconnect(slot)
        self._connections.clear()
        self._reader.close()
        self._opener.close()

    # ---- layout

    def _make_widgets(self) -> None:
        self.name_label = QLabel()
        font = self.name_label.font()
        font.setBold(True)
        self.name_label.setFont(font)
        self.name_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.state_icon = QLabel()
        self.state_label = QLabel()
        self.path_edit = QLineEdit()
        self.path_edit.setReadOnly(True)
        self.path_edit.setFrame(False)
        self.path_edit.setAccessibleName("Path of the store")
        self.facts_label = QLabel()
        self.facts_label.setWordWrap(True)
        self.problems_label = QLabel()
        self.problems_text = _ShortText()
        self.problems_text.setAccessibleName("Problems")

        self.positions_box = QComboBox()
        for value, (title, tip) in _POSITIONS.items():
            self.positions_box.addItem(title, value)
            self.positions_box.setItemData(
                self.positions_box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole
            )
        self.positions_box.setCurrentIndex(
            self.positions_box.findData(self._preferences.positions)
        )
        self.positions_box.setToolTip(
            "How positions are shown in data that are opened from now on"
        )
        self.positions_box.setAccessibleName("Positions")
        self.follow_check = QCheckBox("&Follow while it is written")
        self.follow_check.setChecked(self._preferences.follow)
        self.follow_check.setToolTip(
            "Show new frames as they are saved; a time slider at its end moves on"
        )
        self.open_button = self._button(
            "folder", "&Open…", "Open the folder of an NDTiff or OME-Zarr data set"
        )
        self.reopen_button = self._button(
            "reload", "&Reopen", "Open this store anew, with positions as chosen here"
        )
        self.refresh_button = self._button(
            "refresh", "Re&fresh", "Look now whether frames were added"
        )
        self.note_label = QLabel()

        self.frame_label = QLabel()
        self.frame_label.setWordWrap(True)
        self.frame_label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.frame_view = MetadataView()
        self.store_view = MetadataView()
        self.tabs = QTabWidget()
        self.errors = ErrorPanel()

    def _lay_out(self) -> None:
        title = QHBoxLayout()
        title.addWidget(self.name_label, 1)
        title.addWidget(self.state_icon)
        title.addWidget(self.state_label)
        self._store_box = QGroupBox("Data")
        store = QVBoxLayout(self._store_box)
        store.addLayout(title)
        store.addWidget(self.path_edit)
        store.addWidget(self.facts_label)
        store.addWidget(self.problems_label)
        store.addWidget(self.problems_text)
        buttons = QHBoxLayout()
        for button in (self.open_button, self.reopen_button, self.refresh_button):
            buttons.addWidget(button)
        buttons.addStretch()
        store.addLayout(buttons)
        form = QFormLayout()
        form.addRow("&Positions", self.positions_box)
        store.addLayout(form)
        follow = QHBoxLayout()
        follow.addWidget(self.follow_check)
        follow.addStretch()
        follow.addWidget(self.note_label)
        store.addLayout(follow)

        frame = QWidget()
        column = QVBoxLayout(frame)
        column.addWidget(self.frame_label)
        column.addWidget(self.frame_view, 1)
        whole = QWidget()
        QVBoxLayout(whole).addWidget(self.store_view)
        self.tabs.addTab(frame, "This frame")
        self.tabs.addTab(whole, "Whole store")
        self.tabs.setTabToolTip(0, "What was saved with the frame that is shown")
        self.tabs.setTabToolTip(1, "What was saved with the data set and the image")

        layout = QVBoxLayout(self)
        layout.addWidget(self._store_box)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.errors)

    def _button(self, name: str, text: str, tip: str) -> QPushButton:
        button = QPushButton(icon(name), text)
        button.setToolTip(tip)
        return button

    def _single_shot(self, interval_ms: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval_ms)
        timer.timeout.connect(call)
        return timer

    def _connect(self) -> None:
        viewer = self._viewer
        self._connections: list[tuple[Any, Callable[..., None]]] = [
            (viewer.layers.selection.events.active, self._soon),
            (viewer.layers.events.inserted, self._soon),
            (viewer.layers.events.removed, self._soon),
            (viewer.dims.events.point, self._soon),
            (viewer.dims.events.ndisplay, self._soon),
            (viewer.dims.events.order, self._soon),
            (viewer.cursor.events.position, self._on_cursor),
            (viewer.scene.camera.events.center, self._on_camera),
            (viewer.scene.camera.events.zoom, self._on_camera),
        ]
        for emitter, slot in self._connections:
            emitter.connect(slot)
        self._reader.finished.connect(self._on_read)
        self._reader.failed.connect(self._on_not_read)
        self._opener.finished.connect(self._on_opened)
        self._opener.failed.connect(self._on_not_opened)
        self.open_button.clicked.connect(self._choose)
        self.reopen_button.clicked.connect(self.reopen)
        self.refresh_button.clicked.connect(self.refresh)
        self.positions_box.currentIndexChanged.connect(self._on_preferences)
        self.follow_check.toggled.connect(self._on_preferences)
        self.follow_check.toggled.connect(self._on_follow)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.shut_down)

    # ---- what is looked at

    def _soon(self, _: object = None) -> None:
        """Look soon; a slider that is being dragged is followed all the same."""
        if not self._closed and not self._patience.isActive():
            self._patience.start()

    def _on_cursor(self, _: object = None) -> None:
        # Only where it rests: on its way to the table it must not change the table.
        if not self._closed and self._dataset is not None:
            self._rest.start()

    def _on_cursor_rests(self) -> None:
        if self._viewer.mouse_over_canvas:
            self._cursor = tuple(self._viewer.cursor.position)
            self._soon()

    def _on_camera(self, _: object = None) -> None:
        self._cursor = None
        self._soon()

    def _look(self) -> None:
        """Show the selected layer and what was saved with its frame."""
        if self._closed:
            return
        layer = self._viewer.layers.selection.active
        origin = None if layer is None else origin_of(layer.metadata)
        self._listen_to(layer)
        self._show_store(layer, origin)
        if layer is None or origin is None:
            self._wanted = self._shown = None
            self._show_frame(_Frame(why_empty=_NOTHING))
            return
        position = self._position(layer)
        place = origin.find(position)
        wanted = (origin, None if place is None else (place.image, place.index))
        if wanted == self._wanted:
            return
        if self._reader.busy:
            self._soon()  # the newest wish counts, once the reader is free
            return
        self._wanted = wanted
        self._reader.start(lambda: _read(origin, position), "napari-scope metadata")

    def _position(self, layer: Any) -> list[float]:
        """Return the point that is looked at, in data coordinates of a layer."""
        dims = self._viewer.dims
        point = list(dims.point)
        displayed = list(dims.displayed)[-2:]
        center = self._cursor
        if center is None:
            view = tuple(self._viewer.scene.camera.center)[-2:]
            for axis, value in zip(displayed, view, strict=True):
                point[axis] = value
        elif len(center) == len(point):
            for axis in displayed:
                point[axis] = center[axis]
        return [float(x) for x in layer.world_to_data(point)]

    def _listen_to(self, layer: Any) -> None:
        """Hear of it when the layer gets other data or another origin."""
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.events.metadata.disconnect(self._soon)
        self._layer = layer
        if layer is not None:
            layer.events.metadata.connect(self._soon)

    # ---- the frame

    def _on_read(self, frame: _Frame) -> None:
        self._shown = self._wanted
        if self._wanted is not None:
            self._show_frame(frame)

    def _on_not_read(self, error: BaseException) -> None:
        words = explain(error)
        self._on_read(_Frame(why_empty=f"The metadata cannot be read: {words.message}"))

    def _show_frame(self, frame: _Frame) -> None:
        self.frame_label.setText(frame.title)
        self.frame_label.setVisible(bool(frame.title))
        self.frame_view.set_metadata(frame.metadata, frame.why_empty, frame.rows)

    # ---- the store

    def _show_store(self, layer: Any, origin: LayerOrigin | None) -> None:
        dataset = None if origin is None else origin.dataset
        self._update_buttons(dataset)
        if origin is None or dataset is None:
            self._dataset = None
            self._show_nothing(layer)
            return
        if dataset is self._dataset:
            return
        self._dataset = dataset
        path = Path(dataset.path)
        self.name_label.setText(path.name or dataset.path)
        self.name_label.setToolTip(dataset.path)
        self.path_edit.setText(dataset.path)
        self.path_edit.setToolTip(dataset.path)
        self.path_edit.setCursorPosition(0)
        self.path_edit.setVisible(True)
        self._show_state(dataset)
        self.facts_label.setText(_facts(dataset))
        self._show_problems(dataset.problems)
        self.store_view.set_metadata(
            _about(dataset, origin.first_image), "Nothing is known of this store."
        )

    def _show_nothing(self, layer: Any) -> None:
        self.name_label.setText("No data" if layer is None else str(layer.name))
        self.name_label.setToolTip("")
        self.path_edit.setVisible(False)
        self.state_icon.clear()
        self.state_label.clear()
        self.note_label.clear()
        self.facts_label.setText(
            "Select a layer, or open a data set."
            if layer is None
            else "This layer was not opened from a data set of a microscope."
        )
        self._show_problems(())
        self.store_view.set_metadata(None, _NOTHING)

    def _show_state(self, dataset: Dataset) -> None:
        size = self.fontMetrics().height()
        if dataset.finished:
            name, color, text = "check-circle", GREEN, "finished"
            tip = "The store is complete"
        else:
            name, color, text = "circle", AMBER, "being written"
            tip = "The store is being written, or what wrote it was interrupted"
        self.state_icon.setPixmap(icon(name, color).pixmap(QSize(size, size)))
        for label in (self.state_icon, self.state_label):
            label.setToolTip(tip)
        self.state_label.setText(text)

    def _show_problems(self, problems: Sequence[str]) -> None:
        count = len(problems)
        noun = "problem" if count == 1 else "problems"
        self.problems_label.setText(f"{count} {noun}; the rest is shown")
        self.problems_text.setPlainText("\n".join(f"• {text}" for text in problems))
        for widget in (self.problems_label, self.problems_text):
            widget.setVisible(bool(problems))

    def _update_buttons(self, dataset: Dataset | None) -> None:
        busy = self._opener.busy
        self.open_button.setEnabled(not busy)
        self.reopen_button.setEnabled(dataset is not None and not busy)
        self.refresh_button.setEnabled(
            dataset is not None and dataset.reload is not None
        )

    # ---- opening

    def _choose(self) -> None:
        start = str(Path(self._dataset.path).parent) if self._dataset else ""
        chosen = QFileDialog.getExistingDirectory(self, "Open a data set", start)
        if chosen:
            self.open_path(chosen)

    def _open(self, path: str, instead_of: Dataset | None) -> None:
        if self._opener.busy:
            return
        self.errors.clear()
        self._reopening = instead_of
        positions = self._preferences.positions

        def read() -> tuple[Dataset, list[LayerData]]:
            dataset = open_dataset(path)
            return dataset, dataset_to_layers(dataset, positions)

        self._opener.start(read, "napari-scope open")
        self.note_label.setText("Opening …")
        self._update_buttons(self._dataset)

    def _on_opened(self, opened: tuple[Dataset, list[LayerData]]) -> None:
        dataset, layers = opened
        self.note_label.clear()
        former, self._reopening = self._reopening, None
        viewer = self._viewer
        old = [] if former is None else _layers_of(viewer, former)
        empty = len(old) == len(viewer.layers)
        for data, arguments, _ in layers:
            viewer.add_image(data, **arguments)
        for layer in old:
            viewer.layers.remove(layer)
        if empty and layers:
            # Tiles and a slider lie at different places.
            viewer.reset_view()
        if self._preferences.follow:
            self._watch(dataset)
        self._look()

    def _on_not_opened(self, error: BaseException) -> None:
        self._reopening = None
        self.note_label.clear()
        self.errors.show_error(error, "The data set could not be opened")
        self._look()

    # ---- following

    def _window(self) -> QWidget | None:
        window = main_window_of(self)
        if window is not None:
            return window
        found = self._viewer.window.main_menu.window()
        return found if isinstance(found, QWidget) else None

    def _watcher(self) -> StoreWatcher | None:
        """Return the watcher of the store that is shown."""
        dataset = self.dataset
        return next(
            (w for w in watchers_in(self._window()) if w.dataset is dataset), None
        )

    def _watch(self, dataset: Dataset) -> None:
        window = self._window()
        if dataset.finished or dataset.reload is None or window is None:
            return
        StoreWatcher(self._viewer, dataset, window).start()

    def _on_follow(self, follow: bool) -> None:
        watcher, dataset = self._watcher(), self.dataset
        if not follow:
            for one in watchers_in(self._window()):
                one.set_following(False)
        elif watcher is not None:
            watcher.set_following(True)
        elif dataset is not None:
            self._watch(dataset)

    def _on_refreshed(self, dataset: Dataset) -> None:
        self.note_label.setText(f"New frames at {_clock()}")
        self._soon()

    def _on_refresh_ended(self, reason: str) -> None:
        if self.note_label.text() == "Looking …":
            self.note_label.setText(f"Nothing new at {_clock()}" if not reason else "")
        self._update_buttons(self._dataset)

    def _on_preferences(self, _: object = None) -> None:
        self._preferences = replace(
            self._preferences,
            positions=self.positions_box.currentData(),
            follow=self.follow_check.isChecked(),
        )
        try:
            save_preferences(self._preferences)
        except OSError as error:
            self.errors.show_error(error, "The choice could not be remembered")

    # ---- the window

    def showEvent(self, event: QShowEvent | None) -> None:
        """Notice being docked."""
        super().showEvent(event)
        self._look_around()

    def event(self, event: QEvent | None) -> bool:
        """Notice being taken out of the dock."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._undocking.start()
        return bool(super().event(event))

    def _look_around(self) -> None:
        if self._closed:
            return
        if self.parentWidget() is not None:
            self._docked = True
        elif self._docked:
            # napari keeps nothing of a closed dock.
            self.shut_down()
            self.deleteLater()


class _ShortText(QPlainTextEdit):
    """Text to read and to copy, a few lines high, with a scroll bar for more."""

    _MOST_LINES = 4

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.textChanged.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        """Be as high as the text, up to a few lines."""
        hint = super().sizeHint()
        lines = min(self.blockCount() * 2, self._MOST_LINES)
        margin = 2 * math.ceil(self.frameWidth() + 5)
        hint.setHeight(lines * self.fontMetrics().lineSpacing() + margin)
        return hint

    def minimumSizeHint(self) -> QSize:
        """Never be smaller than two lines."""
        hint = super().minimumSizeHint()
        hint.setHeight(min(hint.height(), self.sizeHint().height()))
        return hint


def _read(origin: LayerOrigin, position: Sequence[float]) -> _Frame:
    """Return what was saved with the frame at a point; runs in a thread."""
    place = origin.find(position)
    if place is None:
        return _Frame(why_empty="No frame of this layer is shown here.")
    image = origin.dataset.images[place.image]
    if image.frames is None:
        return _Frame(why_empty="This format keeps no metadata of single frames.")
    title = _title(origin, image, origin.frame_axes(position), place.index)
    if not origin.frame_exists(position):
        return _Frame(title, why_empty="This frame was not saved; it is shown black.")
    try:
        metadata = origin.frame_metadata(position)
    except (ScopeError, OSError) as error:
        words = explain(error)
        return _Frame(title, why_empty=f"They cannot be read: {words.message}")
    if not metadata:
        return _Frame(title, why_empty="Nothing was saved with this frame.")
    return _Frame(title, metadata, flattened(metadata))


def _title(
    origin: LayerOrigin, image: Image, axes: Axes | None, index: Mapping[str, int]
) -> str:
    """Return the identity of a frame in words."""
    if axes is not None:
        words = {name: f"{name} {value}" for name, value in axes.items()}
        channel = axes.get("channel")
        if isinstance(channel, int) and origin.channel < len(image.channels):
            words["channel"] += f" ({image.channels[origin.channel].name})"
        return " · ".join(words.values())
    parts = [image.name] if len(origin.dataset.images) > 1 else []
    parts += [f"{n} {value}" for n, value in index.items() if n not in ("y", "x")]
    return " · ".join(parts)


def _facts(dataset: Dataset) -> str:
    """Return format, number of frames and images in a line."""
    parts = [f"{_FORMATS.get(dataset.format, dataset.format)} {dataset.format_version}"]
    frames = dataset.metadata.get("frames")
    if isinstance(frames, int):
        parts.append(f"{frames:,} {'frame' if frames == 1 else 'frames'}")
    count = len(dataset.images)
    parts.append(f"{count:,} {'image' if count == 1 else 'images'}")
    return " · ".join(parts)


def _about(dataset: Dataset, image: Image) -> dict[str, object]:
    """Return what is known of an image and its data set."""
    shape = image.levels[0].shape
    scale = {
        axis.name: f"{axis.scale:g} {axis.unit or ''}".strip()
        for axis in image.axes
        if axis.unit is not None
    }
    about: dict[str, object] = {
        "name": image.name,
        "shape": " × ".join(
            f"{name} {length}"
            for name, length in zip(image.axis_names, shape, strict=True)
        ),
        "type": str(image.levels[0].dtype),
        "levels": len(image.levels),
        "scale": scale,
        "channels": ", ".join(c.name for c in image.channels if c.name),
        **image.metadata,
    }
    known = {"image": {k: v for k, v in about.items() if v not in ("", {})}}
    return {**known, **{k: v for k, v in dataset.metadata.items() if v != {}}}


def _layers_of(viewer: Any, dataset: Dataset) -> list[Any]:
    return [
        layer
        for layer in viewer.layers
        if (origin := origin_of(layer.metadata)) is not None
        and origin.dataset is dataset
    ]


def _clock() -> str:
    return time.strftime("%H:%M:%S")
