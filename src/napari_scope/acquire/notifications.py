"""The notifications of pycro-manager: what happened, to which frames.

They are dispatched by one thread of an acquisition, in order, none left out. A callback
may take its time; the microscope does not wait for it.

Examples
--------
>>> note = AcqNotification(
...     AcqNotification.Image, {"z": 0}, AcqNotification.Image.IMAGE_SAVED
... )
>>> note.is_image_saved_notification(), note.to_json()["milestone"]
(True, 'image_saved')
"""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["AcqNotification", "Milestone"]

Milestone: TypeAlias = str


class _Acquisition:
    ACQ_STARTED: Milestone = "acq_started"
    ACQ_EVENTS_FINISHED: Milestone = "acq_events_finished"


class _Hardware:
    PRE_HARDWARE: Milestone = "pre_hardware"
    PRE_Z_DRIVE: Milestone = "pre_z_drive"
    POST_HARDWARE: Milestone = "post_hardware"


class _Camera:
    PRE_SEQUENCE_STARTED: Milestone = "pre_sequence_started"
    POST_SEQUENCE_STOPPED: Milestone = "post_sequence_stopped"
    PRE_SNAP: Milestone = "pre_snap"
    POST_SNAP: Milestone = "post_snap"


class _Image:
    IMAGE_SAVED: Milestone = "image_saved"
    DATA_SINK_FINISHED: Milestone = "data_sink_finished"


_NAMES: dict[type, str] = {
    _Acquisition: "global",
    _Hardware: "hardware",
    _Camera: "camera",
    _Image: "image",
}


class AcqNotification:
    """One notification.

    Parameters
    ----------
    type : class
        ``AcqNotification.Acquisition``, ``Hardware``, ``Camera`` or ``Image``.
    payload : mapping, list of mappings, or None
        The axes of the frame, or of all frames of a hardware sequence.
    milestone : str
        One of the constants of the type.
    """

    Acquisition = _Acquisition
    Hardware = _Hardware
    Camera = _Camera
    Image = _Image

    def __init__(self, type: type, payload: Any, milestone: Milestone) -> None:
        self.type = type
        self.payload = payload
        self.milestone = milestone

    def is_acquisition_finished_notification(self) -> bool:
        """Return whether no more events will be run."""
        return self.milestone == _Acquisition.ACQ_EVENTS_FINISHED

    def is_data_sink_finished_notification(self) -> bool:
        """Return whether all files are closed."""
        return self.milestone == _Image.DATA_SINK_FINISHED

    def is_image_saved_notification(self) -> bool:
        """Return whether an image was saved."""
        return self.milestone == _Image.IMAGE_SAVED

    def to_json(self) -> dict[str, Any]:
        """Return type, milestone and payload as a dictionary."""
        found: dict[str, Any] = {
            "type": _NAMES.get(self.type, str(self.type)),
            "milestone": self.milestone,
        }
        if self.payload:
            found["payload"] = self.payload
        return found

    def __repr__(self) -> str:
        return f"AcqNotification({self.to_json()})"
