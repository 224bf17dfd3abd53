"""Counts of who says what, and the rows that are torn between two labels, on arrays that can be counted by hand."""

import numpy as np

from specialists.confusion import choose_confused, count_confusion


def test_the_confusion_matrix_has_the_given_label_in_its_rows() -> None:
    matrix = count_confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


MEAN = np.array([[0.5, 0.3, 0.2], [0.4, 0.41, 0.19], [0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.45, 0.45, 0.1]])
"""Torn between 0 and 1: rows 0, 1, 3 (a tie for the second place goes to the label that stands first) and 4."""


def test_the_most_disputed_rows_between_two_labels_come_first() -> None:
    everything = np.ones(5, dtype=np.bool_)
    assert choose_confused(MEAN, (0, 1), everything, 9).tolist() == [4, 1, 3, 0]
    assert choose_confused(MEAN, (1, 0), everything, 2).tolist() == [4, 1]
    assert choose_confused(MEAN, (0, 2), everything, 9).tolist() == []


def test_only_eligible_rows_are_chosen() -> None:
    assert choose_confused(MEAN, (0, 1), np.array([True, True, True, True, False]), 2).tolist() == [1, 3]
    assert choose_confused(MEAN, (0, 1), np.zeros(5, dtype=np.bool_), 2).tolist() == []
