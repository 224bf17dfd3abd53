from agents.coder import show_model
from tests.agents.builders import make_candidate
from tests.agents.golden_prompts import INJECTION, SENTENCE, PromptCase

MODEL = make_candidate("owner/model", ("LABEL_0", "LABEL_1"), card=f"# Card\n{INJECTION}", architecture="Bert")

CASES = (
    PromptCase(
        "critic",
        "critic",
        "request",
        {
            "sentence": SENTENCE,
            "labels": ("good", "bad"),
            "model": show_model(MODEL),
            "classes": {0: "bad", 1: None},
            "reason": "a guess",
            "script": "import torch\n",
            "output": "2 passed",
        },
    ),
)
