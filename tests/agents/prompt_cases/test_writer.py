from agents.coder import show_model, show_task
from records.task import Kind, LabelSpec
from tests.agents.builders import make_candidate
from tests.agents.golden_prompts import INJECTION, PromptCase
from tests.agents.prompt_cases.script_tasks import TASKS

MODEL = make_candidate("owner/model", ("LABEL_0", "LABEL_1"), card=f"# Card\n{INJECTION}", architecture="Bert")


def make_case(name: str, kind: Kind, labels: int = 2) -> PromptCase:
    more = tuple(LabelSpec(name=f"label {number}") for number in range(2, labels))
    task = TASKS[kind].model_copy(update={"labels": (*TASKS[kind].labels, *more)})
    return PromptCase(
        name,
        "test_writer",
        "request",
        {
            "task": show_task(task, rules=False),
            "pairs": kind == "text_pair",
            "independent": kind == "multi_label",
            "model": show_model(MODEL),
            "bounds": {"fewest": 4, "most": 16, "text": 2000, "row": 100_000},
        },
    )


CASES = (
    make_case("test-writer", "single_label"),
    make_case("test-writer-three-labels", "single_label", 3),
    make_case("test-writer-ten-labels", "single_label", 10),
    make_case("test-writer-pair", "text_pair"),
    make_case("test-writer-multi-label", "multi_label"),
)
