"""What is imported before all other modules of this room: they import pymmcore-plus."""

from napari_scope.core_import import import_pymmcore_plus

import_pymmcore_plus()
