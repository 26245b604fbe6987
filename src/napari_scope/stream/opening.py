"""Opening the outputs of a stream: all or none, with an error that names the path."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from napari_scope.errors import (
    DiskSpaceError,
    OutputExistsError,
    ScopeError,
    SettingsError,
    StreamError,
)
from napari_scope.stream.failure import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.stream.sinks.base import Sink
    from napari_scope.stream.spec import StoreSpec

__all__ = ["check_sinks", "naming_the_path", "open_sinks"]


def check_sinks(spec: StoreSpec, sinks: Sequence[Sink]) -> None:
    """Raise what opening would refuse, before the first sink creates anything."""
    paths = [sink.path.absolute() for sink in sinks if sink.path is not None]
    if len(set(paths)) < len(paths):
        raise SettingsError("two outputs have the same path", path=paths[0])
    for sink in sinks:
        with naming_the_path(sink):
            sink.check(spec)


def open_sinks(spec: StoreSpec, sinks: Sequence[Sink]) -> None:
    """Open all sinks; if one cannot be opened the others are closed again."""
    opened: list[Sink] = []
    try:
        for sink in sinks:
            # One that fails half way has files open, too.
            opened.append(sink)
            with naming_the_path(sink):
                sink.open(spec)
    except BaseException:
        for sink in opened:
            with contextlib.suppress(OSError, ScopeError):  # the first error counts
                sink.close(spec, None)
        raise


@contextlib.contextmanager
def naming_the_path(sink: Sink) -> Iterator[None]:
    """Turn an error of the system while opening into one that names the store."""
    try:
        yield
    except ScopeError:
        raise
    except FileExistsError as error:
        raise OutputExistsError(
            "the output exists already", path=sink.path, hint="choose another name"
        ) from error
    except OSError as error:
        kind = DiskSpaceError if error.errno in NO_ROOM else StreamError
        raise kind(
            f"the output cannot be created, {error.strerror or error}",
            path=sink.path,
            hint="choose a folder that you may write to",
        ) from error
