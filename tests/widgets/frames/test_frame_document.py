from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Image as ImageLayer
from napari.layers import Labels, Points

from napari_scope.arrays import LazyArray, MemorySource
from napari_scope.errors import FormatError
from napari_scope.layers import LayerOrigin
from napari_scope.model import Axis, Channel, Dataset, Image
from napari_scope.widgets.frames.frame_document import (
    frame_document,
    layer_document,
    sorted_facts,
)


class Frames:
    def exists(self, index: Any) -> bool:
        return index["t"] != 3

    def axes(self, index: Any) -> Any:
        return {"time": index["t"], "channel": index["c"]}

    def metadata(self, index: Any) -> Any:
        if index["t"] == 2:
            raise FormatError("the block is torn")
        return {"exposure_ms": 5.0} if index["t"] < 3 else None


def origin(frames: Any = None, format: str = "ndtiff", label: str = "") -> LayerOrigin:
    axes = tuple(map(Axis, "tcyx"))
    pixels = LazyArray(MemorySource(np.zeros((5, 2, 8, 8))))
    channels = (Channel("DAPI"), Channel("FITC"))
    image = Image("cells", axes, (pixels,), channels, frames=frames)
    dataset = Dataset("/data", format, "", (image, image), finished=False)
    return LayerOrigin(dataset, (0,), 1, "tyx", label=label)


def test_facts_are_sorted_and_none_is_lost() -> None:
    facts = {
        "ReceivedTime": "now",
        "Exposure": 5,
        "x_um_intended": 1.0,
        "XPosition_um_Intended": 1.0,
        "Camera-Gain": "2",
        "Core-Camera": "Zyla",
        "properties": [["Wheel", "Label", "red"]],
        "properties_set": [["Wheel", "Label", "red"]],
        "roi": [0, 0, 1, 1],
        "strange": {"x": 1},
        "Axes": {"time": 1},
    }
    assert sorted_facts(facts) == {
        "Frame": {"time": "now", "exposure_ms": 5, "camera": "Zyla"},
        "Event": {"x_um_intended": 1.0, "properties_set": [["Wheel", "Label", "red"]]},
        "Camera": {"roi": [0, 0, 1, 1]},
        "Properties": {"Camera": {"Gain": "2"}, "Wheel": {"Label": "red"}},
        "More": {"strange": {"x": 1}},
    }
    assert sorted_facts({}) == {}


def test_a_frame_has_axes_facts_and_its_layer() -> None:
    found = frame_document(origin(Frames()), (1, 0, 0), {"name": "cells"})
    assert found.title == "time 1 · channel 1 (FITC) · image cells"
    assert list(found.document) == ["Axes", "Frame", "Layer"]
    assert found.facts == {"exposure_ms": 5.0} and found.is_there
    assert found.place is not None and found.place.index["t"] == 1


def test_a_channel_that_has_no_other_name_than_its_number() -> None:
    class Named(Frames):
        def axes(self, index: Any) -> Any:
            return {"time": index["t"], "channel": "red"}

    assert "channel red ·" in frame_document(origin(Named()), (1, 0, 0)).title
    two = origin(Frames()).dataset
    one = replace(two, images=two.images[:1])
    alone = LayerOrigin(one, (0,), 1, "tyx")
    assert frame_document(alone, (1, 0, 0)).title == "time 1 · channel 1 (FITC)"


def test_what_is_missing_or_damaged_is_a_sentence() -> None:
    torn = frame_document(origin(Frames()), (2, 0, 0))
    assert "the block is torn" in torn.why_empty and torn.place is not None
    assert "not saved" in frame_document(origin(Frames()), (3, 0, 0)).why_empty
    nothing = frame_document(origin(Frames()), (9, 0, 0), {"name": "x"})
    assert nothing.place is None and nothing.document == {"Layer": {"name": "x"}}
    running = frame_document(origin(Frames(), "run"), (3, 0, 0))
    assert "not there yet" in running.why_empty and not running.is_there
    assert "no facts" in frame_document(origin(None), (1, 0, 0)).why_empty
    assert frame_document(origin(None), (1, 0), {"name": "x"}).place is None


def test_labels_say_which_segmentation() -> None:
    found = frame_document(origin(Frames(), label="nuclei"), (1, 0, 0))
    assert found.document["Labels"] == {"segmentation": "nuclei"}


def test_layers_of_others_have_what_napari_knows() -> None:
    pyramid = [np.zeros((8, 8)), np.zeros((4, 4))]
    layer = ImageLayer(
        pyramid,
        multiscale=True,
        name="a",
        scale=(0.5, 0.5),
        units=("um", "um"),
        metadata={"mine": 1, "napari_scope_origin": origin()},
    )
    found = layer_document(layer)
    assert found["levels"] == ["8 x 8", "4 x 4"] and found["kind"] == "Image"
    assert found["scale"] == "0.5 micrometer, 0.5 micrometer"
    assert found["metadata"] == {"mine": 1}
    assert layer_document(Points(np.zeros((3, 2))))["shape"] == "3 x 2"
    assert layer_document(Labels(np.zeros((3, 2), int)))["type"].startswith("int")  # type: ignore[attr-defined]
