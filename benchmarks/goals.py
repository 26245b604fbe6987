"""What is aimed at: a rate, a memory, a size, a time, and how that is said.

Examples
--------
>>> Target("a", "b", 2).cases() == {"a", "b"}
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.harness import Result

__all__ = [
    "MemoryTarget",
    "SizeTarget",
    "Target",
    "TimeTarget",
    "ratio_text",
    "verdict",
]


@dataclass(frozen=True)
class Target:
    """What is aimed at: the rate of one case is at least so many times another's."""

    case: str
    against: str
    at_least: float

    def cases(self) -> set[str]:
        """Return the names of all cases that have to be measured."""
        return {self.case, self.against}

    def reached(self, result: Result) -> tuple[float, float]:
        """Return the ratio of the rates."""
        return (
            result.ratio(self.case, self.against),
            result.ratio_of_bests(self.case, self.against),
        )

    def line(self, result: Result) -> str:
        """Return what was reached."""
        median, best = self.reached(result)
        return (
            f"{self.case}: {ratio_text(median)} x {self.against} "
            f"(best rounds {ratio_text(best)}); target {self.at_least:g}: "
            f"{verdict(median >= self.at_least)}"
        )


@dataclass(frozen=True)
class MemoryTarget:
    """What is aimed at: another case takes at least so many times the memory of one."""

    case: str
    against: str
    at_least: float

    def cases(self) -> set[str]:
        """Return the names of all cases that have to be measured."""
        return {self.case, self.against}

    def reached(self, result: Result) -> tuple[float, float]:
        """Return the ratio of the memories."""
        ratio = result.memory_ratio(self.case, self.against)
        return ratio, ratio

    def line(self, result: Result) -> str:
        """Return what was reached."""
        ratio, _ = self.reached(result)
        return (
            f"{self.case}: {ratio_text(ratio)} x less memory than {self.against}; "
            f"target {self.at_least:g}: {verdict(ratio >= self.at_least)}"
        )


@dataclass(frozen=True)
class SizeTarget:
    """What is aimed at: one case takes at most so many times the disk of another."""

    case: str
    against: str
    at_most: float

    def cases(self) -> set[str]:
        """Return the names of all cases that have to be measured."""
        return {self.case, self.against}

    def reached(self, result: Result) -> tuple[float, float]:
        """Return the ratio of the sizes."""
        one, other = result.size(self.case), result.size(self.against)
        if one is None or other is None:
            raise ValueError(f"the sizes of {self.case}, {self.against} were not seen")
        return one / other, one / other

    def line(self, result: Result) -> str:
        """Return what was reached."""
        ratio, _ = self.reached(result)
        return (
            f"{self.case}: {ratio_text(ratio)} x the bytes on disk of {self.against}; "
            f"target at most {self.at_most:g}: {verdict(ratio <= self.at_most)}"
        )


@dataclass(frozen=True)
class TimeTarget:
    """What is aimed at: a frame takes a case at most so many milliseconds."""

    case: str
    at_most_ms: float

    def cases(self) -> set[str]:
        """Return the names of all cases that have to be measured."""
        return {self.case}

    def reached(self, result: Result) -> tuple[float, float]:
        """Return the time of a frame."""
        return result.frame_ms(self.case), result.best_frame_ms(self.case)

    def line(self, result: Result) -> str:
        """Return what was reached."""
        median, best = self.reached(result)
        return (
            f"{self.case}: {median:.2f} ms for each (best round {best:.2f}); target at "
            f"most {self.at_most_ms:g}: {verdict(median <= self.at_most_ms)}"
        )


def verdict(met: bool) -> str:
    """Return the word for it."""
    return "met" if met else "missed"


def ratio_text(value: float) -> str:
    """Return a ratio as the tables show it."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
