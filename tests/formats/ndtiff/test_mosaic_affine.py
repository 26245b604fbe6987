"""How the pixels of a mosaic lie on the stage, as metadata tell it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scope.formats.ndtiff.metadata import pixel_affine
from napari_scope.formats.ndtiff.placing import mosaic_affine

FRAME = {"PixelSizeUm": 0.5, "XPositionUm": 10.0, "YPositionUm": 20.0}
TURNED = {"napari_scope": {"tiles": {"affine": [0.0, -0.5, 0.5, 0.0]}}}


@pytest.mark.parametrize(
    ("frame", "summary", "expected"),
    [
        ({}, TURNED, (0, -0.5, 0.5, 0)),
        ({"PixelSizeAffine": "0.5;0.1;9;-0.1;0.5;9"}, {}, (0.5, 0.1, -0.1, 0.5)),
        ({"PixelSizeAffine": "1.0;0.0;0.0;0.0;1.0;0.0"}, {}, None),
        ({"PixelSizeAffine": "0.5;0.1"}, {}, None),
        ({"PixelSizeAffine": "a;b;c;d;e;f"}, {}, None),
        ({"PixelSizeAffine": 3}, {}, None),
        ({"PixelSizeAffine": "1;2;0;2;4;0"}, {}, None),
        ({}, {"napari_scope": {"tiles": {"affine": [1, 2]}}}, None),
        ({}, {"napari_scope": {"tiles": {"affine": [1, 0, 0, "nan"]}}}, None),
        ({}, {"napari_scope": {"tiles": 3}}, None),
        ({}, {"napari_scope": []}, None),
    ],
)
def test_who_tells_it(
    frame: dict[str, object], summary: dict[str, object], expected: object
) -> None:
    assert pixel_affine(frame, summary) == expected


def test_the_frame_that_was_first_stays_where_the_stage_was() -> None:
    found = mosaic_affine(TURNED, FRAME)
    assert found is not None
    matrix = np.array([*found, (0, 0, 1)])
    np.testing.assert_allclose(matrix @ (20, 10, 1), (20, 10, 1))
    # A pixel to the right is half a micrometer down on this stage.
    np.testing.assert_allclose(matrix @ (20, 10.5, 1), (20.5, 10, 1))
    np.testing.assert_allclose(matrix @ (20.5, 10, 1), (20, 9.5, 1))


@pytest.mark.parametrize(
    ("frame", "summary"),
    [
        (FRAME, {}),
        ({**FRAME, "PixelSizeUm": 0}, TURNED),
        ({"PixelSizeUm": 0.5}, TURNED),
        (FRAME, {"napari_scope": {"tiles": {"affine": [0.5, 0, 0, 0.5]}}}),
    ],
)
def test_nothing_is_turned(
    frame: dict[str, object], summary: dict[str, object]
) -> None:
    assert mosaic_affine(summary, frame) is None
