"""Dictionaries in the metadata of layers that lead to something that is never copied.

napari and other plugins copy, show, compare and write the metadata of a layer. Of a
`SingleDict` they see a plain dictionary of a few words, which is fit for JSON; a copy,
deep or not, is the object itself, and what is unpickled is the plain dictionary.
Neither ever copies a data set or an open file.

Examples
--------
>>> import copy, pickle
>>> one = SingleDict(path="/data")
>>> copy.deepcopy(one) is one, type(pickle.loads(pickle.dumps(one)))
(True, <class 'dict'>)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SingleDict"]


class SingleDict(dict[str, object]):
    """A dictionary that is equal to itself only, and its own copy."""

    def __copy__(self) -> Self:
        """Return the object itself."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Return the object itself."""
        return self

    def __reduce__(self) -> tuple[type[dict[str, object]], tuple[dict[str, object]]]:
        """Pickle as a plain dictionary."""
        return dict, (dict(self),)

    def __eq__(self, other: object) -> bool:
        """Return whether it is this very object."""
        return self is other

    def __ne__(self, other: object) -> bool:
        """Return whether it is another one; a dictionary compares what it holds."""
        return self is not other

    __hash__ = object.__hash__  # type: ignore[assignment]
