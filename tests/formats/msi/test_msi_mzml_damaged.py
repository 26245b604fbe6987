"""Damaged and odd mzML: what is whole opens, and the rest is told."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.msi.mzml_files import Scan, param, peaks, thermo, write_mzml

from napari_scope.errors import FormatError
from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi.mzml import MzMLReader
from napari_scope.formats.msi.mzml.fast import read_fast
from napari_scope.formats.msi.mzml.scans import NO_AXIS
from napari_scope.formats.msi.mzml.strict import read_strictly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_scope.formats.msi.mzml.scans import Document
    from napari_scope.formats.msi.mzml.spectra import MzMLSpectra

N = 5


def _file(path: Path, n: int = N) -> Path:
    """Write full scans, every third of them followed by one of another form."""
    scans = []
    for k in range(n):
        scans.append(thermo(Scan(*peaks(k), filter="FTMS + p Full ms"), 10 * k, 0))
    return write_mzml(path / "a.mzML", scans)


def _changed(path: Path, change: Callable[[str], str]) -> Path:
    text = path.read_bytes().decode()
    new = change(text)
    assert new != text
    path.write_bytes(new.encode())
    return path


def _values(reader: MzMLReader) -> list[float]:
    return [
        float(total)
        for spectra in reader.data_sets
        for block in spectra.blocks()
        for total in block.totals()
    ]


def _totals(*seeds: int) -> list[float]:
    return [float(peaks(seed)[1].sum(dtype=float)) for seed in seeds]


def _damaged(reader: MzMLReader) -> dict[int, str]:
    spectra: MzMLSpectra = reader.data_sets[0]  # type: ignore[assignment]
    return spectra.damaged


# Cut and changed XML


@pytest.mark.parametrize("where", [0.5, 0.7, 0.9])
def test_of_a_cut_file_the_spectra_before_the_cut_open(
    tmp_path: Path, where: float
) -> None:
    path = _file(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(where * len(data))])
    whole = path.read_bytes().count(b"</spectrum>")
    assert 0 < whole <= N
    with MzMLReader(path) as reader:
        assert _values(reader) == _totals(*range(whole))
        assert any("not copied whole" in problem for problem in reader.problems)


def test_a_spectrum_that_is_no_xml_is_left_out(tmp_path: Path) -> None:
    path = _changed(
        _file(tmp_path), lambda text: text.replace("</scanList>", "</sc<nList>", 1)
    )
    with MzMLReader(path) as reader:
        assert _values(reader) == _totals(1, 2, 3, 4)
        assert any("spectra that are whole" in problem for problem in reader.problems)
        assert any("spectrum 0" in problem for problem in reader.problems)


def test_a_spectrum_without_an_end_is_left_out(tmp_path: Path) -> None:
    path = _changed(
        _file(tmp_path), lambda text: text.replace("</spectrum>\n", "\n", 1)
    )
    with MzMLReader(path) as reader:
        assert _values(reader) == _totals(1, 2, 3, 4)
        assert any("has no end" in problem for problem in reader.problems)


def test_an_index_that_is_wrong_is_not_used(tmp_path: Path) -> None:
    path = _changed(
        _file(tmp_path), lambda text: re.sub(r">(\d+)</offset>", r">7\1</offset>", text)
    )
    with MzMLReader(path) as reader:
        assert _values(reader) == _totals(*range(N))
        assert any("offset index" in problem for problem in reader.problems)


def test_what_follows_the_spectra_may_be_longer_than_the_memory_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.formats.msi.mzml import fast as module

    path = _file(tmp_path)
    monkeypatch.setattr(module, "_PIECE", 700)
    with path.open("ab") as file:
        file.write(b"<!-- " + bytes(5000).replace(b"\0", b"x") + b" -->\n")
    for most in (1000, 100_000):
        monkeypatch.setattr(module, "_LONGEST_HEAD", most)
        document = read_fast(path)
        assert document is not None
        found = document.root.first("indexList") is not None
        assert found == (most == 1000)  # else it was compared, and left out
        assert document.root.first("indexListOffset") is not None
        assert document.problems == ()


def test_a_wrong_number_of_spectra_is_told(tmp_path: Path) -> None:
    scans = [thermo(Scan(*peaks(k)), k, 0) for k in range(3)]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans, count=9)) as reader:
        assert reader.problems == ("the file says 9 spectra and has 3",)


def test_without_an_index_nothing_is_missing(tmp_path: Path) -> None:
    scans = [thermo(Scan(*peaks(k)), k, 0) for k in range(3)]
    with MzMLReader(write_mzml(tmp_path / "a.mzML", scans, indexed=False)) as reader:
        assert reader.problems == ()
        assert _values(reader) == _totals(0, 1, 2)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_are_refused(tmp_path: Path, doctype: str) -> None:
    path = _changed(_file(tmp_path), lambda text: text.replace("?>", "?>" + doctype, 1))
    with pytest.raises(FormatError, match="entity"):
        MzMLReader(path)
    with pytest.raises(FormatError, match="entity"):
        open_msi(path)


def test_a_document_type_without_declarations_is_no_harm(tmp_path: Path) -> None:
    path = _changed(
        _file(tmp_path), lambda text: text.replace("?>", "?><!DOCTYPE indexedmzML>", 1)
    )
    with open_msi(path) as reader:
        assert isinstance(reader, MzMLReader)
        assert _values(reader) == _totals(*range(N))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_characters_of_16_bits_are_read(tmp_path: Path, encoding: str) -> None:
    path = _file(tmp_path)
    text = path.read_text().replace("utf-8", "utf-16")
    path.write_bytes(text.encode(encoding))
    with open_msi(path) as reader:
        assert isinstance(reader, MzMLReader)
        assert _values(reader) == _totals(*range(N))


def test_another_encoding_than_the_declared_one_is_an_error(tmp_path: Path) -> None:
    path = _file(tmp_path)
    path.write_bytes(path.read_text().encode("utf-16"))
    with pytest.raises(FormatError, match="encoding"):
        open_msi(path)


def test_a_mark_of_the_byte_order_does_not_slow_reading_down(tmp_path: Path) -> None:
    path = _file(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_fast(path) is not None
    with MzMLReader(path) as reader:
        assert _values(reader) == _totals(*range(N))


@pytest.mark.parametrize("text", ["", "<mzML", "<mzML></mzML>", "no xml", "\0\0\0"])
def test_what_is_no_document_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.mzML"
    path.write_text(text)
    with pytest.raises(FormatError):
        MzMLReader(path)


# Damaged arrays


def _break_array(
    path: Path, number: int, change: Callable[[str], str], kind: int = 1
) -> Path:
    def of_text(text: str) -> str:
        found = list(re.finditer("<binary>([^<]*)</binary>", text))[2 * number + kind]
        return text[: found.start(1)] + change(found[1]) + text[found.end(1) :]

    return _changed(path, of_text)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize(
    "change",
    [lambda text: "*" + text[1:], lambda text: text[:-3], lambda text: text[:-4]],
)
def test_a_damaged_text_empties_one_spectrum(
    tmp_path: Path, kind: int, change: Callable[[str], str]
) -> None:
    path = _break_array(_file(tmp_path), 2, change, kind)
    with MzMLReader(path) as reader:
        expected = _totals(*range(N))
        expected[2] = 0
        assert _values(reader) == expected
        assert list(_damaged(reader)) == [2]
        with pytest.raises(FormatError, match="array of spectrum 2 at byte"):
            reader.data_sets[0].spectrum(2)
        # The window decodes intensities only where there is something in it.
        image = reader.data.ion_image(550.0, 500.0)
        np.testing.assert_allclose(image[0], expected, rtol=1e-6)


def test_a_damaged_zlib_stream_empties_one_spectrum(tmp_path: Path) -> None:
    forms = {"mz": "f8 zlib", "intensity": "f4 zlib"}
    scans = [thermo(Scan(*peaks(k), forms=forms), k, 0) for k in range(3)]
    path = write_mzml(tmp_path / "a.mzML", scans)
    _break_array(path, 1, lambda text: text[:40] + "AAAA" + text[44:])
    with MzMLReader(path) as reader:
        assert _values(reader) == [*_totals(0), 0.0, *_totals(2)]


def test_an_array_that_is_missing_empties_its_spectrum(tmp_path: Path) -> None:
    path = _changed(
        _file(tmp_path),
        lambda text: text.replace(param("MS:1000515", "intensity array"), "", 1),
    )
    with MzMLReader(path) as reader:
        assert _values(reader) == [0.0, *_totals(1, 2, 3, 4)]
        assert "there is none" in _damaged(reader)[0]


def test_a_coding_that_is_not_known_is_told_when_the_file_opens(tmp_path: Path) -> None:
    path = _changed(
        _file(tmp_path),
        lambda text: text.replace(
            param("MS:1000576", "no compression"),
            param("MS:1003089", "truncation, delta prediction and zlib compression"),
        ),
    )
    with MzMLReader(path) as reader:
        assert any(
            "delta prediction" in one and "msconvert --zlib" in one
            for one in reader.problems
        )


def test_a_spectrum_may_be_empty(tmp_path: Path) -> None:
    path = _break_array(_file(tmp_path), 1, lambda text: "", 0)
    _break_array(path, 1, lambda text: "", 1)
    _changed(path, lambda text: text.replace("<binary></binary>", "<binary/>", 1))
    with MzMLReader(path) as reader:
        assert _values(reader) == [*_totals(0), 0.0, *_totals(2, 3, 4)]
        assert len(reader.data_sets[0].spectrum(1).mz) == 0
        assert _damaged(reader) == {}


def test_arrays_of_different_lengths_are_cut_to_the_shorter(tmp_path: Path) -> None:
    path = _break_array(_file(tmp_path), 0, lambda text: text[: 4 * 20], 1)
    with MzMLReader(path) as reader:
        mz, intensities = reader.data_sets[0].spectrum(0)
        assert len(mz) == len(intensities) == 15
        assert _damaged(reader) == {0: "there are 40 m/z values and 15 intensities"}
        assert _values(reader)[0] == peaks(0)[1][:15].sum()
        image = reader.data.ion_image(550.0, 500.0)
        assert image[0, 0] == pytest.approx(peaks(0)[1][:15].sum())


def test_a_wrong_length_of_the_arrays_does_no_harm(tmp_path: Path) -> None:
    path = _changed(
        _file(tmp_path),
        lambda text: text.replace(
            'defaultArrayLength="40"', 'defaultArrayLength="99999999999999"'
        ),
    )
    with MzMLReader(path) as reader:
        assert _values(reader) == _totals(*range(N))


def test_a_file_that_shrinks_while_it_is_open_is_an_error(tmp_path: Path) -> None:
    path = _file(tmp_path)
    with MzMLReader(path) as reader:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        with pytest.raises(FormatError, match="any more"):
            reader.data_sets[0].spectrum(N - 1)


def test_zlib_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    import base64

    bomb = base64.b64encode(zlib.compress(bytes(80 << 20))).decode()
    scans = [thermo(Scan(*peaks(0), forms={"intensity": "f4 zlib"}), 0, 0)]
    path = write_mzml(tmp_path / "a.mzML", scans)
    _break_array(path, 0, lambda text: bomb)
    with MzMLReader(path) as reader:
        assert _values(reader) == [0.0]
        assert "more than" in _damaged(reader)[0]


# Odd ways of writing XML


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("<scanList", "<!-- </spectrum> --><scanList", 1),
        lambda text: text.replace("<run", "<!-- <spectrumList> <spectrum/> --><run", 1),
        lambda text: text.replace('cvRef="MS"', "cvRef='MS'"),
        lambda text: text.replace("<binary>", "<binary >"),
        lambda text: text.replace("<binary>", "<binary>\n  ").replace(
            "</binary>", "\n</binary >"
        ),
        lambda text: re.sub("<binary>(.)", r"<binary><![CDATA[\1]]>", text),
        lambda text: re.sub(
            "<binary>(.)", lambda m: f"<binary>&#{ord(m[1])};", text, count=3
        ),
        lambda text: text.replace("</spectrum>", "</spectrum >"),
        lambda text: text.replace("</spectrum>\n", "</spectrum><!-- one more -->\n", 2),
        lambda text: text.replace("</spectrum>", "</spectrum ><!-- -->", 1),
        lambda text: text.replace("utf-8", "ISO-8859-1").replace("IC1", "\u00b5C1"),
        lambda text: text.replace("  ", " ").replace(' name="', '\n  name="'),
        lambda text: re.sub(r'(\w+="[^"]*") (\w+="[^"]*")/>', r"\2 \1/>", text),
        lambda text: re.sub(r"<(/?)(?=[a-zA-Z])", r"<\1m:", text).replace(
            "xmlns=", "xmlns:m="
        ),
    ],
)
def test_odd_xml_means_the_same(tmp_path: Path, change: Callable[[str], str]) -> None:
    path = _changed(_file(tmp_path), change)
    if b"ISO-8859-1" in path.read_bytes():
        path.write_bytes(path.read_bytes().decode().encode("latin-1"))
    with MzMLReader(path) as reader:
        assert _values(reader) == _totals(*range(N))
        assert reader.scan_types[0].name == "FTMS + p Full ms"
        assert not [one for one in reader.problems if "index" not in one]
        for n in range(N):
            np.testing.assert_array_equal(
                reader.data_sets[0].spectrum(n).mz, peaks(n)[0]
            )


def test_terms_may_stand_in_groups(tmp_path: Path) -> None:
    array = param("MS:1000514", "m/z array")
    group = (
        '<referenceableParamGroupList count="1"><referenceableParamGroup id="g">'
        f"{array}</referenceableParamGroup></referenceableParamGroupList><run"
    )
    path = _changed(
        _file(tmp_path),
        lambda text: text.replace(
            array, '<referenceableParamGroupRef ref="g"/>'
        ).replace("<run", group),
    )
    with MzMLReader(path) as reader:
        assert read_fast(path) is not None
        assert _values(reader) == _totals(*range(N))


# Both ways of finding scans


def _assert_the_same(fast: Document, strict: Document) -> None:
    assert fast.scans.texts == strict.scans.texts
    assert fast.scans.forms == strict.scans.forms
    for name in ("form", "begin"):
        np.testing.assert_array_equal(
            getattr(fast.scans, name), getattr(strict.scans, name)
        )
    # The fast way need not find every axis that is shared, but none that is not.
    pairs = set(zip(fast.scans.axis.tolist(), strict.scans.axis.tolist(), strict=True))
    pairs = {(mine, other) for mine, other in pairs if mine != NO_AXIS}
    assert len({mine for mine, _ in pairs}) == len(pairs)


def test_both_ways_find_the_same(tmp_path: Path) -> None:
    path = _file(tmp_path, 8)
    fast = read_fast(path)
    assert fast is not None
    _assert_the_same(fast, read_strictly(path))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_both_ways_agree_on_mutated_files(tmp_path: Path, data: st.DataObject) -> None:
    path = _file(tmp_path, 4)
    text = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from(
                    [
                        b"<spectrum>", b"</spectrum>", b"<!-- ", b" -->", b"<binary>",
                        b"</binary>", b"&amp;", b"&#65;", b"]]>", b"<![CDATA[", b"'",
                        b'"', b" ", b"/>", b"<a/>", b"</spectrumList>", b"\xc3\xa9",
                    ]
                ),
            )
        )  # fmt: skip
        text[at : at + data.draw(st.integers(0, 4))] = piece
    path.write_bytes(bytes(text))
    try:
        strict: Document | None = read_strictly(path)
    except FormatError:
        strict = None
    fast = read_fast(path)
    if fast is not None and strict is not None:
        _assert_the_same(fast, strict)
    # Whatever is in it, it opens or says why not, and so do its spectra.
    try:
        reader = MzMLReader(path)
    except FormatError:
        return
    with reader:
        _values(reader)
        if len(reader.data_sets) == 1:
            reader.data.ion_image(500.0, 100.0)
