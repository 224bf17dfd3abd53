"""A task of each kind, as the prompts about scripts show it."""

from records.task import Kind, LabelSpec, TaskSpec
from tests.agents.golden_prompts import INJECTION, SENTENCE

_GOOD = LabelSpec(name="good", definition="It is praised.", example=INJECTION)
_SINGLE = TaskSpec(
    sentence=SENTENCE,
    labels=(_GOOD, LabelSpec(name="bad")),
    text_columns=("text",),
    domain="film reviews",
    guidelines="Irony counts as what is meant.",
    edge_cases=("A plot summary is bad.",),
)
TASKS: dict[Kind, TaskSpec] = {
    "single_label": _SINGLE,
    "multi_label": _SINGLE.model_copy(update={"kind": "multi_label"}),
    "text_pair": TaskSpec(
        sentence="Does the second text follow from the first?",
        kind="text_pair",
        labels=(LabelSpec(name="good", example="It rains.", example_pair="The street is wet."), LabelSpec(name="bad")),
        text_columns=("premise", "claim"),
    ),
}

CASES = ()
