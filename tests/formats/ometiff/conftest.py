"""OME-TIFF tests run with both implementations of files where it matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_scope.fileio import portable_io

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=[False, True], ids=["posix", "portable"])
def any_io(request: pytest.FixtureRequest) -> Iterator[None]:
    with portable_io(request.param):
        yield
