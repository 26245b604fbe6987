from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.errors import CancelledError
from napari_scope.formats.msi import MSIData, PixelTable, Reference, Spectrum
from napari_scope.formats.msi.memory import MemorySpectra

if TYPE_CHECKING:
    from collections.abc import Iterator


class Slow(MemorySpectra):
    """Spectra that come one at a time, and tell which were read."""

    def __init__(self, *arguments: Any, **known: Any) -> None:
        super().__init__(*arguments, **known)
        self.read: list[int] = []

    def blocks(self, numbers: Any = None) -> Iterator[Any]:
        for number in range(len(self)) if numbers is None else numbers.tolist():
            self.read.append(number)
            yield from super().blocks(np.array([number]))


def _volume(**known: Any) -> Slow:
    """Return five spectra in two planes; the second one is empty."""
    each = [
        Spectrum(np.array(mz), np.array(values, "u2"))
        for mz, values in (
            ([100.0, 200.0], [1, 5]),
            ([], []),
            ([150.0], [7]),
            ([100.0, 100.5], [9, 9]),
            ([300.0], [2]),
        )
    ]
    table = PixelTable.of([0, 1, 0, 1, 1], [0] * 5, [3, 3, 4, 4, 5])
    return Slow("", table, each, **known)


def test_sums_and_highest_peaks_of_a_volume() -> None:
    data = MSIData(_volume())
    assert data.tic_image().tolist() == [[[6, 0]], [[7, 18]], [[0, 2]]]
    mz, heights = data.base_peak_image()
    assert mz.tolist() == [[[200, 0]], [[150, 100]], [[0, 300]]]
    assert heights.tolist() == [[[5, 0]], [[7, 9]], [[0, 2]]]
    assert data.ion_image(100, 1).tolist() == [[[1, 0]], [[0, 18]], [[0, 0]]]
    assert data.shape[:3] == (2, 1, 3)


def test_only_what_the_file_does_not_tell_is_read() -> None:
    spectra = _volume(totals=np.array([6.5, np.nan, 7.0, np.nan, np.inf]))
    data = MSIData(spectra)
    assert data.totals().tolist() == [6.5, 0, 7, 18, 2]
    assert spectra.read == [1, 3, 4]
    # It is computed once.
    assert data.factors("tic") is not None
    assert data.tic_image().shape == (3, 1, 2)
    assert spectra.read == [1, 3, 4]
    assert np.isnan(spectra.totals[1])  # type: ignore[index]
    some = MSIData(spectra, np.array([4, 3, 0]))
    assert some.totals().tolist() == [2, 18, 6.5]
    assert spectra.read == [1, 3, 4, 4, 3]


WORK: dict[str, Any] = {
    "tic": lambda data, **told: data.tic_image(**told),
    "base peak": lambda data, **told: data.base_peak_image(**told),
    "ion image": lambda data, **told: data.ion_image(100, 1, **told),
    "scaled": lambda data, **told: data.ion_image(
        100, 1, normalise=Reference(150, 1), **told
    ),
    "factors": lambda data, **told: data.factors("rms", **told),
    "mean": lambda data, **told: data.mean_spectrum(**told),
    "skyline": lambda data, **told: data.skyline_spectrum(**told),
}


@pytest.mark.parametrize("name", WORK)
def test_long_work_tells_how_far_it_is_and_ends_when_asked(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.formats.msi import passes

    monkeypatch.setattr(passes, "_PIECE", 2)
    told: list[float] = []
    WORK[name](MSIData(_volume()), progress=told.append)
    assert told == sorted(told)
    assert len(told) >= 3
    assert told[-1] == 1
    for last in (0, 1):
        spectra, far = _volume(), list[float]()
        with pytest.raises(CancelledError, match="was cancelled"):
            WORK[name](
                MSIData(spectra),
                progress=far.append,
                cancelled=lambda far=far, last=last: len(far) >= last,
            )
        assert len(far) == last
        assert len(spectra.read) < 5


def test_an_image_with_progress_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_scope.formats.msi import passes

    monkeypatch.setattr(passes, "_PIECE", 2)
    data = MSIData(_volume())
    for some in (data, MSIData(_volume(), np.array([3, 0, 4]))):
        for how in ("sum", "max", "mean"):
            alone = some.ion_image(100, 1, how=how)  # type: ignore[arg-type]
            watched = some.ion_image(100, 1, how=how, progress=lambda _: None)  # type: ignore[arg-type]
            assert watched.tolist() == alone.tolist()
