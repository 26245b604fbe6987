"""What an ion image is of, in one value, and how it is made.

Examples
--------
>>> IonChoice(885.55, 10, "ppm").name
'm/z 885.55 ± 10 ppm'
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.formats.msi import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi import MSIData, Normalisation, ToleranceUnit
    from napari_scope.formats.msi.blocks import How

    Image = npt.NDArray[np.float32]

__all__ = ["IonChoice", "ion_image", "ion_images", "mz_text"]


def mz_text(mz: float) -> str:
    """Return an m/z with as many decimals as anybody reads."""
    whole, _, decimals = f"{mz:.4f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


@dataclass(frozen=True, slots=True)
class IonChoice:
    """What an ion image is of.

    Parameters
    ----------
    mz : float
        Middle of the window.
    tolerance : float
        Half of its width.
    unit : {"Da", "ppm"}
        Unit of the tolerance.
    how : {"sum", "max", "mean"}
        What becomes of the intensities in the window.
    normalise : {"none", "tic", "rms", "median"} or Reference
        What the spectra are scaled by.
    hotspot : float, optional
        Quantile at which bright pixels are clipped.
    log : bool
        Whether the logarithm of the values (plus 1) is shown.
    label : str
        What the ion is called.
    """

    mz: float
    tolerance: float = 10.0
    unit: ToleranceUnit = "ppm"
    how: How = "sum"
    normalise: Normalisation = "none"
    hotspot: float | None = None
    log: bool = False
    label: str = ""

    @property
    def name(self) -> str:
        """The name of its layer."""
        window = f"m/z {mz_text(self.mz)} ± {self.tolerance:.6g} {self.unit}"
        return f"{self.label}, {window}" if self.label else window

    @property
    def half_width(self) -> float:
        """Half of the width of the window, in m/z."""
        wide = self.tolerance
        return wide * self.mz * 1e-6 if self.unit == "ppm" else wide

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept with the layer."""
        scaled = self.normalise
        if isinstance(scaled, Reference):
            scaled_by = f"m/z {mz_text(scaled.mz)} ± {scaled.tolerance:g} {scaled.unit}"
        else:
            scaled_by = scaled
        return {
            "mz": self.mz,
            "tolerance": self.tolerance,
            "unit": self.unit,
            "how": self.how,
            "normalise": scaled_by,
            "hotspot": self.hotspot,
            "log": self.log,
        }

    def at(
        self,
        mz: float,
        tolerance: float | None = None,
        unit: ToleranceUnit | None = None,
        label: str = "",
    ) -> IonChoice:
        """Return the same for another ion."""
        return replace(
            self,
            mz=mz,
            tolerance=self.tolerance if tolerance is None else tolerance,
            unit=self.unit if unit is None else unit,
            label=label,
        )


def ion_image(
    data: MSIData,
    choice: IonChoice,
    regions: Sequence[int] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Image:
    """Return an ion image over the whole box of a data set; for a thread.

    Parameters
    ----------
    data : MSIData
        All regions of the data set.
    choice : IonChoice
        What it is of.
    regions : sequence of int, optional
        The regions that are shown; elsewhere there are zeros.
    cancelled : callable
        Asked from time to time whether to end.
    """
    chosen = data if regions is None else data.of_regions(regions)
    image = chosen.ion_image(
        choice.mz,
        choice.tolerance,
        choice.unit,
        choice.how,
        normalise=choice.normalise,
        hotspot=choice.hotspot,
        cancelled=cancelled,
    )
    return _finished(data, chosen, image, choice)


def ion_images(
    data: MSIData,
    choices: Sequence[IonChoice],
    regions: Sequence[int] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda done: None,
) -> list[Image]:
    """Return the ion images of several m/z that are made in one way; for a thread.

    The file is read once for all of them. See `ion_image` for the parameters.

    Raises
    ------
    CancelledError
        If it was cancelled; there are none then.
    """
    if not choices:
        return []
    chosen = data if regions is None else data.of_regions(regions)
    way = choices[0]
    found = chosen.ion_images(
        [(one.mz, one.tolerance, one.unit) for one in choices],
        way.how,
        normalise=way.normalise,
        hotspot=way.hotspot,
        cancelled=cancelled,
        progress=progress,
    )
    return [
        _finished(data, chosen, image, choice)
        for image, choice in zip(found, choices, strict=True)
    ]


def _finished(data: MSIData, chosen: MSIData, image: Image, choice: IonChoice) -> Image:
    """Take the logarithm if wanted, and lay some regions into the whole box."""
    if choice.log:
        image = np.log1p(np.maximum(image, 0))
    if chosen is data:
        return image
    table, part = data.pixels, chosen.pixels
    width, height, depth = table.shape
    whole = np.zeros((depth, height, width), image.dtype)
    x, y, z = (a - b for a, b in zip(part.origin, table.origin, strict=True))
    wide, high, deep = part.shape
    place = slice(z, z + deep), slice(y, y + high), slice(x, x + wide)
    whole[place] = image.reshape(deep, high, wide)
    return whole if table.is_volume else whole[0]
