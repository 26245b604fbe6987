from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymmcore_plus import PropertyType

from napari_scope.widgets.devices.table_core import (
    PropertyReading,
    TableCore,
    read_properties,
)

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.widgets.common.core_events import GuiCore
    from napari_scope.widgets.common.microscope import Microscope

pytestmark = pytest.mark.gui


class _Odd:
    """A core with one property, as odd as a test wants it."""

    def __init__(
        self,
        value: str,
        kind: PropertyType = PropertyType.Integer,
        limits: tuple[float, float] | None = None,
        cached: bool = True,
    ) -> None:
        from pymmcore_plus.core.events import QCoreSignaler

        self.events = QCoreSignaler()
        self.value, self.kind, self.limits, self.cached = value, kind, limits, cached
        self.asked = 0

    def getPropertyFromCache(self, device: str, name: str) -> str:
        if not self.cached:
            raise RuntimeError("not in the cache")
        return self.value

    def getProperty(self, device: str, name: str) -> str:
        self.asked += 1
        return self.value

    def getPropertyType(self, device: str, name: str) -> PropertyType:
        if device == "gone":
            raise RuntimeError("no such device")
        return self.kind

    def hasPropertyLimits(self, device: str, name: str) -> bool:
        return self.limits is not None

    def getPropertyLowerLimit(self, device: str, name: str) -> float:
        assert self.limits is not None
        return self.limits[0]

    def getPropertyUpperLimit(self, device: str, name: str) -> float:
        assert self.limits is not None
        return self.limits[1]


def _table_core(odd: _Odd) -> TableCore:
    return TableCore(cast("GuiCore", odd))


def test_a_table_asks_no_device_for_what_is_known(qapp: object) -> None:
    known, unknown = _Odd("3"), _Odd("4", cached=False)
    assert _table_core(known).getProperty("d", "p") == "3" and not known.asked
    assert _table_core(unknown).getProperty("d", "p") == "4" and unknown.asked


@pytest.mark.parametrize(
    ("value", "limits", "kind"),
    [
        ("3", None, PropertyType.Integer),
        ("3", (0, 10), PropertyType.Integer),
        ("5000000000", None, PropertyType.String),
        ("-2147483649", None, PropertyType.String),
        ("3", (0, 2.0**32), PropertyType.String),
        ("nonsense", None, PropertyType.Integer),
    ],
)
def test_an_integer_too_long_for_an_editor_is_a_text(
    qapp: object, value: str, limits: tuple[float, float] | None, kind: PropertyType
) -> None:
    assert _table_core(_Odd(value, limits=limits)).getPropertyType("d", "p") is kind


@pytest.mark.parametrize(
    ("value", "limits", "has"),
    [
        ("0.5", (0.0, 1.0), True),
        ("2", (0.0, 1.0), False),  # a slider could not show it
        ("0.5", (0.0, float("inf")), False),
        ("0.5", (1.0, 1.0), False),
        ("0.5", None, False),
    ],
)
def test_limits_are_those_that_a_slider_can_show(
    qapp: object, value: str, limits: tuple[float, float] | None, has: bool
) -> None:
    core = _table_core(_Odd(value, PropertyType.Float, limits))
    assert core.hasPropertyLimits("d", "p") is has


@settings(max_examples=40)
@given(st.one_of(st.text(max_size=12), st.integers().map(str), st.floats().map(str)))
def test_no_value_that_is_told_breaks_an_editor(value: str) -> None:
    for kind in (PropertyType.Integer, PropertyType.Float):
        if _table_core(_Odd("1", kind)).can_show("d", "p", value):
            number = float(value or 0)
            assert abs(number) < float("inf")
            if kind is PropertyType.Integer:
                assert -(2**31) <= int(number) < 2**31


def test_impossible_values_are_not_told(qapp: object) -> None:
    odd = _Odd("3")
    core = _table_core(odd)
    told: list[tuple[str, str, object]] = []
    core.events.propertyChanged.connect(lambda *args: told.append(args))
    for device, value in (
        ("d", "99999999999"),
        ("d", "nonsense"),
        ("gone", "1"),
        ("d", "7"),
    ):
        odd.events.propertyChanged.emit(device, "p", value)
    assert told == [("d", "p", "7")]
    assert core.events.configSet is not None  # all others are the core's own


def test_readings_hold_what_cannot_be_read(
    microscope: Microscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    core: CMMCorePlus = microscope.real_core
    get = core.getProperty

    def unplugged(device: str, name: str) -> str:
        if device == "Z":
            raise RuntimeError("Error in device Z:\n  no answer")
        return str(get(device, name))

    monkeypatch.setattr(core, "getProperty", unplugged)
    readings = read_properties(core)
    assert PropertyReading("Camera", "Binning", "1") in readings
    z = [found for found in readings if found.device == "Z"]
    assert z and all("no answer" in found.problem for found in z)
