from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from napari_scope.layers.preferences import (
    CONFIG_VARIABLE,
    BrowsePreferences,
    load_preferences,
    preferences_file,
    save_preferences,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "deep" / "down"))
    return tmp_path / "deep" / "down"


def test_what_is_saved_is_loaded(folder: Path) -> None:
    assert load_preferences() == BrowsePreferences("auto", True)
    for wanted in (BrowsePreferences("slider", False), BrowsePreferences("tiles")):
        save_preferences(wanted)
        assert load_preferences() == wanted
    assert [path.name for path in folder.iterdir()] == ["browse.json"]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"null", b"[1, 2]", b"\xff\xfe", b"[" * 5000, b"1" * 2**17,
        b'{"positions": 7, "follow": "yes"}', b'{"positions": ["tiles"]}',
    ],
)  # fmt: skip
def test_damage_means_defaults(folder: Path, text: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "browse.json").write_bytes(text)
    assert load_preferences() == BrowsePreferences()


def test_what_is_usable_is_used(folder: Path) -> None:
    folder.mkdir(parents=True)
    stored = {"positions": "tiles", "follow": None, "from": "the future"}
    (folder / "browse.json").write_text(json.dumps(stored))
    assert load_preferences() == BrowsePreferences("tiles", True)


def test_a_folder_in_place_of_the_file(folder: Path) -> None:
    (folder / "browse.json").mkdir(parents=True)
    assert load_preferences() == BrowsePreferences()
    with pytest.raises(OSError):
        save_preferences(BrowsePreferences("tiles"))
    assert [path.name for path in folder.iterdir()] == ["browse.json"]


def test_the_usual_place_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONFIG_VARIABLE)
    path = preferences_file()
    assert path.is_absolute() and path.parts[-2:] == ("napari-scope", "browse.json")
