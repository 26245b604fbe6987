from __future__ import annotations

import errno
from pathlib import Path

import pytest

from napari_scope.errors import DiskSpaceError, OutputExistsError, StreamError
from napari_scope.formats.ndtiff.failures import disk_errors, quietly


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left"), DiskSpaceError, "the disk is full"),
        (OSError(errno.EFBIG, "File too large"), DiskSpaceError, "the disk is full"),
        (FileExistsError(errno.EEXIST, "exists"), OutputExistsError, "another program"),
        (OSError(errno.EIO, "Input/output error"), StreamError, "Input/output error"),
        (OSError("a surprise"), StreamError, "a surprise"),
    ],
)
def test_errors_of_the_system_become_ours(
    error: OSError, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught, disk_errors(Path("run")):
        raise error
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert getattr(caught.value, "path", None) == "run"


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(ZeroDivisionError), disk_errors(Path("run")):
        raise ZeroDivisionError


def test_quietly_swallows_errors_of_the_system_only() -> None:
    def refuse() -> None:
        raise PermissionError

    quietly(refuse)
    with pytest.raises(ValueError, match="invalid"):
        quietly(lambda: int("x"))
