"""A target is the old one or the new one, whole, whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from napari_scope.errors import OutputExistsError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.formats import replacing
from napari_scope.formats.replacing import check_replaceable, exchange, made_aside

if TYPE_CHECKING:
    from pathlib import Path

NODE = '{"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"plate": {}}}}'
posix = pytest.mark.skipif(os.name == "nt", reason="processes are not looked for")


def store(folder: Path, text: str = "old") -> Path:
    (folder / "0" / "c" / "0").mkdir(parents=True)
    (folder / "zarr.json").write_text(NODE)
    (folder / "0" / "c" / "0" / "0").write_text(text)
    return folder


def content(folder: Path) -> str:
    return (folder / "0" / "c" / "0" / "0").read_text()


def test_a_new_one_is_made_with_the_folders_above(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "x.zarr"
    with made_aside(target) as aside:
        store(aside, "new")
        assert aside.parent == target.parent
        assert not target.exists()
    assert content(target) == "new"
    assert os.listdir(target.parent) == ["x.zarr"]


@pytest.mark.parametrize("old", [True, False])
def test_it_is_on_the_medium_before_it_gets_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    """After a loss of power there is the old one, or the new one, whole."""
    target = tmp_path / "x.zarr"
    if old:
        store(target)
    synced: list[tuple[str, bool]] = []
    one, folder = DataFile.sync, replacing.sync_folder

    def is_new() -> bool:
        return target.exists() and content(target) == "new"

    def sync(file: DataFile) -> None:
        synced.append((file.path.name, is_new()))
        one(file)

    def sync_names(path: str) -> None:
        synced.append((os.path.basename(path), is_new()))
        folder(path)

    monkeypatch.setattr(type(DataFile.create(tmp_path / "f")), "sync", sync)
    monkeypatch.setattr(replacing, "sync_folder", sync_names)
    with made_aside(target, overwrite=True) as aside:
        store(aside, "new")
    before = [name for name, new in synced if not new]
    # The root, its document, the array, its chunks, and the only one of these.
    assert sorted(before)[1:] == ["0", "0", "0", "c", "zarr.json"]
    assert before[1] == aside.name
    assert synced[-1] == (tmp_path.name, True)


def test_a_disk_that_cannot_take_it_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = store(tmp_path / "x.zarr")

    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(replacing, "sync_tree", full)
    with (
        pytest.raises(StreamError, match="No space left"),
        made_aside(target, overwrite=True) as aside,
    ):
        store(aside, "new")
    assert content(target) == "old"
    assert os.listdir(tmp_path) == ["x.zarr"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    target = store(tmp_path / "x.zarr")
    with pytest.raises(ZeroDivisionError), made_aside(target, overwrite=True) as aside:
        store(aside, "new")
        raise ZeroDivisionError
    assert content(target) == "old"
    assert os.listdir(tmp_path) == ["x.zarr"]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_store_is_replaced_if_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(replacing, "_exchanged_at_once", lambda one, other: False)
    target = store(tmp_path / "x.zarr")
    with pytest.raises(OutputExistsError, match="exists already"):
        with made_aside(target):
            pytest.fail("nothing may be made")
    with made_aside(target, overwrite=True) as aside:
        store(aside, "new")
        assert content(target) == "old"
    assert content(target) == "new"
    assert os.listdir(tmp_path) == ["x.zarr"]


def test_what_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "x.zarr"
    with pytest.raises(OutputExistsError, match="meanwhile"), made_aside(target) as new:
        store(new, "new")
        store(target, "theirs")
    assert content(target) == "theirs"
    assert os.listdir(tmp_path) == ["x.zarr"]


def test_what_came_into_the_old_one_meanwhile_is_not_lost(tmp_path: Path) -> None:
    target = store(tmp_path / "x.zarr")
    with pytest.raises(OutputExistsError, match="not of an OME-Zarr store"):
        with made_aside(target, overwrite=True) as aside:
            store(aside, "new")
            (target / "notes.txt").write_text("mine")
    assert (target / "notes.txt").read_text() == "mine"
    assert os.listdir(tmp_path) == ["x.zarr"]


@pytest.mark.parametrize(
    "what", ["file", "foreign folder", "empty folder", "foreign file", "journal"]
)
def test_only_a_store_is_replaced(tmp_path: Path, what: str) -> None:
    target = tmp_path / "x.zarr"
    if what == "file":
        target.write_text("text")
    elif what == "foreign folder":
        (target / "photos").mkdir(parents=True)
        (target / "zarr.txt").write_text("text")
    elif what == "empty folder":
        target.mkdir()
    else:
        store(target)
        name = {"foreign file": "0/notes.txt", "journal": "acquisition/frames.jsonl"}
        path = target / name[what]
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputExistsError, match="not overwritten"):
        with made_aside(target, overwrite=True):
            pytest.fail("nothing may be made")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_of_every_kind_of_chunk_can_be_replaced(tmp_path: Path) -> None:
    target = store(tmp_path / "x.zarr")
    for name in ("0/.zarray", "0/1.2.3", ".zattrs", "OME/METADATA.ome.xml", "1/c.0.1"):
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text("")
    check_replaceable(target)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_refused(tmp_path: Path) -> None:
    target = store(tmp_path / "x.zarr")
    (tmp_path / "link.zarr").symlink_to(target)
    with pytest.raises(OutputExistsError, match="a link"):
        check_replaceable(tmp_path / "link.zarr")
    (target / "1").symlink_to(tmp_path)
    with pytest.raises(OutputExistsError, match="not of an OME-Zarr store"):
        check_replaceable(target)


def test_an_exchange_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "_exchanged_at_once", lambda one, other: False)
    target = store(tmp_path / "x.zarr")
    with pytest.raises(OSError, match="none"):
        exchange(tmp_path / "none", target)
    assert content(target) == "old"
    assert os.listdir(tmp_path) == ["x.zarr"]
    with pytest.raises(StreamError, match="cannot take its name"):
        with made_aside(target, overwrite=True):
            pass  # nothing was made
    assert content(target) == "old"


@pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")
def test_the_exchange_is_one_step_here(tmp_path: Path) -> None:
    one, other = store(tmp_path / "one", "1"), store(tmp_path / "other", "2")
    assert replacing._exchanged_at_once(one, other)
    assert (content(one), content(other)) == ("2", "1")


@posix
def test_what_a_killed_program_left_goes_with_the_next(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    target = tmp_path / "x[1].zarr"
    stem = replacing._stem(target)
    left = store(tmp_path / f"{stem}{process.pid}-0")
    others = [
        store(tmp_path / f"{stem}{os.getpid()}-99"),  # runs
        store(tmp_path / f".x[1].zarr.saving-elsewhere-{process.pid}-0"),
        store(tmp_path / f"{stem}{process.pid}-0-mine"),
    ]
    with made_aside(target) as aside:
        store(aside, "new")
    assert not left.exists()
    assert all(path.exists() for path in others)


def test_a_long_name_has_room_for_that_of_the_copy(tmp_path: Path) -> None:
    target = tmp_path / ("é" * 122 + ".ome.zarr")
    with made_aside(target) as folder:
        folder.mkdir()
    assert target.is_dir()


def test_who_still_writes_when_it_has_failed_leaves_nothing(tmp_path: Path) -> None:
    failed = threading.Event()

    def write(folder: Path) -> None:
        failed.wait()
        time.sleep(0.05)
        (folder / "late").mkdir(parents=True, exist_ok=True)

    with pytest.raises(ValueError, match="failed"), made_aside(tmp_path / "x") as aside:
        aside.mkdir()
        thread = threading.Thread(target=write, args=(aside,))
        thread.start()
        failed.set()
        raise ValueError("failed")
    thread.join()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["new.zarr", "0/new.zarr", "labels/new.zarr"])
def test_nothing_is_made_inside_of_a_store(tmp_path: Path, place: str) -> None:
    """It would be lost when the store is replaced."""
    outer = store(tmp_path / "x.zarr")
    with pytest.raises(OutputExistsError, match="inside of a Zarr store"):
        with made_aside(outer / place):
            pass
    assert sorted(p.name for p in outer.iterdir()) == ["0", "zarr.json"]
