"""What the tests of NDTiff share: real stores, and both ways to reach files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_scope.fileio import portable_io

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA = Path(__file__).parents[4] / "shared" / "data" / "ndtiff"


@pytest.fixture(scope="session")
def real_stores() -> Path:
    """Return the folder of the stores that Micro-Manager wrote."""
    if not (_DATA / "oracle.json").is_file():
        pytest.skip(f"real NDTiff stores are not in this checkout: {_DATA} is absent")
    return _DATA


@pytest.fixture(params=["native", "portable"])
def any_io(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a test with each implementation of positional files."""
    with portable_io(request.param == "portable"):
        yield request.param
