"""The names of pycro-manager, without Java: scripts run with one changed import.

``from pycromanager import X`` becomes ``from napari_scope.compat.pycromanager import
X``. The microscope is the core of this process; `start_headless` loads a configuration
into it, and until then the demo microscope is loaded when a core is first asked for.
What only Java can do (its studio, Micro-Magellan, its plugins) says so.

Examples
--------
>>> start_headless()  # the demo microscope
>>> with Bridge() as bridge:
...     core = bridge.get_core()
...     core.set_exposure(20)
>>> core.get_exposure()
20.0
>>> stop_headless()
"""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.acquire.acquisition import Acquisition as _Acquisition
from napari_scope.acquire.core import CoreOwner
from napari_scope.acquire.event_queue import EventQueue
from napari_scope.acquire.explorer import Explorer
from napari_scope.acquire.futures import AcquisitionFuture
from napari_scope.acquire.notifications import AcqNotification
from napari_scope.compat.core_proxy import CoreProxy
from napari_scope.errors import ScopeError, SettingsError
from napari_scope.events import multi_d_acquisition_events
from napari_scope.formats.ndtiff import Dataset

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

__all__ = [
    "AcqNotification",
    "Acquisition",
    "AcquisitionFuture",
    "Bridge",
    "Core",
    "Dataset",
    "EventQueue",
    "ExploreAcquisition",
    "JavaClass",
    "JavaObject",
    "Magellan",
    "MagellanAcquisition",
    "Studio",
    "XYTiledAcquisition",
    "download_and_install_mm",
    "find_existing_mm_install",
    "multi_d_acquisition_events",
    "start_headless",
    "stop_headless",
]

_lock = threading.Lock()
_owner: CoreOwner | None = None


def _microscope() -> CoreOwner:
    """Return the microscope of this process; the demo one if there is none yet."""
    global _owner
    with _lock:
        if _owner is None:
            _owner = CoreOwner()
        if not _owner.has_devices:
            _owner.load()
            warnings.warn(
                "no hardware configuration was loaded: this is the demo microscope; "
                "call start_headless(config_file=...) before",
                stacklevel=3,
            )
        return _owner


def start_headless(
    mm_app_path: str | PathLike[str] | None = None,
    config_file: str | PathLike[str] | None = None,
    *,
    python_backend: bool = True,
    **ignored: object,
) -> None:
    """Load a hardware configuration.

    Parameters
    ----------
    mm_app_path : str or PathLike, optional
        Folder of Micro-Manager with its device adapters; where pymmcore-plus looks by
        default. If it ends in ``.cfg`` it is the configuration.
    config_file : str or PathLike, optional
        The configuration; the demo microscope by default.
    python_backend : bool
        There is no other.
    ignored
        Options of the Java process (``java_loc``, ``port``, ``buffer_size_mb``, ...).

    Raises
    ------
    ConfigurationError
        If it does not load.
    """
    global _owner
    if config_file is None and str(mm_app_path or "").endswith(".cfg"):
        mm_app_path, config_file = None, mm_app_path
    with _lock:
        if _owner is None:
            _owner = CoreOwner()
        if mm_app_path is not None:
            _owner.core.setDeviceAdapterSearchPaths([str(mm_app_path)])
        buffer_mb = ignored.get("buffer_size_mb")
        if isinstance(buffer_mb, int):
            _owner.core.setCircularBufferMemoryFootprint(buffer_mb)
        _owner.load(config_file)


def stop_headless(debug: bool = False) -> None:
    """Let go of the microscope."""
    global _owner
    with _lock:
        owner, _owner = _owner, None
    if owner is not None:
        owner.close()


def Core(**ignored: object) -> CoreProxy:
    """Return the core; its methods have both spellings."""
    return CoreProxy(_microscope().core)


class _GivenCore(CoreProxy):
    """What hooks of three arguments get: a core that is also a bridge.

    The first versions of pycro-manager gave hooks the bridge.
    """

    def get_core(self) -> CoreProxy:
        return self

    def get_studio(self) -> Any:
        return Studio()

    def get_magellan(self) -> Any:
        return Magellan()

    def construct_java_object(self, classpath: str, *args: Any, **options: Any) -> Any:
        return JavaObject(classpath)


# From the eighth on, where the first versions have show_display.
_LATER_ORDER = ("notification_callback_fn", "image_saved_fn", "napari_viewer", "debug")
_OF_JAVA = ("timeout", "pre_init_hook_fn")


class Acquisition(_Acquisition):
    """`napari_scope.acquire.Acquisition` on the microscope of this process.

    Parameters
    ----------
    args, options
        Those of `napari_scope.acquire.Acquisition`, in the order of the first or of the
        latest versions of pycro-manager; ``timeout`` has no effect.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        if options.get("core") is None:
            options["core"] = _microscope()
        if len(args) > 7 and not isinstance(args[7], bool):
            options.update(zip(_LATER_ORDER, args[7:], strict=False))
            args = args[:7]
        known = {k: v for k, v in options.items() if k not in _OF_JAVA}
        super().__init__(*args, **known)

    def _given_core(self) -> object:
        return _GivenCore(self._owner.core)


class XYTiledAcquisition(Acquisition):
    """An acquisition of tiles: ``tile_overlap`` must be given.

    Parameters
    ----------
    tile_overlap : int or tuple of int
        Overlap of neighbouring tiles in pixels (x, y).
    directory, name
        Where to save.
    max_multi_res_index : int, optional
        Coarsest level.
    image_process_fn, pre_hardware_hook_fn, post_hardware_hook_fn, \
post_camera_hook_fn : callable, optional
        See `Acquisition`.
    options
        See `Acquisition`.
    """

    def __init__(
        self,
        tile_overlap: int | tuple[int, int],
        directory: str | PathLike[str] | None = None,
        name: str | None = None,
        max_multi_res_index: int | None = None,
        image_process_fn: Any = None,
        pre_hardware_hook_fn: Any = None,
        post_hardware_hook_fn: Any = None,
        post_camera_hook_fn: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            directory,
            name,
            image_process_fn,
            tile_overlap=tile_overlap,
            max_multi_res_index=max_multi_res_index,
            pre_hardware_hook_fn=pre_hardware_hook_fn,
            post_hardware_hook_fn=post_hardware_hook_fn,
            post_camera_hook_fn=post_camera_hook_fn,
            **options,
        )


class ExploreAcquisition(Explorer):
    """Tiles on demand; see `Explorer`.

    Parameters
    ----------
    directory, name
        Where to save.
    z_step_um : float
        Distance of levels in height.
    tile_overlap : int or tuple of int
        Overlap of neighbouring tiles in pixels.
    channel_group : str, optional
        All presets of this group are the channels.
    """

    def __init__(
        self,
        directory: str | PathLike[str] | None = None,
        name: str = "explore",
        z_step_um: float | None = None,
        tile_overlap: int | tuple[int, int] = 0,
        channel_group: str | None = None,
        **options: Any,
    ) -> None:
        from napari_scope.acquire.explorer import ExploreChannel

        owner = options.pop("core", None) or _microscope()
        options = {k: v for k, v in options.items() if k not in _OF_JAVA}
        if channel_group is not None:
            core = owner.core if isinstance(owner, CoreOwner) else owner
            options["channels"] = [
                ExploreChannel(preset, group=channel_group)
                for preset in core.getAvailableConfigs(channel_group)
            ]
        super().__init__(
            directory,
            name,
            tile_overlap=tile_overlap,
            z_step_um=z_step_um,
            core=owner,
            **options,
        )


def _needs_java(what: str, instead: str) -> SettingsError:
    return SettingsError(f"{what} needs Micro-Manager's Java side", hint=instead)


class MagellanAcquisition:
    """Not here: Micro-Magellan is a Java plugin.

    Raises
    ------
    SettingsError
        Always, with what to use instead.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        raise _needs_java(
            "Micro-Magellan",
            "use ExploreAcquisition, or Acquisition with tile_overlap; data that it "
            "has saved can be opened with Dataset",
        )


def Studio(*args: Any, **options: Any) -> Any:
    """Raise an error: the studio is Micro-Manager's Java program."""
    raise _needs_java("the studio", "the napari docks take its place")


def Magellan(*args: Any, **options: Any) -> Any:
    """Raise an error: Micro-Magellan is a Java plugin."""
    raise _needs_java("Micro-Magellan", "use ExploreAcquisition")


def JavaObject(classpath: str, *args: Any, **options: Any) -> Any:
    """Raise an error: there is no Java."""
    raise _needs_java(
        f"the class {classpath}", "the core is there under Core(), without Java"
    )


JavaClass = JavaObject


def find_existing_mm_install() -> str | None:
    """Return the folder of device adapters that is used, None without any."""
    from pymmcore_plus import find_micromanager

    return find_micromanager()


def download_and_install_mm(destination: str | PathLike[str] | None = None) -> str:
    """Download Micro-Manager's device adapters for this version of the core.

    Parameters
    ----------
    destination : str or PathLike, optional
        Folder to install into; where pymmcore-plus looks by default.

    Returns
    -------
    str
        The folder.
    """
    from pymmcore_plus.install import install

    if destination is None:
        install()
    else:
        install(Path(destination))
    return str(destination or find_existing_mm_install())


class Bridge:
    """The bridge to the core, which is in this process; a context manager.

    Parameters
    ----------
    args, options
        Accepted and without effect: there is no server to connect to.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._closed = False

    def get_core(self) -> CoreProxy:
        """Return the core; its methods have both spellings."""
        if self._closed:
            raise ScopeError("the bridge is closed", hint="use it inside of its block")
        return Core()

    def get_studio(self) -> Any:
        """Raise an error: the studio is Micro-Manager's Java program."""
        return Studio()

    def get_magellan(self) -> Any:
        """Raise an error: Micro-Magellan is a Java plugin."""
        return Magellan()

    def construct_java_object(
        self, classpath: str, new_socket: bool = False, args: Any = None
    ) -> Any:
        """Raise an error: there is no Java."""
        return JavaObject(classpath)

    def close(self) -> None:
        """Close the bridge; the microscope stays loaded."""
        self._closed = True

    def __enter__(self) -> Bridge:
        """Return the bridge itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bridge."""
        self.close()
