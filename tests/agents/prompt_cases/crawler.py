from agents.crawler import MOST_ACTS, MOST_QUERIES
from tests.agents.golden_prompts import INJECTION, SENTENCE, PromptCase

TASK = {
    "sentence": SENTENCE,
    "family": "sentiment analysis",
    "domain": "film reviews",
    "labels": ("good", "bad"),
    "language": "en",
}
ACTS = {
    **TASK,
    "models": [{"id": 1, "name": "owner/model", "score": 0.8, "trained_on": (INJECTION,)}],
    "seen": 12,
    "done": [{"action": "search", "query": "sentiment", "found": 12, "new": 12}],
    "relations": ("datasets", "author"),
    "acts": MOST_ACTS,
}

CASES = (
    PromptCase("crawler-queries", "crawler", "queries", {**TASK, "most": MOST_QUERIES}),
    PromptCase("crawler-acts", "crawler", "acts", {**ACTS, "rounds": 3}),
    PromptCase("crawler-acts-last", "crawler", "acts", {**ACTS, "rounds": 1}),
)
