"""What scores are called."""

import numpy as np
import pytest

from marketdata_pipelines.domain.quality.grades import Grade, Quality, grade_of, grades, qualities, quality_of


@pytest.mark.parametrize(
    ("score", "quality", "grade"),
    [
        (100.0, Quality.EXCELLENT, Grade.A),
        (90.0, Quality.EXCELLENT, Grade.A),
        (89.99, Quality.GOOD, Grade.B),
        (70.0, Quality.GOOD, Grade.B),
        (69.99, Quality.FAIR, Grade.C),
        (50.0, Quality.FAIR, Grade.C),
        (49.99, Quality.POOR, Grade.D),
        (30.0, Quality.POOR, Grade.D),
        (29.99, Quality.UNACCEPTABLE, Grade.F),
        (0.0, Quality.UNACCEPTABLE, Grade.F),
    ],
)
def test_a_level_begins_at_its_least_score(score: float, quality: Quality, grade: Grade) -> None:
    assert quality_of(score) is quality
    assert grade_of(score) is grade


def test_many_scores_are_called_as_each_alone() -> None:
    scores = np.linspace(0, 100, 201)

    assert qualities(scores).tolist() == [str(quality_of(score)) for score in scores]
    assert grades(scores).tolist() == [str(grade_of(score)) for score in scores]


def test_no_score_is_called_nothing() -> None:
    assert grades(np.zeros(0)).tolist() == []
