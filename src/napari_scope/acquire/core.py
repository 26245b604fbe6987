"""Who holds the microscope: one owner of one core.

`CoreOwner` adopts the running ``CMMCorePlus.instance()`` (whatever other plugins have
loaded stays as it is) or a core it is given, loads hardware configurations, and lets
go of the devices in time: a process that ends right after a run aborts, unless the
core's own thread has delivered its last callbacks.

Examples
--------
>>> with CoreOwner() as owner:
...     owner.load()  # the demo microscope
...     owner.core.getCameraDevice()
'Camera'
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.acquire.registry import cancel_runs, is_in_use, loading
from napari_scope.errors import ConfigurationError

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    from pymmcore_plus import CMMCorePlus

__all__ = ["DEMO", "CoreOwner"]

DEMO = "demo"
"""Name of the configuration of Micro-Manager's demo microscope."""

_DEMO_FILE = "MMConfig_demo.cfg"

# How long callbacks of the core may still be on their way after the last run. Measured
# with pymmcore 12.5: 3 of 9 processes aborted without a pause, none of 18 with this.
_DRAIN_S = 0.3

_owners: weakref.WeakSet[CoreOwner] = weakref.WeakSet()


class CoreOwner:
    """Holds a core and its hardware configuration.

    Parameters
    ----------
    core : CMMCorePlus, optional
        A core to adopt; the global instance by default.
    """

    def __init__(self, core: CMMCorePlus | None = None) -> None:
        if core is None:
            from pymmcore_plus import CMMCorePlus

            core = CMMCorePlus.instance()
        self._core = core
        self._config: str | None = None
        self._loaded_here = False
        self._lock = threading.Lock()
        self._closed = False
        _owners.add(self)

    @property
    def core(self) -> CMMCorePlus:
        """The core."""
        return self._core

    @property
    def has_devices(self) -> bool:
        """Whether a configuration is loaded."""
        return len(self._core.getLoadedDevices()) > 1  # the core itself is one

    @property
    def config(self) -> str | None:
        """``"demo"``, the path of the configuration loaded, or None without devices.

        For devices that somebody else loaded it is the file they used, or
        ``"unknown"``.
        """
        if not self.has_devices:
            return None
        if self._config is not None:
            return self._config
        file = self._core.systemConfigurationFile()
        if file and Path(file).name == _DEMO_FILE:
            return DEMO
        return file or "unknown"

    def load(self, config: str | PathLike[str] | None = None) -> None:
        """Load a hardware configuration; waits until all devices are ready.

        Real microscopes take many seconds, so graphical programs call this on a
        thread of their own.

        Parameters
        ----------
        config : str or PathLike, optional
            A Micro-Manager ``.cfg`` file; the demo microscope by default.

        Raises
        ------
        ConfigurationError
            If the file is missing or a device does not start. No device is loaded
            then.
        AcquisitionError
            While a run goes on.
        """
        demo = config is None or str(config) == DEMO
        name = DEMO if demo else str(Path(str(config)).expanduser())
        if not demo and not Path(name).is_file():
            raise ConfigurationError(
                "the hardware configuration does not exist",
                path=name,
                hint="choose a Micro-Manager .cfg file, or 'demo'",
            )
        with self._lock, loading(self._core):
            self._config = None
            try:
                # A configuration file need not begin by unloading what is there.
                self._core.unloadAllDevices()
                self._core.loadSystemConfiguration(_DEMO_FILE if demo else name)
            except FileNotFoundError as error:
                raise ConfigurationError(
                    "the demo microscope is not installed",
                    hint="pip install mm-test-adapters, or run 'mmcore install'",
                ) from error
            except (OSError, RuntimeError, ValueError) as error:
                with contextlib.suppress(RuntimeError):
                    self._core.unloadAllDevices()
                raise ConfigurationError(
                    f"the hardware configuration does not load, {_one_line(error)}",
                    path=name,
                    hint="check that the devices are on and connected and that the "
                    "device adapters are installed",
                ) from error
            if not self.has_devices:
                raise ConfigurationError(
                    "the file holds no device",
                    path=name,
                    hint="choose a Micro-Manager hardware configuration",
                )
            self._config = name
            self._loaded_here = True

    def ensure_loaded(self, config: str | PathLike[str] | None = None) -> None:
        """Load a configuration unless devices are loaded and none is asked for."""
        if config is not None or not self.has_devices:
            self.load(config)

    def close(self) -> None:
        """Cancel the runs started through this owner, unload what it loaded, and rest.

        Devices that somebody else's run uses stay loaded. Again is harmless.
        """
        if self._closed:
            return
        self._closed = True
        _owners.discard(self)
        cancel_runs(self._core, owner=self)
        if self._loaded_here and not is_in_use(self._core):
            with contextlib.suppress(RuntimeError):
                self._core.unloadAllDevices()
        time.sleep(_DRAIN_S)

    def __enter__(self) -> CoreOwner:
        """Return the owner itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the devices."""
        self.close()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@atexit.register
def _close_all() -> None:
    for owner in list(_owners):
        owner.close()
