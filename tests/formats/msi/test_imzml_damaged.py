"""Damaged and hostile files: errors name the place, good spectra still open."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.msi.imzml_files import One, Wild, over_one_axis, some
from tests.formats.msi.imzml_reading import assert_holds, only, opened

from napari_scope.errors import DatasetClosedError, FormatError
from napari_scope.formats.msi.imzml import ImzMLReader

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["mz", "intensity"])
@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("offset", "999999"),
        ("offset", str(2**61)),
        ("offset", str(-(2**61))),
        ("offset", "-5000000000"),
        ("length", "999999"),
        ("length", str(2**61)),
        ("length", "-3"),
        ("offset", None),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_one_damaged_number_empties_one_spectrum(
    tmp_path: Path, kind: str, part: str, value: str | None, packed: bool
) -> None:
    spectra = some()
    spectra[3].instead = {f"{kind}_{part}": value}
    with opened(tmp_path, spectra, packed=packed) as reader:
        assert_holds(reader, spectra, but=(3,))
        problems = " ".join(reader.problems)
        assert "number 3" in problems and "empty" in problems


def test_a_damaged_number_of_a_continuous_file(tmp_path: Path) -> None:
    spectra = over_one_axis()
    spectra[3].instead = {"mz_offset": "999999"}
    spectra[4].instead = {"intensity_offset": "999999"}
    with opened(tmp_path, spectra, continuous=True) as reader:
        assert reader.data.spectra.common_mz is not None
        assert_holds(reader, spectra, but=(3, 4))
        assert len(reader.problems) == 2


def test_lengths_that_are_missing(tmp_path: Path) -> None:
    spectra = some()
    for one in spectra:
        one.instead = {"mz_length": None, "intensity_length": None}
    with opened(tmp_path, spectra) as reader:
        assert_holds(reader, spectra)
        assert "have no length; their bytes tell it" in reader.problems[0]
    for one in spectra:
        one.instead = {"mz_encoded": None, "intensity_encoded": None}
    with opened(tmp_path, spectra) as reader:
        assert_holds(reader, spectra)
        assert reader.problems == ()
    # Packed ones need both.
    spectra = some()
    spectra[1].instead = {"mz_encoded": None}
    with opened(tmp_path, spectra, packed=True) as reader:
        assert_holds(reader, spectra, but=(1,))
        assert "do not say where they lie" in only(reader)


@pytest.mark.parametrize("packed", [False, True])
def test_more_of_one_array_than_of_the_other(tmp_path: Path, packed: bool) -> None:
    spectra = some(8, bins=9)
    whole = spectra[5]
    spectra[5] = One(whole.mz, np.arange(len(whole.mz) + 4), whole.x, whole.y)
    with opened(tmp_path, spectra, packed=packed) as reader:
        spectra[5] = One(whole.mz, np.arange(len(whole.mz)), whole.x, whole.y)
        assert_holds(reader, spectra)
        assert "1 spectra have more of one array" in only(reader)
    axis = over_one_axis()
    axis[2].intensities = axis[2].intensities[:4]
    with opened(tmp_path, axis, continuous=True, packed=packed) as reader:
        assert reader.data.spectra.common_mz is not None
        axis[2] = One(axis[2].mz[:4], axis[2].intensities, axis[2].x, axis[2].y)
        assert_holds(reader, axis)
        assert "spectrum 2 has 7 m/z values and 4 intensities" in only(reader)


@pytest.mark.parametrize("said", ["3", "999999", "-8", str(2**61)])
def test_a_wrong_number_of_bytes(tmp_path: Path, said: str) -> None:
    spectra = some()
    spectra[2].instead = {"mz_encoded": said}
    with opened(tmp_path, spectra) as reader:
        assert_holds(reader, spectra)
        assert f"wrong number of bytes: spectrum 2 has {said}" in only(reader)
    with opened(tmp_path, spectra, packed=True) as reader:
        found = reader.data.spectra.spectrum
        if said != "3":
            assert_holds(reader, spectra, but=(2,))
        else:
            with pytest.raises(FormatError, match="m/z array unpacks to 0 bytes"):
                found(2)


def test_offsets_of_32_bits(tmp_path: Path) -> None:
    spectra = some(4)
    path = Wild(spectra).write(tmp_path / "a.imzML")
    ibd = path.with_suffix(".ibd")
    data = ibd.read_bytes()
    # The second half of the spectra lies behind 2 and 4 GB of nothing.
    offset = 16
    offsets = []
    for number, one in enumerate(spectra):
        base = {0: 0, 1: 2**31 - 100, 2: 2**31 + 2**20, 3: 2**32 + 4096}[number]
        for kind, size in (("mz", 8), ("intensity", 4)):
            count = size * len(one.mz)
            offsets.append((offset, base + offset, count))
            value = (base + offset + 2**31) % 2**32 - 2**31
            one.instead[f"{kind}_offset"] = str(value)
            offset += count
    Wild(spectra).write(path)
    with ibd.open("r+b") as file:
        for at, target, count in offsets:
            file.seek(target)
            file.write(data[at : at + count])
        file.truncate(2**32 + 2**20)
    with ImzMLReader(path) as reader:
        assert_holds(reader, spectra)
        assert len(reader.problems) == 2
        assert "written with 32 bits" in reader.problems[0]


def test_offsets_beyond_4_gb(tmp_path: Path) -> None:
    spectra = some(3)
    path = Wild(spectra).write(tmp_path / "a.imzML")
    ibd = path.with_suffix(".ibd")
    data = ibd.read_bytes()
    far = 5 * 2**30
    at = 16
    for one in spectra:
        for kind, size in (("mz", 8), ("intensity", 4)):
            one.instead[f"{kind}_offset"] = str(at + far)
            at += size * len(one.mz)
    Wild(spectra).write(path)
    with ibd.open("r+b") as file:
        file.seek(far)
        file.write(data)
    with ImzMLReader(path) as reader:
        assert reader.problems == ()
        assert_holds(reader, spectra)


@pytest.mark.parametrize("continuous", [False, True])
def test_a_cut_ibd_file(tmp_path: Path, continuous: bool) -> None:
    spectra = over_one_axis() if continuous else some(bins=9)
    with opened(
        tmp_path, spectra, continuous=continuous, ibd=lambda data: data[:-5]
    ) as reader:
        assert_holds(reader, spectra, but=(5,))
        assert "1 of 6 intensity arrays do not lie in the .ibd file" in only(reader)
        assert "number 5" in only(reader)
    with pytest.raises(
        FormatError, match=r"no m/z array lies in the \.ibd file of 16"
    ) as e:
        opened(tmp_path, spectra, continuous=continuous, ibd=lambda data: data[:16])
    assert "not copied whole" in str(e.value.hint)
    with pytest.raises(FormatError, match="of 0 bytes"):
        opened(tmp_path, spectra, continuous=continuous, ibd=lambda data: b"")


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_cut_while_it_is_open(
    tmp_path: Path, continuous: bool, packed: bool
) -> None:
    spectra = over_one_axis() if continuous else some()
    with opened(tmp_path, spectra, continuous=continuous, packed=packed) as reader:
        found = reader.data.spectra
        with reader.ibd_path.open("r+b") as file:
            file.truncate(100)
        for read in (
            lambda: found.spectrum(5),
            lambda: list(found.blocks()),
            lambda: found.window(0, 1000),
        ):
            with pytest.raises(FormatError, match=r"has no byte .* any more") as caught:
                read()
            assert "cut off since it was opened" in str(caught.value.hint)


def test_a_closed_reader(tmp_path: Path) -> None:
    reader = opened(tmp_path, some())
    spectra = reader.data.spectra
    reader.close()
    for read in (
        lambda: spectra.spectrum(0),
        lambda: list(spectra.blocks()),
        lambda: spectra.window(0, 1),
        lambda: spectra.mz_range(),
    ):
        with pytest.raises(DatasetClosedError):
            read()


def test_spectra_that_cannot_be_unpacked(tmp_path: Path) -> None:
    spectra = some(bins=9)

    def damage(data: bytes) -> bytes:
        return data[:-3] + b"\0\0\0"

    with opened(tmp_path, spectra, packed=True, ibd=damage) as reader:
        assert reader.problems == () and reader.damaged == {}
        with pytest.raises(FormatError, match="intensity array cannot be unpacked at"):
            reader.data.spectra.spectrum(5)
        found = [
            block.spectrum(k)
            for block in reader.data.spectra.blocks()
            for k in range(len(block))
        ]
        assert [len(one.mz) for one in found] == [*(len(s.mz) for s in spectra[:5]), 0]
        assert list(reader.damaged) == [5]
        assert re.search("1 spectra could not be unpacked.*number 5", only(reader))


def test_damaged_spectra_do_not_hide_the_range_of_the_others(tmp_path: Path) -> None:
    spectra = some(bins=9)
    with opened(tmp_path, spectra, packed=True, said_mode="continuous") as reader:
        offset = int(reader.document.columns["mz_offset"][0])
    how = {"packed": True, "said_mode": "continuous"}

    def damage(data: bytes) -> bytes:
        return data[:offset] + b"\xff\xff" + data[offset + 2 :]

    with opened(tmp_path, spectra, ibd=damage, **how) as reader:
        low, high = reader.data.spectra.mz_range()
        assert low == min(one.mz.min() for one in spectra[1:])
        assert high == max(one.mz.max() for one in spectra[1:])
        assert list(reader.damaged) == [0]
        assert reader[:, :, :].sum() > 0

    with opened(
        tmp_path, spectra, packed=True, ibd=lambda data: data[:16] + b"\xff" * 999
    ) as reader:
        assert reader.data.spectra.mz_range() == (0, 0)


def test_a_small_array_that_unpacks_to_much(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(10_000_000))
    spectra = some(bins=9)
    with opened(tmp_path, spectra, packed=True) as reader:
        end = reader.ibd_path.stat().st_size
    spectra[2].instead = {
        "mz_offset": str(end),
        "mz_encoded": str(len(bomb)),
        "mz_length": "3",
    }
    with opened(tmp_path, spectra, packed=True, ibd=lambda data: data + bomb) as reader:
        with pytest.raises(FormatError, match=r"unpacks to 25 bytes .* 3 values"):
            reader.data.spectra.spectrum(2)
        (block,) = reader.data.spectra.blocks()
        assert len(block.spectrum(2).mz) == 0
        assert list(reader.damaged) == [2]
    spectra = some(bins=9)
    spectra[2].instead = {"intensity_length": "99999"}
    with opened(tmp_path, spectra, packed=True) as reader:
        assert_holds(reader, spectra, but=(2,))
        assert "as many values in as few bytes" in only(reader)


def test_a_coordinate_that_is_damaged(tmp_path: Path) -> None:
    spectra = some()
    spectra[4].x = 2**40
    with pytest.raises(FormatError, match=r"spectrum 4 lies at \(1099511627776, 2,"):
        opened(tmp_path, spectra)
    spectra[4].instead["x"] = "many"
    with pytest.raises(FormatError, match="spectrum 4: x is 'many', not an integer"):
        opened(tmp_path, spectra)
    spectra[4].instead["x"] = "9" * 400
    with pytest.raises(FormatError, match="spectrum 4: x is '9999"):
        opened(tmp_path, spectra)


def test_xml_that_ends_too_early(tmp_path: Path) -> None:
    spectra = some()

    def cut(text: str) -> str:
        return text[: text.index('id="spectrum=5"') + 30]

    with opened(tmp_path, spectra, text=cut) as reader:
        assert_holds(reader, spectra[:4])
        first, second = reader.problems
        assert "the XML ends within mzML > run > spectrumList" in first
        assert second == "the file says 6 spectra and has 4"
    for place in ("<run", "<fileContent>", "<mzML"):
        with pytest.raises(FormatError, match=r"a\.imzML"):
            opened(tmp_path, spectra, text=lambda text, at=place: text.partition(at)[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda text: text.replace(
                "<mzML", '<!DOCTYPE mzML [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><mzML'
            ),
            "declares the entity 'a', at line 2",
        ),
        (
            lambda text: text.replace(
                "<mzML", '<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]><mzML'
            ),
            "declares the entity",
        ),
        (lambda text: text.replace("<scan>", "<scan>" * 300), "nested more than 200"),
        (lambda text: text.replace("</scan>", ""), "damaged at line 1"),
        (lambda text: text.replace("<run", "\x02<run"), "damaged at line"),
    ],
)
def test_hostile_and_damaged_xml(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        opened(tmp_path, some(), text=change)
    assert "a.imzML" in str(caught.value)
