"""What is there already survives a conversion that does not end well."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.errors import (
    CancelledError,
    DiskSpaceError,
    FormatError,
    OutputExistsError,
)
from napari_scope.formats.msi import (
    MetadataValue,
    PixelTable,
    Spectrum,
    open_msi,
)
from napari_scope.formats.msi.convert import convert_msi
from napari_scope.formats.msi.imzml.writer import write_imzml
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.openmsi.content import Content, WrittenExperiment
from napari_scope.formats.msi.openmsi.writer import write_openmsi

if TYPE_CHECKING:
    from pathlib import Path

MZ = np.linspace(100, 200, 40)


def _set(value: float, name: str = "", **more: Any) -> MemorySpectra:
    table = PixelTable.of([0, 1, 0], [0, 0, 1])
    return MemorySpectra.over(MZ, np.full((3, 40), value, "f4"), table, name, **more)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return write_openmsi(_set(7), tmp_path / "in" / "source.h5")


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["a.h5", "a.imzML"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file that is there already."""
    path = tmp_path / "out" / request.param
    path.parent.mkdir()
    write = write_imzml if path.suffix == ".imzML" else write_openmsi
    write(_set(1), path)
    return path


def test_an_old_target_is_replaced_when_the_new_one_was_compared(
    source: Path, old: Path
) -> None:
    before = _bytes(old.parent)
    asked = 0

    def counted() -> bool:
        nonlocal asked
        asked += 1
        return asked > most

    most = 0
    while True:
        asked = 0
        try:
            convert_msi(source, old, overwrite=True, cancelled=counted)
        except CancelledError:
            # Also in the middle of comparing, and after it.
            assert _bytes(old.parent) == before, most
            most += 1
        else:
            break
    assert most >= 3 and sorted(_bytes(old.parent)) == sorted(before)
    with open_msi(old) as reader:
        assert reader.data.tic_image()[0, 0] == 280


def test_an_old_target_survives_a_comparison_that_fails(
    source: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _bytes(old.parent)

    def differs(*_: Any) -> int:
        raise FormatError("the spectrum at x 0, y 0, z 0 differs")

    monkeypatch.setattr(
        "napari_scope.formats.msi.convert_spectra.compare_spectra", differs
    )
    with pytest.raises(FormatError, match="does not come back") as caught:
        convert_msi(source, old, overwrite=True)
    assert caught.value.path == str(old) and _bytes(old.parent) == before


def test_an_old_target_survives_a_full_disk(
    source: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _bytes(old.parent)

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_scope.fileio._PosixFile.write_at", full)
    monkeypatch.setattr("napari_scope.fileio._PortableFile.write_at", full)
    monkeypatch.setattr("napari_scope.formats.msi.imzml.writer.ImzMLWriter._put", full)
    with pytest.raises(DiskSpaceError, match="disk is full") as caught:
        convert_msi(source, old, overwrite=True)
    assert caught.value.path == str(old) and _bytes(old.parent) == before


@pytest.mark.parametrize("where", ["images.write_array", "arrays.replace_file"])
def test_a_full_disk_is_told_of_the_store_that_was_asked_for(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"napari_scope.formats.ngff.saving.{where}", full)
    target = tmp_path / "new" / "a.ome.zarr"
    with pytest.raises(DiskSpaceError, match="disk is full") as caught:
        convert_msi(source, target)
    assert caught.value.path == str(target) and not list(target.parent.iterdir())


def test_one_that_is_made_meanwhile_is_kept(source: Path, tmp_path: Path) -> None:
    for name in ("b.h5", "b.imzML"):
        target = tmp_path / "new" / name

        def somebody(done: float, target: Path = target) -> None:
            if not target.exists():
                target.write_text("of somebody")

        with pytest.raises(OutputExistsError):
            convert_msi(source, target, progress=somebody)
        assert _bytes(target.parent) == {name: b"of somebody"}
        target.unlink()


_PROGRAM = """
import sys, time
from napari_scope.formats.msi.convert import convert_msi
def slow(done):
    print(done, flush=True)
    time.sleep(60)
convert_msi(sys.argv[1], sys.argv[2], overwrite=True, progress=slow)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signal")
def test_a_program_that_is_killed_leaves_the_old_one(source: Path, old: Path) -> None:
    before = _bytes(old.parent)
    arguments = [sys.executable, "-c", _PROGRAM, str(source), str(old)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None and program.stdout.readline()
        # Another one is not disturbed by it, nor does it disturb the other.
        with pytest.raises(OutputExistsError):
            convert_msi(source, old)
        convert_msi(source, old.with_stem("b"))
        assert program.poll() is None
        program.send_signal(signal.SIGKILL)
    hidden = [path for path in old.parent.iterdir() if path.name.startswith(".")]
    assert len(hidden) == 1 and hidden[0].is_dir()
    assert {name: old.with_name(name).read_bytes() for name in before} == before
    convert_msi(source, old, overwrite=True)
    assert not hidden[0].exists()


def test_only_its_like_is_replaced(source: Path, tmp_path: Path) -> None:
    """Also if it is asked for: the name may be that of the source's other files."""
    other = tmp_path / "brain.img"
    other.write_bytes(b"spectra of somebody")
    with pytest.raises(OutputExistsError, match="is no HDF5 file"):
        convert_msi(source, other, "openmsi", overwrite=True)
    assert other.read_bytes() == b"spectra of somebody"
    write_openmsi(_set(1), tmp_path / "old.omsi")
    convert_msi(source, tmp_path / "old.omsi", "openmsi", overwrite=True)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_takes_nothing(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(Exception, match="folder of the output"):
        convert_msi(source, folder / "a.h5")


# What is known of the data goes along


def test_each_data_set_keeps_its_experiment_and_instrument(tmp_path: Path) -> None:
    def named(name: str) -> dict[str, MetadataValue]:
        return {"name": MetadataValue(name)}

    sets = tuple(_set(k, f"set {k}") for k in range(4))
    link = {"link_name": "other", "dataset": 3, "dependency_type": "link"}
    content = Content(
        sets,
        (
            WrittenExperiment("left", 3, {"who": MetadataValue("me")}),
            WrittenExperiment("right", 1),
        ),
        tuple(named(name) for name in ("TOF", "TOF", "Orbi", "FT")),
        (named("brain"),) * 3 + ({},),
        ([link], [], [], []),
    )
    path = write_openmsi(content, tmp_path / "a.h5")

    def known(path: Path) -> Any:
        with open_msi(path) as reader:
            found = []
            for number, spectra in enumerate(reader.data_sets):
                reader.select_dataset = number
                found.append(
                    (
                        spectra.name,
                        reader.get_instrument_metadata(),
                        reader.get_method_metadata(),
                    )
                )
            reader.select_dataset = None
            experiments = reader.experiments  # type: ignore[attr-defined]
            return (
                found,
                [(e.identifier, e.data_sets, e.metadata) for e in experiments],
                [
                    [(one["link_name"], one["dataset"]) for one in of]
                    for of in reader.get_dataset_dependencies()
                ],
            )

    found, experiments, links = known(path)
    assert [one[1]["name"].value for one in found] == ["TOF", "TOF", "Orbi", "FT"]
    assert [bool(one[2]) for one in found] == [True, True, True, False]
    assert experiments == [
        ("left", (0, 1, 2), {"who": MetadataValue("me")}),
        ("right", (3,), {}),
    ]
    assert links == [[("other", 3)], [], [], []]
    with open_msi(path) as reader:
        reader.set_dataset_selection(2)  # type: ignore[attr-defined]
        convert_msi(reader, tmp_path / "b.h5")
        assert reader.select_dataset == 2
    assert known(tmp_path / "b.h5") == (found, experiments, links)
    convert_msi(path, tmp_path / "c.h5", dataset=3)
    assert known(tmp_path / "c.h5") == (found[3:], [("right", (0,), {})], [[]])


def test_imzml_keeps_what_is_known_of_instrument_and_sample(tmp_path: Path) -> None:
    table = PixelTable.of([0, 1], [0, 0], region=[0, 1])
    spectra = MemorySpectra.over(
        MZ, np.ones((2, 40)), table, metadata={"voltage": MetadataValue(2.5, "kV")}
    )
    write_openmsi(
        spectra, tmp_path / "a.h5", instrument={"model": MetadataValue("TOF 5")},
        methods={"matrix": MetadataValue("DHB")},
    )  # fmt: skip
    report = convert_msi(tmp_path / "a.h5", tmp_path / "a.imzML")
    assert "imzML has no regions; that there are 2" in report.notes[0]
    with open_msi(tmp_path / "a.imzML") as reader:
        assert reader.get_instrument_metadata()["model"].value == "TOF 5"
        assert reader.get_method_metadata()["matrix"].value == "DHB"
        assert reader.get_dataset_metadata()["voltage"].value == 2.5


def test_numbers_that_imzml_cannot_hold_are_refused(tmp_path: Path) -> None:
    values = np.full((3, 40), 1 << 63, "u8")
    table = PixelTable.of([0, 1, 0], [0, 0, 1])
    write_openmsi(MemorySpectra.over(MZ, values, table), tmp_path / "a.h5")
    with pytest.raises(
        FormatError, match=r"not become imzML: .*uint64.*OpenMSI"
    ) as caught:
        convert_msi(tmp_path / "a.h5", tmp_path / "a.imzML")
    assert caught.value.path == str(tmp_path / "a.imzML")
    assert os.listdir(tmp_path) == ["a.h5"]
    report = convert_msi(tmp_path / "a.h5", tmp_path / "b.h5")
    assert report.compared == 3


def test_a_source_that_is_damaged_is_told_of_not_the_target(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: Any, **__: Any) -> None:
        raise FormatError("a spectrum is damaged", path=source)

    monkeypatch.setattr("napari_scope.formats.msi.imzml.writer.write_imzml", damaged)
    with pytest.raises(FormatError, match=r"^a spectrum is damaged") as caught:
        convert_msi(source, tmp_path / "b.imzML")
    assert caught.value.path == str(source)


def test_several_spectra_of_a_pixel_are_left_out_only_where_they_must_be(
    tmp_path: Path,
) -> None:
    table = PixelTable.of([0, 0, 1], [0, 0, 0])
    alike = MemorySpectra.over(MZ, np.arange(120.0).reshape(3, 40), table, "alike")
    spectra = [Spectrum(MZ[:n], np.full(n, 1.0 * n)) for n in (3, 5, 7)]
    for one, words in (
        (alike, ()),
        (
            MemorySpectra("own", table, spectra),
            ("own: 1 spectra lie where a later one lies, too, and were left out",),
        ),
    ):
        source = write_imzml(one, tmp_path / f"{one.name}.imzML")
        with open_msi(source) as reader:
            reader.data_sets[0].name = one.name
            report = convert_msi(reader, tmp_path / f"{one.name}.h5")
            problems = reader.problems
        assert report.notes == (*words, *problems)


def test_analyses_that_are_not_copied_are_told(source: Path, tmp_path: Path) -> None:
    import h5py

    with h5py.File(source, "r+") as file:
        group = file["entry_0"].create_group("analysis_0")
        group["analysis_type"] = "findpeaks"
    report = convert_msi(source, tmp_path / "b.h5")
    assert report.notes == ("not copied: analysis_0 findpeaks of entry_0",)


@pytest.mark.parametrize("name", ["b.h5", "b.imzML"])
def test_spectra_as_they_may_be(tmp_path: Path, name: str) -> None:
    """Unsorted, repeated and odd m/z values, nothing at all, values that are none."""
    spectra = [
        Spectrum(np.array([5.0, 3.0, 3.0, 9.0]), np.array([1, -2, np.nan, np.inf])),
        Spectrum(np.zeros(0), np.zeros(0)),
        Spectrum(np.array([0.0, 1e300]), np.array([0.0, 1e-300])),
    ]
    table = PixelTable.of([0, 4, 2], [0, 0, 3], [0, 1, 1])
    write_openmsi(MemorySpectra("odd", table, spectra), tmp_path / "a.h5")
    assert convert_msi(tmp_path / "a.h5", tmp_path / name).compared == 3
    with open_msi(tmp_path / name) as reader:
        other = reader.data_sets[0]
        for k, one in enumerate(spectra):
            place = table.z[k], table.y[k], table.x[k]
            found = other.spectrum(int(other.pixels.grid[tuple(map(int, place))]))
            np.testing.assert_array_equal(found.mz, one.mz)
            np.testing.assert_array_equal(found.intensities, one.intensities)
