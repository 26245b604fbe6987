from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.stream.streams import all_images, frame_of

from napari_scope.errors import (
    DiskSpaceError,
    OutputExistsError,
    SettingsError,
    StreamError,
)
from napari_scope.formats import open_dataset
from napari_scope.stream import (
    AcquisitionSettings,
    Gap,
    Stream,
    create_stream,
    dims_from_standard_axes,
    read_journal,
)
from napari_scope.stream import create as create_module

if TYPE_CHECKING:
    from pathlib import Path


def dims(**counts: int | None) -> Any:
    return dims_from_standard_axes({**counts, "y": 16, "x": 24})


def settings(dimensions: Any, **more: Any) -> AcquisitionSettings:
    return AcquisitionSettings(
        **{
            "root_path": "run.ome.zarr",
            "dtype": "uint16",
            "dimensions": dimensions,
            **more,
        }
    )


def save(found: AcquisitionSettings, first: int = 0) -> None:
    with create_stream(found, levels=1) as stream:
        for number in range(found.num_frames or 2):
            stream.append(frame_of(first + number))


def pixels(path: Path) -> Any:
    (image,) = open_dataset(path).images
    return np.asarray(image.levels[0])


@pytest.mark.parametrize("suffix", [".ome.zarr", ".ndtiff"])
@pytest.mark.parametrize("unbounded", [False, True])
def test_a_stream_from_settings(tmp_path: Path, suffix: str, unbounded: bool) -> None:
    path = tmp_path / f"run{suffix}"
    found = settings(dims(t=None if unbounded else 3, c=2), root_path=path)
    with create_stream(found, levels=1) as stream:
        for number in range(6):
            stream.append(frame_of(number))
    (image,) = all_images(stream)
    assert image.shape == (3, 2, 16, 24)
    for number in range(6):
        np.testing.assert_array_equal(image[number // 2, number % 2], frame_of(number))
    with pytest.raises(OutputExistsError):
        create_stream(found)


def test_gaps_are_skipped_at_the_start(tmp_path: Path) -> None:
    gaps = [Gap(index={"t": [1], "c": [1]}, reason="every other time point")]
    path = tmp_path / "a.ndtiff"
    found = settings(dims(t=3, c=2), root_path=path, gaps=gaps)
    save(found)
    journal = read_journal(path / "frames.jsonl")
    skipped = [e for e in journal.frames if e["status"] == "skipped"]
    assert [e["axes"] for e in skipped] == [{"time": 1, "channel": 1}]
    assert skipped[0]["reason"] == "every other time point"
    saved = [e["axes"] for e in journal.frames if e["status"] == "saved"]
    assert [(a["time"], a["channel"]) for a in saved] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (2, 0),
        (2, 1),
    ]


def test_memory_has_the_limit_that_was_asked_for() -> None:
    limit = {"name": "memory", "max_memory_bytes": 1000, "spill_to_disk": False}
    with pytest.raises(StreamError):
        save(settings(dims(t=2), root_path="", format=limit))


def test_what_memory_cannot_hold_goes_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for root in ("", tmp_path / "elsewhere"):
        limit = {"name": "memory", "max_memory_bytes": 1000}
        folder = tmp_path if root else tmp_path / "usual"
        folder.mkdir(exist_ok=True)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "usual"))
        with create_stream(settings(dims(t=3), root_path=root, format=limit)) as stream:
            for number in range(3):
                stream.append(frame_of(number))
            shown = all_images(stream)[0]
        assert np.array_equal(shown, [frame_of(n) for n in range(3)])
        (sink,) = stream.sinks
        assert (sink.spilled_bytes, sink.place) == (2 * 768, folder)


def test_settings_of_ome_writers_make_a_stream(tmp_path: Path) -> None:
    writers = pytest.importorskip("ome_writers")
    axes = {"t": 2, "y": 16, "x": 24}
    other = writers.AcquisitionSettings(
        root_path=str(tmp_path / "a.ome.zarr"),
        dimensions=writers.dims_from_standard_axes(axes),
        dtype="uint16",
    )
    with create_stream(other) as stream:
        for number in range(2):
            stream.append(frame_of(number))
    assert (pixels(tmp_path / "a.ome.zarr")[1] == frame_of(1)).all()


# ---------------------------------------------------------------- overwriting


@pytest.mark.parametrize("suffix", [".ome.zarr", ".ndtiff", ".ome.tiff"])
def test_a_store_is_replaced(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    found = settings(dims(t=2), root_path=path, overwrite=True)
    save(found)
    before = set(os.listdir(tmp_path))
    save(found, first=5)
    if suffix != ".ome.tiff":
        assert (pixels(path)[0] == frame_of(5)).all()
    assert set(os.listdir(tmp_path)) == before
    with pytest.raises(OutputExistsError):
        create_stream(settings(dims(t=2), root_path=path))


def test_an_unbounded_store_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.ome.zarr"
    found = settings(dims(t=None), root_path=path, overwrite=True)
    save(found)
    save(found, first=5)
    assert (pixels(path)[0] == frame_of(5)).all()


def test_another_format_is_not_replaced(tmp_path: Path) -> None:
    save(settings(dims(t=2), root_path=tmp_path / "a.ndtiff"))
    (tmp_path / "a.ndtiff").rename(tmp_path / "a.ome.zarr")
    found = settings(dims(t=2), root_path=tmp_path / "a.ome.zarr", overwrite=True)
    with pytest.raises(OutputExistsError, match="is no ome-zarr store"):
        create_stream(found)
    assert open_dataset(tmp_path / "a.ome.zarr").images


def test_what_cannot_be_opened_leaves_the_old_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.ome.zarr"
    found = settings(dims(t=2), root_path=path, overwrite=True)
    save(found)

    def failing(*args: Any, **more: Any) -> Any:
        Stream(*args, **more).close()  # a store that was begun
        raise StreamError("no")

    monkeypatch.setattr(create_module, "Stream", failing)
    with pytest.raises(StreamError):
        create_stream(found)
    assert (pixels(path)[1] == frame_of(1)).all()
    assert os.listdir(tmp_path) == ["run.ome.zarr"]


@pytest.mark.parametrize("room", [True, False])
def test_the_old_store_makes_room_for_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool
) -> None:
    """On a full disk the old store is removed first, if that is enough."""
    path = tmp_path / "run.ome.zarr"
    found = settings(dims(t=2), root_path=path, overwrite=True)
    save(found)
    old = 10**9 if room else 0
    monkeypatch.setattr(create_module, "store_bytes", lambda _: old)
    monkeypatch.setattr(create_module, "free_bytes", lambda _: 0)

    def opened(*args: Any, **more: Any) -> Any:
        if any(name.startswith("replaced-") for name in os.listdir(tmp_path)):
            raise DiskSpaceError("full")
        return Stream(*args, **more)

    monkeypatch.setattr(create_module, "Stream", opened)
    if room:
        save(found, first=5)
        assert (pixels(path)[0] == frame_of(5)).all()
    else:
        with pytest.raises(DiskSpaceError):
            create_stream(found)
        assert (pixels(path)[0] == frame_of(0)).all()
    assert os.listdir(tmp_path) == ["run.ome.zarr"]


@pytest.mark.parametrize("name", ["run.ome.zarr", "run.ome.tiff", "run.ndtiff"])
def test_a_program_may_go_to_another_folder_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    with create_stream(settings(dims(t=None), root_path=name), levels=1) as stream:
        stream.append(frame_of(0))
        os.chdir(there)
        stream.append(frame_of(1))
        stream.flush(sync=True)
    assert not list(there.iterdir())
    assert stream.stats().saved == 2
    assert (here / name).exists()


@pytest.mark.parametrize("also", ["b.ome.tiff", {"root_path": "b.ome.tiff"}])
def test_further_outputs_are_a_list(also: Any) -> None:
    with pytest.raises(SettingsError, match="also= is a list"):
        create_stream(settings(dims(t=2)), also=also)
