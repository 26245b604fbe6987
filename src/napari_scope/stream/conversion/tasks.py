"""Running the tasks of a conversion: on threads, or on a dask.distributed cluster.

Few tasks are under way at a time, so that neither memory nor a scheduler fills up, and
a conversion that is cancelled ends soon. Results come in the order in which they are
ready.
"""

from __future__ import annotations

import contextlib
import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from napari_scope.errors import ScopeError, SettingsError, StreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    _T = TypeVar("_T")
    _Job = tuple[_T, Callable[..., Any], tuple[Any, ...]]

__all__ = ["Cluster", "TaskRunner", "Threads", "connected"]

_CONNECT_S = 10
_MOST_TRIES = 4
_NOTICE_S = 0.2


class TaskRunner(Protocol):
    """Something that runs tasks."""

    client: Any
    """The client of a cluster, None without."""

    def run(self, jobs: Iterable[_Job[_T]]) -> Generator[tuple[_T, Any], None, None]:
        """Run tasks and yield what they are known by and what they return.

        A job is a name, a function of a module, and its arguments.
        """


class Threads:
    """Threads of this process.

    Parameters
    ----------
    workers : int, optional
        How many; by default one for each processor, at most 8.
    """

    client: Any = None

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or max(2, min(8, os.cpu_count() or 2))

    def run(self, jobs: Iterable[_Job[_T]]) -> Generator[tuple[_T, Any], None, None]:
        """Run tasks; see `TaskRunner`."""
        waiting: dict[Future[Any], _T] = {}
        queue = iter(jobs)
        with ThreadPoolExecutor(self._workers, "napari-scope convert") as pool:
            try:
                while True:
                    while len(waiting) < 2 * self._workers:
                        job = next(queue, None)
                        if job is None:
                            break
                        name, function, arguments = job
                        waiting[pool.submit(function, *arguments)] = name
                    if not waiting:
                        return
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield waiting.pop(future), future.result()
            finally:
                for future in waiting:
                    future.cancel()


class Cluster:
    """The processes of a dask.distributed cluster.

    Parameters
    ----------
    client : distributed.Client
        Connected to its scheduler.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def run(self, jobs: Iterable[_Job[_T]]) -> Generator[tuple[_T, Any], None, None]:
        """Run tasks; see `TaskRunner`.

        What a worker had that died is done again by another one.

        Raises
        ------
        StreamError
            If workers die again and again, or the cluster is gone.
        """
        from concurrent.futures import CancelledError as Lost

        from distributed import KilledWorker, as_completed
        from distributed import TimeoutError as NoWorkerError

        queue = iter(jobs)
        done: Any = as_completed([], with_results=True)  # type: ignore[no-untyped-call]
        under_way: dict[str, tuple[Any, _Job[_T], int]] = {}
        sent: dict[int, tuple[Any, Any]] = {}

        def submit(job: _Job[_T], tries: int) -> None:
            _, function, (first, *rest) = job
            # Where pixels come from may be large (the index of a data set): it is
            # sent once.
            if id(first) not in sent:
                sent[id(first)] = first, self._scatter(first)
            future = self.client.submit(function, sent[id(first)][1], *rest, pure=False)
            under_way[future.key] = future, job, tries
            done.add(future)

        def fill() -> None:
            most = max(4, 2 * sum(self.client.nthreads().values()))
            while len(under_way) < most and (job := next(queue, None)) is not None:
                submit(job, 1)

        try:
            fill()
            while under_way:
                future, result = next(done)
                _, job, tries = under_way.pop(future.key)
                if future.status == "cancelled":
                    # It was on a worker that died, or what it needs was.
                    if tries == _MOST_TRIES or self.client.status != "running":
                        raise Lost(f"{tries} workers died at it")
                    sent.clear()
                    submit(job, tries + 1)
                    continue
                yield job[0], result
                fill()
        except (Lost, KilledWorker, NoWorkerError, RuntimeError, OSError) as error:
            if isinstance(error, ScopeError):
                raise
            raise StreamError(
                f"the cluster has lost its work: {str(error)[:200]}",
                hint="look at the logs of its workers, and try again",
            ) from error
        finally:
            with contextlib.suppress(Exception):  # the cluster may be gone
                self.client.cancel([future for future, _, _ in under_way.values()])

    def _scatter(self, what: object) -> Any:
        """Send something to a worker; to another one if it dies meanwhile."""
        for _ in range(_MOST_TRIES - 1):
            # The scheduler may take a moment to notice that a worker is dead.
            with contextlib.suppress(OSError):
                return self.client.scatter(what, hash=False)
            time.sleep(_NOTICE_S)
        return self.client.scatter(what, hash=False)


@contextlib.contextmanager
def connected(scheduler: str | None) -> Iterator[TaskRunner]:
    """Give what runs tasks: a cluster by the address of its scheduler, else threads.

    Raises
    ------
    SettingsError
        If dask.distributed is not installed, or no scheduler answers.
    """
    if scheduler is None:
        yield Threads()
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise SettingsError(
            "dask.distributed is not installed",
            hint="pip install 'napari-scope[distributed]'",
        ) from error
    try:
        client = Client(scheduler, timeout=_CONNECT_S)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise SettingsError(
            f"no scheduler answers at {scheduler!r}: {str(error)[:200]}",
            hint="give the address that dask-scheduler prints, tcp://host:8786",
        ) from error
    with client:
        yield Cluster(client)
