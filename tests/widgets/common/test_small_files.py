from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from napari_scope.errors import PlanError, ScopeError
from napari_scope.widgets.common import small_files
from napari_scope.widgets.common.small_files import load_text, save_text

if TYPE_CHECKING:
    from pathlib import Path


def test_a_text_goes_round(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    assert save_text(path, "µm\n", "it") == path
    assert load_text(path, "it") == "µm\n"


@pytest.mark.parametrize(
    ("number", "hint"), [(errno.ENOSPC, "make room"), (errno.EROFS, "read-only")]
)
def test_what_was_there_stays_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    path = tmp_path / "script.py"
    path.write_text("before")

    def refuse(path: Path, data: bytes) -> None:
        raise OSError(number, "no", str(path))

    monkeypatch.setattr(small_files, "replace_file", refuse)
    with pytest.raises(PlanError, match="the script cannot be saved") as caught:
        save_text(path, "after", "the script", PlanError)
    assert hint in str(caught.value.hint) and str(path) in str(caught.value.path)
    assert path.read_text() == "before"


def test_a_folder_that_is_none_and_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScopeError, match="cannot be saved"):
        save_text(tmp_path / "file" / "a.txt", "", "it")
    with pytest.raises(ScopeError, match="it is no text"):
        load_text(tmp_path / "file", "it")
    with pytest.raises(ScopeError, match="cannot be read"):
        load_text(tmp_path / "none", "it")
