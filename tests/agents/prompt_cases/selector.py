from tests.agents.golden_prompts import INJECTION, SENTENCE, PromptCase

CASES = (
    PromptCase(
        "selector",
        "selector",
        "request",
        {
            "sentence": SENTENCE,
            "labels": ("good", "bad"),
            "family": "",
            "language": "en",
            "candidates": [{"id": 1, "name": "owner/model", "card": INJECTION}],
        },
    ),
)
