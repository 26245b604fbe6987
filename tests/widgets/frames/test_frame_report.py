from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.layers.stores import Frames, make_dataset, make_image

from napari_scope.errors import FormatError
from napari_scope.layers import LayerOrigin
from napari_scope.widgets.frames.frame_report import read_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.model import Image


class Damaged(Frames):
    """Frames whose metadata are damaged or empty at some times."""

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        if index["t"] == 1:
            raise FormatError("the metadata at byte 7 are damaged", path="/data/run")
        if index["t"] == 2:
            raise OSError(5, "Input/output error")
        return {}


def origin_of_first(*images: Image, channel: int = 0) -> LayerOrigin:
    names = [n for n in images[0].axis_names if n != "c"]
    return LayerOrigin(make_dataset(*images), (0,), channel, names)


def test_a_frame_and_its_rows() -> None:
    report = read_report(origin_of_first(make_image()), (2, 0, 0))
    assert report.title == "t 2"
    assert report.metadata["Gain"] == 2
    assert ("Index.t", "2") in report.rows
    assert report.why_empty == ""


@pytest.mark.parametrize(
    ("fields", "t", "title", "words"),
    [
        ({}, 9, "", "No frame of this layer"),
        ({"frames": None}, 0, "", "keeps no metadata"),
        ({"missing": lambda index: index["t"] == 1}, 1, "t 1", "not saved"),
        ({"frames": Damaged("cells", "tyx")}, 0, "t 0", "Nothing was saved"),
        ({"frames": Damaged("cells", "tyx")}, 1, "t 1", "at byte 7 are damaged"),
        ({"frames": Damaged("cells", "tyx")}, 2, "t 2", "cannot be read"),
    ],
)
def test_why_there_is_nothing(
    fields: dict[str, object], t: int, title: str, words: str
) -> None:
    image = make_image(**fields)  # type: ignore[arg-type]
    report = read_report(origin_of_first(image), (t, 0, 0))
    assert report.title == title
    assert words in report.why_empty
    assert not report.metadata and not report.rows


def test_a_frame_without_axes_is_named_by_its_image_and_index() -> None:
    missing = make_image("a", missing=lambda _: True)
    one = read_report(origin_of_first(missing), (1, 0, 0))
    two = read_report(origin_of_first(missing, make_image("b")), (1, 0, 0))
    assert (one.title, two.title) == ("t 1", "a · t 1")


def test_a_channel_that_is_a_number_has_its_name_too() -> None:
    class Numbered(Frames):
        def axes(self, index: Mapping[str, int]) -> Mapping[str, int | str] | None:
            return {"time": index["t"], "channel": index["c"]}

    image = make_image(
        names="tcyx",
        shape=(3, 2, 8, 9),
        channels=("DAPI", "FITC"),
        frames=Numbered("cells", "tcyx"),
    )
    report = read_report(origin_of_first(image, channel=1), (2, 0, 0))
    assert report.title == "time 2 · channel 1 (FITC)"
