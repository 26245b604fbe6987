"""A Zarr hierarchy behind an address: ``http://``, ``https://`` and ``s3://``.

tensorstore fetches documents as well as chunks: its connections are kept open and need
nothing that is not installed. Every read has a time limit, and a server that does not
answer, or fails at one object after the other, is left alone for some seconds, so that
a viewer which asks for hundreds of objects waits once and not hundreds of times. What
is fetched of pixels stays in a pool of bounded size, because the way is long; it is not
asked for again while the data set is open.

``NAPARI_SCOPE_REMOTE_TIMEOUT`` is the number of seconds that one read may take.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from napari_scope.errors import FormatError
from napari_scope.formats.addresses import shown, split_archive
from napari_scope.formats.ngff.place.errors import explain, is_failure, is_silence
from napari_scope.formats.ngff.place.places import MAX_DOCUMENT, RefusedError, wait
from napari_scope.formats.ngff.place.s3 import S3Access, s3_access

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import tensorstore

__all__ = ["TIMEOUT_VARIABLE", "RemotePlace", "shared_context"]

TIMEOUT_VARIABLE = "NAPARI_SCOPE_REMOTE_TIMEOUT"
"""Environment variable: seconds that the read of a document or of pixels may take."""

_TIMEOUT_S = 20.0
_CACHE_BYTES = 256 * 2**20
_SILENCE_S = 10.0  # how long a server that did not answer is not asked again
_FAILURES = 4  # in a row, after which a server is left alone as well
_RETRIES = {"max_retries": 2, "initial_delay": "250ms", "max_delay": "2s"}
_SMALL_S = 1.0  # after this time the size of a document is looked at

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A group or array behind an address.

    Parameters
    ----------
    base : str
        Address of the store, or the zip file that holds it.
    prefix : str
        Path of the group within it, with a slash at its end, or empty.
    zipped : bool
        Whether the address is that of a zip file.
    """

    base: str
    prefix: str
    zipped: bool

    @classmethod
    def open(cls, address: str) -> RemotePlace:
        """Return the place of an address; nothing is asked of the server yet."""
        archive = split_archive(address)
        if archive is None:
            return cls(address, "", False)
        return cls(archive[0], f"{archive[1]}/" if archive[1] else "", True)

    @property
    def name(self) -> str:
        """What messages call it: no passwords, no tokens."""
        return f"{shown(self.base).rstrip('/')}/{self.prefix}".rstrip("/")

    @property
    def address(self) -> str:
        """The whole address, by which the place can be opened again."""
        if self.base[:5].lower() == "s3://":
            return f"{self.base.rstrip('/')}/{self.prefix}".rstrip("/")
        head, mark, query = self.base.partition("?")
        return f"{head.rstrip('/')}/{self.prefix}".rstrip("/") + mark + query

    @property
    def local(self) -> bool:
        """Never."""
        return False

    @property
    def timeout(self) -> float:
        """Seconds that one read may take."""
        return _timeout()

    def child(self, *parts: str) -> RemotePlace:
        """Return a group or array below."""
        prefix = self.prefix + "".join(f"{part}/" for part in parts)
        return RemotePlace(self.base, prefix, self.zipped)

    def read(self, name: str, limit: int = MAX_DOCUMENT) -> bytes | None:
        """Return an object, or None if there is none."""
        where = f"{self.name}/{name}"
        try:
            return self._link().ask(
                lambda store: _read(store, self.prefix + name, limit, self.timeout)
            )
        except _TooLargeError as error:
            raise FormatError(
                f"larger than the {limit >> 20} MiB allowed", path=where
            ) from error
        except _ERRORS as error:
            known = explain(error, where, _access(self.base), self.timeout)
            if known is not None:
                raise known from error
            line = str(error).strip().partition("\n")[0] or type(error).__name__
            raise FormatError(f"cannot be read: {line[:300]}", path=where) from error

    def has(self, name: str) -> bool:
        """Return whether there is such an object."""
        try:
            return self.read(name) is not None
        except RefusedError:
            return False

    def kvstore(self) -> dict[str, object]:
        """Return the driver of the address."""
        return _kvstore(self.base, self.zipped, _access(self.base), self.prefix)

    def context(self) -> tensorstore.Context:
        """Return the pool of what was fetched."""
        return _context_of(_access(self.base))

    def signature(self) -> Hashable:
        """Nothing: a store far away is opened anew only after a read that failed."""
        return None

    def explain(self, error: BaseException) -> FormatError | None:
        """Return in words why the server did not hand out what was asked for."""
        return explain(error, self.name, _access(self.base), self.timeout)

    def ask(self, read: Callable[[float | None], _T]) -> _T:
        """Call a function that asks the server, unless the server keeps silent."""
        return self._link().guarded(lambda: read(self.timeout))

    def _link(self) -> _Link:
        return _link(self.base, self.zipped, _access(self.base))


# What tensorstore raises: ValueError and OSError kinds; RuntimeError for a lost thread.
_ERRORS = (ValueError, OSError, RuntimeError, NotImplementedError)


class _TooLargeError(Exception):
    """An object goes on after the limit."""


class _Link:
    """The way to one store, shared by all that read from it.

    Parameters
    ----------
    spec : dict
        Key-value store of tensorstore.
    context : callable
        Its pool and limits.
    clock : callable
        Seconds since any moment.
    """

    def __init__(
        self,
        spec: dict[str, object],
        context: Callable[[], tensorstore.Context],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec = spec
        self._context = context
        self._clock = clock
        self._lock = threading.Lock()
        self._store: tensorstore.KvStore | None = None
        self._silence: tuple[float, BaseException] | None = None
        self._failures = 0

    def ask(self, read: Callable[[tensorstore.KvStore], _T]) -> _T:
        return self.guarded(lambda: read(self._opened()))

    def guarded(self, read: Callable[[], _T]) -> _T:
        """Call a function that asks the server; raise at once while it is silent."""
        self._raise_if_silent()
        try:
            result = read()
        except _ERRORS as error:
            self._note(error)
            raise
        self._silence = None
        self._failures = 0
        return result

    def _raise_if_silent(self) -> None:
        silence = self._silence
        if silence is not None and self._clock() < silence[0]:
            raise type(silence[1])(*silence[1].args)

    def _note(self, error: BaseException) -> None:
        if is_silence(error):
            self._silence = (self._clock() + _SILENCE_S, error)
            # Later reads of the pool would wait for the request that hangs.
            shared_context.cache_clear()
        elif is_failure(error):
            # One damaged object is nothing. Each is asked for three times, so a
            # server that is broken would take a second for every one.
            self._failures += 1
            if self._failures >= _FAILURES:
                self._silence = (self._clock() + _SILENCE_S, error)
        else:
            self._failures = 0

    def _opened(self) -> tensorstore.KvStore:
        import tensorstore

        with self._lock:
            if self._store is None:
                self._raise_if_silent()  # another thread may just have waited
                try:
                    self._store = wait(
                        tensorstore.KvStore.open(self._spec, context=self._context()),
                        _timeout(),
                    )
                except _ERRORS as error:
                    self._note(error)
                    raise
            return self._store


def _read(
    store: tensorstore.KvStore, key: str, limit: int, seconds: float
) -> bytes | None:
    """Read one object; what takes long and is too large is given up."""
    reading = store.read(key)
    try:
        result = reading.result(timeout=min(_SMALL_S, seconds))
    except TimeoutError:
        rest = seconds - _SMALL_S
        if rest <= 0:
            reading.cancel()
            raise
        if _is_longer(store, key, limit, rest):
            reading.cancel()
            raise _TooLargeError from None
        result = wait(reading, rest)
    if result.state == "missing":
        return None
    if len(result.value) > limit:
        raise _TooLargeError
    return bytes(result.value)


def _is_longer(
    store: tensorstore.KvStore, key: str, limit: int, seconds: float
) -> bool:
    """Return whether an object has a byte after the limit, if the server can tell."""
    beyond = slice(limit, limit + 1)
    try:
        wait(store.read(key, byte_range=beyond), min(_SMALL_S, seconds))
    except _ERRORS:
        return False
    return True


@lru_cache(maxsize=4)
def shared_context(stamp: int = 0) -> tensorstore.Context:
    """Return the pool and the limits that all stores share which are not folders.

    tensorstore keeps the credentials with it, so other ones (another ``stamp``) need
    another pool.
    """
    import tensorstore

    return tensorstore.Context(
        {
            "cache_pool": {"total_bytes_limit": _CACHE_BYTES},
            "http_request_retries": _RETRIES,
            "s3_request_retries": _RETRIES,
        }
    )


@lru_cache(maxsize=32)
def _link(address: str, zipped: bool, access: S3Access | None) -> _Link:
    return _Link(_kvstore(address, zipped, access), lambda: _context_of(access))


def _context_of(access: S3Access | None) -> tensorstore.Context:
    return shared_context(access.stamp if access is not None else 0)


def _access(address: str) -> S3Access | None:
    return s3_access(os.environ) if address[:5].lower() == "s3://" else None


def _kvstore(
    base: str, zipped: bool, access: S3Access | None, prefix: str = ""
) -> dict[str, object]:
    """Return the key-value store of a group, ``prefix`` below an address.

    Examples
    --------
    >>> _kvstore("https://example.org/a.zarr?token=7", False, None, "A/1/")
    {'driver': 'http', 'base_url': 'https://example.org/a.zarr/A/1/?token=7'}
    """
    within = "" if zipped else prefix
    spec: dict[str, object]
    if access is not None:
        bucket, _, key = base[5:].partition("/")
        if not zipped:
            key = f"{key.rstrip('/')}/" if key.strip("/") else ""
        spec = {"driver": "s3", "bucket": bucket, "path": key + within}
        spec |= access.spec()
    else:
        head, mark, query = base.partition("?")
        url = head if zipped else f"{head.rstrip('/')}/"
        within = quote(within)
        spec = {"driver": "http", "base_url": f"{url}{within}{mark}{query}"}
    return {"driver": "zip", "base": spec, "path": prefix} if zipped else spec


def _timeout() -> float:
    text = os.environ.get(TIMEOUT_VARIABLE, "").strip()
    try:
        seconds = float(text) if text else _TIMEOUT_S
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise FormatError(
            f"{TIMEOUT_VARIABLE} is {text!r}, a number of seconds was expected"
        )
    return seconds
