"""Going on with a run that is on disk already.

A stream that resumes finds the journal of the run, finishes it first if it was killed
(`recovery.recover`), compares what was planned then with what is planned now, and takes
over every frame that has a line. New frames follow in the same store. Only the axis
that the run grows along may have become longer; anything else that differs is refused
by name.

Several stores of one run may not have the same frames after a kill; what one lacks is
copied from another (see `catch_up`).

This module knows journals and plans. How a store is opened again is the business of
its sink: `Sink.resume`.

Examples
--------
>>> import tempfile, pathlib
>>> import numpy as np
>>> from napari_scope.stream import ImageSpec, NDTiffSink, StoreSpec, Stream
>>> path = pathlib.Path(tempfile.mkdtemp()) / "run"
>>> spec = StoreSpec("a", (4, 4), np.dtype("u2"), order=("time",), growing=True)
>>> with Stream(spec, [NDTiffSink(path)]) as stream:
...     stream.append(np.ones((4, 4), "u2"), index={"time": 0})
>>> found = load(path, "ndtiff", spec)
>>> found.count, found.sequence, found.last
(1, 1, Address(image=0, index=(0,)))
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_scope.errors import FormatError, FrameError, SettingsError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.stream.catch_up import united
from napari_scope.stream.journal import read_journal, scan_journal
from napari_scope.stream.lock import Held, hold
from napari_scope.stream.recovery import recover
from napari_scope.stream.recovery_journal import find_journal
from napari_scope.stream.recovery_plan import RunRecord
from napari_scope.stream.resume_plan import check_plan, check_reached
from napari_scope.stream.resumption import Resumption
from napari_scope.stream.router import Address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from napari_scope.stream.ledger import Ledger
    from napari_scope.stream.recovery_plan import FrameLine
    from napari_scope.stream.router import Router
    from napari_scope.stream.sinks.base import Sink
    from napari_scope.stream.spec import StoreSpec

__all__ = ["Resume", "load", "load_all", "take_over"]

Resume: TypeAlias = bool | Literal["force"]
"""Whether a stream goes on with what is there; ``"force"`` also where the file system
cannot tell whether another program writes to it."""


def load_all(
    sinks: Sequence[Sink], spec: StoreSpec, resume: Resume
) -> list[Resumption]:
    """Return what is in the stores of all sinks; nothing where none exists.

    Raises
    ------
    SettingsError
        If some stores exist and others do not, or the plans do not agree.
    StreamError, FormatError
        If a store is being written, damaged, or not one of a run.
    """
    memory = next((sink for sink in sinks if sink.path is None), None)
    if memory is not None:
        raise SettingsError(
            f"frames in {memory.format} are gone with their stream; a run that is kept "
            "there cannot be continued",
            hint="leave resume out, or save the run to disk",
        )
    paths = [sink.path for sink in sinks if sink.path is not None]
    there = [path for path in paths if path.exists() or find_journal(path)]
    if not there:
        return []
    if len(there) < len(paths):
        gone = next(path for path in paths if path not in there)
        raise SettingsError(
            f"there is nothing here, but the run is at {there[0]}",
            path=gone,
            hint="give the outputs that the run had when it was begun",
        )
    return [
        load(path, sink.format, sink.own(spec), force=resume == "force")
        for sink, path in zip(sinks, paths, strict=True)
    ]


def take_over(found: Sequence[Resumption], router: Router, ledger: Ledger) -> StoreSpec:
    """Tell a new stream what its stores have; returns what is still to come.

    Raises
    ------
    SettingsError
        If the frames that are there have no place in what is planned.
    """
    lines = united(found)
    last = [resumption.last for resumption in found if resumption.last is not None]
    try:
        router.restore((Address(x.image, x.index), x.axes) for x in lines)
    except FrameError as error:
        raise SettingsError(
            f"this is not the run that is there: {error.message}",
            path=found[0].journal,
            hint="plan the same as at first, or choose another name",
        ) from error
    router.go_on(
        max(last, key=lambda address: place_of(address, router.spec), default=None)
    )
    saved = [line for line in lines if line.status == "saved"]
    status = [line.status for line in lines]
    ledger.restore(
        max(resumption.sequence for resumption in found),
        {name: status.count(name) for name in ("saved", "skipped", "dropped")},
        Address(saved[-1].image, saved[-1].index) if saved else None,
    )
    spec = router.spec
    if spec.n_frames is None:
        return spec
    return replace(spec, n_frames=max(0, spec.n_frames - len(saved)))


def load(
    path: str | PathLike[str], format: str, spec: StoreSpec, *, force: bool = False
) -> Resumption:
    """Return what a store has, after it was recovered if need be.

    Parameters
    ----------
    path : str or PathLike
        The store.
    format : str
        The format that it should have.
    spec : StoreSpec
        What is planned now.
    force : bool
        Go on where the file system cannot tell whether somebody writes.

    Raises
    ------
    FormatError
        If there is no journal, or the store is damaged.
    SettingsError
        If it has another format, or the plans do not agree.
    StreamError
        If it is being written, or cannot be written to.
    """
    path = Path(path)
    journal = find_journal(path)
    if journal is None:
        raise FormatError(
            "there is no journal of a run, so it cannot be continued",
            path=path,
            hint="only runs that this package wrote can; choose another name",
        )
    _check_free(journal, force=force)
    content = scan_journal(journal).content
    # Before anything is changed: a run that is not this one is left alone.
    check_plan(content.header, format, spec, path)
    if content.closed is None:
        recover(path, force=force)
        content = read_journal(journal)
    run = RunRecord(content)
    if run.senseless:
        raise FormatError(
            f"{run.senseless} lines of the journal are those of no frame",
            path=path,
            hint="such a run can be read, but not continued",
        )
    lines = tuple(x for x in run.lines if (x.image, x.index) not in run.lost)
    check_reached(lines, run.names, spec, path)
    return Resumption(
        journal=journal,
        lines=lines,
        count=len(content.frames),
        sequence=1 + max((line.number for line in run.lines), default=-1),
        last=_last(run, lines, spec),
        entries=content.frames,
    )


def _check_free(journal: Path, *, force: bool = False) -> None:
    """Refuse a run that somebody writes to.

    Raises
    ------
    StreamError
        If so, if that cannot be found out, or if nobody may write to it.
    """
    try:
        with DataFile.open(journal, writable=True) as file:
            held = hold(file)
    except OSError as error:
        raise StreamError(
            f"the journal cannot be opened, {error.strerror or error}",
            path=journal,
            hint="a run is continued in its store; that needs the permission to write",
        ) from error
    if held is Held.TAKEN:
        raise StreamError(
            "the run is still being written, or recovered",
            path=journal,
            hint="wait until it ends; nothing was changed",
        )
    if held is Held.UNKNOWN and not force:
        raise StreamError(
            "this file system does not tell whether the run is still being written",
            path=journal,
            hint="make sure that no program does, then give resume='force'",
        )


def _last(
    run: RunRecord, lines: Sequence[FrameLine], spec: StoreSpec
) -> Address | None:
    """Return the last frame in the order of acquisition.

    Gaps that the settings declare may lie far ahead of it, and the frames before them
    are still to come.
    """
    behind = [
        Address(x.image, x.index) for x in lines if (x.image, x.index) not in run.ahead
    ]
    return max(behind, key=lambda x: place_of(x, spec, run.names), default=None)


def place_of(
    address: Address, spec: StoreSpec, names: Sequence[str] | None = None
) -> list[int]:
    """Return where a frame comes in the order of acquisition.

    Parameters
    ----------
    address : Address
        The frame.
    spec : StoreSpec
        Whose ``order`` counts; of a store that takes what comes it may be empty.
    names : sequence of str, optional
        Names of the index axes, if ``spec`` does not say them.
    """
    names = spec.index_axes if names is None else names
    index = dict(zip(names, address.index, strict=True))
    return [index.get(name, address.image) for name in spec.order or names]
