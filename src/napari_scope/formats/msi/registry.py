"""The formats of mass-spectrometry images by name, open to other packages.

A reader is known as soon as its class is defined. Other packages need not be imported
for that: they name a module or a class as an entry point of the group
``napari_scope.msi_formats``. One that cannot be imported is left out with a warning;
it must not keep others from opening their files. What a reader is, this module does not
know.

Examples
--------
>>> sorted(available_formats())  # doctest: +SKIP
['analyze', 'bruker-flex', 'imzml', 'mzml', 'openmsi']
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from functools import cache

__all__ = ["GROUP", "known_classes", "remember"]

GROUP = "napari_scope.msi_formats"
"""Entry points of other packages."""

_OURS: tuple[str, ...] = (
    "napari_scope.formats.msi.imzml.reader",
    "napari_scope.formats.msi.analyze",
)

_KNOWN: dict[str, type[object]] = {}


def remember(name: str, reader: type[object]) -> None:
    """Take a class of readers in; called when it is defined.

    One of the same name that came later counts.
    """
    _KNOWN[name] = reader


def known_classes() -> dict[str, type[object]]:
    """Return the class of each format by its name."""
    for module in _OURS:
        importlib.import_module(module)
    _load_foreign()
    return {
        name: reader
        for name, reader in _KNOWN.items()
        if not inspect.isabstract(reader)
    }


@cache
def _load_foreign() -> None:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        # Anything may be wrong with the package of somebody else.
        try:
            point.load()
        except Exception as error:
            warnings.warn(
                f"the format {point.name!r} of {point.value} is left out: {error}",
                stacklevel=2,
            )
