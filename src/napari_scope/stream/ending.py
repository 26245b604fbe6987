"""The end of a stream: every store is finished for what it has.

A store whose sink failed is left as it is: readable, without the last line of its
journal, for `recover` to finish. A store beside it is complete for everything that was
appended. It is finished like any other, levels, shapes and metadata, so that nobody has
to repair what is whole; the last line of its journal says why the run stopped
(``"failed"``) and how many frames this store has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_scope.errors import StreamError
    from napari_scope.stream.lane import Lane
    from napari_scope.stream.sinks.base import Sink
    from napari_scope.stream.spec import StoreSpec

__all__ = ["finish_sinks"]


def finish_sinks(
    lanes: Iterable[Lane],
    spec: StoreSpec,
    totals: dict[str, object],
    *,
    error: Callable[[], StreamError | None],
    has_failed: Callable[[Sink], bool],
    failed: Callable[[Sink, BaseException], None],
) -> None:
    """Close all sinks, whatever happens to any of them.

    Parameters
    ----------
    lanes : iterable of Lane
        Whose threads have ended.
    spec : StoreSpec
        What is stored.
    totals : dict
        Counts of the stream.
    error : callable
        Returns why the stream failed, None if it did not; asked anew for each sink,
        because closing the one before may have failed.
    has_failed, failed : callable
        Whether a sink has failed, and what to call when one does.
    """
    for lane in lanes:
        mine: dict[str, object] | None = dict(totals)
        if has_failed(lane.sink):
            mine = None
        elif (reason := error()) is not None:
            mine = {**totals, "saved": lane.saved, "failed": reason.message}
        try:
            lane.sink.close(lane.sink.own(spec), mine)
        except BaseException as problem:  # the others are closed all the same
            failed(lane.sink, problem)
