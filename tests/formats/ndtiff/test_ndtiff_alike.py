from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.formats.ndtiff import columns
from napari_scope.formats.ndtiff.alike import columns_of_alike
from napari_scope.formats.ndtiff.index import encode_record, parse_index


def _found(texts: list[bytes]) -> list[dict[str, int | str]] | None:
    """Return the axes of each record, as the columns have them."""
    found = columns_of_alike(texts)
    if found is None:
        return None
    spelled = [
        (name, [labels[i] for i in values] if labels is not None else values.tolist())
        for name, values, labels in found
    ]
    return [
        {name: values[i] for name, values in spelled}  # type: ignore[misc]
        for i in range(len(texts))
    ]


_INT32 = st.integers(-(2**31), 2**31 - 1)
_NAMES = st.sampled_from(["time", "z", "channel", "camera1", "größe", ":", ",", "}{"])
_LABELS = st.sampled_from(
    ["DAPI", "", "7", "-1", "64", "größe", '":', '"}', '{"z":1}', ",", "a\\", "\x1f"]
)


@given(st.data(), st.booleans())
def test_values_are_those_of_the_records(data: st.DataObject, spaces: bool) -> None:
    kinds = data.draw(
        st.dictionaries(_NAMES, st.sampled_from([_INT32, _LABELS]), min_size=1)
    )
    drawn = data.draw(st.lists(st.fixed_dictionaries(kinds), min_size=1, max_size=9))
    axes = [{name: one[name] for name in kinds} for one in drawn]
    style = (", ", ": ") if spaces else (",", ":")
    texts = [json.dumps(a, separators=style, ensure_ascii=False).encode() for a in axes]
    found = _found(texts)
    # A quote in a text, or a backslash, may be refused, never misread.
    assert found == axes or (found is None and b"\\" in b"".join(texts))


def test_texts_are_in_order_of_appearance() -> None:
    texts = [b'{"c":"%s","z":%d}' % one for one in ((b"b", 5), (b"a", -1), (b"b", 0))]
    (name, places, labels), (_, values, none) = columns_of_alike(texts) or []
    assert (name, places.tolist(), labels) == ("c", [0, 1, 0], ["b", "a"])
    assert (values.tolist(), none) == ([5, -1, 0], None)


def test_numbers_of_any_length() -> None:
    for values in [0, 9, 10], [1, 99, 100], [-10, 1], [-9, -2147483648, 2147483647]:
        texts = [b'{"z":%d}' % value for value in values]
        assert _found(texts) == [{"z": value} for value in values]


@pytest.mark.parametrize(
    "texts",
    [
        # Two records in one, and their comma in the next.
        [b'{"z":1},{"z":2', b"}"],
        [b'{"z":1},{"z":2}', b'{"z":1'],
        [b'{"a":1', b'"b":2}'],
        [b'{"z":1}', b'{"z":1]'],
        [b'{"z":1}', b'{"z":12'],
        # Digits where none belong.
        [b'{"z":1}', b'{"z1":1}'],
        [b'{"z":1}', b'{"z":1 2}'],
        [b'{"z":1}', b'{"z":1}2'],
        [b'{"z":1}', b'5{"z":1}'],
        [b'{"c":"a"}', b'{"c":"b"7}'],
        [b'{"c":"a"}', b'{"c":"b"-}'],
        [b'{"c":"a","z":1}', b'{"c":"a"4,"z":1}'],
        # No numbers, or not those of JSON, or none of an axis.
        [b'{"z":1}', b'{"z":01}'],
        [b'{"z":1}', b'{"z":-01}'],
        [b'{"z":1}', b'{"z":}'],
        [b'{"z":1}', b'{"z":-}'],
        [b'{"y":1,"z":1}', b'{"y":-,"z":1}'],
        [b'{"z":1}', b'{"z":--1}'],
        [b'{"z":1}', b'{"z":1-1}'],
        [b'{"z":1}', b'{"z":1.0}'],
        [b'{"z":1}', b'{"z":true}'],
        [b'{"z":1}', b'{"z":null}'],
        [b'{"z":1}', b'{"z":2147483648}'],
        [b'{"z":1}', b'{"z":-2147483649}'],
        [b'{"z":1}', b'{"z":18446744073709551617}'],
        [b'{"z":1}', b'{"z":' + b"9" * 5000 + b"}"],
        # Other kinds, orders, styles.
        [b'{"z":1}', b'{"z":"1"}'],
        [b'{"z":"1"}', b'{"z":1}'],
        [b'{"z":"1"}', b'{"z":64}'],
        [b'{"y":1,"z":1}', b'{"z":1,"y":1}'],
        [b'{"z":1}', b'{"z": 1}'],
        [b'{"z":1}', b'{"z":1,"z":2}'],
        [b'{"z":1,"z":2}', b'{"z":1,"z":2}'],
        [b'{"z":1.5}', b'{"z":1.5}'],
        [b'{"z":true}', b'{"z":true}'],
        [b'{ "z":1}', b'{ "z":1}'],
        # Bytes that stand for something else in between.
        [b'{"y":1,"z":1}', b'{"y":1\x0f2}'],
        [b'{"z":1}', b'{"z":1}\x01{"z":1}'],
        [b'{"z":1}', b"\x0e1"],
        [b'{"c":"a"}', b'{"c":"a\x01"}'],
        # Texts that are none, or end elsewhere.
        [b'{"c":"a"}', b'{"c":"b}'],
        [b'{"c":"a"}', b'{"c":"\n"}'],
        [b'{"c":"a"}', b'{"c":"\xff"}'],
        [b'{"c":"a"}', b'{"c":"\\"}'],
        [b'{"c":"a"}', b'{"c":"\\x"}'],
        # Not worth it.
        [b'{"c":"%d"}' % i for i in range(65)],
        [json.dumps({f"a{i}": i for i in range(19)}).encode()],
        [b"{}", b"{}"],
        [b"[1]", b"[1]"],
        [b"{", b"{"],
        [b"[" * 60_000],
    ],
)
def test_what_is_not_alike_is_refused(texts: list[bytes]) -> None:
    assert columns_of_alike(texts) is None


def test_escapes_in_texts_are_decoded() -> None:
    texts = [b'{"c":"%s"}' % text for text in (b"D", rb"\u0044", rb"a\\", rb"\ud800")]
    assert _found(texts) == [{"c": "D"}, {"c": "D"}, {"c": "a\\"}, {"c": "\ud800"}]


# Pieces that meet each other in wrong places.
_PIECES = st.sampled_from(
    [
        *(b'{"z":', b',"c":', b', "c": ', b'"c":', b"}", b"},", b'"', b",", b":", b"{"),
        *(b'"DAPI"', b'"1"', b'"\\""', b'"a\\\\"', b'"}"', b'"\xc3\xb6"', b'":"'),
        *(b"0", b"1", b"64", b"65", b"-", b"-0", b"007", b"2147483648", b"1.5"),
        *(b"true", b"null", b" ", b"\x01", b"\x0e", b"\x0f", b"\\", b'"z1":'),
    ]
)
_GOOD = st.sampled_from(
    [
        b'{"z":1,"c":"DAPI"}',
        b'{"z":-20,"c":"FITC"}',
        b'{"z":3,"c":"DA:PI"}',
        b'{"z": 1, "c": "DAPI"}',
        b'{"z":1}',
    ]
)


@st.composite
def _spoiled(draw: st.DrawFn) -> bytes:
    """Return a record into which something was put, or whose end is elsewhere."""
    text = draw(_GOOD)
    place = draw(st.integers(0, len(text)))
    gone = draw(st.integers(0, 3))
    return (
        text[:place]
        + b"".join(draw(st.lists(_PIECES, max_size=2)))
        + text[place:][gone:]
    )


@settings(max_examples=300)
@given(st.lists(_GOOD | _spoiled() | st.lists(_PIECES).map(b"".join), max_size=6))
def test_an_index_is_read_the_same_without(texts: list[bytes]) -> None:
    data = b"".join(
        encode_record(text, b"a.tif", 206, 4, 3, 1, 230, 2)
        for text in texts
        if text  # a record of length 0 ends an index
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_WORTHWHILE", 10**9)
        expected = parse_index(data)
        patch.setattr(columns, "_WORTHWHILE", 1)
        found = parse_index(data)
    assert found.names == expected.names
    assert found.values == expected.values
    assert found.problems == expected.problems
    assert found.consumed == expected.consumed
    np.testing.assert_array_equal(found.codes, expected.codes)


def test_it_is_used_for_a_usual_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(texts: list[bytes]) -> list[dict[str, object]]:
        raise AssertionError(f"{len(texts)} records were decoded one by one")

    axes = [
        {"time": t, "channel": channel, "z": z}
        for t in range(20)
        for channel in ("DAPI", "größe")
        for z in range(-5, 5)
    ]
    texts = [
        json.dumps(a, separators=(",", ":"), ensure_ascii=False).encode() for a in axes
    ]
    data = b"".join(encode_record(t, b"a.tif", 206, 4, 3, 1, 230, 2) for t in texts)
    monkeypatch.setattr(columns, "_load", slow)
    table = parse_index(data)
    assert [table.axes(row) for row in range(len(table))] == axes
