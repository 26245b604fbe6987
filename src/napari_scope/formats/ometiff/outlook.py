"""What the OME-XML of a growing file says, and when it has to be written anew.

The text tells which image directory holds which plane. Written anew for each frame it
would take more room than the pixels; written at the end only, a killed file would be a
heap of planes. So it *foretells*: as long as frames come in the order of acquisition,
the text that was there before them is right, and readers see zeros for what is still
to come. A frame that comes otherwise (something was skipped) makes the text be
replaced before it is linked, so at no instant does the file say something wrong.
Where such texts would take too many bytes, because frames come in no order at all, the
text lists what is there and is brought up to date now and then.

Pure bookkeeping; nothing is written here.

Examples
--------
>>> outlook = Outlook(expected=0, stop=3)
>>> outlook = outlook.after(0)
>>> outlook.is_right_for(1, size=5000), outlook.is_right_for(2, size=5000)
(True, False)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["NOTHING", "Outlook"]

# What may be spent on texts: a little at once, then a small share of the file, so that
# making them takes less time than writing the pixels.
_FREE_BYTES = 1 << 16
_SHARE = 256


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is foretold.

    Parameters
    ----------
    expected, stop : int
        The planes foretold, by their number in the order of acquisition; none if they
        are equal.
    spent : int
        Bytes of the texts that had to be replaced.
    """

    expected: int
    stop: int
    spent: int = 0

    @property
    def foretells(self) -> bool:
        """Whether the text says something of frames to come."""
        return self.expected < self.stop

    def _worth_it(self, size: int) -> bool:
        return self.spent <= _FREE_BYTES + size // _SHARE

    def is_right_for(self, number: int, size: int) -> bool:
        """Return whether the text may stay when a plane comes.

        Parameters
        ----------
        number : int
            Number of the plane in the order of acquisition.
        size : int
            Bytes of the file by now.
        """
        if self.foretells or number == self.expected:
            return self.foretells and number == self.expected
        return not self._worth_it(size)

    def is_hopeful(self, number: int, size: int) -> bool:
        """Return whether to foretell again, now that the text is replaced."""
        return number == self.expected or self._worth_it(size)

    def renewed(self, number: int, stop: int, cost: int, *, hopeful: bool) -> Outlook:
        """Return the outlook of a text that was written for a plane to come.

        Parameters
        ----------
        number, stop : int
            The plane, and where what is foretold ends.
        cost : int
            Bytes of the text.
        hopeful : bool
            Whether it foretells anything.
        """
        spent = self.spent + cost
        return Outlook(number, stop, spent) if hopeful else Outlook(-1, -1, spent)

    def after(self, number: int) -> Outlook:
        """Return the outlook when a plane has come."""
        if number == self.expected:
            return replace(self, expected=number + 1)
        return self


NOTHING = Outlook(-1, -1)
"""The outlook of a text that foretells nothing."""
