"""Every code sample of ome-writers' guide runs with only its import changed.

The guide is plain text without indentation, and its samples are fragments. They are
found, indented and completed by the few rules below; what they say is not changed.
Each sample then stores numbered frames, which are read back.
"""

from __future__ import annotations

import re
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import napari_scope.stream as stream_module
from napari_scope.formats import open_dataset
from napari_scope.stream import (
    AcquisitionSettings,
    Dimension,
    StoreSpec,
    create_stream,
    dims_from_standard_axes,
    read_journal,
)

SEEDS = Path(__file__).parents[2].parent / "shared" / "seeds"

# How a line of code begins where no bracket is open.
_START = re.compile(
    r"(>>> )?(from ome_writers import |with create_stream\(|for .*:( #.*)?$|try:$"
    r"|except \w+:$|else:$|stream\.|frame = |metadata = |settings = |dims = "
    r"|dimensions=\[)"
)
_OPENS = re.compile(r"(with|for|try|except|else)\b")

# Two samples have lost their line breaks, too.
_JOINTS = (
    (r"\.(dimensions=\[ .*\]) -", r".\n\1"),
    (
        r"\.(with create_stream.*?:) (for .*?:) (# .*context) (metadata = )",
        r".\n\1\n\2\n\3\n\4",
    ),
    (r"\bchannel_id, \.\.\. \} (stream)", r"channel_id }\n\1"),
)


def guide() -> str:
    found = sorted(SEEDS.glob("004_*.txt"))
    if not found:
        pytest.skip("the guide of ome-writers is not beside the repository")
    return found[0].read_text(encoding="utf-8")


def samples(text: str) -> list[str]:
    """Return the code samples of the guide, indented."""
    found: list[list[str]] = []
    depth = 0
    after_code = False
    for joint, parts in _JOINTS:
        text = re.sub(joint, parts, text)
    for line in text.splitlines():
        prompt = line.startswith((">>> ", "... "))
        line = line[4:] if prompt else line
        comment = after_code and line.startswith("#")
        if not (depth or comment or _START.match(line)):
            after_code = False
            continue
        starts = depth == 0 and re.match(r"from |dims = |dimensions=|settings = ", line)
        if not after_code or (starts and not found[-1][-1].startswith("from ")):
            found.append([])
        found[-1].append(line)
        after_code = True
        depth += sum(map(bare(line).count, "([{")) - sum(map(bare(line).count, ")]}"))
    return [indented(lines) for lines in found]


def bare(line: str) -> str:
    """Return a line without strings and comment."""
    return re.sub(r"#.*", "", re.sub(r"'[^']*'|\"[^\"]*\"", "''", line))


def indented(lines: list[str]) -> str:
    """Indent blocks; they end with the sample, or where a try goes on."""
    result: list[str] = []
    level = depth = 0
    for line in lines:
        if depth == 0 and re.match(r"(except|else)\b", line):
            level -= 1
        result.append("    " * level + line)
        depth += sum(map(bare(line).count, "([{")) - sum(map(bare(line).count, ")]}"))
        if depth == 0 and _OPENS.match(line):
            level += 1
    return "\n".join(result)


def completed(code: str) -> str:
    """Complete what the guide leaves out with dots; change the import."""
    code = code.replace("from ome_writers import", "from napari_scope.stream import")
    code = code.replace("dimensions=[...]", "dimensions=DIMENSIONS")
    code = re.sub(r'(Dimension\(name="(\w)"), \.\.\.\)', r'\1, **REST["\2"])', code)
    code = code.replace("for ...:", "for _ in range(6):")
    if "AcquisitionSettings(" in code:
        return re.sub(
            r"^\.\.\.$", 'dimensions=DIMENSIONS, dtype="uint16"', code, flags=re.M
        )
    return code


class SomeAcquisitionError(Exception):
    """Named in the guide."""


class Bench:
    """The names that the samples take for granted, and what was stored."""

    def __init__(self) -> None:
        self.frames: list[npt.NDArray[Any] | None] = []
        self.calls = 0
        self.names: dict[str, Any] = {
            **{name: getattr(stream_module, name) for name in stream_module.__all__},
            "DIMENSIONS": dims_from_standard_axes({"t": 2, "c": 3, "y": 16, "x": 24}),
            "REST": {"t": {"count": 2}, "z": {"count": 3}, "c": {"count": 2}}
            | {name: {"count": 16} for name in "yx"},
            "frame_iterator": self.frame_iterator,
            "setup_and_acquire_frame": self.acquire,
            "SomeAcquisitionError": SomeAcquisitionError,
            "position_id": 1,
            "time_point": 2,
            "channel_id": 3,
        }

    def frame(self) -> npt.NDArray[Any]:
        settings = self.names["settings"]
        shape = settings.shape[-2:]
        number = len(self.frames) + 1
        frame = np.full(shape, number % 251 + 1, settings.dtype)
        frame[0, : shape[1] // 2] = number % 256
        self.frames.append(frame)
        return frame

    def frame_iterator(self) -> Any:
        pairs = self.names["settings"].is_unbounded
        for _ in range(self.names["settings"].num_frames or 6):
            frame = self.frame()
            yield (frame, {}) if pairs else frame

    def acquire(self, _: object) -> npt.NDArray[Any]:
        self.calls += 1
        if self.calls % 3 == 2:
            self.frames.append(None)
            raise SomeAcquisitionError
        return self.frame()

    def run(self, code: str) -> None:
        exec(compile(code, "<sample>", "exec"), self.names)

    def stream(self) -> None:
        """Store frames with the settings that a sample has made."""
        settings = self.names["settings"]
        with create_stream(settings) as stream:
            for _ in range(settings.num_frames or 6):
                stream.append(self.frame())

    def check(self) -> None:
        """Compare what is on disk with the frames, each at its place."""
        settings: AcquisitionSettings = self.names["settings"]
        spec = settings.to_spec()
        images = stored(settings, spec)
        count = len(self.frames)
        counts = [
            n or -(-count // int(np.prod(settings.shape[1:-2])))
            for n in settings.shape[:-2]
        ]
        for number, frame in enumerate(self.frames):
            index = dict(zip(spec.order, np.unravel_index(number, counts), strict=True))
            image = images[int(index.pop("position", 0))]
            found = image[tuple(index[name] for name in spec.index_axes)]
            np.testing.assert_array_equal(found, 0 if frame is None else frame)


def stored(settings: AcquisitionSettings, spec: StoreSpec) -> list[npt.NDArray[Any]]:
    """Return the images on disk with their axes in the order t, c, z, y, x."""
    path = settings.output_path
    if settings.format_name == "ome-tiff":
        import tifffile

        with tifffile.TiffFile(path) as tif:
            (series,) = tif.series
            return [series.asarray()]
    assert settings.format_name == "ome-zarr"
    dataset = open_dataset(path)
    wanted = [*(spec.axes(spec.images[0]))]
    result = []
    for image in dataset.images:
        names = [axis.name for axis in image.axes]
        order = [names.index(axis.name) for axis in wanted]
        result.append(np.asarray(image.levels[0]).transpose(order))
    return result


@pytest.fixture(name="bench")
def _bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench()


def sample(*signs: str) -> list[str]:
    """Return the samples that hold all of these texts."""
    return [s for s in samples(guide()) if all(sign in s for sign in signs)]


def test_all_samples_are_found() -> None:
    found = samples(guide())
    kinds = [re.sub(r"^(#.*\n)*", "", s)[:11] for s in found]
    assert kinds.count("from ome_wr") == 3
    assert kinds.count("settings = ") == 9
    assert kinds.count("dimensions=") == 5
    assert kinds.count("with create") == 2
    assert len(found) == 19


LARGE = (0, 1, 9, 10)  # hundreds of megabytes each


@pytest.mark.parametrize(
    "number",
    [pytest.param(i, marks=[pytest.mark.slow] * (i in LARGE)) for i in range(19)],
)
def test_a_sample_runs_and_reads_back(number: int, bench: Bench) -> None:
    code = completed(samples(guide())[number])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if code.startswith("with "):
            last = Dimension(name="t", count=None), Dimension(name="t", count=6)
            bench.names["settings"] = AcquisitionSettings(
                root_path="bench.ome.zarr",
                dtype="uint16",
                dimensions=[last["range" in code], *bench.names["DIMENSIONS"][-2:]],
            )
        bench.run(code)
        if "settings" not in bench.names:
            dimensions = bench.names.get("dimensions", bench.names.get("dims"))
            bench.names["settings"] = AcquisitionSettings(
                root_path="bench.ome.zarr", dimensions=dimensions, dtype="uint16"
            )
        if not bench.frames:
            bench.stream()
        bench.check()
    undecided = re.search(r"root_path=(['\"])(root|example_5d_plate)\1", code)
    expected = [f"root_path '{undecided[2]}'"] if undecided else []
    assert len(told) == len(expected), [str(w.message) for w in told]
    for warning, text in zip(told, expected, strict=True):
        assert warning.category is UserWarning
        assert text in str(warning.message)
        assert warning.filename == "<sample>"


def test_metadata_of_frames_are_stored(bench: Bench) -> None:
    (code,) = sample("metadata=metadata")
    bench.names["settings"] = AcquisitionSettings(
        root_path="bench.ome.zarr",
        dtype="uint16",
        dimensions=[Dimension(name="t"), *bench.names["DIMENSIONS"][-2:]],
    )
    bench.run(completed(code))
    journal = read_journal(Path("bench.ome.zarr/acquisition/frames.jsonl"))
    kept = {"position": 1, "timestamp": 2, "channel": 3}
    assert [entry["metadata"] for entry in journal.frames] == [kept] * 6


def test_the_plate_of_the_guide_is_stored(bench: Bench) -> None:
    (code,) = sample("plate=Plate(")
    with pytest.warns(UserWarning, match="example_5d_plate"):
        bench.run(completed(code))
    bench.stream()
    dataset = open_dataset("example_5d_plate.ome.zarr")
    assert len(dataset.images) == 4
    spec = bench.names["settings"].to_spec()
    assert spec.plate.name == "Example Plate"
    assert [i.well for i in spec.images] == [
        ("A", "1"),
        ("A", "2"),
        ("C", "4"),
        ("C", "4"),
    ]
    assert len({i.name for i in spec.images}) == 4


def test_the_rules_themselves() -> None:
    text = textwrap.dedent(
        """\
        Prose with code( in it.
        with create_stream(settings) as stream:
        for ...:
        try:
        frame = f(...)
        except Bad:
        stream.skip()
        else:
        stream.append(frame)
        More prose: for each.
        """
    )
    (found,) = samples(text)
    assert found.splitlines()[-1] == "            stream.append(frame)"
    assert found.splitlines()[4] == "        except Bad:".replace(
        "        ", "        ", 1
    )
    compile(completed(found), "x", "exec")
