"""The step of a z stack that an objective asks for.

Twice as many planes as the axial resolution needs (Nyquist), for a widefield
microscope: the axial cut-off of the transfer function is at n (1 - cos a) / wavelength
with sin a = NA / n (M. Gustafsson, J. Microsc. 195 (1999) 10).

Examples
--------
>>> nyquist_step_um(1.4), nyquist_step_um(0.75), nyquist_step_um(0.3)
(0.27, 0.74, 5.4)
>>> numerical_aperture("Plan Apo 60x/1.40 Oil"), numerical_aperture("10X")
(1.4, None)
"""

from __future__ import annotations

import math
import re

__all__ = ["numerical_aperture", "nyquist_step_um"]

_INDICES = (1.0, 1.33, 1.515)  # air, water, oil
_WAVELENGTH_UM = 0.5
_NUMBER = re.compile(r"(?<![\d.])([01]?\.\d{1,3})(?![\d.]|\s*[xX×])")


def numerical_aperture(label: str) -> float | None:
    """Return the numerical aperture that the name of an objective tells, or None."""
    found = [float(text) for text in _NUMBER.findall(label)]
    return next((number for number in found if 0.02 <= number < 1.51), None)


def nyquist_step_um(aperture: float, wavelength_um: float = _WAVELENGTH_UM) -> float:
    """Return the largest step that loses nothing, in micrometres, two digits.

    Parameters
    ----------
    aperture : float
        Numerical aperture; the immersion is the thinnest that allows it.
    wavelength_um : float
        Wavelength of the light.
    """
    index = next((n for n in _INDICES if aperture < 0.98 * n), _INDICES[-1])
    cosine = math.sqrt(max(0.0, 1 - (aperture / index) ** 2))
    step = wavelength_um / (2 * index * (1 - cosine))
    digits = 1 - math.floor(math.log10(step))
    return round(step, digits)
