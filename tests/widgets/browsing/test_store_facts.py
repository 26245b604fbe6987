from __future__ import annotations

import pytest
from tests.layers.stores import make_dataset, make_image

from napari_scope.model import Dataset
from napari_scope.widgets.browsing.store_facts import about_image, facts_line


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (make_dataset(make_image()), "NDTiff 3.3 · 1 image"),
        (
            make_dataset(make_image(), make_image("b"), metadata={"frames": 1}),
            "NDTiff 3.3 · 1 frame · 2 images",
        ),
        (
            Dataset("/data", "ome-zarr", "0.5", (), metadata={"frames": 12345}),
            "OME-Zarr 0.5 · 12,345 frames · 0 images",
        ),
        (Dataset("/data", "other", "1", ()), "other 1 · 0 images"),
        (
            make_dataset(
                make_image(),
                metadata={"layout": "plate", "rows": 8, "columns": 12, "wells": 96},
            ),
            "NDTiff 3.3 · plate of 8 × 12, 96 wells",
        ),
    ],
)
def test_facts_in_a_line(dataset: Dataset, expected: str) -> None:
    assert facts_line(dataset) == expected


def test_what_is_known_of_an_image() -> None:
    image = make_image("map", shape=(2, 8, 10), levels=2, channels=("DAPI",))
    about = about_image(
        make_dataset(image, metadata={"summary": {"Prefix": "run"}, "empty": {}}), image
    )
    assert about == {
        "image": {
            "name": "map",
            "shape": "t 2 × y 8 × x 10",
            "type": "uint16",
            "levels": 2,
            "channels": "DAPI",
        },
        "summary": {"Prefix": "run"},
    }
