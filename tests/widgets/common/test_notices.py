"""Notices can be silenced where they are shown, but an error never is."""

from __future__ import annotations

from typing import Any

import pytest
from napari.utils import notifications

from napari_scope.widgets.common import notices

pytestmark = pytest.mark.gui


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What napari is asked to show; what is silenced is kept here, not in napari."""
    found: list[Any] = []
    quiet: set[str] = set()
    monkeypatch.setattr(notifications.notification_manager, "dispatch", found.append)
    monkeypatch.setattr(notices, "is_silenced", quiet.__contains__)
    monkeypatch.setattr(notices, "silence", quiet.add)
    return found


def test_a_notice_is_silenced_by_its_button(shown: list[Any]) -> None:
    notices.notify("the stage has no home", "warning", key="home")
    ((text, press),) = shown[0].actions
    assert text == notices.NOT_AGAIN
    press(None)  # napari passes the notice
    notices.notify("the stage has no home", "warning", key="home")
    notices.notify("another thing", key="other")
    assert [notice.message for notice in shown] == [
        "the stage has no home",
        "another thing",
    ]


def test_errors_and_notices_without_a_key_have_no_button(shown: list[Any]) -> None:
    notices.silence("job")
    notices.notify("the copy failed", "error", key="job")
    notices.notify("the copy is there")
    assert [notice.actions for notice in shown] == [(), ()]
