from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.ndtiff import columns, index
from napari_scope.formats.ndtiff.index import encode_record, parse_index
from napari_scope.formats.ndtiff.lookup import RowLookup

if TYPE_CHECKING:
    from pathlib import Path

Record = tuple[dict[str, int | str], str, tuple[int, ...]]

_U32 = st.integers(0, 2**32 - 1)
_VALUES = st.integers(-(2**31), 2**31 - 1) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=5
)
_AXES = st.dictionaries(
    st.sampled_from(["time", "z", "channel", "Z", "größe"]), _VALUES, max_size=4
)
_RECORDS = st.lists(
    st.tuples(
        _AXES,
        st.sampled_from(["a.tif", "b_1.tif", "µ.tif"]),
        st.tuples(_U32, _U32, _U32, _U32, _U32, _U32),
    ),
    max_size=12,
)


def _encode(record: Record, **style: object) -> bytes:
    axes, name, numbers = record
    text = json.dumps(axes, **style).encode()  # type: ignore[arg-type]
    offset, width, height, kind, about, length = numbers
    return encode_record(
        text, name.encode(), offset, width, height, kind, about, length
    )


def _row(table: object, row: int) -> Record:
    place = table.location(row)  # type: ignore[attr-defined]
    return table.axes(row), place.file, tuple(place[1:])  # type: ignore[attr-defined]


def test_a_record_has_the_layout_of_the_format() -> None:
    record = encode_record(b'{"z":1}', b"x.tif", 10, 20, 30, 4, 50, 60)
    expected = struct.pack(
        "<I7sI5s8I", 7, b'{"z":1}', 5, b"x.tif", 10, 20, 30, 4, 0, 50, 60, 0
    )
    assert record == expected


@given(_RECORDS, st.booleans())
def test_what_is_encoded_is_parsed(records: list[Record], spaces: bool) -> None:
    style = {} if spaces else {"separators": (",", ":"), "ensure_ascii": False}
    table = parse_index(b"".join(_encode(record, **style) for record in records))
    assert [_row(table, i) for i in range(len(table))] == records
    assert table.problems == ()


@given(_RECORDS, st.data())
def test_a_cut_at_any_byte_keeps_the_whole_records(
    records: list[Record], data: st.DataObject
) -> None:
    parts = [_encode(record) for record in records]
    whole = b"".join(parts)
    cut = data.draw(st.integers(0, len(whole)))
    ends = np.cumsum([len(part) for part in parts])
    kept = int((ends <= cut).sum())

    table = parse_index(whole[:cut])

    assert [_row(table, i) for i in range(len(table))] == records[:kept]
    assert table.consumed == (ends[kept - 1] if kept else 0)
    assert bool(table.problems) == (table.consumed < cut)
    # What a live writer adds is read from there on.
    rest = parse_index(whole[table.consumed :])
    assert [_row(rest, i) for i in range(len(rest))] == records[kept:]


@given(_RECORDS, st.binary(max_size=200))
def test_garbage_behind_the_records_never_raises_nor_harms(
    records: list[Record], garbage: bytes
) -> None:
    whole = b"".join(_encode(record) for record in records)
    table = parse_index(whole + garbage)
    assert [_row(table, i) for i in range(len(records))] == records


@given(st.binary(max_size=500))
def test_any_bytes_parse(data: bytes) -> None:
    parse_index(data)


def test_zeros_that_java_allocates_ahead_end_the_index() -> None:
    record = _encode(({"time": 3}, "a.tif", (1, 2, 3, 1, 4, 5)))
    table = parse_index(record + bytes(1000))
    assert len(table) == 1
    assert table.consumed == len(record)
    assert table.problems == ("the index was not closed by its writer",)


def test_big_endian_index() -> None:
    record = struct.pack(">I7sI5s8I", 7, b'{"z":1}', 5, b"x.tif", *range(8))
    table = parse_index(record * 2)
    assert table.order == ">"
    assert table.fields.tolist() == [list(range(8))] * 2


def test_integers_are_sorted_and_names_keep_their_order() -> None:
    axes: list[dict[str, int | str]] = [
        {"time": 5, "channel": "GFP"},
        {"channel": "DAPI", "time": -2},
        {"time": 0, "channel": "GFP"},
    ]
    data = b"".join(_encode((a, "a.tif", (0,) * 6)) for a in axes)
    table = parse_index(data)
    assert table.names == ("time", "channel")
    assert table.values == {"time": (-2, 0, 5), "channel": ("GFP", "DAPI")}
    assert table.codes.tolist() == [[2, 0], [0, 1], [1, 0]]


def test_blocks_join_seamlessly() -> None:
    # More than two blocks, and the axes change between and inside of them.
    axes: list[dict[str, int | str]] = [
        {"time": i} if i < 5000 else {"time": i, "z": i % 7} for i in range(9000)
    ]
    data = b"".join(_encode((a, f"{a['time'] // 4000}.tif", (0,) * 6)) for a in axes)  # type: ignore[operator]
    table = parse_index(data)
    assert [table.axes(i) for i in range(len(table))] == axes
    assert [table.files[i] for i in table.file_ids[[0, 4000, 8999]]] == [
        "0.tif",
        "1.tif",
        "2.tif",
    ]


@pytest.mark.parametrize(
    "text",
    [b'{"z":1.5}', b'{"z":true}', b'{"z":null}', b'{"z":[1]}', b'{"z":2147483648}'],
)
def test_a_record_with_impossible_axes_is_left_out(text: bytes) -> None:
    good = _encode(({"z": 1}, "a.tif", (0,) * 6))
    bad = encode_record(text, b"a.tif", *(0,) * 6)
    table = parse_index(good + bad + good)
    assert len(table) == 2
    assert table.values == {"z": (1,)}
    assert "1 records" in table.problems[0]


@pytest.mark.parametrize(
    "text",
    [
        b"[1]",
        b'{"z":1',
        b"[" * 60000,
        b'{"z":' + b"9" * 5000 + b"}",
        b'{"z":1},{"z":2}',
        b'{"\xff":1}',
    ],
)
def test_a_record_that_is_no_json_ends_the_index(text: bytes) -> None:
    good = _encode(({"z": 1}, "a.tif", (0,) * 6))
    bad = encode_record(text, b"a.tif", *(0,) * 6)
    table = parse_index(good + bad + good)
    assert len(table) == 1
    assert table.consumed == len(good)
    assert f"from byte {len(good)} on" in table.problems[0]


def test_more_axes_than_any_microscope_has_end_the_index() -> None:
    good = _encode(({"z": 1}, "a.tif", (0,) * 6))
    many = _encode(({f"axis{i}": i for i in range(70)}, "a.tif", (0,) * 6))
    table = parse_index(good + many + good)
    assert table.names == ("z",)
    assert len(table) == 1
    assert table.consumed == len(good)
    assert len(parse_index(many)) == 0


def test_a_text_that_is_too_long_ends_the_index() -> None:
    good = _encode(({"z": 1}, "a.tif", (0,) * 6))
    long = _encode(({"z": "x" * 70_000}, "a.tif", (0,) * 6))
    name = _encode(({"z": 1}, "a" * 70_000, (0,) * 6))
    for bad in (long, name):
        table = parse_index(good + bad + good)
        assert table.consumed == len(good)
        assert "makes no sense" in table.problems[0]


@pytest.mark.parametrize(
    ("name", "count"),
    [("mm_mda_tcz_15", 112), ("Nonstandard_axis_names", 100), ("unordered_z_1", 20)],
)
def test_real_indexes(real_stores: Path, name: str, count: int) -> None:
    data = (real_stores / "index_only" / name / "NDTiff.index").read_bytes()
    table = parse_index(data)
    assert len(table) == count
    assert table.problems == ()
    assert table.consumed == len(data)


@given(
    st.lists(st.tuples(*[st.integers(-1, 3)] * 3), max_size=40),
    st.sampled_from([(4, 4, 4), (10**6, 10**6, 4), (2**31, 2**31, 2**31)]),
)
def test_lookup_answers_like_a_dictionary(
    codes: list[tuple[int, ...]], sizes: tuple[int, ...]
) -> None:
    lookup = RowLookup(np.array(codes, np.int32).reshape(-1, 3), sizes)
    expected = {key: row for row, key in enumerate(codes)}
    for key in np.ndindex(5, 5, 5):
        wanted = tuple(k - 1 for k in key)
        assert lookup.row(wanted) == expected.get(wanted)
    assert lookup.last_rows().tolist() == sorted(expected.values())


@given(
    records=_RECORDS,
    one_name=st.booleans(),
    cuts=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3),
    end=st.integers(0, 2000),
)
def test_blocks_of_alike_records_are_cut_like_single_ones(
    records: list[Record],
    one_name: bool,
    cuts: list[tuple[int, int]],
    end: int,
) -> None:
    """Long runs that name one file take a faster way, which must not differ."""
    if one_name:
        records = [(axes, "a.tif", numbers) for axes, _, numbers in records]
    data = bytearray(b"".join(map(_encode, records)) * 2)
    for place, value in cuts:
        if place < len(data):
            data[place] = value
    if end < 500:
        del data[end:]
    expected = parse_index(bytes(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_BLOCK", 2)
        found = parse_index(bytes(data))
    assert found.consumed == expected.consumed
    assert found.problems == expected.problems
    assert [_row(found, i) for i in range(len(found))] == [
        _row(expected, i) for i in range(len(expected))
    ]


def test_blocks_of_alike_records_may_end_anywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = b'{"z":%d}', b"a.tif", 206, 4, 3, 1, 230, 2
    whole = b"".join(encode_record(record[0] % i, *record[1:]) for i in range(7))
    size = len(whole) // 7
    monkeypatch.setattr(index, "_BLOCK", 2)
    for end in range(len(whole) + 1):
        table = parse_index(whole[:end])
        assert table.consumed == end // size * size
        assert table.axes(len(table) - 1) == {"z": len(table) - 1} if len(table) else 1
        assert bool(table.problems) == bool(end % size)


def test_a_text_that_is_too_long_ends_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_BLOCK", 2)
    good = _encode(({"c": "x"}, "a.tif", (0,) * 6))
    long = _encode(({"c": "x" * 70_000}, "a.tif", (0,) * 6))
    table = parse_index(good * 4 + long + good * 4)
    assert table.consumed == len(good) * 4
    assert len(table) == 4


_TEXTS = st.sampled_from(
    [
        b'{"time":0,"z":-1}',
        b'{"time": 10, "z": 3}',
        b'{"z":5,"time":1}',
        b'{"time":7,"z":2147483647}',
        b'{"time":7,"z":2147483648}',
        b'{"time":7,"z":99999999999999999999}',
        b'{"time":007,"z":1}',
        b'{"time":,"z":1}',
        b'{"time":1-2,"z":1}',
        b'{"time":--1,"z":1}',
        b'{"time":-0,"z":1}',
        b'{"time":1.5,"z":1}',
        b'{"time":true,"z":1}',
        b'{"time":"a","z":1}',
        b'{"z1":1}',
        b'{"z":1}',
        b'{"time":5 6,"z":1}',
        b'{"time":"a","z":-4}',
        b'{"time":"7","z":1}',
        b'{"time":"\xc3\xb6","z":1}',
        b'{"time":"\\u00f6","z":1}',
        b'{"time":"}","z":1}',
        b'{"time":"a","z":"b"}',
        b'{"time":null,"z":1}',
        b'{"z":1,"z":2}',
        b'{"z\\u0031":1}',
        b'{"\\ud800":1}',
        b'{"time":1}',
        b"{}",
        b"[1]",
    ]
)


@given(st.lists(_TEXTS, max_size=6), st.integers(1, 4))
def test_whole_numbers_are_read_like_anything_else(
    texts: list[bytes], times: int
) -> None:
    """Records that differ in numbers only take a faster way, which must not differ."""
    data = b"".join(
        encode_record(text, b"a.tif", 206, 4, 3, 1, 230, 2)
        for text in texts
        for _ in range(times)
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


@given(
    st.lists(
        st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-5, 5)),
        min_size=1,
        max_size=60,
    )
)
def test_any_whole_numbers(values: list[tuple[int, int]]) -> None:
    data = b"".join(
        encode_record(b'{"far":%d,"near":%d}' % pair, b"a.tif", 206, 4, 3, 1, 230, 2)
        for pair in values
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_WORTHWHILE", 1)
        table = parse_index(data)
    found = [table.axes(row) for row in range(len(table))]
    assert found == [{"far": far, "near": near} for far, near in values]


def test_the_faster_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = index._split_alike
    taken: list[int] = []

    def spy(*arguments: object) -> tuple[int, int]:
        result = real(*arguments)  # type: ignore[arg-type]
        taken.append(result[0])
        return result

    monkeypatch.setattr(index, "_split_alike", spy)
    record = (b'{"time":%d,"z":-1}', b"a.tif", 206, 4, 3, 1, 230, 2)
    data = b"".join(encode_record(record[0] % i, *record[1:]) for i in range(20_000))
    table = parse_index(data)
    assert len(table) == 20_000
    assert table.values["time"] == tuple(range(20_000))
    assert sum(taken) > 15_000
