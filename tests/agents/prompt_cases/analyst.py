from tests.agents.golden_prompts import INJECTION, SENTENCE, PromptCase

CASES = (
    PromptCase(
        "analyst-task",
        "analyst",
        "task",
        {
            "sentence": SENTENCE,
            "labels": ("good", "bad"),
            "text_columns": (),
            "columns": [{"column": "text", "is_text": True, "values": [INJECTION]}],
        },
    ),
    PromptCase(
        "analyst-queries",
        "analyst",
        "queries",
        {"sentence": SENTENCE, "family": "sentiment analysis", "labels": ("good", "bad"), "language": "en"},
    ),
)
