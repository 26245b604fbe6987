from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.formats.msi.imzml_files import Wild, some, term

from napari_scope.errors import CancelledError, FormatError, OutputExistsError
from napari_scope.formats.msi import MetadataValue, PixelTable, open_msi
from napari_scope.formats.msi.imzml import ImzMLReader
from napari_scope.formats.msi.imzml import writer as writer_module
from napari_scope.formats.msi.imzml.writer import ImzMLWriter, write_imzml
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.spectra import PixelSize

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "msi" / "imzml"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_values_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.imzML"
    with ImzMLWriter(path, intensity_dtype="u1") as writer:
        writer.write(0, 0, [1.0], [255])
        for values, words in (
            ([70000], "spectrum 1: values of type int64 do not fit int16"),
            ([0.5], "do not fit"),
            ([np.nan], "do not fit"),
            ([1, 2], "spectrum 1 has 1 m/z values and 2 intensities"),
            ([[1]], "spectrum 1 has 1 m/z values and 1 intensities"),
        ):
            with pytest.raises(ValueError, match=words):
                writer.write(1, 0, [1.0], values)
        with pytest.raises(ValueError, match="has 0 m/z values and 1"):
            writer.write(1, 0, None, [1])
        with pytest.raises(ValueError, match=r"lies at \(-1, 0, 0\), before 0"):
            writer.write(-1, 0, [1.0], [1])
        writer.write(1, 0, [1.0], [-1])
    with pytest.raises(ValueError, match="closed"):
        writer.write(2, 0, [1.0], [1])
    writer.close()
    # 16 bytes, and two spectra of 8 and 2: nothing of the others.
    assert writer.ibd_path.stat().st_size == 16 + 20
    with open_msi(path) as reader:
        assert reader[:, 0, 0].tolist() == [255, -1]


def test_floats_may_lose_digits_but_not_become_infinite(tmp_path: Path) -> None:
    with ImzMLWriter(tmp_path / "a.imzML", mz=[5.0, 6.0]) as writer:
        writer.write(0, 0, None, [0.1, np.inf])
        with pytest.raises(ValueError, match="do not fit float32"):
            writer.write(1, 0, None, [1e300, 1])
        with pytest.raises(ValueError, match="3 intensities, the axis has 2"):
            writer.write(1, 0, None, [1, 2, 3])
        writer.write(1, 0, None, [])
    with open_msi(writer.path) as reader:
        assert reader.problems == ()
        assert reader.data.spectra.spectrum(0).intensities[0] == np.float32(0.1)
        assert len(reader.data.spectra.spectrum(1).mz) == 0


def test_types_and_names_that_imzml_has_not(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no values of type uint64"):
        ImzMLWriter(tmp_path / "a.imzML", intensity_dtype="u8")
    with pytest.raises(FormatError, match="'none' or 'zlib', not 'gzip'"):
        ImzMLWriter(tmp_path / "a.imzML", compression="gzip")  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"end in \.imzML"):
        ImzMLWriter(tmp_path / "a.ibd")
    with pytest.raises(ValueError, match="one row of values"):
        ImzMLWriter(tmp_path / "a.imzML", mz=[[1.0]])
    assert names(tmp_path) == []


@pytest.mark.parametrize("there", ["a.imzML", "a.ibd"])
def test_nothing_is_replaced_unasked(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(OutputExistsError):
        ImzMLWriter(tmp_path / "a.imzML")
    assert names(tmp_path) == [there]
    with ImzMLWriter(tmp_path / "a.imzML", overwrite=True) as writer:
        writer.write(0, 0, [1.0], [1])
    assert names(tmp_path) == ["a.ibd", "a.imzML"]


def test_an_error_leaves_the_old_files_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a.imzML"
    with ImzMLWriter(path) as writer:
        writer.write(0, 0, [1.0], [1])
    before = [one.read_bytes() for one in (path, writer.ibd_path)]
    with (
        pytest.raises(RuntimeError, match="mine"),
        ImzMLWriter(path, overwrite=True) as writer,
    ):
        writer.write(0, 0, [1.0], [2])
        raise RuntimeError("mine")
    writer.abort()
    assert [one.read_bytes() for one in (path, writer.ibd_path)] == before
    assert names(tmp_path) == ["a.ibd", "a.imzML"]


class FullDisk:
    """Stands before a file and has room for some bytes only."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(self._file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 20, 60])
def test_a_full_disk_leaves_nothing(tmp_path: Path, room: int) -> None:
    writer: Any = ImzMLWriter(tmp_path / "a.imzML")
    writer._ibd = FullDisk(writer._ibd, room)
    with pytest.raises(OSError, match="No space"), writer:
        for x in range(9):
            writer.write(x, 0, [1.0, 2.0], [1, 2])
    assert names(tmp_path) == []


@pytest.mark.parametrize("fault", ["xml", "first name", "second name"])
def test_a_fault_at_the_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    writer = ImzMLWriter(tmp_path / "a.imzML")
    writer.write(0, 0, [1.0], [1])
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if fault == "xml":

        def lines(*_: object) -> Any:
            yield "<mzML>"
            raise full

        monkeypatch.setattr(writer_module, "xml_lines", lines)
    else:
        real, suffix = Path.replace, ".ibd" if fault == "first name" else ".imzML"

        def replace(self: Path, target: Path) -> Path:
            if target.suffix == suffix:
                raise full
            return real(self, target)

        monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OSError, match="No space"):
        writer.close()
    assert names(tmp_path) == []


def test_a_name_that_is_not_to_be_had_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.imzML"
    with ImzMLWriter(path) as writer:
        writer.write(0, 0, [1.0], [1])
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.suffix == ".ibd":
            raise PermissionError("a viewer has it open")
        return real(self, target)

    writer = ImzMLWriter(path, overwrite=True)
    writer.write(0, 0, [1.0], [2])
    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(PermissionError):
        writer.close()
    assert names(tmp_path) == ["a.ibd", "a.imzML"]
    with ImzMLReader(path) as reader:
        assert reader[0, 0, 0] == 1
        assert reader.problems == ()


KILLED = """
import os, signal, sys
from pathlib import Path
from napari_scope.formats.msi.imzml.writer import ImzMLWriter
writer = ImzMLWriter(sys.argv[1], overwrite=True)
for x in range(5):
    writer.write(x, 0, [1.0], [7])
real, count = Path.replace, 0
def replace(self, target):
    global count
    if sys.argv[2] == str(count):
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1
    return real(self, target)
Path.replace = replace
if sys.argv[2] == "early":
    os.kill(os.getpid(), signal.SIGKILL)
writer.close()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no signals on Windows")
@pytest.mark.parametrize("when", ["early", "0", "1", "2", "3"])
def test_a_killed_program_leaves_no_half_file(tmp_path: Path, when: str) -> None:
    path = tmp_path / "a.imzML"
    with ImzMLWriter(path) as writer:
        writer.write(0, 0, [1.0], [1])
    ended = subprocess.run([sys.executable, "-c", KILLED, path, when], check=False)
    assert ended.returncode == -signal.SIGKILL
    if path.exists():
        with ImzMLReader(path) as reader:
            assert reader.problems == ()
            assert reader.verify()
            assert reader[:, 0, 0].tolist() == ([7] * 5 if when == "3" else [1])
    assert path.exists() == (when in ("early", "0", "3"))
    # The next one is not in the way of what was left.
    with ImzMLWriter(path, overwrite=True) as writer:
        writer.write(0, 0, [1.0], [1])
    assert names(tmp_path) == ["a.ibd", "a.imzML"]


def test_what_a_source_says_is_kept(tmp_path: Path) -> None:
    head = (
        term("MS:1000130", "positive scan")
        + '<userParam name="who" value="A &amp; B"/>'
    )
    line = term("IMS:1000401", "top down") + term(
        "IMS:1000046", "pixel size x", "0.05",
        ' unitCvRef="UO" unitAccession="UO:0000016" unitName="millimeter"',
    )  # fmt: skip

    def add(text: str) -> str:
        sample = (
            '<sampleList><sample id="s"><cvParam cvRef="MS" accession="MS:1000001" '
            'name="sample number" value="7"/></sample></sampleList>'
            '<instrumentConfigurationList><instrumentConfiguration id="i">'
            '<cvParam cvRef="MS" accession="MS:1000449" name="LTQ Orbitrap" value=""/>'
            '<userParam name="laser" value="50" unitName="percent"/>'
            "</instrumentConfiguration></instrumentConfigurationList>"
        )
        return text.replace("<run", sample + "<run")

    Wild(some(4), head=head, scan_settings=line, text=add).write(tmp_path / "a.imzML")
    with ImzMLReader(tmp_path / "a.imzML") as source:
        assert source.problems == ()
        path = write_imzml(
            source.data.spectra,
            tmp_path / "b.imzML",
            instrument=source.get_instrument_metadata(),
            sample=source.get_method_metadata(),
        )
        with ImzMLReader(path) as copy:
            assert copy.problems == ()
            instrument = copy.get_instrument_metadata()
            assert instrument == source.get_instrument_metadata()
            assert instrument["laser"] == MetadataValue(50, "percent")
            number = copy.get_method_metadata()["sample number"]
            assert number == MetadataValue(7, "", "", "MS:1000001")
            said = copy.get_dataset_metadata()
            assert said["who"].value == "A & B"
            assert said["polarity"].value == "positive"
            assert said["top down"].ontology == "IMS:1000401"
            size = copy.data.spectra.pixel_size
            assert size is not None and (size.x_um, size.y_um) == (50, 50)
            assert copy.uuid != source.uuid


def test_letters_that_xml_has_not(tmp_path: Path) -> None:
    notes = {"a\x01<": MetadataValue("x\x00\ud800\"&'\n", "u\x02")}
    with ImzMLWriter(tmp_path / "a.imzML", notes=notes) as writer:
        writer.write(0, 0, [1.0], [1])
    with ImzMLReader(writer.path) as reader:
        said = reader.get_dataset_metadata()
        assert said["a\ufffd<"] == MetadataValue("x\ufffd\ufffd\"&'\n", "u\ufffd")


def test_pixels_before_the_border_move_inwards_and_stay_in_place(
    tmp_path: Path,
) -> None:
    table = PixelTable.of([-2, 1], [0, 5])
    spectra = MemorySpectra.over(
        [1.0, 2.0], [[1, 2], [3, 4]], table, pixel_size=PixelSize(10, 20, left_um=5)
    )
    path = write_imzml(spectra, tmp_path / "a.imzML")
    with open_msi(path) as reader:
        assert reader.data.pixels.x.tolist() == [0, 3]
        size = reader.data.spectra.pixel_size
        assert size is not None
        assert size.left_um + 3 * size.x_um == 5 + 1 * 10
        assert size.top_um == 0


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    spectra = MemorySpectra.over([1.0], [[1], [2]], PixelTable.of([0, 1], [0, 0]))
    told: list[float] = []
    with pytest.raises(CancelledError):
        write_imzml(spectra, tmp_path / "a.imzML", cancelled=lambda: True)
    assert names(tmp_path) == []
    write_imzml(spectra, tmp_path / "a.imzML", progress=told.append)
    assert told[-1] == 1


@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the samples (../shared/data/msi) are not here"
)
@pytest.mark.parametrize("compression", ["none", "zlib"])
def test_copies_of_samples(tmp_path: Path, compression: Any) -> None:
    for sample in sorted(SAMPLES.glob("*.imzML")):
        with ImzMLReader(sample) as source:
            path = write_imzml(
                source.data.spectra,
                tmp_path / sample.name,
                compression=compression,
                instrument=source.get_instrument_metadata(),
                sample=source.get_method_metadata(),
            )
            with ImzMLReader(path) as copy:
                assert copy.problems == ()
                assert copy.verify()
                assert copy.shape == source.shape
                assert copy.data.spectra.pixel_size == source.data.spectra.pixel_size
                for number in range(len(source.data)):
                    one = source.data.spectra.spectrum(number)
                    other = copy.data.spectra.spectrum(number)
                    np.testing.assert_array_equal(other.mz, one.mz)
                    np.testing.assert_array_equal(other.intensities, one.intensities)
