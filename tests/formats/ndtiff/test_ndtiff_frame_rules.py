from __future__ import annotations

import numpy as np
import pytest

from napari_scope.errors import FrameError
from napari_scope.formats.ndtiff.encoding import PendingFrame, encode_frame
from napari_scope.formats.ndtiff.frame_rules import FrameRules


def frame(**axes: int | str) -> PendingFrame:
    return encode_frame(axes, np.zeros((8, 8), "u2"))


def test_new_axes_are_told_once_they_are_remembered() -> None:
    rules = FrameRules(room=10_000, limit=12_000)
    batch = [frame(time=0), frame(time=1, channel="DAPI")]
    assert rules.check(batch, "run") == {"time": int, "channel": str}
    new = rules.check(batch, "run")  # a check alone remembers nothing
    assert new == {"time": int, "channel": str}
    rules.remember(new, batch[-1])
    assert rules.check([frame(z=0, time=4)], "run") == {"z": int}


@pytest.mark.parametrize("together", [True, False])
def test_an_axis_has_one_kind_of_value(together: bool) -> None:
    rules = FrameRules(room=10_000, limit=12_000)
    batch = [frame(time=0)]
    if not together:
        rules.remember(rules.check(batch, "run"), batch[-1])
        batch = []
    with pytest.raises(FrameError, match=r"'time' is str .* was int before") as caught:
        rules.check([*batch, frame(time="now")], "run")
    assert caught.value.path == "run"


def test_a_frame_fits_in_a_file_also_when_its_axes_are_known() -> None:
    one = frame(time=0)
    rules = FrameRules(room=one.nbytes, limit=one.nbytes + 30)
    rules.remember(rules.check([one], "run"), one)
    assert rules.check([frame(time=1)], "run") == {}
    large = encode_frame({"time": 2}, np.zeros((8, 9), "u2"))
    with pytest.raises(FrameError, match=f"{large.nbytes} bytes does not fit"):
        rules.check([large], "run")
