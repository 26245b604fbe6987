"""Opens data sets, or parts of them, in the background and gives a viewer their layers.

A store that is opened anew takes the place of its former layers; other layers stay.
What cannot be read changes nothing. napari takes some tenths of a second for a layer:
they are added one by one, so that the GUI stays alive between them.

It knows nothing of what is selected, of preferences, or of stores that grow.

Examples
--------
>>> opener = StoreOpener(viewer, dock)  # doctest: +SKIP
>>> opener.opened.connect(lambda dataset: print(dataset.path))  # doctest: +SKIP
>>> opener.open("/data/run_1", "auto")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.errors import ScopeError
from napari_scope.formats.addresses import is_address
from napari_scope.formats.detect import detect
from napari_scope.formats.tree import open_tree
from napari_scope.layers.chosen import nodes_to_layers
from napari_scope.widgets.browsing.first_look import look_at, middle
from napari_scope.widgets.browsing.mz_slider import mz_slider
from napari_scope.widgets.browsing.plate_views import open_view, tell_of_problems
from napari_scope.widgets.browsing.store_layers import layers_of
from napari_scope.widgets.browsing.well_status import show_wells
from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import napari.viewer

    from napari_scope.formats.image_parts import Parts
    from napari_scope.formats.tree_node import Node
    from napari_scope.layers import LayerData
    from napari_scope.layers.chosen import ChosenLayers
    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Dataset

__all__ = ["StoreOpener", "plain_folder"]

_PAUSE_MS: Final = 5  # between two layers: painting and the user come first


class StoreOpener(QObject):
    """Opens one data set, or several parts of some, at a time.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Takes the layers.
    parent : QObject
        Owner.

    Attributes
    ----------
    looked : Signal
        A path was read; carries the root of its tree (`Node`).
    opened : Signal
        The viewer has the layers; carries the data set. Emitted for each of several,
        and with None for a folder, which has no layers itself.
    failed : Signal
        The data set could not be opened; carries the exception.
    """

    looked = Signal(object)
    opened = Signal(object)
    failed = Signal(object)

    def __init__(self, viewer: napari.viewer.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._instead_of: Dataset | None = None
        self._parts: list[tuple[Dataset, tuple[Node, ...]]] = []
        self._call = BackgroundCall(self, abandon=True)
        self._call.finished.connect(self._on_read)
        self._call.failed.connect(self._on_failed)
        self._adding: Iterator[None] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._go_on)

    @property
    def busy(self) -> bool:
        """Whether a data set is being opened."""
        return self._call.busy or self._adding is not None

    def open(
        self, path: str, positions: Positions, instead_of: Dataset | None = None
    ) -> None:
        """Begin to open a data set; the one before must be done.

        Parameters
        ----------
        path : str
            Its path or address.
        positions : {"auto", "tiles", "slider"}
            How its positions are shown. On a slider the fields of a plate are, too;
            else they are a mosaic.
        instead_of : Dataset, optional
            The data set whose layers go. If only a part of a store was opened as this
            one, the same part is opened again.
        """
        self._instead_of = instead_of
        parts = next((p for one, p in self._parts if one is instead_of), None)
        mosaics = positions != "slider"
        steps, wait = self._steps(), not self._has_window

        def read() -> tuple[Node | None, list[ChosenLayers]]:
            if parts is not None:
                return None, _layers(parts, positions, steps, mosaics=mosaics)
            root = open_tree(path)
            wanted = [root] if root.can_open else []
            return root, _layers(wanted, positions, steps, mosaics=mosaics, wait=wait)

        self._call.start(read, "napari-scope open")

    def open_all(self, places: Sequence[str], positions: Positions) -> None:
        """Begin to open several data sets; what was begun before must be done.

        Parameters
        ----------
        places : sequence of str
            Their paths or addresses.
        positions : {"auto", "tiles", "slider"}
            As in `open`.
        """
        self._instead_of = None
        steps, wait = self._steps(), not self._has_window

        def read() -> tuple[Node | None, list[ChosenLayers]]:
            mosaics = positions != "slider"
            nodes = [open_tree(place) for place in places]
            return None, _layers(nodes, positions, steps, mosaics=mosaics, wait=wait)

        self._call.start(read, "napari-scope open")

    def open_nodes(
        self,
        nodes: Sequence[Node],
        positions: Positions,
        acquisition: int | None = None,
        *,
        mosaics: bool = True,
        parts: Parts | None = None,
    ) -> None:
        """Begin to open parts of stores; what was begun before must be done.

        Parameters
        ----------
        nodes, positions, acquisition, mosaics, parts
            As in `napari_scope.layers.chosen.nodes_to_layers`.
        """
        self._instead_of = None
        steps, wait = self._steps(), not self._has_window

        def read() -> tuple[Node | None, list[ChosenLayers]]:
            return None, _layers(
                nodes, positions, steps, acquisition, parts, mosaics=mosaics, wait=wait
            )

        self._call.start(read, "napari-scope open")

    @property
    def _has_window(self) -> bool:
        """Whether sums over mass spectra may be painted while they are computed."""
        return getattr(self._viewer, "window", None) is not None

    def _steps(self) -> tuple[int, ...]:
        """Return where the sliders stand; nowhere without layers."""
        viewer = self._viewer
        return tuple(viewer.dims.current_step) if viewer.layers else ()

    def close(self) -> None:
        """Leave what is being opened behind; idempotent."""
        self._call.close()
        self._timer.stop()
        self._adding = None
        self._parts = []
        self._instead_of = None

    def _on_read(self, read: tuple[Node | None, list[ChosenLayers]]) -> None:
        self._adding = self._show(read)
        self._go_on()

    def _go_on(self) -> None:
        """Add the next layer."""
        adding = self._adding
        if adding is None:
            return
        try:
            next(adding)
        except StopIteration:
            return
        except (ScopeError, RuntimeError, ValueError, TypeError, OSError) as error:
            self._adding = None
            self._on_failed(error)
            return
        if self._adding is adding:  # not if it was closed meanwhile
            self._timer.start()

    def _show(self, read: tuple[Node | None, list[ChosenLayers]]) -> Iterator[None]:
        """Add the layers of what was read, take away those before; a step for each."""
        root, chosen = read
        former, self._instead_of = self._instead_of, None
        viewer = self._viewer
        old = [] if former is None else layers_of(viewer, former)
        empty = len(old) == len(viewer.layers)
        if any(one.view is not None for one in chosen):
            show_wells(viewer)
        if any(node.msi is not None for one in chosen for node in one.nodes):
            mz_slider(viewer)
        layers = [layer for one in chosen for layer in self._wanted(one)]
        new = yield from self._add_all(layers)
        if self._adding is None:
            return
        for layer in old:
            if layer in viewer.layers:  # not if the user was faster
                viewer.layers.remove(layer)
        for layer, (_, arguments, _) in zip(new, layers, strict=True):
            # It has a number behind its name because the old one was still there.
            if old:
                layer.name = arguments["name"]
        seen = [layer for layer in new if layer.visible and layer in viewer.layers]
        active = viewer.layers.selection.active
        if seen and active in new and not active.visible:
            # The stack of mass spectra comes last, and is shown when it is asked for.
            viewer.layers.selection.active = seen[-1]
        if empty and layers:
            # Tiles and a slider lie at different places.
            viewer.reset_view()
        self._note_parts(root, chosen)
        self._adding = None
        if root is not None:
            self.looked.emit(root)
        for dataset in [one.dataset for one in chosen] or [None]:
            self.opened.emit(dataset)

    def _add_all(self, layers: Sequence[LayerData]) -> Generator[None, None, list[Any]]:
        """Add layers and return them; to an empty viewer first those with sliders."""
        viewer = self._viewer
        names = [place for place, layer in enumerate(layers) if layer[2] == "points"]
        others = [place for place in range(len(layers)) if place not in names]
        if viewer.layers or not others:
            # As they come, each above the one before.
            others, names = list(range(len(layers))), []
        else:
            self._set_sliders(layers[others[0]])
        added: dict[int, Any] = {}
        for place in others:
            if added:
                yield
            added[place] = self._add(layers[place])
        active = viewer.layers.selection.active
        for place in names:
            yield
            added[place] = self._add(layers[place])
            viewer.layers.move(viewer.layers.index(added[place]), place)
        if names:
            viewer.layers.selection.active = active
        return [added[place] for place in range(len(layers))]

    def _set_sliders(self, layer: LayerData) -> None:
        """Put the sliders in the middle of a layer that is about to be added.

        napari would read its lowest plane, then the one in the middle; and it would
        stay at the lowest if the names of a plate were added before.
        """
        data, arguments, _ = layer
        level = data[0] if isinstance(data, list) else data
        shape: tuple[int, ...] = np.shape(level)  # type: ignore[arg-type]
        scale: Any = arguments.get("scale")
        places: Any = arguments.get("translate")
        if scale is None or places is None or arguments.get("affine") is not None:
            return
        dims = self._viewer.dims
        dims.ndim = len(scale)
        dims.range = tuple(
            (start, start + (length - 1) * step, step)
            for start, step, length in zip(places, scale, shape, strict=False)
        )
        dims.current_step = tuple(middle(shape[: len(scale)]))

    def _add(self, layer: LayerData) -> Any:
        from napari.layers import Layer

        data, arguments, kind = layer
        return self._viewer.add_layer(Layer.create(data, arguments, kind))

    def _wanted(self, chosen: ChosenLayers) -> list[LayerData]:
        """Return the layers to add: labels alone, if their image is there already."""
        layers = chosen.layers
        if all(node.kind == "label" for node in chosen.nodes):
            known = {_pixels_of(layer.metadata) for layer in self._viewer.layers}
            wanted = {_pixels_of(_metadata(layer)) for layer in layers} - {None}
            if wanted & known:
                return [layer for layer in layers if layer[2] == "labels"]
        return layers

    def _note_parts(self, root: Node | None, chosen: list[ChosenLayers]) -> None:
        """Remember which parts of a store the layers in the viewer were made from."""
        self._parts = [part for part in self._parts if layers_of(self._viewer, part[0])]
        if root is None:
            self._parts += [(c.dataset, c.nodes) for c in chosen if c.dataset]

    def _on_failed(self, error: BaseException) -> None:
        self._instead_of = None
        self.failed.emit(error)


def plain_folder(place: str) -> bool:
    """Return whether a path is a folder that is no data set itself."""
    return not is_address(place) and os.path.isdir(place) and detect(place) is None


def _layers(
    nodes: Sequence[Node],
    positions: Positions,
    steps: Sequence[int],
    acquisition: int | None = None,
    parts: Parts | None = None,
    *,
    mosaics: bool,
    wait: bool = True,
) -> list[ChosenLayers]:
    """Return the layers of nodes; what takes long to show is looked at already."""
    made = nodes_to_layers(
        nodes, positions, acquisition, mosaics=mosaics, open_view=open_view,
        parts=parts, wait=wait,
    )  # fmt: skip
    for one in made:
        if one.view is not None:
            tell_of_problems(one.view)
        if one.view is not None or is_address(one.nodes[0].place):
            look_at(one.layers, steps)
    return made


def _metadata(layer: LayerData) -> dict[str, Any]:
    metadata = layer[1].get("metadata")
    return dict(metadata) if isinstance(metadata, dict) else {}


def _pixels_of(metadata: dict[str, Any]) -> tuple[object, object] | None:
    """Return path and channel of the image behind a layer of pixels."""
    facts = metadata.get("napari_scope")
    if not isinstance(facts, dict) or "channel_index" not in facts:
        return None
    return facts.get("path"), facts["channel_index"]
