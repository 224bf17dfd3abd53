from agents.base import KnownRow, ReviewRow
from agents.review_prompts import describe_review
from agents.review_replies import make_form
from records.task import LabelSpec, TaskSpec
from tests.agents.golden_prompts import INJECTION, SENTENCE, PromptCase

TASK = TaskSpec(
    sentence=SENTENCE,
    labels=(LabelSpec(name="good", definition="It is praised.", example="Loved it."), LabelSpec(name="bad")),
    text_columns=("text",),
    domain="film reviews",
    guidelines="Judge by the whole.",
    edge_cases=("Irony counts as what is meant.", "A quotation is no opinion."),
)
TOPICS = TASK.model_copy(update={"sentence": "Which topics has each review?", "kind": "multi_label"})
PAIRS = TaskSpec(
    sentence="Does the second sentence follow from the first?",
    kind="text_pair",
    labels=(LabelSpec(name="yes", example="It rains.", example_pair="It is wet."), LabelSpec(name="no")),
    text_columns=("premise", "claim"),
    guidelines="Use what everybody knows.",
)
ROWS = (ReviewRow(row=0, text=INJECTION), ReviewRow(row=1, text="Fine."))
PAIR_ROWS = (ReviewRow(row=0, text=INJECTION, text_pair="An animal moves."),)
VOTES = {"owner--model": "good", "owner--other": "bad"}
SHOWN = tuple(row.model_copy(update={"votes": VOTES}) for row in ROWS)
SHOWN_TOPICS = tuple(row.model_copy(update={"votes": {"owner--model": ("good", "bad")}}) for row in ROWS)
KNOWN = (KnownRow(text="Splendid.", labels=("good",)), KnownRow(text=INJECTION, labels=("bad",)))
KNOWN_TOPICS = (KnownRow(text="Splendid.", labels=("good", "bad")), KnownRow(text="Hm.", labels=()))
KNOWN_PAIRS = (KnownRow(text="It snows.", text_pair="It is hot.", labels=("no",)),)


def make_case(  # noqa: PLR0917 (a table of cases)
    name: str,
    task: TaskSpec,
    rows: tuple[ReviewRow, ...],
    known: tuple[KnownRow, ...] = (),
    thoughts: bool = False,
    reasons: bool = False,
) -> PromptCase:
    form, ids = make_form(task, thoughts=thoughts, reasons=reasons), ("r1", "r2")[: len(rows)]
    return PromptCase(name, "reviewer", "request", describe_review(task, form, ids, rows, known))


CASES = (
    make_case("reviewer", TASK, ROWS),
    make_case("reviewer-few", TASK, ROWS, KNOWN),
    make_case("reviewer-cot", TASK, ROWS, thoughts=True),
    make_case("reviewer-reasons", TASK, ROWS, reasons=True),
    make_case("reviewer-votes", TASK, SHOWN),
    make_case("reviewer-multi-label", TOPICS, SHOWN_TOPICS, KNOWN_TOPICS, thoughts=True, reasons=True),
    make_case("reviewer-pair", PAIRS, PAIR_ROWS, KNOWN_PAIRS),
)
