"""Sentences for whoever looks at layers, without knowing who that is.

Layers are made with and without a viewer. Where napari is running, what could not be
shown becomes one of its warnings; elsewhere it is logged.
"""

from __future__ import annotations

import logging
import sys

__all__ = ["warn"]

_logger = logging.getLogger(__name__)


def warn(sentence: str) -> None:
    """Tell of something that is not shown as it should be."""
    notifications = sys.modules.get("napari.utils.notifications")
    if notifications is None:
        _logger.warning(sentence)
    else:
        notifications.show_warning(sentence)
