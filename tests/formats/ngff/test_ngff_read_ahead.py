"""Plates far away: the documents of all fields are asked for together, and once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.formats.ngff.ngff_stores import (
    multiscales,
    pixels,
    set_attributes,
    write_levels,
    write_plate,
)
from tests.formats.ngff.object_servers import serving

from napari_scope.errors import FormatError
from napari_scope.formats.ngff import open_ngff
from napari_scope.formats.ngff.read_ahead import ReadAhead, read_ahead
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def make(root: Path) -> None:
    write_plate(root, {"A/1": ["0", "1"], "B/2": ["0"]})
    labels = root / "A" / "1" / "1" / "labels"
    set_attributes(labels, {"ome": {"labels": ["cells"]}}, 3)
    block = {"multiscales": [multiscales("yx", 1)], "image-label": {}}
    set_attributes(labels / "cells", {"ome": block}, 3)
    write_levels(labels / "cells", pixels((6, 8)))
    shutil.rmtree(root / "B" / "2" / "0" / "0")
    (root / "B" / "2" / "0" / "labels").mkdir()
    (root / "B" / "2" / "0" / "labels" / "zarr.json").write_text("{")


def test_a_plate_far_away_is_the_plate(tmp_path: Path) -> None:
    make(tmp_path / "plate.zarr")
    near = open_ngff(tmp_path / "plate.zarr")
    with serving(tmp_path) as served:
        far = open_ngff(f"{served.address}/plate.zarr")
        asked = [one for one in served.asked if "/A/1/" in one]
    assert [image.name for image in far.images] == ["A/1/0", "A/1/1"]
    assert [i.axes for i in far.images] == [i.axes for i in near.images]
    assert [len(image.labels) for image in far.images] == [0, 1]
    assert len(far.problems) == len(near.problems) == 1
    assert len(asked) == len(set(asked))


def test_what_was_read_ahead_is_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    store = Store(tmp_path)
    fields = ["A/1/0", "A/1/1", "B/2/0", "gone"]
    ahead = ReadAhead(store, fields)
    wanted = store.attributes("A/1/1"), store.array("A/1/1/0")
    later = store.attributes("A/1")
    for name in ("attributes", "array"):
        monkeypatch.setattr(Store, name, lambda _, path="": pytest.fail(path))
    assert ahead.attributes("A/1/1") == wanted[0]
    assert ahead.arrays(["A/1/1/0"]) == [wanted[1]]
    assert ahead.exists("A/1/1/labels")
    assert not ahead.exists("A/1/0/labels")
    assert ahead.exists("B/2/0/labels")
    with pytest.raises(FormatError, match="no Zarr node"):
        ahead.attributes("gone")
    (missing,) = ahead.arrays(["B/2/0/0"])
    assert isinstance(missing, FormatError)
    assert ahead.place("A/1") == store.place("A/1")
    # What nobody foresaw is read when it is asked for.
    monkeypatch.undo()
    assert ahead.attributes("A/1") == later
    assert ahead.arrays(["A/1/0/0"])[0] == store.array("A/1/0/0")


def test_nothing_is_read_ahead_on_this_machine(tmp_path: Path) -> None:
    make(tmp_path)
    store = Store(tmp_path)
    assert read_ahead(store, ["A/1/0", "A/1/1"]) is store
