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
import threading
import warnings
from functools import cache

__all__ = ["GROUP", "has_foreign", "known_classes", "remember"]

GROUP = "napari_scope.msi_formats"
"""Entry points of other packages."""

_OURS: tuple[str, ...] = (
    "napari_scope.formats.msi.folder",
    "napari_scope.formats.msi.imzml.reader",
    "napari_scope.formats.msi.mzml.reader",
    "napari_scope.formats.msi.analyze.reader",
    "napari_scope.formats.msi.bruker.reader",
    "napari_scope.formats.msi.openmsi.reader",
)

_KNOWN: dict[str, type[object]] = {}
_LOCK = threading.RLock()


def remember(name: str, reader: type[object]) -> None:
    """Take a class of readers in; called when it is defined.

    One of the same name that came later counts.
    """
    _KNOWN[name] = reader


def known_classes() -> dict[str, type[object]]:
    """Return the class of each format by its name, in the order of asking.

    Ours come first, in the order above, whatever was imported first; then those of
    others.
    """
    for module in _OURS:
        importlib.import_module(module)
    with _LOCK:
        _load_foreign()
    found = [one for one in list(_KNOWN.items()) if not inspect.isabstract(one[1])]
    return dict(sorted(found, key=lambda one: _place(one[1])))


def has_foreign() -> bool:
    """Return whether a class of somebody else is known by now; imports nothing."""
    return any(
        not reader.__module__.startswith("napari_scope.")
        and not inspect.isabstract(reader)
        for reader in list(_KNOWN.values())
    )


def _place(reader: type[object]) -> int:
    """Return which of our modules a reader comes from; their number for none."""
    parts = reader.__module__
    for place, module in enumerate(_OURS):
        if parts == module or parts.startswith(module + "."):
            return place
    return len(_OURS)


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
