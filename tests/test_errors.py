from __future__ import annotations

import pickle

import pytest

from napari_scope import errors
from napari_scope.errors import (
    DiskSpaceError,
    FormatError,
    FrameError,
    OutputExistsError,
    PlanError,
    ScopeError,
    SettingsError,
    StreamClosedError,
    StreamError,
)

KINDS = [getattr(errors, name) for name in errors.__all__]


def test_the_text_says_what_where_and_what_to_do() -> None:
    error = FormatError("no index", path="run_1", hint="choose the folder")
    assert str(error) == "no index (run_1): choose the folder"
    assert (error.message, error.path, error.hint) == (
        "no index",
        "run_1",
        "choose the folder",
    )
    assert str(ScopeError("just so")) == "just so"


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_the_one_root_and_crosses_processes(kind: type) -> None:
    error = kind("what", path="where", hint="do this")
    assert isinstance(error, ScopeError)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "what (where): do this"
    assert (again.message, again.path, again.hint) == ("what", "where", "do this")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (SettingsError, ValueError),
        (PlanError, ValueError),
        (FrameError, ValueError),
        (OutputExistsError, FileExistsError),
        (DiskSpaceError, OSError),
    ],
)
def test_errors_with_a_builtin_meaning_have_it(kind: type, builtin: type) -> None:
    assert issubclass(kind, builtin)


@pytest.mark.parametrize("kind", [FrameError, StreamClosedError, DiskSpaceError])
def test_whoever_catches_stream_errors_catches_all_of_a_stream(kind: type) -> None:
    assert issubclass(kind, StreamError)
