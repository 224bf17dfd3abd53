from agents.coder import show_model, show_task
from records.task import Kind
from tests.agents.builders import make_candidate
from tests.agents.golden_prompts import INJECTION, PromptCase
from tests.agents.prompt_cases.script_tasks import TASKS

MODEL = make_candidate("owner/model", ("LABEL_0", "LABEL_1"), card=f"# Card\n{INJECTION}", architecture="Bert")


LABEL_MAP = {"LABEL_MAP": (2, 2)}


def make_case(
    name: str, kind: Kind, written: dict[str, tuple[int, int]] = LABEL_MAP, *, whole: bool = False, **changed: object
) -> PromptCase:
    data = {
        "task": show_task(TASKS[kind]),
        "pairs": kind == "text_pair",
        "independent": kind == "multi_label",
        "model": show_model(MODEL),
        "classes": {0: "bad", 1: None},
        "reason": INJECTION,
        "whole": whole,
        "training": {},
        "first": 1 if whole else 2,
        "lines": ["import torch", f"# {INJECTION}", ""],
        "written": written,
        "findings": [],
        "output": "",
    }
    return PromptCase(name, "critic", "request", {**data, **changed})


CASES = (
    make_case("critic", "single_label"),
    make_case(
        "critic-remarks",
        "single_label",
        {"LABEL_MAP": (2, 3), "preprocess": (4, 4)},
        training={"epochs": 2},
        findings=[f"line 4: F401 {INJECTION}"],
        output=f"2 passed, 1 warning: {INJECTION}",
    ),
    make_case("critic-whole", "single_label", {"annotate.py": (1, 3)}, whole=True),
    make_case("critic-pair", "text_pair"),
    make_case("critic-multi-label", "multi_label", {"LABEL_MAP": (2, 2), "preprocess": (3, 3), "read_logits": (4, 4)}),
)
