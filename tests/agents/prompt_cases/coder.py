from agents.base import Failure, ScriptParts
from agents.coder import show_failure, show_model
from records.candidate import LabelMap
from tests.agents.builders import make_candidate
from tests.agents.golden_prompts import INJECTION, LABELS, SENTENCE, PromptCase

MODEL = make_candidate("owner/model", ("LABEL_0", "LABEL_1"), card=f"# Card\n{INJECTION}", architecture="Bert")
PARTS = ScriptParts(label_map=LabelMap(classes={0: "bad", 1: None}, reason="a guess"), preprocess="return text")

CASES = (
    PromptCase(
        "coder",
        "coder",
        "request",
        {
            "sentence": SENTENCE,
            "labels": LABELS,
            "model": show_model(MODEL),
            "failures": [show_failure(Failure(parts=PARTS, output="AssertionError", reasons=("line 3: uses eval",)))],
        },
    ),
)
