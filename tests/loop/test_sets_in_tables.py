"""Sets of labels in the tables of a stage: reviews of them, and the figures that the result critic sees."""

import pyarrow as pa
import pytest

from agents.base import Decision
from graphs.criticising import count_rows, find_bound
from graphs.reviewing import apply_reviews
from graphs.tables import VOTED, read_answer, stage_schema
from records.review_book import BookedReview
from records.rows import ROW, ROW_ID, Review
from records.task import CANNOT_TELL
from specialists.label_space import LabelSets

SETS = LabelSets(("joy", "anger"))
VOTES = [("owner--one", ("joy",)), ("owner--two", ("joy", "anger"))]


def book(row: int, **said: object) -> BookedReview:
    return BookedReview(step=1, row_id=f"r{row}", review=Review.model_validate({"row": row, "source": "llm", **said}))


def make_table(*voted: tuple[str, ...]) -> pa.Table:
    rows = [
        {
            ROW: number,
            ROW_ID: f"r{number}",
            VOTED: one,
            "label": one,
            "source": "vote",
            "votes": VOTES,
            "agreement": 0.5,
        }
        for number, one in enumerate(voted)
    ]
    return pa.Table.from_pylist(rows, schema=stage_schema("multi_label"))


def test_a_set_stands_is_overruled_or_undecided() -> None:
    table = make_table(("joy",), ("joy",), ("joy",), ())
    booked = [book(0, labels=("anger",)), book(1, labels=()), book(2, undecided=True), None]
    decided = [(("anger",), 0.9), (("joy",), 0.6), None, None]
    first, second, third, fourth = apply_reviews(table, booked, decided).to_pylist()
    assert (first["label"], first["source"], first["confidence"]) == (["anger"], "llm", 0.9)
    assert (second["label"], second["source"], second["review_label"]) == (["joy"], "vote", [])
    assert (third["label"], third["source"], third["review_label"]) == (["joy"], "vote", [CANNOT_TELL])
    assert (fourth["label"], fourth["review_label"]) == ([], None)
    assert [read_answer(one["review_label"]) for one in (first, second, third, fourth)] == [("anger",), (), None, None]


def test_figures_count_each_label_by_itself() -> None:
    table = make_table(("joy",), ("joy", "anger"), ("joy",)).to_pylist()
    counts = count_rows(table, [book(0, labels=("anger",)), book(1, labels=("joy", "anger")), None], SETS, spot_check=1)
    assert (counts.rows, counts.unreviewed, counts.spot_checked, counts.spot_differing) == (3, 1, 2, 1)
    assert counts.labels == {"joy": 3, "anger": 1}
    assert (counts.vote.rows, counts.vote.reviewed, counts.vote.confirmed) == (3, 2, 0.5)
    assert counts.vote.confusion == {
        "joy": {"not joy": 1, "joy": 1},
        "not anger": {"anger": 1},
        "anger": {"anger": 1},
    }
    assert counts.specialists["owner--one"].agreed == 2, "the whole set is the vote's"


@pytest.mark.parametrize("several", [False, True])
def test_no_row_is_torn_between_labels_that_it_may_both_have(several: bool) -> None:
    decision = Decision(action="relabel_pair", labels=SETS.labels, evidence={"stage.rows": 3}, reason="?")
    state: dict = {"review_share": 0.2, "versions": {"a": 0}, "stage": 0, "stages": 2}
    found = find_bound(decision, state, 0.5, several=several)  # type: ignore[arg-type]
    assert bool(found) is several
