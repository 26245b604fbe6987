"""Makes folders of Bruker flex spots: no real ones of an image are public.

Names of files, keys and the values of the calibration are those of real spots of a
target plate; how the spots of an image are called and listed is known from what
describes the format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy.typing as npt

ML = {"ML1": 2322804.10760584, "ML2": 274.099200641536, "ML3": -0.00129879810255285}
TIMES = {"DELAY": 21021, "DW": 2}
HPC = (
    "V1.0CHPCData  Order 2 vCoeff V1.0VectorDouble 3 "
    "-0.05 2e-05 1e-09  c2 0 c0 0 minMass 1000 maxMass 4000 bUse 1 endCHPCData "
)


def acqu_text(points: int, **parameters: Any) -> str:
    """Return parameters as flexControl writes them; None leaves one out."""
    values: dict[str, Any] = {
        "BYTORDA": 0, **TIMES, **ML, "HPClBHi": 0, "HPClBLo": 0, "HPClOrd": 0,
        "HPClUse": False, "TD": points, "AQ_DATE": "2010-05-19T12:09:50.781+02:00",
        "Aoffs": [51] * 6, "D": [0] * 32, "HPCStr": "", "INSTRUM": "AUTOFLEX",
        "NTBCal": "V3.0CTOFCalibrationConstants 21021 2 ", "NoSHOTS": 600,
    }  # fmt: skip
    values.update(parameters)
    lines = [
        "##TITLE=  XMASS Parameter file",
        "##SPECTROMETER/DATASYSTEM=  Bruker Flex Series",
    ]
    for key, value in values.items():
        if isinstance(value, bool):
            lines.append(f"##${key}= {'yes' if value else 'no'} ")
        elif isinstance(value, list):
            lines.append(f"##${key}= (0..{len(value) - 1}) ")
            for start in range(0, len(value), 8):
                lines.append(" ".join(map(str, value[start : start + 8])) + " ")
        elif isinstance(value, str):
            lines.append(f"##${key}= <{value}> ")
        elif value is not None:
            lines.append(f"##${key}= {value} ")
    return "\r\n".join([*lines, "##END=", ""])


def write_spot(
    folder: Path,
    name: str,
    counts: npt.ArrayLike,
    *,
    repeat: str = "1/1SLin",
    acqu: str | None = "acqu",
    points: int | None = None,
    **parameters: Any,
) -> Path:
    """Write a spot; returns the folder with its ``fid``."""
    place = folder / name / repeat
    place.mkdir(parents=True)
    values = np.asarray(counts)
    order = ">" if parameters.get("BYTORDA") == 1 else "<"
    (place / "fid").write_bytes(values.astype(order + "i4").tobytes())
    if acqu is not None:
        text = acqu_text(len(values) if points is None else points, **parameters)
        (place / acqu).write_bytes(text.encode("latin-1"))
    return place


def spot_name(x: int, y: int, region: int = 0, chip: int = 0) -> str:
    return f"{chip}_R{region:02d}X{x:03d}Y{y:03d}"


def write_list(
    path: Path, lines: Iterable[str], *, note: str = "# X-pos Y-pos spot-name region"
) -> Path:
    path.write_bytes("\r\n".join([note, "", *lines, ""]).encode("latin-1"))
    return path


def write_sample(
    sample: Path,
    counts: Mapping[tuple[int, int, int], npt.ArrayLike],
    **known: Any,
) -> Path:
    """Write a sample of spots (region, x, y) with a list; returns the list."""
    folder = sample / "tissue"
    lines = []
    for (region, x, y), values in counts.items():
        write_spot(folder, spot_name(x, y, region), values, **known)
        name = spot_name(x, y, region).partition("_")[2]
        lines.append(f"{100 * x} {100 * y} {name} {region + 1}")
    return write_list(sample / "tissue Spot List.txt", lines)


def write_large(folder: Path, width: int, height: int, points: int = 22431) -> Path:
    """Write a large folder of spots, of which each has other counts."""
    base = np.random.default_rng(1).integers(0, 50, points).astype("<i4")
    text = acqu_text(points).encode("latin-1")
    for y in range(height):
        for x in range(width):
            place = folder / spot_name(x, y) / "1" / "1SLin"
            place.mkdir(parents=True)
            base[(7 * (y * width + x)) % points] += 1000
            (place / "fid").write_bytes(base.tobytes())
            (place / "acqu").write_bytes(text)
    return folder
