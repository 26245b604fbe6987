from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.ndtiff.encoding import encode_frame
from napari_scope.formats.ndtiff.growing_index import GrowingIndex, location_in
from napari_scope.formats.ndtiff.index import INDEX_NAME, encode_record, parse_index

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_was_counted_is_there(tmp_path: Path) -> None:
    file = tmp_path / INDEX_NAME
    index = GrowingIndex(tmp_path)
    batch = [encode_frame({"time": t}, np.zeros((4, 4), "u2")) for t in range(3)]
    records = [
        encode_record(one.axes, b"a.tif", 100 * t, 4, 4, 1, 100 * t + 32, 2)
        for t, one in enumerate(batch)
    ]
    index.write(records[:2])
    assert index.end == 0 and list(index.places(batch[0].axes)) == []
    index.count(batch[:2], records[:2])
    index.write(records[2:])
    index.cut()
    assert file.read_bytes() == b"".join(records[:2])
    assert list(index.places(batch[2].axes)) == []
    index.close()
    (tmp_path / "moved").mkdir()
    file = file.rename(tmp_path / "moved" / INDEX_NAME)
    index.moved(tmp_path / "moved")
    index.reopen()
    index.write(records[2:])
    index.count(batch[2:], records[2:])
    index.close()
    assert len(parse_index(file.read_bytes())) == 3
    for t, one in enumerate(batch):
        ((offset, length),) = index.places(one.axes)
        found = location_in(file.read_bytes()[offset : offset + length], one.axes)
        assert found is not None
        assert (found.file, found.pixel_offset) == ("a.tif", 100 * t)
        assert location_in(file.read_bytes()[offset:], b"{}") is None
    index.delete()
    assert not file.exists()
