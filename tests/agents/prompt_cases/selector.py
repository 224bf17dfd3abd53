from tests.agents.golden_prompts import INJECTION, SENTENCE, PromptCase

CASES = (
    PromptCase(
        "selector",
        "selector",
        "request",
        {
            "sentence": SENTENCE,
            "labels": ("good", "bad"),
            "family": "sentiment analysis",
            "domain": "film reviews",
            "language": "en",
            "candidates": [{"id": 1, "name": "owner/model", "card": INJECTION}],
        },
    ),
)
