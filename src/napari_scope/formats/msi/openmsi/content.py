"""What is to be written as OpenMSI: data sets, and all that is known of them.

Examples
--------
>>> content = content_of(reader, [1])  # doctest: +SKIP
>>> write_openmsi(content, "one.h5")  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.formats.msi.reader import MSIReader
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

    Metadata = Mapping[str, MetadataValue]

__all__ = ["Content", "WrittenExperiment", "content_of", "said_of"]


@dataclass(frozen=True, slots=True)
class WrittenExperiment:
    """An experiment that is written.

    Parameters
    ----------
    identifier : str
        What it is called.
    count : int
        How many data sets it has, those after the ones of the experiment before it.
    metadata : mapping of str to MetadataValue
        What is known of it.
    """

    identifier: str
    count: int
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be written.

    Parameters
    ----------
    sets : tuple of Spectra
        The data sets.
    experiments : tuple of WrittenExperiment
        What they belong to.
    instrument, methods : tuple of mapping
        What is known of the instrument and of the sample, for each data set.
    dependencies : tuple of sequence of mapping
        For each data set, dicts as `MSIReader.get_dataset_dependencies` returns them.
    """

    sets: tuple[Spectra, ...]
    experiments: tuple[WrittenExperiment, ...]
    instrument: tuple[Metadata, ...] = ()
    methods: tuple[Metadata, ...] = ()
    dependencies: tuple[Sequence[Mapping[str, Any]], ...] = ()


def content_of(
    reader: MSIReader,
    numbers: Sequence[int] | None = None,
    sets: Sequence[Spectra] | None = None,
) -> Content:
    """Return all that a reader knows of some data sets.

    Parameters
    ----------
    reader : MSIReader
        The source.
    numbers : sequence of int, optional
        Which data sets, ascending; all if not given.
    sets : sequence of Spectra, optional
        What is written of them: some regions; all of it if not given.
    """
    wanted = list(range(len(reader.data_sets)) if numbers is None else numbers)
    experiments = []
    for one in getattr(reader, "experiments", ()):
        count = sum(number in one.data_sets for number in wanted)
        if count:
            experiments.append(WrittenExperiment(one.identifier, count, one.metadata))
    if not experiments:
        experiments = [WrittenExperiment(reader.title, len(wanted))]
    said = [said_of(reader, number) for number in wanted]
    places = {number: place for place, number in enumerate(wanted)}
    of = getattr(reader, "_dependencies_of", lambda number: ())
    return Content(
        tuple(reader.data_sets[number] for number in wanted)
        if sets is None
        else tuple(sets),
        tuple(experiments),
        tuple(instrument for instrument, _ in said),
        tuple(methods for _, methods in said),
        tuple(
            [
                {**one, "dataset": places.get(one["dataset"])}
                for one in of(number)
                if one.get("region") is None
            ]
            for number in wanted
        ),
    )


def said_of(reader: MSIReader, number: int) -> tuple[Metadata, Metadata]:
    """Return what is known of the instrument and of the sample of a data set."""
    before = reader.select_dataset
    try:
        # What readers tell is that of the data set that is chosen.
        reader.select_dataset = number
        return reader.get_instrument_metadata(), reader.get_method_metadata()
    finally:
        reader.select_dataset = before
