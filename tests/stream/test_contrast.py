"""The display range costs nothing, also for frames that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.model import Channel
from napari_scope.stream.sinks import contrast
from napari_scope.stream.sinks.contrast import ContrastMeter

if TYPE_CHECKING:
    import pytest


def test_flat_frames_are_looked_at_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []
    real = contrast.display_range

    def watch(frame: np.ndarray) -> tuple[float, float] | None:
        looked.append(int(frame[0, 0]))
        return real(frame)

    monkeypatch.setattr(contrast, "display_range", watch)
    meter = ContrastMeter()
    for number in range(1, 41):
        meter.add("dark", np.full((4, 4), number, "u2"))
    assert looked == [1, 2, 4, 8, 16, 32]
    ramp = np.arange(16, dtype="u2").reshape(4, 4)
    for _ in range(41, 70):
        meter.add("dark", ramp)
    assert len(looked) == 7, "once it is known, nobody looks any more"
    (channel,) = meter.apply([Channel("dark")])
    assert channel.contrast_limits is not None
    assert channel.contrast_limits[1] > 14
    meter.add("bright", ramp)
    assert len(looked) == 8, "each channel counts for itself"
