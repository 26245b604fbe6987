"""All groups of a microscope and their presets as plain data: read, and defined anew.

An editor changes the data, with as many steps back as it likes; `define_groups` makes
the microscope have them. It is all or nothing: if the core refuses one, the groups are
as they were before. No device is set by it.

Examples
--------
>>> groups = read_groups(core)  # doctest: +SKIP
>>> define_groups(core, groups[1:])  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymmcore_plus import CMMCorePlus

__all__ = ["PresetGroup", "define_groups", "read_groups"]


@dataclass(frozen=True, slots=True)
class PresetGroup:
    """A group and its presets.

    Parameters
    ----------
    name : str
        Its name.
    presets : tuple
        Each is a name and its settings; each of these is device, property and value.
    is_channel : bool
        Whether its presets are the channels.
    """

    name: str
    presets: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = ()
    is_channel: bool = False


def read_groups(core: CMMCorePlus) -> list[PresetGroup]:
    """Return the groups as they are defined.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    """
    channel = core.getChannelGroup()
    groups = []
    for name in core.getAvailableConfigGroups():
        presets = tuple(
            (
                preset,
                tuple(
                    (str(device), str(prop), str(value))
                    for device, prop, value in core.getConfigData(name, preset)
                ),
            )
            for preset in core.getAvailableConfigs(name)
        )
        groups.append(PresetGroup(name, presets, name == channel))
    return groups


def define_groups(core: CMMCorePlus, groups: Sequence[PresetGroup]) -> int:
    """Let a microscope have these groups and no others.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    groups : sequence of PresetGroup
        What it is to have. Groups that are as they were are not touched.

    Returns
    -------
    int
        How many groups were made, changed or removed.

    Raises
    ------
    ConfigurationError
        If the core refuses one; all are as before then.
    """
    before = read_groups(core)
    try:
        return _make(core, before, groups)
    except (RuntimeError, ValueError) as error:
        with contextlib.suppress(RuntimeError, ValueError):
            _make(core, read_groups(core), before)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigurationError(
            f"the groups cannot be defined, {reason}",
            hint="all groups are as they were; change what is named and apply again",
        ) from error


def _make(
    core: CMMCorePlus, before: Sequence[PresetGroup], groups: Sequence[PresetGroup]
) -> int:
    wanted = {group.name: group for group in groups}
    if len(wanted) < len(groups):
        raise ValueError("two groups have one name")
    there = {group.name: group for group in before}
    changes = 0
    for name, group in there.items():
        if name not in wanted or wanted[name].presets != group.presets:
            core.deleteConfigGroup(name)
            changes += name not in wanted
    for name, group in wanted.items():
        if name in there and there[name].presets == group.presets:
            continue
        changes += 1
        core.defineConfigGroup(name)
        for preset, settings in group.presets:
            if not settings:
                core.defineConfig(name, preset)
            for device, prop, value in settings:
                core.defineConfig(name, preset, device, prop, value)
    channel = next((group.name for group in groups if group.is_channel), "")
    if channel != core.getChannelGroup():
        core.setChannelGroup(channel)
    return changes
