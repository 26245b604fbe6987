"""The height of a plate: where the focus is, never zero.

The wells of useq have no height. Its events name 0 all the same, which would drive the
focus to the zero of its drive, and stacks around it. `with_plate_at` gives the fields
of a plate a height; without a stack they have none, so the focus stays where it is.

Examples
--------
>>> import useq
>>> plate = useq.WellPlatePlan(
...     plate="96-well", a1_center_xy=(0, 0), selected_wells=([0], [0])
... )
>>> sequence = useq.MDASequence(
...     stage_positions=plate, z_plan=useq.ZRangeAround(range=2, step=1)
... )
>>> [event.z_pos for event in sequence]
[-1.0, 0.0, 1.0]
>>> [event.z_pos for event in with_plate_at(sequence, 70.0)]
[69.0, 70.0, 71.0]
"""

from __future__ import annotations

from useq import MDASequence, WellPlatePlan

__all__ = ["with_plate_at"]


def with_plate_at(sequence: MDASequence, z_um: float | None) -> MDASequence:
    """Return a sequence whose plate lies where the focus is.

    A sequence without a plate, or with a stack at heights of its own, is returned as
    it is. To be called when the fields are laid out: a plate that is changed later
    forgets its height.

    Parameters
    ----------
    sequence : MDASequence
        The sequence; not changed.
    z_um : float, optional
        Where the focus is, in micrometers; None without a focus drive.
    """
    plate = sequence.stage_positions
    if not isinstance(plate, WellPlatePlan):
        return sequence
    if sequence.z_plan is not None and not sequence.z_plan.is_relative:
        return sequence
    places = plate.image_positions
    moves = sequence.z_plan is not None or any(place.z for place in places)
    height = z_um if moves else None
    lying = plate.model_copy()
    # useq computes the fields once and keeps them here.
    lying.__dict__["image_positions"] = [
        place.replace(z=None if height is None else height + (place.z or 0.0))
        for place in places
    ]
    return sequence.replace(stage_positions=lying)
