from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from qtpy.QtWidgets import QApplication

from napari_scope.errors import OutputExistsError, PlanError
from napari_scope.widgets.common.error_panel import ErrorPanel, explain

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_explain_takes_the_parts_of_our_own_errors() -> None:
    words = explain(
        _raised(OutputExistsError("it is there", path="/a/b", hint="take another"))
    )
    assert (words.message, words.place, words.hint) == (
        "it is there",
        "/a/b",
        "take another",
    )
    assert "_raised" in words.details


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.EACCES, "choose a folder that you may write to"),
        (errno.ENOSPC, "make room on the disk or choose another one"),
        (errno.EIO, ""),
    ],
)
def test_explain_knows_what_to_do_about_disks(code: int, hint: str) -> None:
    words = explain(OSError(code, "reason", "/a/file"))
    assert (words.message, words.place, words.hint) == ("reason", "/a/file", hint)


def test_explain_names_the_type_of_anything_else() -> None:
    assert explain(ValueError("odd")).message == "ValueError: odd"
    assert explain(RuntimeError()).message == "RuntimeError"


def test_panel_is_hidden_until_there_is_an_error(qtbot: QtBot) -> None:
    panel = ErrorPanel()
    qtbot.addWidget(panel)
    panel.setVisible(False)
    assert panel.error is None
    panel.show_error(PlanError("<b>no</b>", hint="do & see"), "The plan is odd")
    assert not panel.isHidden()
    # The message is text, not markup.
    assert "&lt;b&gt;no&lt;/b&gt;" in panel.text.text()
    assert "do &amp; see" in panel.text.text()
    with qtbot.waitSignal(panel.dismissed):
        panel.dismiss_button.click()
    assert panel.isHidden() and panel.error is None


def test_details_open_and_everything_is_copied(qtbot: QtBot) -> None:
    panel = ErrorPanel()
    qtbot.addWidget(panel)
    panel.show_error(_raised(PlanError("broken", path="/p", hint="mend")), "Title")
    assert panel.details.isHidden()
    panel.details_button.click()
    assert not panel.details.isHidden()
    assert "Traceback" in panel.details.toPlainText()
    panel.copy_button.click()
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    copied = clipboard.text()
    for part in ("Title", "broken", "/p", "mend", "Traceback"):
        assert part in copied
