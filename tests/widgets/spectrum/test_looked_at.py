"""What a dock looks at when it opens, and which links it offers, without a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject
from tests.widgets.spectrum.msi_samples import TwoScans

from napari_scope.layers.msi import MSILayer
from napari_scope.layers.msi_build import reader_to_layers
from napari_scope.widgets.spectrum.data_bar import links_of
from napari_scope.widgets.spectrum.looked_at import LookedAt

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


class OneEnd(TwoScans, listed=False):
    """The fragments name their precursors, which know nothing of them."""

    def get_dataset_dependencies(self) -> list[Any]:
        there = self._depends("MS1", "co_modality", "precursors", dataset=0)
        region = self._depends("x", "contains", "", dataset=0, region=1)
        beyond = self._depends("gone", "link", "", dataset=7)
        return [[], [region, there, beyond]]


def test_of_a_file_that_was_opened_before_the_dock_what_is_shown_counts(
    qtbot: QtBot,
) -> None:
    viewer = ViewerModel()
    for layer in reader_to_layers(TwoScans("two")):
        viewer.add_layer(Layer.create(*layer))
    # napari selects the last layer, whether it is seen or not.
    hidden = next(layer for layer in viewer.layers if "MS2 of 100" in layer.name)
    viewer.layers.selection.active = hidden
    assert not hidden.visible
    owner = QObject()
    at = LookedAt(viewer, owner)
    at.refresh()
    assert at.origin is not None and at.origin.dataset == 0
    assert at.layer.visible
    at.stop()

    hidden.visible = True
    at = LookedAt(viewer, owner)
    at.refresh()
    assert at.layer is hidden
    at.stop()


def test_a_link_that_is_told_at_one_end_leads_both_ways() -> None:
    reader = OneEnd("two")
    assert links_of(MSILayer(reader, 1)) == [("MS1", 0)]
    assert links_of(MSILayer(reader, 0)) == [("Linked from", 1)]
    both = TwoScans("two")
    assert links_of(MSILayer(both, 0)) == [("MS2_100", 1)]
    assert links_of(MSILayer(both, 1)) == [("MS1", 0)]
