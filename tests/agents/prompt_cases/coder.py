from agents.base import Failure, ScriptParts
from agents.coder import find_columns, show_failure, show_model, show_task
from records.candidate import LabelMap
from records.task import Kind
from templates.renderer import Hyperparameters
from tests.agents.builders import make_candidate
from tests.agents.golden_prompts import INJECTION, PromptCase
from tests.agents.prompt_cases.script_tasks import TASKS

MODEL = make_candidate("owner/model", ("LABEL_0", "LABEL_1"), card=f"# Card\n{INJECTION}", architecture="Bert")
PARTS = ScriptParts(label_map=LabelMap(classes={0: "bad", 1: None}, reason="a guess"), preprocess="return text")
FAILURES = (
    Failure(parts=PARTS, output="AssertionError", reasons=("line 3: uses eval",)),
    Failure(
        parts=PARTS.model_copy(update={"script": f'"""Label texts."""\n# {INJECTION}\n'}),
        output=f"E   {INJECTION}",
        reasons=(INJECTION,),
    ),
)


def make_case(name: str, kind: Kind, failures: tuple[Failure, ...] = ()) -> PromptCase:
    return PromptCase(
        name,
        "coder",
        "request",
        {
            "task": show_task(TASKS[kind]),
            "pairs": kind == "text_pair",
            "independent": kind == "multi_label",
            "model": show_model(MODEL),
            "columns": sorted(find_columns(MODEL)),
            "training": Hyperparameters(),
            "failures": [show_failure(failure) for failure in failures],
        },
    )


CASES = (
    make_case("coder", "single_label"),
    make_case("coder-repair", "single_label", FAILURES),
    make_case("coder-pair", "text_pair"),
    make_case("coder-multi-label", "multi_label"),
)
