"""Files that are made aside, and what stands in their way."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from napari_scope.errors import (
    DiskSpaceError,
    FormatError,
    OutputExistsError,
    StreamError,
)
from napari_scope.formats.msi.aside import aside, check_free, take_name

if TYPE_CHECKING:
    from pathlib import Path


def test_the_target_is_untouched_until_the_new_file_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.h5"
    target.write_text("old")
    with pytest.raises(FormatError), aside(target) as folder:
        (folder / "a.h5").write_text("half")
        raise FormatError("damaged")
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["a.h5"]
    with aside(target) as folder:
        (folder / "a.h5").write_text("new")
        assert target.read_text() == "old"
        take_name(folder / "a.h5", target, overwrite=True)
    assert target.read_text() == "new" and os.listdir(tmp_path) == ["a.h5"]


def test_two_that_make_one_target_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "a.h5"
    with aside(target) as one, aside(target) as other:
        assert one != other
        for folder in (one, other):
            (folder / "a.h5").write_text(str(folder))
        take_name(other / "a.h5", target, overwrite=False)
        with pytest.raises(OutputExistsError):
            take_name(one / "a.h5", target, overwrite=False)
        assert target.read_text() == str(other)
    assert os.listdir(tmp_path) == ["a.h5"]


def test_what_comes_in_the_last_moment_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.h5"
    made = tmp_path / "made"
    made.write_text("new")
    monkeypatch.setattr(
        "napari_scope.formats.msi.aside.check_free",
        lambda path, overwrite: path.write_text("of somebody"),
    )
    with pytest.raises(OutputExistsError, match="made meanwhile"):
        take_name(made, target, overwrite=False)
    assert target.read_text() == "of somebody" and made.exists()


def test_without_links_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refused)
    (tmp_path / "made").write_text("new")
    take_name(tmp_path / "made", tmp_path / "a", overwrite=False)
    assert os.listdir(tmp_path) == ["a"]


def test_links_and_folders_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    check_free(tmp_path / "new", overwrite=False)
    check_free(tmp_path / "file", overwrite=True)
    for name in ("file", "folder", "link", "lost"):
        with pytest.raises(OutputExistsError, match="exists"):
            check_free(tmp_path / name, overwrite=False)
    for name, kind in (("folder", "folder"), ("link", "link"), ("lost", "link")):
        with pytest.raises(OutputExistsError, match=f"is a {kind}"):
            check_free(tmp_path / name, overwrite=True)


def test_errors_name_the_target(tmp_path: Path) -> None:
    target = tmp_path / "a.imzML"
    with pytest.raises(FormatError) as caught, aside(target) as folder:
        raise FormatError("odd", path=folder / "a.ibd", hint="look")
    assert caught.value.path == str(tmp_path / "a.ibd") and caught.value.hint == "look"
    with pytest.raises(FormatError) as caught, aside(target):
        raise FormatError("odd", path=tmp_path / "source")
    assert caught.value.path == str(tmp_path / "source")


def test_a_full_disk_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.imzML"
    with pytest.raises(DiskSpaceError, match=r"disk is full .*a\.imzML"), aside(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(IsADirectoryError), aside(target):
        raise IsADirectoryError(errno.EISDIR, "something else")
    with pytest.raises(StreamError, match="nothing can be made in the folder"):
        (tmp_path / "file").write_text("")
        with aside(tmp_path / "file" / "a.h5"):
            pass
    assert os.listdir(tmp_path) == ["file"]
    with aside(tmp_path / "new" / "folder" / "a.h5") as folder:
        assert folder.parent == tmp_path / "new" / "folder"

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.mkdir", full)
    with pytest.raises(DiskSpaceError), aside(target):
        pass


def test_what_a_killed_program_left_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "a.h5"
    with aside(target) as folder:
        name = folder.name
    number = f"{os.getpid()}-"
    left = tmp_path / name.replace(number, f"{2**22 + 1}-")
    left.mkdir()
    (left / "a.h5").write_text("half")
    with aside(target):
        assert not left.exists()
