"""The one manifest at the top is what npe2 finds, however the project is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[1]

needs_build_backend = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None
    or importlib.util.find_spec("pip") is None,
    reason="needs hatchling and pip in this environment (dependency group `test`)",
)

# Runs in the fresh environment. The packages of this one come last on the path and as a
# plain directory, so that this environment's own install of the project stays unseen.
INSPECT = """
import json, sys
from importlib.metadata import distribution
from importlib.resources import files
sys.path += {site_packages!r}
from npe2 import PluginManifest
manifest = PluginManifest.from_distribution("napari-scope")
manifest.validate_imports()
print(json.dumps({{
    "name": manifest.name,
    "commands": {{c.id: c.python_name for c in manifest.contributions.commands}},
    "manifest": files("napari_scope").joinpath("napari.yaml").read_text("utf-8"),
    "typed": files("napari_scope").joinpath("py.typed").is_file(),
    "installed in": str(distribution("napari-scope").locate_file("")),
    "imported from": sys.modules["napari_scope"].__file__,
}}))
"""


def run(*command: str | Path) -> str:
    process = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def pip(*arguments: str | Path) -> None:
    """Run pip of this environment, without a network or the user's settings."""
    run(sys.executable, "-m", "pip", "--isolated", "-q", *arguments)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of what the build reads: building must not touch the checkout."""
    copy = tmp_path / "project"
    copy.mkdir()
    for name in ("LICENSE", "README.md", "napari.yaml", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, copy)
    shutil.copytree(
        CHECKOUT / "src",
        copy / "src",
        symlinks=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return copy


def build(project: Path, kind: str) -> Path:
    """Build a `wheel` or an `sdist` with the backend of this environment."""
    out = project.parent / f"{kind}-of-{project.name}"
    code = (
        "import os, sys, hatchling.build as backend\n"
        "os.makedirs(sys.argv[2])\n"
        "getattr(backend, 'build_' + sys.argv[1])(sys.argv[2])"
    )
    subprocess.run(
        [sys.executable, "-c", code, kind, str(out)],
        cwd=project,
        check=True,
        capture_output=True,
    )
    (built,) = out.iterdir()
    return built


def install(tmp_path: Path, *what: str | Path) -> Path:
    """Install into a fresh environment and return its interpreter."""
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=False)
    pip(
        *("install", "--prefix", fresh, "--ignore-installed", "--no-index"),
        *("--no-deps", "--no-build-isolation", "--no-warn-script-location"),
        *what,
    )
    return fresh / ("Scripts" if os.name == "nt" else "bin") / "python"


def inspect(python: Path) -> dict[str, object]:
    """Return what npe2 and importlib find in the environment of `python`."""
    paths = sysconfig.get_paths()
    site_packages = sorted({paths["purelib"], paths["platlib"]})
    found = json.loads(run(python, "-c", INSPECT.format(site_packages=site_packages)))
    fresh = python.parents[1]
    assert Path(found["installed in"]).is_relative_to(fresh), "not the fresh install"
    return found


def check(found: dict[str, object], project: Path) -> None:
    text = (project / "napari.yaml").read_text(encoding="utf-8")
    assert found["manifest"] == text
    manifest = yaml.safe_load(text)
    assert found["name"] == manifest["name"] == "napari-scope"
    assert found["commands"] == {
        command["id"]: command["python_name"]
        for command in manifest["contributions"]["commands"]
    }
    assert found["typed"]


@pytest.mark.slow
@needs_build_backend
def test_manifest_of_a_wheel(project: Path, tmp_path: Path) -> None:
    wheel = build(project, "wheel")
    names = zipfile.ZipFile(wheel).namelist()
    assert names.count("napari_scope/napari.yaml") == 1
    check(inspect(install(tmp_path, wheel)), project)


@pytest.mark.slow
@needs_build_backend
def test_manifest_of_a_wheel_built_without_symlinks(
    project: Path, tmp_path: Path
) -> None:
    # What git writes on Windows in place of a symlink.
    link = project / "src" / "napari_scope" / "napari.yaml"
    link.unlink()
    link.write_text("../../napari.yaml", encoding="utf-8")
    check(inspect(install(tmp_path, build(project, "wheel"))), project)


@pytest.mark.slow
@needs_build_backend
def test_manifest_of_an_sdist(project: Path, tmp_path: Path) -> None:
    sdist = build(project, "sdist")
    names = {name.partition("/")[2] for name in tarfile.open(sdist).getnames()}
    assert {"LICENSE", "napari.yaml", "pyproject.toml"} <= names
    # pip builds the wheel from what the archive holds, not from the checkout.
    check(inspect(install(tmp_path, sdist)), project)


@pytest.mark.slow
@needs_build_backend
def test_manifest_of_an_editable_install_is_the_file_itself(
    project: Path, tmp_path: Path
) -> None:
    if not (project / "src" / "napari_scope" / "napari.yaml").is_symlink():
        pytest.skip("this checkout has no symlinks (git config core.symlinks)")
    python = install(tmp_path, "-e", project)
    found = inspect(python)
    check(found, project)
    assert Path(str(found["imported from"])).is_relative_to(project)

    # No copy that would be stale until the next install.
    manifest = project / "napari.yaml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text + "# edited\n", encoding="utf-8")
    check(inspect(python), project)


@pytest.mark.parametrize(
    "name", ["NDTiff.index", "some folder/NDTiff.index", "a.zarr", "a.ome.zarr", ""]
)
def test_the_reader_is_offered_for(name: str, tmp_path: Path) -> None:
    from npe2 import PluginManager, PluginManifest

    manager = PluginManager()
    manager.register(PluginManifest.from_file(CHECKOUT / "napari.yaml"))
    # The empty name is an existing folder, for which napari asks every reader.
    readers = manager.iter_compatible_readers([str(tmp_path / name)])
    assert [reader.command for reader in readers] == ["napari-scope.read"]


def test_hard_dependencies_name_no_qt_binding() -> None:
    hard = [r for r in requires("napari-scope") or [] if "extra ==" not in r]
    assert hard
    names = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in hard}
    assert not names & {"pyqt5", "pyqt6", "pyside2", "pyside6"}
    # An extra of a dependency may bring one: napari[all], pymmcore-widgets[pyqt6].
    assert not [r for r in hard if re.search(r"\[[^]]*(all|py(qt|side))", r)]
