from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.msi import flex_files as flex

from napari_scope.errors import FormatError, ScopeError
from napari_scope.formats.msi.bruker import BrukerFlexReader
from napari_scope.formats.msi.bruker import acqu as module
from napari_scope.formats.msi.bruker.acqu import parse_acqu, read_acqu
from napari_scope.formats.msi.bruker.calibration import Calibration
from napari_scope.formats.msi.bruker.described import described

if TYPE_CHECKING:
    from pathlib import Path


def test_values_have_the_types_that_they_look_like() -> None:
    text = (
        "##TITLE=  XMASS Parameter file\r\n"
        "$$ a comment\r\n"
        "##SPECTROMETER/DATASYSTEM=  Bruker Flex Series\r\n"
        "##$TD= 22431 \r\n"
        "##$ML3= -0.0012 $$ the third\r\n"
        "##$SF= 1,5e3\r\n"
        "##$CMT1= <'Pool';'$$';'##x= 1'> \r\n"
        "##$AUNM= <> \r\n"
        "##$XACQVS= <3.0> \r\n"
        "##$ANT= no \r\n##$GDEON= YES\r\n"
        "##$Aoffs= (0..9) \r\n1 2 3 4 5 6 7 8 \r\n$$ more\r\n9 0,5 \r\n"
        "##$One= (0..0) 7\r\n"
        "##$Texts= (0..1)\r\n<a b> <c>\r\n"
        "##$Long= <first\r\nsecond>\r\n"
        "##$TD= 1 \r\n"
        "##$M\xfcll= \xb5\r\n"
        "##END=\r\n"
    )
    assert parse_acqu(text.encode("latin-1")) == {
        "TITLE": "XMASS Parameter file",
        "SPECTROMETER/DATASYSTEM": "Bruker Flex Series",
        "TD": 22431,
        "ML3": -0.0012,
        "SF": 1500.0,
        "CMT1": "'Pool';'$$';'##x= 1'",
        "AUNM": "",
        "XACQVS": "3.0",
        "ANT": False,
        "GDEON": True,
        "Aoffs": [1, 2, 3, 4, 5, 6, 7, 8, 9, 0.5],
        "One": [7],
        "Texts": ["a b", "c"],
        "Long": "first\nsecond",
        "Müll": "µ",
        "END": "",
    }
    found = parse_acqu(text.encode("latin-1"))
    assert isinstance(found["TD"], int)
    assert isinstance(found["SF"], float)


@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_any_end_of_a_line(newline: str) -> None:
    text = flex.acqu_text(5).replace("\r\n", newline)
    found = parse_acqu(text.encode("latin-1"))
    assert (found["TD"], found["D"], found["HPClUse"]) == (5, [0] * 32, False)


texts = st.text(st.characters(codec="latin-1", exclude_characters="<>\r\n"), max_size=9)
values = (
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.lists(st.integers(-99, 99), min_size=1, max_size=20)
)


@given(st.dictionaries(st.text("ABCdef_", min_size=1, max_size=6), values))
def test_what_is_written_is_read(parameters: dict[str, object]) -> None:
    text = flex.acqu_text(7, **parameters)
    found = parse_acqu(text.encode("latin-1"))
    assert {key: found[key] for key in parameters} == parameters


@given(st.binary(max_size=300), st.integers(0, 3000), st.integers(0, 3000))
def test_damaged_parameters_never_do_harm(junk: bytes, at: int, upto: int) -> None:
    plain = flex.acqu_text(9, HPClUse=True, HPClBLo=1, HPClBHi=9, HPClOrd=2).encode()
    data = plain[:at] + junk + plain[upto:]
    try:
        Calibration.of(parse_acqu(data)).mz_of(np.arange(3))
    except ScopeError:
        pass


def test_what_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FormatError, match=r"cannot be read.*acqu"):
        read_acqu(tmp_path / "acqu")
    (tmp_path / "acqu").write_bytes(b"nothing of that kind")
    with pytest.raises(FormatError, match="no parameter"):
        read_acqu(tmp_path / "acqu")
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    with pytest.raises(FormatError, match="not over 10 bytes"):
        read_acqu(tmp_path / "acqu")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "acqu")
    with pytest.raises(FormatError, match="this is no file"):
        read_acqu(tmp_path / "acqu")
    place = flex.write_spot(tmp_path / "s", flex.spot_name(0, 0), [1, 2])
    (place / "fid").unlink()
    os.mkfifo(place / "fid")
    assert not BrukerFlexReader.is_valid_dataset(tmp_path / "s")
    flex.write_spot(tmp_path / "s", flex.spot_name(1, 0), [1, 2])
    with BrukerFlexReader(tmp_path / "s") as reader:
        assert reader.shape == (1, 1, 2)
        assert reader.problems == ("spots without a file 'fid': 1 (0_R00X000Y000)",)


def test_units_and_meanings() -> None:
    found = described({"DW": 2, "CMT1": "", "Own": 3})
    assert (found["DW"].value, found["DW"].unit) == (2, "ns")
    assert set(found) == {"DW", "CMT1", "Own"}
    assert set(described({"DW": 2, "CMT1": "", "OpId": "me"}, ["CMT1", "OpId"])) == {
        "OpId"
    }
