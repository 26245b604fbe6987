"""What could be light, and what sounds like it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from napari_scope.acquire.light_sources import (
    LightControl,
    controls_of,
    likely,
    off_value,
)

# device, type, property, limits, allowed values, can be set
ROWS = [
    ("Shutter", "ShutterDevice", "State", False, ("0", "1"), True),
    ("Spectra", "GenericDevice", "Blue_Level", True, (), True),
    ("Spectra", "GenericDevice", "Blue_Enable", False, ("0", "1"), True),
    ("Spectra", "GenericDevice", "Version", False, (), False),
    ("Spectra", "GenericDevice", "Serial", False, (), True),
    ("LED", "StateDevice", "State", False, ("0", "1"), True),
    ("LED", "StateDevice", "Label", False, ("385nm", "470nm"), True),
    ("LED", "StateDevice", "ClosedPosition", False, ("0", "1"), True),
    ("Laser 488 nm", "GenericDevice", "Power setpoint", True, (), True),
    ("Wheel", "StateDevice", "Speed", True, (), True),
    ("Camera", "CameraDevice", "Light mode power", True, (), True),
]


@pytest.fixture
def core() -> Any:
    rows = {(device, name): row for row in ROWS for device, _, name, *_ in [row]}
    devices = list(dict.fromkeys(row[0] for row in ROWS))
    return SimpleNamespace(
        getLoadedDevices=lambda: devices,
        getDeviceType=lambda d: SimpleNamespace(
            name=next(row[1] for row in ROWS if row[0] == d)
        ),
        getDevicePropertyNames=lambda d: [row[2] for row in ROWS if row[0] == d],
        isPropertyReadOnly=lambda d, n: not rows[d, n][5],
        isPropertyPreInit=lambda d, n: n == "Serial",
        hasPropertyLimits=lambda d, n: rows[d, n][3],
        getAllowedPropertyValues=lambda d, n: rows[d, n][4],
    )


def test_what_could_be_light(core: Any) -> None:
    found = {(c.device, c.name): c for c in controls_of(core)}
    assert [*found] == [
        ("Shutter", "State"),
        ("Spectra", "Blue_Level"),
        ("Spectra", "Blue_Enable"),
        ("LED", "Label"),
        ("LED", "ClosedPosition"),
        ("Laser 488 nm", "Power setpoint"),
        ("Wheel", "Speed"),
    ]
    kinds = [control.kind for control in found.values()]
    assert kinds == ["switch", "amount", "switch", "choice", "switch"] + ["amount"] * 2
    assert found["Shutter", "State"] == LightControl(
        "Shutter", "State", "switch", "Shutter", "0", "1"
    )


def test_what_sounds_like_light(core: Any) -> None:
    names = [f"{c.device} {c.name}" for c in likely(controls_of(core))]
    assert names == [
        *("Shutter State", "Spectra Blue_Level", "Spectra Blue_Enable"),
        *("LED Label", "Laser 488 nm Power setpoint"),
    ]


@pytest.mark.parametrize(
    ("values", "off"),
    [
        (("Off", "On"), "Off"),
        (("Open", "Closed"), "Closed"),
        (("1", "0"), "0"),
        (("0", "1", "2"), ""),
        (("0", "Off"), ""),
        ((), ""),
    ],
)
def test_switches(values: tuple[str, ...], off: str) -> None:
    assert off_value(values) == off
