from tests.agents.golden_prompts import INJECTION, LABELS, SENTENCE, PromptCase

CASES = (
    PromptCase(
        "reviewer",
        "reviewer",
        "request",
        {
            "sentence": SENTENCE,
            "labels": LABELS,
            "guidelines": "Irony counts as what is meant.",
            "rows": [{"id": "r1", "text": INJECTION}, {"id": "r2", "text": "Fine."}],
            "rejected": {"r2": "great"},
        },
    ),
)
