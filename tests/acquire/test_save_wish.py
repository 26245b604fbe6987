"""What a form wishes to save, as values; and what the disk says to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_scope.acquire.save_wish import Packing, SaveWish
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("packing", "words"),
    [
        (Packing(), []),
        (Packing(levels=1), ["no pyramid"]),
        (Packing("zstd", "0.4", 256, 3, True),
         ["zstd", "0.4", "256 px chunks", "3 levels", "one file"]),
    ],
)  # fmt: skip
def test_words_of_what_differs(packing: Packing, words: list[str]) -> None:
    assert packing.words() == words


@pytest.mark.parametrize(
    ("folder", "name", "formats", "told"),
    [
        ("d", " ", (), "no name"),
        ("d", ".cells", (), "cannot be that of a file"),
        ("d", "a/b", (), "cannot be that of a file"),
        (" ", "a", (("ndtiff", Packing()),), "no folder"),
    ],
)
def test_what_cannot_be(folder: str, name: str, formats: Any, told: str) -> None:
    wish = SaveWish(folder, name, formats)
    with pytest.raises(SettingsError, match=told) as error:
        wish.check()
    assert error.value.hint
    assert wish.look().problem == f"{error.value.message}: {error.value.hint}"


def test_memory_needs_no_folder() -> None:
    wish = SaveWish("", " cells ")
    assert wish.next_name() == "cells" and wish.outputs() == ()
    assert wish.look().free is None and not wish.look().problem


def test_the_next_name_is_free_for_every_format(tmp_path: Path) -> None:
    (tmp_path / "a_001.ndtiff").mkdir()
    packing = Packing("zstd", chunk_px=64, levels=2)
    wish = SaveWish(
        f" {tmp_path} ", "a", (("ome-zarr", packing), ("ndtiff", Packing()))
    )
    first, second = wish.outputs()
    assert first.path == tmp_path / "a_002.ome.zarr"
    assert (first.compression, first.chunk_px, first.levels) == ("zstd", 64, 2)
    assert second.path == tmp_path / "a_002.ndtiff" and second.compression is None
    look = wish.look()
    assert look.outputs == (first, second) and look.free and not look.problem


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wish = SaveWish(str(tmp_path / "file" / "in"), "a", (("ndtiff", Packing()),))
    assert "is a file: choose another" in wish.look().problem
