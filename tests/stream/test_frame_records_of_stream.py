from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.formats.frame_columns import FrameColumns
from napari_scope.formats.frame_table import FrameSheet
from napari_scope.layers.live_origin import RUN_KEY, live_origin, run_origin_of
from napari_scope.stream import ImageSpec, Output, StoreSpec, Stream
from napari_scope.stream.frame_records import stream_records

if TYPE_CHECKING:
    from pathlib import Path


def spec() -> StoreSpec:
    images = (ImageSpec("a", sizes={"time": 3, "channel": 2}),)
    order = ("time", "channel")
    labels = {"channel": ("A", "B")}
    return StoreSpec(
        "a",
        (4, 5),
        np.dtype("u2"),
        order=order,
        images=images,
        labels=labels,
        summary={"microscope": {"camera": "Cam"}},
    )


@pytest.mark.parametrize("format", ["memory", "ndtiff", "ome-zarr"])
def test_facts_of_a_run_are_there_while_it_goes_on(tmp_path: Path, format: str) -> None:
    output = Output(tmp_path / "run", format)  # type: ignore[arg-type]
    with Stream(spec(), [output.sink()]) as stream:
        (found,) = live_origin(stream.view(), (0,), 1, "tyx").values()
        assert found.frame_metadata((0, 0, 0)) is None
        for n in range(3):
            stream.append(np.zeros((4, 5), "u2"), {"n": n})
        stream.skip(reason="dark")
        stream.flush()
        assert found.frame_metadata((0, 0, 0)) == {"n": 1}
        assert found.frame_axes((0, 0, 0)) == {"time": 0, "channel": "B"}
        assert not found.frame_exists((1, 0, 0)) and not found.frame_exists((2, 0, 0))
        records = stream_records(stream.sinks)
        assert records is not None
        sheet = FrameSheet(records)
        columns = FrameColumns(sheet)
        assert columns.update() and columns.count == 4
        assert columns.numbers("n")[:3].tolist() == [0, 1, 2]
        place = sheet.place(1)
        assert place is not None and place.index == {"t": 0, "c": 1}
        assert sheet.number_at(0, {"t": 1, "c": 0}) == 2
        assert sheet.record(3).reason == "dark"
        assert sheet.refresh() == 4
    assert found.frame_metadata((0, 0, 0)) == {"n": 1}
    about = found.dataset.metadata["summary"]
    assert about == {"napari_scope": {"microscope": {"camera": "Cam"}}}


def test_the_origin_of_a_run_has_a_key_of_its_own() -> None:
    with Stream(spec(), [Output("memory", "memory").sink()]) as stream:
        metadata = live_origin(stream.view(), (0,), 0, "tyx")
    assert list(metadata) == [RUN_KEY]
    assert run_origin_of(metadata) is metadata[RUN_KEY]
    assert run_origin_of({}) is None and run_origin_of({RUN_KEY: {}}) is None
