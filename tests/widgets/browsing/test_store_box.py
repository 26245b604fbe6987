from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.layers.stores import make_dataset, make_image

from napari_scope.layers.preferences import BrowsePreferences
from napari_scope.widgets.browsing.store_box import StoreBox

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def box(qtbot: QtBot) -> StoreBox:
    made = StoreBox(BrowsePreferences("tiles", False))
    qtbot.addWidget(made)
    return made


def test_choices_are_told_as_one(box: StoreBox) -> None:
    told: list[BrowsePreferences] = []
    box.preferences_changed.connect(told.append)
    assert box.preferences == BrowsePreferences("tiles", False)
    box.positions_box.setCurrentIndex(box.positions_box.findData("slider"))
    box.follow_check.click()
    assert told == [
        BrowsePreferences("slider", False),
        BrowsePreferences("slider", True),
    ]


def test_a_data_set_and_nothing(box: StoreBox) -> None:
    dataset = make_dataset(make_image(), problems=("the index is cut",))
    box.show_dataset(dataset)
    assert (box.name_label.text(), box.path_edit.text()) == ("run", "/data/run")
    assert box.state_label.text() == "being written"
    assert box.problems_label.text() == "1 problem; the rest is shown"
    assert not box.problems_text.isHidden()
    box.show_dataset(replace(dataset, finished=True, problems=()))
    assert box.state_label.text() == "finished" and box.problems_text.isHidden()
    box.show_nothing("spots")
    assert box.name_label.text() == "spots" and box.path_edit.isHidden()
    assert "not opened from" in box.facts_label.text()
    box.show_nothing("cells", of_run=True)
    assert "shows a run" in box.facts_label.text()
    box.show_nothing(None)
    assert "open a data set" in box.facts_label.text()


@pytest.mark.parametrize("opening", [True, False])
@pytest.mark.parametrize("known", ["nothing", "finished", "growing"])
def test_what_can_be_pressed(box: StoreBox, opening: bool, known: str) -> None:
    dataset = make_dataset(make_image())
    if known == "growing":
        dataset = replace(dataset, reload=lambda: None)
    box.enable_buttons(None if known == "nothing" else dataset, opening=opening)
    assert box.open_button.isEnabled() is not opening
    assert box.reopen_button.isEnabled() is (known != "nothing" and not opening)
    assert box.refresh_button.isEnabled() is (known == "growing")
