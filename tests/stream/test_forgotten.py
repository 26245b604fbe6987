"""A stream that nobody closed is closed when the process ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.stream.streams import frame_of
from tests.stream.test_stream_kill import start

from napari_scope.stream import AcquisitionSettings, create_stream
from napari_scope.stream import read_journal as read
from napari_scope.stream.recovery_journal import find_journal

if TYPE_CHECKING:
    from pathlib import Path

FORGETFUL = """
import sys
from napari_scope.stream import AcquisitionSettings, create_stream
from napari_scope.stream import dims_from_standard_axes
from tests.stream.streams import frame_of

settings = AcquisitionSettings(
    root_path=sys.argv[1],
    dtype="uint16",
    compression=sys.argv[2] or None,
    dimensions=dims_from_standard_axes({"t": 300, "y": 16, "x": 24}),
)
stream = create_stream(settings)
for number in range(300):
    stream.append(frame_of(number))
"""


@pytest.mark.parametrize(
    ("name", "codec"),
    [("run.ome.tiff", "zlib"), ("run.ome.zarr", "blosc-lz4"), ("run.ndtiff", "")],
)
def test_its_last_frames_are_there(tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    process = start(FORGETFUL, str(path), codec)
    _, errors = process.communicate()
    assert not errors
    journal = find_journal(path)
    assert journal is not None
    content = read(journal)
    assert content.closed is not None
    assert content.closed["saved"] == 300
    longer = AcquisitionSettings(
        root_path=path,
        dtype="uint16",
        compression=codec or None,
        dimensions=[
            {"name": "t", "count": None, "type": "time"},
            {"name": "y", "count": 16},
            {"name": "x", "count": 24},
        ],
    )
    with create_stream(longer, resume=True) as stream:
        shown = np.asarray(stream.view().images[0].levels[0])
    assert np.array_equal(shown, [frame_of(n) for n in range(300)])
