from __future__ import annotations

import pytest

from napari_scope.widgets.common.wording import duration_text, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (123_456, "123 kB"),
        (5.25e9, "5.2 GB"),
        (3e15, "3000 TB"),
    ],
)
def test_size_text(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.5, "9.5 s"),
        (59.4, "59 s"),
        (60, "1:00 min"),
        (3599.4, "59:59 min"),
        (3600, "1:00 h"),
        (86400 * 2.5, "2.5 days"),
    ],
)
def test_duration_text(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
