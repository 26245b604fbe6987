"""Which frame of a store a request means: axes by name, values, channel names.

A request is what a user writes: ``z=3, channel="DAPI"``. It names a frame if no other
frame fits it as well: an axis may be left out where the store has one value of it, and
where the frame itself lacks it. Integers on an axis of names count the names in order
of appearance. Whatever fits no frame, or several, is an error that says what there is;
there is no nearest frame and no first one.

This module reads no pixels; of the metadata it reads the names of channels only.
"""

from __future__ import annotations

import operator
from functools import cached_property
from typing import TYPE_CHECKING, SupportsIndex, TypeAlias

import numpy as np

from napari_scope.errors import FormatError, MissingImageError
from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.dataset_order import axis_order, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.catalog import Catalog

__all__ = ["CHANNEL", "FrameAddresses", "Place"]

Place: TypeAlias = SupportsIndex | str | None
"""Value of an axis in a request; None leaves the axis open."""

CHANNEL = "channel"
"""The axis of channels, as the index names it."""

_Plan: TypeAlias = "list[tuple[str, dict[object, int], int]]"


class FrameAddresses:
    """Finds the frames of one catalog by what a user says of them. Immutable.

    Parameters
    ----------
    catalog : Catalog
        The frames.
    first : sequence of str
        Axes of the first record, see `first_axes`.
    summary : mapping
        Summary metadata, for names of channels.
    folder : Path
        Of the store, for errors.
    full : FrameAddresses, optional
        Those of full resolution, if these are of another level: its frames appear in
        another order, but a channel has the same number and name at every level.

    Attributes
    ----------
    names : tuple of str
        The axes, in the order of arrays.
    values : dict
        Values of each axis, in the order of arrays.
    order : dict
        Codes of these values in the catalog.
    plan, plan_of_default : list of (str, dict, int)
        For each axis of the catalog the codes of its values, and the code of an axis
        that is left out, or -1; with channel 0 for one left out in the second.
    """

    def __init__(
        self,
        catalog: Catalog,
        first: Sequence[str],
        summary: Mapping[str, object],
        folder: Path,
        full: FrameAddresses | None = None,
    ) -> None:
        self.catalog = catalog
        self.folder = folder
        self.names = axis_order(catalog.table.names, first)
        self.values: dict[str, tuple[int | str, ...]] = {}
        self.order: dict[str, list[int]] = {}
        self._full = full
        self._summary = summary
        self._codes: dict[str, dict[object, int]] = {}
        for name, values in catalog.table.values.items():
            counted = values if full is None else full.values.get(name, values)
            self.order[name] = order = _like(values, counted)
            self.values[name] = tuple(values[code] for code in order)
            self._codes[name] = _codes(values, counted)
        self._rows_of_codes = catalog.row_of_codes
        self.plan, self.plan_of_default = self._plans()

    def _plans(self) -> tuple[_Plan, _Plan]:
        """Return both plans; what is left out has a code where all frames have it."""
        table = self.catalog.table
        everywhere = [bool((column >= 0).all()) for column in table.codes.T]
        plain: _Plan = []
        for name, always in zip(table.names, everywhere, strict=True):
            only = always and len(self.values[name]) == 1
            plain.append((name, self._codes[name], 0 if only else -1))
        default = [
            (name, codes, codes.get(0, code) if name == CHANNEL and always else code)
            for (name, codes, code), always in zip(plain, everywhere, strict=True)
        ]
        return plain, default

    # ------------------------------------------------------------ the requests

    def row(self, request: Mapping[str, object], *, default: bool = False) -> int:
        """Return the row of the frame that a request means.

        Parameters
        ----------
        request : mapping of str to int, str or None
            Values of axes.
        default : bool
            Take channel 0, or the only one, if the request names none.

        Raises
        ------
        MissingImageError
            No frame fits, or several do.
        """
        found = self.find(request, default=default)
        if found is None:
            raise self._why_not(request, default)
        return found

    def find(
        self, request: Mapping[str, object], *, default: bool = False
    ) -> int | None:
        """Return the same, or None if no frame fits, or several do."""
        codes = []
        unused = len(request)
        try:
            for name, known, code in self.plan_of_default if default else self.plan:
                value = request.get(name)
                if value is not None:
                    code = known[value]
                    unused -= 1
                codes.append(code)
        except (KeyError, TypeError):
            unused = -1
        if unused == 1 and self._is_no_channel(request):
            unused = 0
        if not unused:
            found = self._rows_of_codes(codes)
            if found is not None:
                return found
            if -1 not in codes:
                return None  # every axis is given, or has one value everywhere
        try:
            fitting = self._search(request, default)[1]
        except MissingImageError:
            return None
        return int(fitting[0]) if len(fitting) == 1 else None

    def code(self, name: str, value: object) -> int:
        """Return the code of a value of an axis.

        Raises
        ------
        MissingImageError
            There is no such axis, or no such value.
        """
        known = self._codes.get(name)
        if known is None:
            raise self._no_axis(name)
        try:
            code = known.get(value)
        except TypeError:
            code = None
        if code is None and not isinstance(value, str):
            # What only counts as an integer, an array of one element for instance.
            try:
                code = known.get(operator.index(value))  # type: ignore[arg-type]
            except TypeError:
                code = None
        if code is None:
            there = self.values[name]
            hint = None
            if isinstance(there[0], str) and not isinstance(value, str):
                hint = f"an integer from 0 to {len(there) - 1} counts these names"
            raise self.missing(
                f"axis {name!r} has no value {value!r}; it has {listed(there)}", hint
            )
        return code

    def place(self, name: str, value: object) -> int:
        """Return the place of a value in `values`; raises as `code` does."""
        code = self.code(name, value)
        return self.order[name].index(code)

    def check_axis(self, name: str) -> None:
        """Raise MissingImageError if there is no such axis."""
        if name not in self._codes:
            raise self._no_axis(name)

    def missing(self, message: str, hint: str | None = None) -> MissingImageError:
        """Return an error about this store."""
        return MissingImageError(message, path=self.folder, hint=hint)

    def _no_axis(self, name: str) -> MissingImageError:
        axes = ", ".join(f"{n} ({listed(self.values[n])})" for n in self.names)
        return self.missing(
            f"the data set has no axis {name!r}; "
            + (f"its axes are {axes}" if axes else "it has no image yet")
        )

    def _search(
        self, request: Mapping[str, object], default: bool
    ) -> tuple[dict[str, int], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return the axes that are given, the rows that fit all, and that fit those.

        An axis that is left out fits where a frame lacks it, and where it has one value
        only (channel 0 by default). Of several, a frame that has just the axes of the
        request fits; one value that all frames have counts as given.
        """
        given = {
            name: self.code(name, value) for name, value in self._said(request).items()
        }
        table = self.catalog.table
        rows = self.catalog.rows()
        codes = table.codes[rows]
        named = np.ones(len(rows), bool)
        free = np.ones(len(rows), bool)
        lacking = np.ones(len(rows), bool)
        plan = self.plan_of_default if default else self.plan
        for i, (name, _, everywhere) in enumerate(plan):
            if name in given:
                named &= codes[:, i] == given[name]
                continue
            lacking &= codes[:, i] == everywhere
            free &= (codes[:, i] < 0) | (codes[:, i] == self._implied(name, default))
        exact = rows[named & lacking]
        fitting = exact if len(exact) else rows[named & free]
        return given, fitting, rows[named]

    def _said(self, request: Mapping[str, object]) -> dict[str, object]:
        """Return the axes that a request names."""
        named = sorted(request, key=lambda name: _place(name, self.names))
        wanted = {name: request[name] for name in named if request[name] is not None}
        if self._is_no_channel(wanted):
            del wanted[CHANNEL]
        return wanted

    def _is_no_channel(self, request: Mapping[str, object]) -> bool:
        """Return whether a request has the 0 that documents have for no channel."""
        value = request.get(CHANNEL)
        is_zero = isinstance(value, (int, np.integer)) and value == 0
        return is_zero and CHANNEL not in self._codes

    def _implied(self, name: str, default: bool) -> int:
        """Return the code that an axis has if it is left out, or -1."""
        if len(self.values[name]) == 1:
            return 0
        return self._codes[name].get(0, -1) if default and name == CHANNEL else -1

    def _why_not(
        self, request: Mapping[str, object], default: bool
    ) -> MissingImageError:
        """Return what is wrong with a request that means no frame."""
        wanted = self._said(request)
        try:
            given, fitting, named = self._search(request, default)
        except MissingImageError as error:
            return error
        table = self.catalog.table
        if not len(named):
            return self._no_such_frame(wanted, given)
        differ = []
        among = fitting if len(fitting) else named
        if default and CHANNEL in self._codes and CHANNEL not in given:
            # The others are not meant.
            codes = table.codes[among, table.names.index(CHANNEL)]
            meant = (codes < 0) | (codes == self._implied(CHANNEL, True))
            among = among[meant] if meant.any() else among
        for i, name in enumerate(table.names):
            if name not in given:
                there = np.unique(table.codes[among, i])
                implied = {-1, self._implied(name, default)}
                if len(fitting):
                    if len(there) > 1:
                        differ.append(name)
                elif not implied.issuperset(there.tolist()):
                    differ.append(name)
        return self._left_open(wanted, differ)

    def _left_open(
        self, wanted: Mapping[str, object], names: Sequence[str]
    ) -> MissingImageError:
        ordered = [name for name in self.names if name in names]
        there = "; ".join(f"{name} has {listed(self.values[name])}" for name in ordered)
        return self.missing(
            f"{_request(wanted)} leaves open {', '.join(map(repr, ordered))}, in which "
            f"the images differ: {there}",
            f"give {ordered[0]}=..., or use as_array",
        )

    def _no_such_frame(
        self,
        wanted: Mapping[str, object],
        given: Mapping[str, int],
    ) -> MissingImageError:
        """Return an error that says what there is if one axis is changed."""
        codes = self.catalog.table.codes[self.catalog.rows()]
        columns = {name: self.catalog.table.names.index(name) for name in given}
        near = []
        for name in (n for n in self.names if n in given):
            others = np.ones(len(codes), bool)
            for other, code in given.items():
                if other != name:
                    others &= codes[:, columns[other]] == code
            there = np.unique(codes[others, columns[name]]).tolist()
            if there == [-1]:
                near.append(f"without {name!r} there is one")
            elif there:
                known = self.catalog.table.values[name]
                values = [known[code] for code in there if code >= 0]
                near.append(f"with the rest as it is, {name!r} is {listed(values)}")
        message = f"{_request(wanted)} fits no image"
        return self.missing(f"{message}; {'; '.join(near)}" if near else message)

    # ------------------------------------------------------------ the frames

    def keys(self) -> list[dict[str, int | str]]:
        """Return the axes of every frame, in the order of the index."""
        table = self.catalog.table
        columns = [table.names.index(name) for name in self.names]
        codes = table.codes[self.catalog.rows()][:, columns]
        axes = [(name, table.values[name]) for name in self.names]
        return [
            {
                name: values[code]
                for (name, values), code in zip(axes, row, strict=True)
                if code >= 0
            }
            for row in codes.tolist()
        ]

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Name of each value of the channel axis.

        A value that is a name; else the name in the summary, or in the metadata of the
        first frame of the channel, or a number.
        """
        of_summary = facts.channel_names(self._summary)
        found = []
        for code, value in enumerate(self.values.get(CHANNEL, ())):
            if isinstance(value, str):
                found.append(value)
            elif 0 <= value < len(of_summary):
                found.append(of_summary[value])
            else:
                found.append(self._channel_of_frame(code) or f"Channel {value}")
        return tuple(found)

    def _channel_of_frame(self, code: int) -> str | None:
        table = self.catalog.table
        mine = table.codes[:, table.names.index(CHANNEL)] == code
        rows = np.flatnonzero(mine & self.catalog.readable)
        if not len(rows):
            return None
        try:
            return facts.channel_name(self.catalog.metadata_of_row(int(rows[0])))
        except FormatError:
            return None  # damaged metadata cost the name, not the pixels

    def channel_of(self, name: object) -> int | str:
        """Return the value of the channel axis that has a name.

        Raises
        ------
        MissingImageError
            There is no channel of this name, or there are several.
        """
        if self._full is not None:
            return self._full.channel_of(name)
        codes = [i for i, known in enumerate(self.channels) if known == name]
        if len(codes) == 1:
            return self.values[CHANNEL][codes[0]]
        if codes:
            values = [self.values[CHANNEL][code] for code in codes]
            raise self.missing(
                f"the channels {listed(values)} are all called {name!r}",
                "give channel=...",
            )
        if not self.channels:
            raise self.missing(f"there is no channel {name!r}: there is no such axis")
        raise self.missing(
            f"there is no channel {name!r}; the channels are {listed(self.channels)}"
        )


def _like(values: Sequence[int | str], others: Sequence[int | str]) -> list[int]:
    """Return the codes of values, names in the order that they have elsewhere."""
    place: dict[object, int] = {
        value: i for i, value in enumerate(others) if isinstance(value, str)
    }
    return sorted(
        range(len(values)),
        key=lambda code: (
            isinstance(values[code], str),
            place.get(values[code], len(others)),
            code,
        ),
    )


def _codes(
    values: Sequence[int | str], counted: Sequence[int | str]
) -> dict[object, int]:
    """Return the code of each value, and of the numbers that count names."""
    codes: dict[object, int] = {value: code for code, value in enumerate(values)}
    if not any(isinstance(value, int) for value in (*values, *counted)):
        codes |= {i: codes[name] for i, name in enumerate(counted) if name in codes}
    return codes


def _place(name: str, names: Sequence[str]) -> int:
    return names.index(name) if name in names else len(names)


def _request(wanted: Mapping[str, object]) -> str:
    if not wanted:
        return "a request without axes"
    return ", ".join(f"{name}={value!r}" for name, value in wanted.items())
