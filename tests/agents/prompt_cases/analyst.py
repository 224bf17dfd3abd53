from records.task import CANNOT_TELL
from tests.agents.golden_prompts import INJECTION, SENTENCE, PromptCase

COLUMNS = [
    {"name": "id", "is_text": False, "type": "int64"},
    {"name": "title", "is_text": True, "type": "string"},
    {"name": "text", "is_text": True, "type": "string"},
]
ROWS = [{"id": "1", "title": "A film", "text": INJECTION}, {"id": "2", "title": None, "text": "Fine."}]

CASES = (
    PromptCase(
        "analyst-task",
        "analyst",
        "task",
        {
            "sentence": SENTENCE,
            "labels": (),
            "text_columns": (),
            "answers": [],
            "columns": COLUMNS,
            "rows": ROWS,
            "may_ask": ("labels", "text"),
            "cannot_tell": CANNOT_TELL,
        },
    ),
    PromptCase(
        "analyst-task-stated",
        "analyst",
        "task",
        {
            "sentence": SENTENCE,
            "labels": ("good", "bad"),
            "text_columns": ("text",),
            "answers": [],
            "columns": COLUMNS,
            "rows": ROWS,
            "may_ask": (),
            "cannot_tell": CANNOT_TELL,
        },
    ),
    PromptCase(
        "analyst-task-answered",
        "analyst",
        "task",
        {
            "sentence": "Sort these",
            "labels": (),
            "text_columns": (),
            "answers": [{"question": "By what?", "answer": "good ones, bad ones and all the rest"}],
            "columns": COLUMNS,
            "rows": ROWS,
            "may_ask": ("labels",),
            "cannot_tell": CANNOT_TELL,
        },
    ),
)
