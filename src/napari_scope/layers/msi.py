"""Where a layer of mass-spectrometry images comes from: the reader and its data set.

Every layer made from such data carries an `MSILayer` in its metadata, under the key
``"msi"``. From a pixel of the layer it leads to spectra, other ion images and other
data sets of the same file. Nobody closes the reader by hand: it closes its files when
the last layer that has it is gone (`MSIReader.__del__`).

Examples
--------
>>> origin = msi_of(viewer.layers["brain TIC"].metadata)  # doctest: +SKIP
>>> origin.data.spectrum_at(12, 30)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from napari_scope.layers.single import SingleDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.msi import MSIData, MSIReader
    from napari_scope.layers.msi_totals import Totals

__all__ = ["MSI_KEY", "MSIKind", "MSILayer", "msi_of"]

MSI_KEY: Final = "msi"
"""Key in the metadata of a layer."""

MSIKind: TypeAlias = Literal["tic", "stack", "ion", "regions"]
"""Sums of all intensities, all channels, one ion image, the regions."""


class MSILayer(SingleDict):
    """The reader and data set behind a layer. It is never changed.

    It is a dictionary of a few words, which napari and other plugins may copy, show or
    write as JSON together with the rest of a layer's metadata. A copy, deep or not, is
    the object itself, and what is unpickled is the plain dictionary: neither ever
    copies a reader.

    Parameters
    ----------
    reader : MSIReader
        What reads the file. It is shared: nothing is to be chosen in it.
    dataset : int
        Number of the data set.
    kind : {"tic", "stack", "ion", "regions"}
        What the layer shows.
    **facts : object
        What else is to be known of it, as values of JSON; the m/z of an ion image, for
        example.
    totals : Totals, optional
        Sums that are still computed while the layer shows them.
    """

    __slots__ = ("dataset", "facts", "kind", "reader", "totals")

    def __init__(
        self,
        reader: MSIReader,
        dataset: int = 0,
        kind: MSIKind = "tic",
        *,
        totals: Totals | None = None,
        **facts: object,
    ) -> None:
        self.reader = reader
        self.totals = totals
        self.dataset = dataset
        self.kind: MSIKind = kind
        self.facts: Mapping[str, object] = facts
        super().__init__(
            path=reader.basename,
            format=reader.format_name(),
            dataset=dataset,
            kind=kind,
            **facts,
        )

    @property
    def data(self) -> MSIData:
        """The whole data set; all layers of it share this object."""
        return self.reader.whole(self.dataset)

    def for_(self, kind: MSIKind, **facts: object) -> MSILayer:
        """Return the origin of another layer of the same data set."""
        return MSILayer(self.reader, self.dataset, kind, totals=None, **facts)


def msi_of(metadata: Mapping[str, object]) -> MSILayer | None:
    """Return the origin in the metadata of a layer, or None if it has none."""
    found = metadata.get(MSI_KEY)
    return found if isinstance(found, MSILayer) else None
