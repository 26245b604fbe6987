from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.layers.stores import make_dataset, make_image

from napari_scope.layers import MAX_LAYERS, LayerOrigin, dataset_to_layers, origin_of
from napari_scope.layers.growing import Growth, grown, new_look

if TYPE_CHECKING:
    from napari_scope.layers import LayerData
    from napari_scope.model import Dataset, Image


def origins(dataset: Dataset, positions: Any = "auto") -> list[LayerOrigin]:
    found = [
        origin_of(layer[1]["metadata"])  # type: ignore[arg-type]
        for layer in dataset_to_layers(dataset, positions)
    ]
    return [origin for origin in found if origin is not None]


def origin(layer: LayerData) -> LayerOrigin:
    metadata: Any = layer[1]["metadata"]
    found = origin_of(metadata)
    assert found is not None
    return found


def names(layers: Any) -> list[str]:
    return [layer[1]["name"] for layer in layers]


def changes(growth: Growth) -> dict[str, tuple[int, ...]]:
    return {
        str(change.after[1]["name"]): np.shape(change.after[0])
        for change in growth.changes
    }


def position(number: int, t: int, channels: int = 2, **more: Any) -> Image:
    return make_image(
        f"Pos{number}", "tcyx", (t, channels, 8, 8),
        channels=("DAPI", "FITC")[:channels], **more,
    )  # fmt: skip


def test_layers_get_the_planes_that_were_added() -> None:
    before = make_dataset(position(0, 3))
    after = make_dataset(position(0, 5))
    given = origins(before)
    growth = grown(given, after)
    assert growth.dataset is after and growth.added == ()
    assert changes(growth) == {"DAPI": (5, 1, 8, 8), "FITC": (5, 1, 8, 8)}
    assert [change.before for change in growth.changes] == given
    assert all(origin(change.after).dataset is after for change in growth.changes)
    assert all(change.redraw for change in growth.changes)


def test_images_and_channels_are_known_by_name_not_by_number() -> None:
    before = make_dataset(position(1, 2), position(2, 2))
    after = make_dataset(position(0, 1), position(1, 3), position(2, 2))
    growth = grown(origins(before), after)
    assert {
        str(change.after[1]["name"]): change.before.images[0]
        for change in growth.changes
    } == {"Pos1 - DAPI": 0, "Pos1 - FITC": 0, "Pos2 - DAPI": 1, "Pos2 - FITC": 1}
    assert names(growth.added) == ["Pos0 - DAPI", "Pos0 - FITC"]
    swapped = make_image("Pos0", "tcyx", (3, 2, 8, 8), channels=("FITC", "DAPI"))
    growth = grown(origins(make_dataset(position(0, 3))), make_dataset(swapped))
    for change in growth.changes:
        assert change.before.channel == 1 - origin(change.after).channel


def test_a_channel_that_comes_later_is_a_new_layer() -> None:
    growth = grown(
        origins(make_dataset(position(0, 2, 1))), make_dataset(position(0, 2, 2))
    )
    assert list(changes(growth)) == ["DAPI"]
    assert names(growth.added) == ["FITC"]


def test_layers_that_were_removed_stay_away() -> None:
    before = make_dataset(position(0, 2), position(1, 2))
    after = make_dataset(position(0, 3), position(1, 3), position(2, 1))
    growth = grown(origins(before)[:1], after)
    assert list(changes(growth)) == ["Pos0 - DAPI"]
    assert names(growth.added) == ["Pos2 - DAPI", "Pos2 - FITC"]


def test_longer_names_of_images_are_recognised() -> None:
    before = make_dataset(make_image("cells", "tyx", (2, 8, 8)))
    after = make_dataset(
        make_image("cells (16 x 16 uint16)", "tyx", (1, 16, 16)),
        make_image("cells (8 x 8 uint16)", "tyx", (3, 8, 8)),
    )
    growth = grown(origins(before), after)
    assert changes(growth) == {"cells (8 x 8 uint16)": (3, 1, 8, 8)}
    assert names(growth.added) == ["cells (16 x 16 uint16)"]
    # The only image is the only image, whatever it is called.
    growth = grown(origins(before), make_dataset(make_image("Pos0", "tyx", (3, 8, 8))))
    assert changes(growth) == {"Pos0": (3, 1, 8, 8)}


def test_an_image_that_is_gone_keeps_its_layer_as_it_is() -> None:
    before = make_dataset(position(0, 2, 1), position(1, 2, 1))
    growth = grown(origins(before), make_dataset(position(1, 3, 1)))
    assert [change.before.images for change in growth.changes] == [(1,)]
    assert growth.added == ()


def test_images_that_are_the_same_are_not_drawn_again() -> None:
    still, frames = position(0, 2, 1), position(2, 2, 1).frames
    before = make_dataset(still, position(1, 2, 1), position(2, 2, 1, frames=frames))
    after = make_dataset(still, position(1, 2, 1), position(2, 2, 1, frames=frames))
    growth = grown(origins(before), after)
    assert [change.redraw for change in growth.changes] == [False, True, False]
    # With a longer axis the same frames are others.
    after = make_dataset(still, position(1, 2, 1), position(2, 3, 1, frames=frames))
    growth = grown(origins(before), after)
    assert [change.redraw for change in growth.changes] == [False, True, True]
    for change in growth.changes:
        assert origin(change.after).dataset is after


def test_positions_on_a_slider_stay_on_it() -> None:
    before = make_dataset(position(0, 2), position(1, 1, 1))
    after = make_dataset(position(0, 3), position(1, 2), position(2, 1, 1))
    growth = grown(origins(before, "slider"), after)
    assert changes(growth) == {"DAPI": (3, 3, 1, 8, 8), "FITC": (3, 3, 1, 8, 8)}
    assert growth.added == ()
    dapi, fitc = (change.after[0] for change in growth.changes)
    # Pos1 has no third time, Pos2 but one frame.
    assert np.asarray(dapi)[:, :, 0, 0, 0].tolist() == [
        [1, 11, 21], [1, 11, 0], [1, 0, 0],
    ]  # fmt: skip
    assert np.asarray(fitc)[:, :, 0, 0, 0].tolist() == [
        [2, 12, 22], [2, 12, 0], [0, 0, 0],
    ]  # fmt: skip


def test_a_position_that_turns_out_different_gets_layers_of_its_own() -> None:
    def stack(name: str, z: int, step: float) -> Image:
        return make_image(name, "zyx", (z, 8, 8), scale={"z": step})

    before = make_dataset(stack("Pos0", 2, 1.0), stack("Pos1", 1, 1.0))
    after = make_dataset(stack("Pos0", 2, 1.0), stack("Pos1", 2, 5.0))
    given = origins(before, "slider")
    assert len(given) == 1
    growth = grown(given, after)
    assert [origin(change.after).images for change in growth.changes] == [(0, None)]
    assert [origin(layer).images for layer in growth.added] == [(None, 1)]


def test_tiles_stay_tiles_and_never_more_than_napari_bears() -> None:
    few = [position(i, 1) for i in range(2)]
    many = [position(i, 1) for i in range(30)]
    growth = grown(origins(make_dataset(*few)), make_dataset(*many))
    assert len(growth.changes) == 4
    assert len(growth.added) == MAX_LAYERS - 4
    assert growth.left_out == 60 - MAX_LAYERS
    # Who asks for tiles gets all of them.
    growth = grown(origins(make_dataset(*few), "tiles"), make_dataset(*many))
    assert len(growth.added) == 56 and growth.left_out == 0
    positions = {origin(layer).positions for layer in growth.added}
    assert positions == {"tiles"}


def test_without_layers_nothing_is_made() -> None:
    after = make_dataset(position(0, 2))
    assert grown([], after) == Growth(after)


def look(**more: Any) -> dict[str, Any]:
    return {
        "name": "cells", "colormap": "gray", "contrast_limits": (0.0, 65535.0), **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({}, {"name", "colormap", "contrast_limits", "blending"}),
        ({"name": "mine"}, {"colormap", "contrast_limits", "blending"}),
        ({"colormap": "magma", "blending": "minimum"}, {"name", "contrast_limits"}),
        ({"contrast_limits": (1.0, 9.0)}, {"name", "colormap", "blending"}),
    ],
)
def test_a_look_changes_only_where_the_user_did_not(
    shown: dict[str, Any], expected: set[str]
) -> None:
    before = LayerOrigin(
        make_dataset(make_image("a", bit_depth=None)), (0,), 0, "tzyx", look=look()
    )
    now = {"name": "Pos0 - DAPI", "colormap": "blue", "contrast_limits": (5.0, 300.0),
           "blending": "additive", "scale": (1, 1, 1, 1)}  # fmt: skip
    after = LayerOrigin(before.dataset, (0,), 0, "tzyx", look=now)
    layer = (None, {"metadata": {"napari_scope_origin": after}}, "image")
    found = new_look(before, layer, look() | shown)
    assert found == {key: now[key] for key in expected}


def test_contrast_that_is_known_never_flickers() -> None:
    dataset = make_dataset(make_image())
    before = LayerOrigin(
        dataset, (0,), 0, "tzyx", look=look(contrast_limits=(3.0, 80.0))
    )
    after = LayerOrigin(
        dataset, (0,), 0, "tzyx", look=look(contrast_limits=(2.0, 99.0))
    )
    layer = (None, {"metadata": {"napari_scope_origin": after}}, "image")
    assert new_look(before, layer, look(contrast_limits=(3.0, 80.0))) == {}
