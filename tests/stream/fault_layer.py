"""A file system that fails when it is told to.

`FaultyDisk` stands between the project and the system: it sees every operation that
changes files below one folder (create, write, truncate, sync, rename, mkdir) in both
implementations of `fileio`, counts them, and lets the n-th fail. Reading never fails:
what was written is what the tests want to look at.

`PowerLoss` lets everything pass and keeps a record, from which the files are made anew
as they may be found after the power went off at any moment: what was synced is there,
of the rest some operations are, whole, in part or not at all.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from napari_scope import fileio

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

__all__ = ["FAULTS", "Fault", "FaultyDisk", "PowerLoss"]


@dataclass(frozen=True)
class Fault:
    """How an operation fails.

    ``number`` is the error, 0 for none; ``part`` of the data is written before, up to
    a multiple of 64 bytes in the file: no system tears the few aligned bytes of an
    entry in an index. The disk goes on failing if ``lasting``. With ``names`` only what
    changes names fails, and only for one file: another program holds it, as Windows
    lets a virus scanner or a viewer do.
    """

    name: str
    number: int
    part: float = 0.0
    lasting: bool = False
    names: bool = False


FAULTS = [
    Fault("full", errno.ENOSPC, lasting=True),
    Fault("full-torn", errno.ENOSPC, part=0.5),
    Fault("broken", errno.EIO),
    Fault("broken-lasting", errno.EIO, part=0.5, lasting=True),
    Fault("denied", errno.EACCES),
    Fault("short", 0, part=0.5),
    Fault("held", errno.EACCES, lasting=True, names=True),
]


class _Layer:
    """Sees the operations below a folder; subclasses say what becomes of them."""

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self._paths: dict[int, str] = {}
        self._lock = threading.RLock()

    def inside(self, path: Any) -> str | None:
        if isinstance(path, int):
            return self._paths.get(path)
        full = os.path.abspath(os.fspath(path))
        return full if full.startswith(self.root + os.sep) else None

    def before(
        self, kind: str, path: str, offset: int = 0, data: bytes = b""
    ) -> int | None:
        """See an operation; returns how many bytes to write if not all."""
        return None

    def after(self, kind: str, path: str, *details: Any) -> None:
        """See an operation that was done."""

    @contextlib.contextmanager
    def installed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patch:
            for name in ("mkdir", "unlink", "rmdir"):
                patch.setattr(os, name, self._simple(name))
            for name in ("rename", "replace"):
                patch.setattr(os, name, self._moving(name))
            patch.setattr(os, "open", self._opening())
            patch.setattr(os, "close", self._closing())
            patch.setattr(os, "truncate", self._truncating())
            for name in ("fdatasync", "fsync"):
                if hasattr(os, name):
                    patch.setattr(os, name, self._syncing(name))
            if hasattr(os, "pwritev"):
                patch.setattr(os, "pwritev", self._writing())
                patch.setattr(os, "pwrite", self._writing_one())
            patch.setattr(fileio, "io", SimpleNamespace(FileIO=self._file_class()))
            patch.setattr(fileio, "open", self._plain_open, raising=False)
            yield

    def _simple(self, name: str) -> Callable[..., None]:
        real = getattr(os, name)

        def call(path: Any, *args: Any, **more: Any) -> None:
            full = self.inside(path)
            if full is not None:
                with self._lock:
                    self.before(name, full)
                    real(path, *args, **more)
                    self.after(name, full)
                    return
            real(path, *args, **more)

        return call

    def _moving(self, name: str) -> Callable[..., None]:
        real = getattr(os, name)

        def call(source: Any, target: Any, **more: Any) -> None:
            full = self.inside(target)
            if full is None:
                real(source, target, **more)
                return
            with self._lock:
                self.before(name, full)
                real(source, target, **more)
                self.after("rename", os.path.abspath(os.fspath(source)), full)
                for number, path in self._paths.items():
                    if path == os.path.abspath(os.fspath(source)):
                        self._paths[number] = full

        return call

    def _opening(self) -> Callable[..., int]:
        real = os.open

        def call(path: Any, flags: int, *args: Any, **more: Any) -> int:
            full = None if isinstance(path, int) else self.inside(path)
            changes = flags & (os.O_WRONLY | os.O_RDWR)
            if full is None or not changes:
                return real(path, flags, *args, **more)
            with self._lock:
                made = bool(flags & os.O_CREAT) and not os.path.exists(full)
                self.before("create" if made else "open", full)
                number = real(path, flags, *args, **more)
                self._paths[number] = full
                if made:
                    self.after("create", full)
                return number

        return call

    def _closing(self) -> Callable[[int], None]:
        real = os.close

        def call(number: int) -> None:
            with self._lock:
                self._paths.pop(number, None)
                real(number)

        return call

    def _truncating(self) -> Callable[..., None]:
        real = os.truncate

        def call(path: Any, size: int) -> None:
            full = self.inside(path)
            if full is None:
                real(path, size)
                return
            with self._lock:
                self.before("truncate", full)
                real(path, size)
                self.after("truncate", full, size)

        return call

    def _syncing(self, name: str) -> Callable[[int], None]:
        real = getattr(os, name)

        def call(number: int) -> None:
            full = self.inside(number)
            if full is None:
                real(number)
                return
            with self._lock:
                self.before("sync", full)
                self.after("sync", full)  # the medium itself would only take time

        return call

    def _writing(self) -> Callable[..., int]:
        real = os.pwritev

        def call(number: int, buffers: Any, offset: int, *args: Any) -> int:
            full = self.inside(number)
            if full is None:
                return real(number, buffers, offset, *args)
            data = b"".join(bytes(memoryview(b).cast("B")) for b in buffers)

            def write(part: bytes) -> int:
                return real(number, [part], offset)

            return self._write(full, offset, data, write)

        return call

    def _writing_one(self) -> Callable[..., int]:
        real = os.pwrite

        def call(number: int, buffer: Any, offset: int) -> int:
            full = self.inside(number)
            if full is None:
                return real(number, buffer, offset)

            def write(part: bytes) -> int:
                return real(number, part, offset)

            data = bytes(memoryview(buffer).cast("B"))
            return self._write(full, offset, data, write)

        return call

    def _write(
        self, path: str, offset: int, data: bytes, write: Callable[[bytes], int]
    ) -> int:
        with self._lock:
            try:
                most = self.before("write", path, offset, data)
            except TornError as torn:
                count = write(data[: torn.size]) if torn.size else 0
                self.after("write", path, offset, data[:count])
                raise OSError(torn.number, os.strerror(torn.number), path) from None
            data = data if most is None else data[:most]
            count = write(data)
            self.after("write", path, offset, data[:count])
            return count

    def _file_class(self) -> type:
        layer = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                full = layer.inside(self.fileno())
                data = bytes(memoryview(data).cast("B"))
                if full is None:
                    return super().write(data)
                return layer._write(full, self.tell(), data, super().write)

        return File

    def _plain_open(self, path: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        full = self.inside(path)
        if full is None or "w" not in mode:
            return builtins.open(path, mode, *args, **more)
        layer = self
        with self._lock:
            self.before("create", full)
            file = builtins.open(path, mode, *args, **more)
            self.after("create", full)
            with contextlib.suppress(OSError):
                self._paths[file.fileno()] = full

        class Plain:
            def write(self, data: bytes) -> int:
                def write(part: bytes) -> int:
                    file.write(part)
                    file.flush()
                    return len(part)

                count = layer._write(full, file.tell(), bytes(data), write)
                if count < len(data):  # buffered files go on by themselves
                    count += layer._write(full, file.tell(), data[count:], write)
                return count

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                with layer._lock:
                    layer._paths.pop(file.fileno(), None)
                    file.close()

        return Plain()


class TornError(Exception):
    """A write of which only a part gets out."""

    def __init__(self, number: int, size: int) -> None:
        super().__init__(number)
        self.number = number
        self.size = size


class FaultyDisk(_Layer):
    """Lets the n-th operation fail (counted from 0), or none.

    ``seen`` holds all operations that could have failed, with the paths in the folder.
    """

    def __init__(self, root: Path, at: int | None, fault: Fault = FAULTS[0]) -> None:
        super().__init__(root)
        self.at = at
        self.fault = fault
        self.count = 0
        self.seen: list[tuple[str, str]] = []
        self.fired: str | None = None
        self._held: str | None = None

    def before(
        self, kind: str, path: str, offset: int = 0, data: bytes = b""
    ) -> int | None:
        if self.fault.names:
            self._hold(kind, path)
            return None
        number = self.count
        self.count += 1
        self.seen.append((kind, os.path.relpath(path, self.root)))
        if self.at is None or number < self.at:
            return None
        if number > self.at and not self.fault.lasting:
            return None
        # A full disk still renames and removes; so it must be possible to clean up.
        harmless = kind in ("unlink", "rmdir")
        if harmless or (self.fault.number == 0 and kind != "write"):
            return None
        if self.fired is None:
            self.fired = f"{kind} {os.path.relpath(path, self.root)}"
        size = int(len(data) * self.fault.part)
        if self.fault.number == 0:
            return max(1, size)
        if kind == "write":
            size = max(0, (offset + size) // 64 * 64 - offset)
            raise TornError(self.fault.number, size)
        raise OSError(self.fault.number, os.strerror(self.fault.number), path)

    def _hold(self, kind: str, path: str) -> None:
        """Refuse what would take a file away that somebody has open."""
        if kind not in ("rename", "replace", "unlink", "rmdir"):
            return
        if self.count == self.at:
            self._held, self.fired = path, f"{kind} {os.path.relpath(path, self.root)}"
        self.count += 1
        if path == self._held:
            number = self.fault.number
            raise PermissionError(number, os.strerror(number), path)


# ------------------------------------------------------------------ power


@dataclass
class _File:
    """A file, whatever its name: what was done, and up to where it is safe."""

    operations: list[tuple[int, str, int, bytes]] = field(default_factory=list)
    syncs: list[int] = field(default_factory=list)


class PowerLoss(_Layer):
    """Keeps a record of all operations.

    The model is a file system with a journal: names change in order, and a sync of any
    file makes all earlier changes of names safe; data and lengths are safe only when
    their own file is synced. Without a sync a later write may survive an earlier one.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.time = 0
        self._files: dict[int, _File] = {}
        self._names: list[tuple[int, str, str, Any]] = []
        self._now: dict[str, int] = {}
        self._last_syncs: list[int] = []

    def after(self, kind: str, path: str, *details: Any) -> None:
        self.time += 1
        if kind == "create":
            number = len(self._files)
            self._files[number] = _File()
            self._now[path] = number
            self._names.append((self.time, "create", path, number))
        elif kind == "rename":
            (target,) = details
            self._now = {
                target + p[len(path) :]
                if (p + os.sep).startswith(path + os.sep)
                else p: n
                for p, n in self._now.items()
                if p != target
            }
            self._names.append((self.time, "rename", path, target))
        elif kind in ("mkdir", "unlink", "rmdir"):
            self._now.pop(path, None)
            self._names.append((self.time, kind, path, None))
        else:
            file = self._files[self._now[path]]
            if kind == "sync":
                file.syncs.append(self.time)
                self._last_syncs.append(self.time)
            elif kind == "write":
                offset, data = details
                file.operations.append((self.time, "write", offset, data))
            elif kind == "truncate":
                file.operations.append((self.time, "truncate", details[0], b""))

    def state_at(self, cut: int, target: Path, rng: random.Random) -> None:
        """Make the files as they may be found after the power went off at a time."""
        safe = max((t for t in self._last_syncs if t <= cut), default=0)
        names_until = rng.randint(safe, cut)
        tree: dict[str, int | None] = {}  # path -> file, None for a folder
        for time, kind, path, detail in self._names:
            if time > names_until:
                break
            if kind == "mkdir":
                tree[path] = None
            elif kind == "create":
                tree[path] = detail
            elif kind == "rename":
                tree.pop(detail, None)
                tree = {_moved(p, path, detail): n for p, n in tree.items()}
            else:
                tree.pop(path, None)
        for path, number in sorted(tree.items()):
            place = target / os.path.relpath(path, self.root)
            if number is None:
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(self._content(self._files[number], cut, rng))

    def _content(self, file: _File, cut: int, rng: random.Random) -> bytes:
        safe = max((t for t in file.syncs if t <= cut), default=0)
        data = bytearray()
        for time, kind, offset, piece in file.operations:
            if time > cut:
                break
            if time > safe:
                chance = rng.random()
                if chance < 0.4:
                    continue
                if chance < 0.6 and kind == "write":
                    end = (offset + rng.randint(0, len(piece))) // 64 * 64
                    piece = piece[: max(0, end - offset)]
            if kind == "truncate":
                data = data[:offset] + bytes(max(0, offset - len(data)))
                continue
            data.extend(bytes(max(0, offset - len(data))))
            data[offset : offset + len(piece)] = piece
        return bytes(data)


def _moved(path: str, source: str, target: str) -> str:
    """Return where a path is after a file, or the folder it is in, was renamed."""
    inside = (path + os.sep).startswith(source + os.sep)
    return target + path[len(source) :] if inside else path
