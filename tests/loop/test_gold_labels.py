"""The labels in a gold file: one a row, and sets of them in the ways that people write lists."""

from pathlib import Path

import pytest

from graphs.gold_labels import match_labels
from records.errors import DataError
from records.task import LabelSpec, TaskSpec

NAMES = ("joy", "Anger", "fear, or dread")
SETS = TaskSpec(
    sentence="?", kind="multi_label", labels=tuple(LabelSpec(name=name) for name in NAMES), text_columns=("text",)
)
GOLD = Path("gold.csv")


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("joy", ("joy",)),
        ("anger; JOY", ("joy", "Anger")),
        ("joy|anger|joy", ("joy", "Anger")),
        ("joy, anger", ("joy", "Anger")),
        ("joy; fear, or dread", ("joy", "fear, or dread")),
        ("fear, or dread", ("fear, or dread",)),
        ('["anger", "fear, or dread"]', ("Anger", "fear, or dread")),
        ("[]", ()),
    ],
)
def test_a_set_is_read_in_the_order_of_the_task(cell: str, labels: tuple[str, ...]) -> None:
    assert match_labels(GOLD, ["a", "b"], [cell, " "], SETS) == {"a": labels}


@pytest.mark.parametrize("cell", ["joy; rage", '["rage"]', "[joy"])
def test_what_is_no_label_is_named(cell: str) -> None:
    with pytest.raises(DataError, match=r"row 0: the label .* is none of the task's") as caught:
        match_labels(GOLD, ["a"], [cell], SETS)
    assert "write [] for none of them" in str(caught.value)


def test_the_same_set_in_another_order_is_no_contradiction() -> None:
    assert match_labels(GOLD, ["a", "a"], ["joy; anger", "anger,joy"], SETS) == {"a": ("joy", "Anger")}
    with pytest.raises(DataError, match="rows 0 and 1 are of one text or id, and have different labels: 'joy' and"):
        match_labels(GOLD, ["a", "a"], ["joy", "[]"], SETS)


def test_a_task_with_one_label_a_text_takes_no_lists() -> None:
    one = SETS.model_copy(update={"kind": "single_label"})
    assert match_labels(GOLD, ["a"], ["ANGER"], one) == {"a": "Anger"}
    with pytest.raises(DataError, match="'joy; anger' is none of the task's"):
        match_labels(GOLD, ["a"], ["joy; anger"], one)
