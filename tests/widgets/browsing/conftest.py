"""What the tests of the Browse dock share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pictures of data sets away from the user's own cache."""
    monkeypatch.setenv("NAPARI_SCOPE_CACHE_DIR", str(tmp_path / "cache"))
