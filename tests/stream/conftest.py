"""Stream tests run with both implementations of files."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from napari_scope.errors import ScopeError
from napari_scope.fileio import portable_io
from napari_scope.stream.stream import _open_streams

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=[False, True], ids=["posix", "portable"])
def implementation(request: pytest.FixtureRequest) -> Iterator[None]:
    with portable_io(request.param):
        yield


@pytest.fixture(autouse=True)
def no_stream_is_left_open() -> Iterator[None]:
    """A test that leaves threads behind would disturb those after it."""
    yield
    left = list(_open_streams)
    for stream in left:
        with contextlib.suppress(ScopeError):
            stream.close()
    assert not left
