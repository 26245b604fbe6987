"""Spectra of one pixel and of many, as traces; for threads, without Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.errors import SettingsError
from napari_scope.widgets.spectrum.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi import MSIData
    from napari_scope.layers.msi import MSILayer
    from napari_scope.widgets.spectrum.drawn_region import Drawing
    from napari_scope.widgets.spectrum.pixel_watch import Pixel

__all__ = ["Part", "pixel_trace", "summarised"]

_SMALL: Final = 512 << 20  # bytes of a file that is read whole without being asked to


@dataclass(frozen=True, slots=True)
class Part:
    """Which spectra are added up, and how.

    Parameters
    ----------
    kind : {"mean", "skyline"}
        Their mean, or their highest values.
    name : str
        What the result is called.
    drawing : Drawing, optional
        What is drawn around them; all that is chosen if not given.
    """

    kind: str
    name: str
    drawing: Drawing | None = None


def _is_line(data: MSIData) -> bool:
    """Return whether spectra are drawn as lines; profiles mostly have one axis."""
    told = data.spectra.is_profile
    return data.spectra.common_mz is not None if told is None else told


def pixel_trace(data: MSIData, pixel: Pixel) -> Trace:
    """Return the spectrum of a pixel."""
    return Trace.of("", data.spectrum_at(*pixel), is_profile=_is_line(data))


def summarised(
    origin: MSILayer,
    part: Part,
    regions: Sequence[int] | None,
    only_small: bool,
    cancelled: Callable[[], bool],
    progress: Callable[[float], None],
) -> Trace | None:
    """Return the mean or the highest spectrum; None of a file that is too large.

    Raises
    ------
    SettingsError
        If no pixel of the image is within the drawing.
    CancelledError
        If it was cancelled.
    """
    data = origin.data
    if only_small:
        size = type(origin.reader).size(origin.reader.basename)
        if size is None or size > _SMALL:
            return None
    numbers = None
    if part.drawing is not None:
        numbers = _numbers_in(data, part.drawing)
    elif regions is not None:
        numbers = data.pixels.numbers_of(regions)
    if numbers is not None and not len(numbers):
        raise SettingsError(
            f"no spectrum lies within {part.name}", hint="draw on the image"
        )
    found = data.summary(numbers, cancelled=cancelled, progress=progress)
    spectrum = found.mean if part.kind == "mean" else found.skyline
    words = f"{part.name} ({found.number:,})" if numbers is not None else part.name
    return Trace.of(words, spectrum, is_profile=_is_line(data))


def _numbers_in(data: MSIData, drawing: Drawing) -> npt.NDArray[np.int64]:
    width, height, depth = data.pixels.shape
    mask = drawing.mask(height, width)
    if depth > 1:  # a drawing has no depth: it goes through all planes
        mask = np.broadcast_to(mask, (depth, height, width))
    return data.pixels.numbers_in(mask)
