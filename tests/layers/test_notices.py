"""Tests of `napari_scope.layers.notices`."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from napari_scope.layers.notices import warn

if TYPE_CHECKING:
    import pytest


def test_napari_is_told_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari.utils import notifications

    told: list[str] = []
    monkeypatch.setattr(notifications, "show_warning", told.append)
    warn("a sentence")
    assert told == ["a sentence"]


def test_without_napari_it_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "napari.utils.notifications", raising=False)
    with caplog.at_level(logging.WARNING):
        warn("a sentence")
    assert caplog.messages == ["a sentence"]
