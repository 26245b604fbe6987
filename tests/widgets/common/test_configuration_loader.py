"""Loading in the background, and what is loaded at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_scope.errors import ConfigurationError
from napari_scope.widgets.common import configuration_loader
from napari_scope.widgets.common.configuration_loader import (
    ConfigurationLoader,
    path_of_widget,
)
from napari_scope.widgets.common.onlookers import Onlookers
from napari_scope.widgets.common.preferences import Preferences
from napari_scope.widgets.common.remembered import Remembered

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui


def test_what_is_loaded_is_remembered_and_what_fails_is_not(
    empty_owner: CoreOwner, qtbot: QtBot, tmp_path: Path
) -> None:
    remembered = Remembered()
    loader = ConfigurationLoader(empty_owner, remembered)
    with qtbot.waitSignal(loader.loaded, timeout=20_000):
        loader.load(None)
        assert loader.busy
    assert empty_owner.config == "demo" and not remembered.configurations
    mine = tmp_path / "mine.cfg"
    empty_owner.core.saveSystemConfiguration(str(mine))
    with qtbot.waitSignal(loader.loaded, timeout=20_000):
        loader.load(mine)
    with qtbot.waitSignal(loader.failed, timeout=20_000) as caught:
        loader.load(tmp_path / "missing.cfg")
    assert caught.args is not None and isinstance(caught.args[0], ConfigurationError)
    assert list(remembered.configurations) == [mine]
    loader.close()
    loader.close()


def test_the_choice_at_the_start(
    empty_owner: CoreOwner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered = Remembered()
    loader = ConfigurationLoader(empty_owner, remembered)
    mine = tmp_path / "mine.cfg"
    remembered.add_configuration(mine)
    for wanted, there, expected in (
        ("demo", True, (None,)),
        ("none", True, None),
        ("last", True, (mine,)),
        ("last", False, (None,)),
    ):
        mine.write_text("# here") if there else mine.unlink()
        chosen = Preferences(startup_configuration=wanted)
        monkeypatch.setattr(configuration_loader, "preferences", lambda c=chosen: c)
        assert loader.wanted_at_start() == expected
    assert path_of_widget("/opt/mm/MMConfig_demo.cfg") is None


def test_onlookers_are_made_once_and_anew_after_the_end(empty_owner: CoreOwner) -> None:
    onlookers = Onlookers(empty_owner.core)
    with onlookers.beside_live():  # there is none
        pass
    live, stage = onlookers.live, onlookers.stage
    assert onlookers.live is live and live.stage is stage
    onlookers.close()
    onlookers.close()
    assert onlookers.live is not live and onlookers.stage is not stage
    onlookers.close()
