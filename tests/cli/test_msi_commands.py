"""``info`` and ``convert`` on mass-spectrometry images."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi.analyze_files import write
from typer.testing import CliRunner

from napari_scope.cli import app, main
from napari_scope.cli.printing import out_console
from napari_scope.formats import open_dataset
from napari_scope.formats.msi import MetadataValue, PixelSize, PixelTable, open_msi
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.openmsi.writer import write_openmsi

if TYPE_CHECKING:
    from pathlib import Path

MZ = np.linspace(100, 200, 40)


@pytest.fixture
def brain(tmp_path: Path) -> Path:
    table = PixelTable.of(
        [3, 4, 3, 4], [6, 6, 7, 7], region=[0, 0, 1, 1], names=["top", "bad\x1b[31m"]
    )
    values = np.arange(160, dtype="f4").reshape(4, 40)
    notes = {"voltage": MetadataValue(2.5, "kV"), "long": MetadataValue("x" * 500)}
    notes |= {f"fact {k}": MetadataValue(k) for k in range(50)}
    first = MemorySpectra.over(
        MZ, values, table, "MS1", metadata=notes, pixel_size=PixelSize(10, 20)
    )
    second = MemorySpectra.over(MZ + 5, values, table, "MS2", is_profile=False)
    link = {"link_name": "of_907", "dataset": 0, "dependency_type": "co_modality"}
    return write_openmsi(
        [first, second], tmp_path / "brain.h5", dependencies=[[], [link]],
        instrument={"name": MetadataValue("TOF")}, identifier="a brain",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are not broken, however wide the window is that the tests run in."""
    monkeypatch.setattr(out_console, "_width", 200)


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def fail(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    before = sys.argv
    sys.argv = ["napari-scope", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    assert ended.value.code not in (0, None)
    return " ".join(capsys.readouterr().err.split())


def test_info_says_what_is_in_a_file(brain: Path) -> None:
    text = run("info", brain)
    for words in (
        "openmsi", "MS1", "2 x 2", "100 to 200", "105 to 205", "10 x 20 µm",
        "40 values on one axis", "40 peaks on one axis", "float32",
        "2 regions of data set 0", "first pixel of data set 1: 3, 6",
        "data set 1: co_modality of_907 is data set 0", "fact 0: 0",
        "more; --all prints them", "name: TOF", "\\x1b[31m",
    ):  # fmt: skip
        assert words in text, words
    assert "\x1b[31m" not in text and "x" * 300 not in text and "fact 49" not in text
    text = run("info", "--all", brain)
    assert "x" * 500 in text and "voltage: 2.5 kV" in text


def test_info_tells_where_an_image_begins_unless_at_0(tmp_path: Path) -> None:
    for x, words in ((0, "first pixel: 0, 6"), (4, "first pixel: 4, 6")):
        table = PixelTable.of([x, x + 1], [6, 6])
        spectra = MemorySpectra.over(MZ, np.ones((2, 40)), table)
        assert words in run("info", write_openmsi(spectra, tmp_path / f"{x}.h5"))
    table = PixelTable.of([0, 1], [0, 0])
    spectra = MemorySpectra.over(MZ, np.ones((2, 40)), table)
    assert "first pixel" not in run("info", write_openmsi(spectra, tmp_path / "c.h5"))


def test_info_as_json(brain: Path) -> None:
    facts = json.loads(run("info", "--json", brain))
    assert facts["format"] == "openmsi" and facts["size"] == brain.stat().st_size
    first, second = facts["data_sets"]
    assert first["pixels"] == [2, 2] and first["origin"] == [3, 6]
    assert first["mz_range"] == [100, 200] and first["bins"] == 40
    assert first["pixel_size_um"] == [10, 20] and second["pixel_size_um"] is None
    assert first["regions"][1]["extend"] == [2, 1]
    assert first["metadata"]["voltage"] == {
        "value": 2.5, "unit": "kV", "description": "", "ontology": "",
    }  # fmt: skip
    assert second["dependencies"][0]["dataset"] == 0
    assert facts["experiments"][0]["identifier"] == "a brain"
    assert [one["instrument"]["name"]["value"] for one in facts["data_sets"]] == [
        "TOF",
        "TOF",
    ]
    assert first["method"] == {} and facts["problems"] == []


def test_info_tells_problems(brain: Path, tmp_path: Path) -> None:
    import h5py

    with h5py.File(brain, "r+") as file:
        del file["entry_0/data_1/mz"]
    assert "problem: left out: /entry_0/data_1" in run("info", brain)


def test_info_tells_experiments_and_what_differs_between_data_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import h5py

    from napari_scope.formats.msi.openmsi.content import Content, WrittenExperiment

    monkeypatch.setattr(out_console, "_width", 60)
    table = PixelTable.of([0], [0])
    names = [f"FTMS + p MALDI Full ms [100.00-1000.00] of {k}" for k in "abc"]
    sets = tuple(MemorySpectra.over(MZ, np.ones((1, 40)), table, n) for n in names)
    path = write_openmsi(
        Content(
            sets,
            (WrittenExperiment("left half", 2), WrittenExperiment("right\x1b", 1)),
            tuple({"name": MetadataValue(name)} for name in ("TOF", "TOF", "FT")),
        ),
        tmp_path / "a.h5",
    )
    with h5py.File(path, "r+") as file:
        group = file["entry_1"].create_group("analysis_0")
        group["analysis_type"] = "findpeaks"
    text = run("info", path)
    for words in (
        "experiment left half: data sets 0, 1", "experiment right\\x1b: data set 2",
        "analysis_0 findpeaks, which is not shown",
        "instrument of data set 2:\n  name: FT",
    ):  # fmt: skip
        assert words in text, words
    # However narrow the window is, the ends of the names are there.
    assert "…" not in text and all(f"{k} " in text for k in "abc")


def test_a_checksum_is_compared_if_asked_for(
    brain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "checksum: the file tells none" in run("info", "--verify", brain)
    run("convert", brain, tmp_path / "a.imzML", "--dataset", 0)
    assert "those that were written" in run("info", "--verify", tmp_path / "a.imzML")
    assert "checksum: " not in run("info", tmp_path / "a.imzML")
    with (tmp_path / "a.ibd").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    text = fail(capsys, "info", "--verify", tmp_path / "a.imzML")
    assert "are not those that were written" in text
    done = CliRunner().invoke(
        app, ["info", "--json", "--verify", str(tmp_path / "a.imzML")]
    )
    assert done.exit_code == 1 and json.loads(done.stdout)["checksum_right"] is False
    run("convert", brain, tmp_path / "a.ome.zarr")
    text = fail(capsys, "info", "--verify", tmp_path / "a.ome.zarr")
    assert "--verify is for mass-spectrometry images" in text


def test_raw_data_that_nobody_reads_say_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "run.d"
    raw.mkdir()
    (raw / "analysis.tdf").touch()
    assert "export them as imzML" in fail(capsys, "info", raw)
    assert "export them as imzML" in fail(capsys, "convert", raw, tmp_path / "a.h5")


def test_convert_to_ion_images(brain: Path, tmp_path: Path) -> None:
    table = tmp_path / "ions.csv"
    table.write_text("mz,name,tolerance,unit\n150,PI,20,Da\n160,,\n")
    text = run(
        "convert", brain, tmp_path / "a.ome.zarr", "--mz", 120, "--mz-list", table,
        "--tolerance", 10000, "--unit", "ppm", "--normalise", "tic", "--dataset", 0,
        "--region", 1, "--hotspot", 0.9,
    )  # fmt: skip
    channels = "m/z 120 ± 10000 ppm, PI, m/z 160 ± 10000 ppm"
    assert f"channels: {channels}" in text and "2 spectra converted" in text
    image = open_dataset(tmp_path / "a.ome.zarr").images[0]
    with open_msi(brain) as reader:
        data = reader.whole(0).of_regions([1])
        expected = data.ion_image(150, 20, normalise="tic", hotspot=0.9)
    np.testing.assert_array_equal(np.asarray(image.levels[0][1]), expected)


def test_convert_whole_spectra(brain: Path, tmp_path: Path) -> None:
    text = run("convert", brain, tmp_path / "a.imzML", "--compression", "zlib")
    assert "a_MS1.imzML" in text and "a_MS2.imzML" in text
    assert "8 spectra read back and the same" in text
    text = run(
        "convert", tmp_path / "a_MS1.imzML", tmp_path / "b", "--format", "openmsi"
    )
    assert "openmsi" in text
    text = run("convert", brain, tmp_path / "c.h5", "--no-verify", "--dataset", 1)
    assert "read back" not in text
    with open_msi(tmp_path / "c.h5") as reader:
        assert reader.data_sets[0].name == "MS2"


def test_errors_say_what_to_do(
    brain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zarr = tmp_path / "a.ome.zarr"
    for words, arguments in (
        (
            "not converted to ome-tiff",
            [tmp_path / "a.ome.tiff", "--format", "ome-tiff"],
        ),
        ("use .imzML, .h5 (OpenMSI)", [tmp_path / "a.tif"]),
        ("--image is not for mass-spectrometry images", [zarr, "--image", "A/1"]),
        (
            "--ngff-version is for ome-zarr",
            [tmp_path / "a.h5", "--ngff-version", "0.4"],
        ),
        ("ions are chosen for OME-Zarr", [tmp_path / "a.h5", "--mz", 5]),
        ("needs a --tolerance", [zarr, "--mz", 5, "--unit", "ppm"]),
        ("no data set 7; there are 0 to 1", [zarr, "--dataset", 7]),
        ("no region 7; there are [0, 1]", [zarr, "--region", 7]),
        ("list of ions cannot be read", [zarr, "--mz-list", tmp_path / "none.csv"]),
        ("-5.0 is no m/z", [zarr, "--mz=-5"]),
        ("what is converted", [brain]),
    ):
        assert words in fail(capsys, "convert", brain, *arguments), words
    none = tmp_path / "brian.imzML"
    text = fail(capsys, "convert", none, tmp_path / "a.h5")
    assert f"no such file or folder ({none})" in text
    assert [p.name for p in tmp_path.iterdir()] == ["brain.h5"]
    run("convert", brain, zarr)
    assert "exists" in fail(capsys, "convert", brain, zarr)
    text = fail(capsys, "convert", zarr, tmp_path / "b.ome.zarr", "--mz", 5)
    assert "--mz is for mass-spectrometry images: leave it out" in text
    text = fail(capsys, "convert", zarr, tmp_path / "b", "--format", "imzml")
    assert "only mass-spectrometry images become imzml" in text


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_conversion_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    bins, width, height = 20_000, 60, 50
    write(
        tmp_path / "big",
        np.zeros((1, 1, bins), "f4"),
        np.linspace(1, 9, bins, dtype="f4"),
    )
    head = bytearray((tmp_path / "big.hdr").read_bytes())
    struct.pack_into("<4H", head, 40, 4, bins, width, height)
    (tmp_path / "big.hdr").write_bytes(head)
    os.truncate(tmp_path / "big.img", bins * width * height * 4)
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "a.h5"
    command = "from napari_scope.cli.commands import main; main()"
    arguments = [
        "convert",
        str(tmp_path / "big.hdr"),
        str(target),
        "--compression",
        "gzip",
    ]
    program = subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while not list(target.parent.iterdir()) and program.poll() is None:
        time.sleep(0.02)
    program.send_signal(number)
    told = program.communicate()[1]
    assert program.returncode == 128 + number
    assert f"cancelled: nothing was made or changed ({target})" in told
    assert list(target.parent.iterdir()) == []
