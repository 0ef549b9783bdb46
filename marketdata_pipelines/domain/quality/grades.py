"""What a score is called: levels and grades, by the same bounds. How scores come about is in `scoring`."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Quality(StrEnum):
    """A score in a word."""

    EXCELLENT = "Excellent"
    GOOD = "Good"
    FAIR = "Fair"
    POOR = "Poor"
    UNACCEPTABLE = "Unacceptable"


class Grade(StrEnum):
    """A score in a letter; each stands for one level."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    F = "F"


# The least score of each level, best first; the last has no bound.
LEAST = (90.0, 70.0, 50.0, 30.0)
_QUALITIES = np.array([str(quality) for quality in Quality], object)
_GRADES = np.array([str(grade) for grade in Grade], object)


def quality_of(score: float) -> Quality:
    """Excellent from 90 on, Good from 70, Fair from 50, Poor from 30, else Unacceptable."""
    return Quality(str(qualities(np.array([score]))[0]))


def grade_of(score: float) -> Grade:
    """A for Excellent, B Good, C Fair, D Poor, F Unacceptable."""
    return Grade(str(grades(np.array([score]))[0]))


def qualities(scores: NDArray[np.float64]) -> NDArray[np.object_]:
    """The level of each score, as text."""
    found: NDArray[np.object_] = _QUALITIES[_ranks(scores)]
    return found


def grades(scores: NDArray[np.float64]) -> NDArray[np.object_]:
    """The grade of each score, as text."""
    found: NDArray[np.object_] = _GRADES[_ranks(scores)]
    return found


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """0 for the best level to 4 for the worst."""
    ranks: NDArray[np.int64] = (scores[:, None] < np.array(LEAST)).sum(axis=1)
    return ranks
