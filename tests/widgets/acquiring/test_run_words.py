"""A run and its report in words."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from napari_scope.widgets.acquiring import run_words
from napari_scope.widgets.acquiring.report_words import (
    frame_words,
    report_text,
    skipped_lines,
)
from napari_scope.widgets.acquiring.run_words import state_text, time_text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("acquiring", 3.0, "t"), "Acquiring"),
        (("waiting", None), "Waiting for the next time point"),
        (("waiting", -1.0), "Waiting for the next time point"),
        (("waiting", 0.0), "Waiting for the next time point, in 0"),
        (("finishing", None, "t"), "Acquiring; ends after this time point"),
        (("finishing", None, "c"), "Acquiring; ends after this c"),
        (("finishing", None, ""), "Acquiring the last frames"),
        (("other",), "other"),
    ],
)
def test_states(arguments: tuple[Any, ...], text: str) -> None:
    found = state_text(*arguments)
    assert found.startswith(text) if text.endswith(" 0") else found == text


def _progress(eta_s: float | None, state: str = "acquiring") -> Any:
    value = SimpleNamespace(value=state)
    return SimpleNamespace(elapsed_s=5.0, eta_s=eta_s, state=value)


def test_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = time.mktime((2026, 3, 2, 12, 0, 0, 0, 0, -1))
    monkeypatch.setattr(run_words.time, "time", lambda: noon)
    soon = time_text(_progress(600))
    assert " left" in soon and soon.endswith("ends 12:10")
    day = time.strftime("%a", time.localtime(noon + 86_400))
    assert time_text(_progress(86_400)).endswith(f"ends {day} 12:00")
    assert time_text(_progress(None)).endswith(" so far")
    assert time_text(_progress(600, "closing")).endswith(" so far")


def _report(**changed: Any) -> Any:
    facts = {
        "state": SimpleNamespace(value="finished"), "planned": 2000, "saved": 1500,
        "saved_bytes": 3_000_000, "duration_s": 3.0, "mb_per_s": 1.0,
        "finished_after": None, "left_out": 0, "dropped": 0, "skipped": [],
        "warnings": [], "outputs": [],
    }  # fmt: skip
    return SimpleNamespace(**(facts | changed))


def test_a_report_says_nothing_of_what_was_not() -> None:
    lines = report_text("a", _report()).splitlines()
    assert len(lines) == 3 and lines[0] == "a: finished"
    assert lines[1].startswith("1,500 of 2,000 frames saved")
    assert "of" not in report_text("a", _report(planned=None)).splitlines()[1]


def test_what_was_left_out_and_dropped_is_said() -> None:
    lines = report_text("a", _report(finished_after="t", left_out=1200, dropped=7))
    assert "ended after a time point on purpose; left out: 1,200" in lines
    assert "7 frames dropped" in lines
    assert report_text("a", _report(finished_after="x")).endswith(
        "ended after a step of x on purpose"
    )


def _skipped(reason: str, time: int) -> Any:
    return SimpleNamespace(reason=reason, axes={"time": time})


def test_skipped_frames_of_one_reason_are_put_together() -> None:
    frames = [_skipped("no focus", t) for t in range(5)] + [_skipped("late", 9)]
    assert skipped_lines(frames, 10) == [
        "  time 0; time 1; time 2 and 2 more: no focus",
        "  time 9: late",
    ]
    assert skipped_lines(frames[:3], 10) == ["  time 0; time 1; time 2: no focus"]
    many = [_skipped(f"reason {n}", n) for n in range(4)]
    assert skipped_lines(many, 2)[2:] == ["  and 2 other reasons"]
    assert frame_words({}) == "a frame"
