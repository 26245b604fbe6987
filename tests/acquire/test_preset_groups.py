"""Groups and presets are read and defined as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pymmcore_plus import CMMCorePlus

from napari_scope.acquire import CoreOwner
from napari_scope.acquire.preset_groups import PresetGroup, define_groups, read_groups
from napari_scope.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def owner() -> Iterator[CoreOwner]:
    with CoreOwner(CMMCorePlus()) as made:
        made.load()
        yield made


@pytest.fixture
def core(owner: CoreOwner) -> Iterator[CMMCorePlus]:
    before = read_groups(owner.core)
    yield owner.core
    define_groups(owner.core, before)


LIGHT = PresetGroup(
    "Light", (("dim", (("LED", "Label", "470nm"),)), ("empty", ())), is_channel=False
)


def test_what_is_read_can_be_defined(core: CMMCorePlus, monkeypatch: Any) -> None:
    before = read_groups(core)
    assert [group.name for group in before if group.is_channel] == ["Channel"]
    monkeypatch.setattr(core, "deleteConfigGroup", lambda name: pytest.fail(name))
    assert define_groups(core, before) == 0  # what is as it was is not touched
    assert read_groups(core) == before


def test_made_changed_and_removed(core: CMMCorePlus) -> None:
    before = read_groups(core)
    kept = [group for group in before if group.name != "Camera"]
    changed = [
        replace(group, presets=group.presets[:2]) if group.name == "Channel" else group
        for group in kept
    ]
    assert define_groups(core, [*changed, LIGHT]) == 3
    assert {group.name: group.presets for group in read_groups(core)} == {
        group.name: group.presets for group in [*changed, LIGHT]
    }
    assert core.getChannelGroup() == "Channel"
    assert define_groups(core, [replace(LIGHT, is_channel=True)]) >= len(kept)
    assert core.getChannelGroup() == "Light"


@pytest.mark.parametrize("again", [False, True])
def test_a_refusal_leaves_all_as_it_was(
    core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    before = read_groups(core)
    real, calls = core.defineConfig, []

    def refuse(*args: Any) -> None:
        calls.append(args)
        if args[0] == "Light":
            raise RuntimeError("no such device")
        real(*args)

    monkeypatch.setattr(core, "defineConfig", refuse)
    wanted = [LIGHT, LIGHT] if again else [LIGHT]
    with pytest.raises(ConfigurationError, match="one name" if again else "no such"):
        define_groups(core, wanted)
    assert {g.name: g for g in read_groups(core)} == {g.name: g for g in before}
