"""Records of an index that differ in values only, read without decoding each of them.

The axes of a run of frames are the same text but for their values::

    {"time":0,"channel":"DAPI","z":0}{"time":0,"channel":"DAPI","z":1}...

What stands between the values is replaced by marks, and names by numbers. If marks and
digits are all that is left, in the right order, nothing else was there, and all numbers
are read in one pass; it takes a sixth of the time of decoding JSON. Anything that does
not fit is refused, never guessed: the caller then decodes the texts one by one, to the
same result.

Examples
--------
>>> texts = [b'{"z":%d,"channel":"%s"}' % one for one in ((0, b"A"), (-7, b"B"))]
>>> for name, values, labels in columns_of_alike(texts):
...     print(name, values.tolist(), labels)
z [0, -7] None
channel [0, 1] ['A', 'B']
>>> columns_of_alike([b'{"z":0}', b'{"z":0.5}']) is None
True
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from napari_scope.formats.ndtiff.limits import INT32

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["AlikeColumn", "columns_of_alike"]

# One for what stands before the first value, one for the second, and so on. They are no
# part of any JSON.
_MARKS: Final = bytes(range(14, 32))
_BORDER: Final = b"\1"  # between two records
_DIGITS: Final = b"0123456789-"
# Texts of an axis, in one call: each takes a pass. A digit that stands behind a text
# makes its number larger than all of them, so it is seen.
_MOST_LABELS: Final = 64


class AlikeColumn(NamedTuple):
    """The values of one axis.

    ``values`` are the values themselves, or places in ``labels`` on an axis of texts,
    which are in order of appearance.
    """

    name: str
    values: npt.NDArray[np.int64]
    labels: list[str] | None


def columns_of_alike(texts: list[bytes]) -> list[AlikeColumn] | None:
    """Return the values of each axis if the records differ in nothing else, or None.

    Parameters
    ----------
    texts : list of bytes
        Axes of each record, JSON; one or more. All are as Java or Python write it.

    Returns
    -------
    list of AlikeColumn or None
        One for each axis, in the order of the records.
    """
    first = _decoded(texts[0])
    if not isinstance(first, dict):
        return None
    parts = _parts(first, texts[0])
    if not parts:
        return None
    together = _BORDER.join(texts)
    marks = [_MARKS[i : i + 1] for i in range(len(parts))]
    if together[-1:] != b"}" or any(mark in together for mark in marks):
        return None
    # The border in front and the one brace less make the first record like the others.
    rest = b"}" + _BORDER + together[:-1]
    parts[0] = b"}" + _BORDER + parts[0]
    labels: list[list[str] | None] = []
    for part, mark, value in zip(parts, marks, first.values(), strict=True):
        if type(value) is str:
            found = _number_labels(rest, part + b'"', mark)
            if found is None:
                return None
            rest, own = found
            labels.append(own)
        else:
            rest = rest.replace(part, mark)
            labels.append(None)
    # A mark stands for exactly the bytes that it replaced, so this shows all records.
    if rest.translate(None, _DIGITS) != b"".join(marks) * len(texts):
        return None
    commas = bytes.maketrans(b"".join(marks), b"," * len(marks))
    numbers = _numbers(rest.translate(commas))
    if numbers is None:
        return None
    columns = []
    table = numbers.reshape(-1, len(parts)).T
    for name, values, own_labels in zip(first, table, labels, strict=True):
        if own_labels is not None:
            values = values - _MOST_LABELS
            if values.min() < 0 or values.max() >= len(own_labels):
                return None
        columns.append(AlikeColumn(name, values, own_labels))
    return columns


def _decoded(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _parts(first: dict[str, object], text: bytes) -> list[bytes]:
    """Return what stands before each value of a record, or nothing if it is unusual."""
    if not 0 < len(first) <= len(_MARKS):
        return []
    if not {int, str}.issuperset(map(type, first.values())):
        return []
    for comma, colon in (",", ":"), (", ", ": "):
        style = json.JSONEncoder(ensure_ascii=False, separators=(comma, colon))
        if style.encode(first).encode("utf-8", "replace") == text:
            return [
                f"{start}{style.encode(name)}{colon}".encode()
                for start, name in zip(
                    ["{", *[comma] * (len(first) - 1)], first, strict=True
                )
            ]
    return []


def _number_labels(
    rest: bytes, before: bytes, mark: bytes
) -> tuple[bytes, list[str]] | None:
    """Replace the texts behind ``before`` by numbers from `_MOST_LABELS` on."""
    labels: list[str] = []
    while (start := rest.find(before)) >= 0:
        end = rest.find(b'"', start + len(before)) + 1
        if len(labels) == _MOST_LABELS:
            return None
        label = _decoded(b'["' + rest[start + len(before) : end] + b"]")
        # No list, if there is no quote, or a backslash makes it a part of the text.
        if not isinstance(label, list):
            return None
        number = b"%d" % (_MOST_LABELS + len(labels))
        rest = rest.replace(rest[start:end], mark + number)
        labels += label
    return rest, labels


def _numbers(data: bytes) -> npt.NDArray[np.int64] | None:
    """Return whole numbers, or None if one of them is not as JSON writes it.

    Parameters
    ----------
    data : bytes
        Digits and minus signs, with a comma before each number.
    """
    # numpy warns of what is no number, and of nothing else: 007 is 7, large ones are
    # cut. So numbers are counted and measured.
    if b",," in data or not data[-1:].isdigit():
        return None
    negative = data.count(b"-")
    if negative and (negative != data.count(b",-") or b"-," in data):
        return None
    numbers = np.fromstring(data[1:].decode(), np.int64, sep=",")
    low, high = int(numbers.min()), int(numbers.max())
    if low < INT32.start or high >= INT32.stop:
        return None
    sizes = np.abs(numbers) if negative else numbers
    digits, power = 2 * len(numbers), 10
    while power <= max(high, -low):
        digits += int(np.count_nonzero(sizes >= power))
        power *= 10
    return numbers if digits + np.count_nonzero(numbers < 0) == len(data) else None
