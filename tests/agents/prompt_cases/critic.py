from agents.coder import show_model, show_task
from records.task import Kind
from tests.agents.builders import make_candidate
from tests.agents.golden_prompts import INJECTION, PromptCase
from tests.agents.prompt_cases.script_tasks import TASKS

MODEL = make_candidate("owner/model", ("LABEL_0", "LABEL_1"), card=f"# Card\n{INJECTION}", architecture="Bert")


def make_case(name: str, kind: Kind, *, whole: bool = False, training: dict[str, float] | None = None) -> PromptCase:
    return PromptCase(
        name,
        "critic",
        "request",
        {
            "task": show_task(TASKS[kind]),
            "pairs": kind == "text_pair",
            "independent": kind == "multi_label",
            "model": show_model(MODEL),
            "classes": {0: "bad", 1: None},
            "reason": INJECTION,
            "whole": whole,
            "training": training or {},
            "lines": ["import torch", f"# {INJECTION}", ""],
            "findings": ["line 1: F401 `torch` imported but unused"],
            "output": "2 passed",
        },
    )


CASES = (
    make_case("critic", "single_label", training={"epochs": 2}),
    make_case("critic-whole", "single_label", whole=True),
    make_case("critic-pair", "text_pair"),
    make_case("critic-multi-label", "multi_label"),
)
