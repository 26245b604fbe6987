"""Opening the outputs of a stream: all or none, with an error that names the path."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

from napari_scope.errors import (
    DiskSpaceError,
    OutputExistsError,
    ScopeError,
    SettingsError,
    StreamError,
)
from napari_scope.stream.catch_up import catch_up
from napari_scope.stream.failure import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.stream.resumption import Resumption
    from napari_scope.stream.sinks.base import Sink
    from napari_scope.stream.spec import StoreSpec

__all__ = [
    "check_paths",
    "check_sinks",
    "naming_the_path",
    "open_sinks",
    "resume_sinks",
]


def check_paths(sinks: Sequence[Sink]) -> None:
    """Refuse two outputs at one path, and one within another."""
    paths = [sink.path.absolute() for sink in sinks if sink.path is not None]
    if len(set(paths)) < len(paths):
        raise SettingsError("two outputs have the same path", path=paths[0])
    for outer, inner in itertools.permutations(paths, 2):
        if outer in inner.parents:
            raise SettingsError(
                f"an output cannot lie in the store of another, {outer}",
                path=inner,
                hint="choose places beside each other",
            )


def check_sinks(spec: StoreSpec, sinks: Sequence[Sink]) -> None:
    """Raise what opening would refuse, before the first sink creates anything."""
    for sink in sinks:
        with naming_the_path(sink):
            sink.check(sink.own(spec))


def open_sinks(spec: StoreSpec, sinks: Sequence[Sink]) -> None:
    """Open all sinks; if one cannot be opened the others are closed again."""
    opened: list[Sink] = []
    try:
        for sink in sinks:
            # One that fails half way has files open, too.
            opened.append(sink)
            with naming_the_path(sink):
                sink.open(sink.own(spec))
    except BaseException:
        for sink in opened:
            with contextlib.suppress(OSError, ScopeError):  # the first error counts
                sink.close(sink.own(spec), None)
        raise


def resume_sinks(
    spec: StoreSpec, sinks: Sequence[Sink], found: Sequence[Resumption]
) -> None:
    """Open the stores of a finished run again; if one cannot be, none is.

    Those that were opened are closed as they were; one that fails half way stays as if
    the process had been killed there, for `recover`.
    """
    opened: list[tuple[Sink, Resumption]] = []
    try:
        for sink, resumption in zip(sinks, found, strict=True):
            with naming_the_path(sink):
                try:
                    sink.resume(sink.own(spec), resumption)
                except BaseException:
                    with contextlib.suppress(OSError, ScopeError):
                        sink.close(sink.own(spec), None)
                    raise
            opened.append((sink, resumption))
    except BaseException:
        for sink, resumption in opened:
            with contextlib.suppress(OSError, ScopeError):  # the first error counts
                sink.close(sink.own(spec), resumption.totals())
        raise
    try:
        catch_up(spec, sinks, found)
    except BaseException:
        for sink in sinks:
            with contextlib.suppress(OSError, ScopeError):
                sink.close(sink.own(spec), None)
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
