"""What napari gets when it opens mass-spectrometry images, without a window."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_scope._reader import _say_once, napari_get_reader, read
from napari_scope.formats.msi.imzml.writer import ImzMLWriter
from napari_scope.layers.msi import msi_of
from napari_scope.widgets.browsing.msi_opening import is_shown_already

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "msi"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    mz = np.linspace(100, 101, 11)
    values = np.arange(11.0)
    with ImzMLWriter(tmp_path / "a.imzML", mz=mz, pixel_um=(30, 20)) as writer:
        for x, y in ((0, 0), (1, 0), (1, 2)):
            writer.write(x, y, None, values + 10 * x + y)
    return tmp_path / "a.imzML"


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", messages.append)
    return messages


def _opened(path: Path) -> ViewerModel:
    viewer = ViewerModel()
    for data, arguments, kind in read(str(path)):
        viewer._add_layer_from_data(data, arguments, kind)
    return viewer


def test_file_partner_and_folder_open(path: Path, warned: Sequence[str]) -> None:
    for given in (path, str(path), [str(path)], path.with_suffix(".ibd"), path.parent):
        reader = napari_get_reader(given)
        assert reader is not None
        tic, stack = reader(given)
        assert np.asarray(tic[0]).tolist() == [[55, 165], [0, 0], [0, 187]]
        assert np.asarray(stack[0][3]).tolist() == [[3, 13], [0, 0], [0, 15]]
    assert not warned


def test_it_lies_in_a_viewer_where_it_is(path: Path) -> None:
    viewer = _opened(path)
    tic, stack = viewer.layers
    assert (tic.name, stack.name, stack.visible) == ("a TIC", "a m/z", False)
    assert tic.scale.tolist() == [20, 30]
    assert [str(unit) for unit in viewer.layers.extent.units] == [
        "pixel", "micrometer", "micrometer",
    ]  # fmt: skip
    assert viewer.dims.range[0][:2] == (100, 101)
    stack.visible = True
    viewer.dims.set_point(0, 100.3)
    assert np.asarray(stack._slice.image.raw).tolist() == [[3, 13], [0, 0], [0, 15]]


def test_what_is_odd_in_a_file_is_one_warning(path: Path, warned: list[str]) -> None:
    ibd = path.with_suffix(".ibd")
    ibd.write_bytes(bytes(16) + ibd.read_bytes()[16:])
    assert read(str(path))
    (message,) = warned
    assert "may not belong together" in message
    assert str(path) in message


def test_raw_data_that_nobody_reads_are_declined_with_a_sentence(
    tmp_path: Path, warned: list[str]
) -> None:
    folder = tmp_path / "brain.d"
    folder.mkdir()
    (folder / "analysis.tdf").write_bytes(b"SQLite format 3")
    assert napari_get_reader(str(folder)) is None
    (sentence,) = warned
    assert "brain.d" in sentence
    assert napari_get_reader([str(folder), str(tmp_path)]) is None
    assert len(warned) == 1


def test_a_sentence_that_is_still_shown_is_not_said_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari.utils import notifications

    monkeypatch.setattr(notifications.notification_manager, "records", [])
    for _ in range(2):
        _say_once("cannot be read")
    records = notifications.notification_manager.records
    assert [record.message for record in records] == ["cannot be read"]


def test_partners_that_come_later_bring_nothing(path: Path) -> None:
    viewer = _opened(path.with_suffix(".ibd"))
    assert is_shown_already(path, viewer)
    assert not is_shown_already(path.with_suffix(".ibd"), viewer), "asked for again"
    assert not is_shown_already(path.parent / "b.imzML", viewer)
    other = path.parent / "other"
    other.mkdir()
    shutil.copy(path, other)
    assert not is_shown_already(other / path.name, viewer)
    assert not is_shown_already(path.with_suffix(".hdr"), viewer)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")
@pytest.mark.parametrize(
    "name",
    [
        "imzml/Example_Continuous.imzML", "imzml/Example_Processed.imzML",
        "imzml/simple_imzml.imzML", "imzml/unit_nanometre.imzML",
        "imzml/iontof_sparse.imzML", "analyze/Analyze75.t2m",
    ],
)  # fmt: skip
def test_samples_open_and_equal_their_cubes(name: str) -> None:
    tic, stack, *_ = read(str(SAMPLES / name))
    origin = msi_of(tic[1]["metadata"])  # type: ignore[arg-type]
    assert origin is not None
    cube = origin.data[:].transpose(2, 1, 0).astype("f4")
    assert np.allclose(np.asarray(stack[0][:]), cube)
    assert np.asarray(tic[0]).shape == cube.shape[1:]
