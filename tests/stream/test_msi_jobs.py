from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.formats.msi_folder import write_imzml, write_scans, write_tissue

from napari_scope.errors import OutputExistsError
from napari_scope.formats import open_dataset
from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi.convert import Ion, convert_msi
from napari_scope.stream.msi_jobs import (
    MSIOptions,
    free_msi_target,
    msi_convert_job,
    msi_target,
)


def silent(what: str, done: int, total: int) -> None:
    return


def test_ion_images(tmp_path: Path) -> None:
    path = write_imzml(tmp_path / "brain.imzML")
    target = tmp_path / "ions.ome.zarr"
    ions = (Ion(150.0, 1), Ion(200.0, 1, name="mine"))
    job = msi_convert_job(path, target, MSIOptions(ions=ions))
    assert (job.title, job.source) == ("Convert to ions.ome.zarr", str(path))
    told: list[tuple[str, int, int]] = []
    result = job.run(lambda *step: told.append(step), lambda: False)
    assert (result.text, result.made) == ("2 ion images of 6 spectra", target)
    names = [one.name for one in open_dataset(target).images[0].channels]
    assert names == ["m/z 150 ± 1 Da", "mine"]
    assert told[-1] == ("percent", 100, 100)


@pytest.mark.parametrize(("kind", "name"), [("imzml", "imzML"), ("openmsi", "h5")])
def test_whole_spectra_of_a_part(tmp_path: Path, kind: str, name: str) -> None:
    path = write_tissue(tmp_path)
    target = tmp_path / f"part.{name}"
    options = MSIOptions(kind)  # type: ignore[arg-type]
    job = msi_convert_job(path, target, options, dataset=0, regions=(1,))
    assert job.title == f"Export to part.{name}"
    result = job.run(silent, lambda: False)
    assert result.text.startswith("2 spectra converted to ")
    assert result.text.endswith(", read back and the same")
    with open_msi(target) as reader:
        assert len(reader.data) == 2


def test_all_that_was_chosen_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_scans(tmp_path / "scans.mzML")
    asked: list[dict[str, Any]] = []

    def convert(*places: object, **settings: Any) -> object:
        asked.append(settings)
        return convert_msi(*places, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr("napari_scope.formats.msi.convert.convert_msi", convert)
    packed = MSIOptions("openmsi", compression="gzip", verify=False)
    result = msi_convert_job(path, tmp_path / "a.h5", packed).run(silent, lambda: False)
    assert result.text.endswith("converted to OpenMSI HDF5")  # not compared
    ions = MSIOptions(ions=(Ion(150.0, 1),), normalise="tic", version="0.4")
    job = msi_convert_job(path, tmp_path / "a.ome.zarr", ions, dataset=1, regions=[0])
    job.run(silent, lambda: False)
    names = "compression", "verify", "normalise", "version", "dataset", "regions"
    assert [tuple(one[name] for name in names) for one in asked] == [
        ("gzip", False, "none", None, None, None),
        (None, True, "tic", "0.4", 1, [0]),
    ]


def test_what_was_cancelled_leaves_nothing(tmp_path: Path) -> None:
    path = write_scans(tmp_path / "scans.mzML")
    job = msi_convert_job(path, tmp_path / "a.imzML", MSIOptions("imzml"))
    assert job.run(silent, lambda: True).state == "cancelled"
    assert [one.name for one in tmp_path.iterdir()] == ["scans.mzML"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = write_scans(tmp_path / "scans.mzML")
    (tmp_path / "a.h5").touch()
    with pytest.raises(OutputExistsError):
        msi_convert_job(path, tmp_path / "a.h5", MSIOptions("openmsi")).run(
            silent, lambda: False
        )


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("brain.imzML", "brain.h5"),
        ("liver 2.1.mzML", "liver 2.1.h5"),
        ("tissue Spot List.txt", "tissue.h5"),
        ("spots.of.day", "spots.of.day.h5"),
    ],
)
def test_names_of_targets(source: str, name: str) -> None:
    assert msi_target(f"/data/{source}", "openmsi").name == name


def test_names_that_are_free(tmp_path: Path) -> None:
    source = str(write_imzml(tmp_path / "a.imzML"))
    assert free_msi_target(source, "imzml").name == "a_2.imzML"
    (tmp_path / "a_2.ibd").touch()  # somebody else's
    assert free_msi_target(source, "imzml").name == "a_3.imzML"
    assert free_msi_target(source, "imzml", part=True).name == "a_part.imzML"
    zarr = Path(free_msi_target(source, "ome-zarr"))
    assert zarr.name == "a.ome.zarr"
    assert free_msi_target(source, "ome-zarr", taken={zarr}).name == "a_2.ome.zarr"
