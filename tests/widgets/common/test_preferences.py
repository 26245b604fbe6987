from __future__ import annotations

import importlib.resources
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from napari_scope.widgets.common import notices, preferences
from napari_scope.widgets.common.preferences import Preferences

if TYPE_CHECKING:
    from pathlib import Path


class Group:
    """Stored values of one page of napari's preferences."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def _store(monkeypatch: pytest.MonkeyPatch, *groups: Group) -> None:
    monkeypatch.setattr(preferences, "_groups", lambda: list(groups))


def test_where_napari_keeps_none_they_are_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _store(monkeypatch)
    assert preferences.preferences() == Preferences()
    preferences.set_preference("live_fps", 10)
    assert preferences.preferences() == Preferences()


@pytest.mark.parametrize(
    ("name", "stored", "found"),
    [
        ("startup_configuration", "last", "last"),
        ("startup_configuration", "maybe", "demo"),
        ("live_fps", 12, 12),
        ("live_fps", 1000, 60),
        ("live_fps", 0, 1),
        ("live_fps", "many", 30),
        ("live_fps", True, 30),
        ("poll_stage_ms", 1, 20),
        ("show_other_runs", False, False),
        ("show_other_runs", None, True),
        ("quiet", "a, b,,", ("a", "b")),
        ("quiet", ["a"], ()),
    ],
)
def test_what_is_stored_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, name: str, stored: object, found: object
) -> None:
    _store(monkeypatch, Group(another=1), Group(**{name: stored}))
    assert getattr(preferences.preferences(), name) == found


def test_messages_are_silenced_and_heard_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = Group(quiet="old")
    _store(monkeypatch, group)
    notices.silence("new")
    notices.silence("new")
    assert group.quiet == "old, new" and notices.is_silenced("new")
    notices.silence("old", silent=False)
    assert group.quiet == "new" and not notices.is_silenced("old")


def _configurations() -> dict[str, Any]:
    text = importlib.resources.files("napari_scope").joinpath("napari.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["contributions"]["configurations"]
    return found


def test_the_manifest_contributes_what_is_read() -> None:
    contributed = {
        name: entry
        for page in _configurations().values()
        for name, entry in page["properties"].items()
    }
    default = Preferences()
    assert set(contributed) == {field.name for field in fields(Preferences)}
    for name, entry in contributed.items():
        value = getattr(default, name)
        assert entry["default"] == ("" if isinstance(value, tuple) else value)
        assert entry["title"] and entry["description"].endswith(".")
        if name in preferences._LIMITS:
            limits = (entry["minimum"], entry["maximum"])
            assert limits == preferences._LIMITS[name]
        if name in preferences._CHOICES:
            assert tuple(entry["enum"]) == preferences._CHOICES[name]


def test_napari_reads_and_writes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import npe2
    from napari import settings as napari_settings
    from napari.settings._plugin_config_generator import plugin_configuration_generator

    manifest = npe2.PluginManifest(
        name="napari-scope",
        display_name="napari-scope",
        contributions={"configurations": _configurations()},
    )
    manager = npe2.PluginManager()
    manager.register(manifest, warn_disabled=False)
    monkeypatch.setattr(npe2.PluginManager, "instance", lambda: manager)
    made = plugin_configuration_generator()["napari-scope"]
    path = tmp_path / "napari-scope.yaml"
    monkeypatch.setattr(
        napari_settings, "_PLUGIN_SETTINGS", {"napari-scope": made(config_path=path)}
    )
    assert preferences.preferences() == Preferences()
    preferences.set_preference("live_fps", 12)
    preferences.set_preference("startup_configuration", "none")
    preferences.set_preference("quiet", ("refused",))
    changed = Preferences(live_fps=12, startup_configuration="none", quiet=("refused",))
    assert preferences.preferences() == changed
    # Read from the file by the next session.
    monkeypatch.setattr(
        napari_settings, "_PLUGIN_SETTINGS", {"napari-scope": made(config_path=path)}
    )
    assert preferences.preferences() == changed
